"""Sessions inside the process: peers without a transport, on the same router and under the same rules as all others.

    session = await join(node, "realm1", authid="shop", authrole="backend")
    result = await session.call("com.example.add", [2, 3])
    await session.publish("com.example.added", [result.value])

They belong to the loop of the node; no other thread may use them. What code hands over is copied, and what it gets is
its own. A handler that is no coroutine function holds up the loop while it runs.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from ..router.answers import Admit
from ..router.options import ServiceOptions
from ..wamp import errors, messages
from ..wamp.errors import SessionEnded, WampError
from ..wamp.messages import CallOptions, ClientRole, Message, PublishOptions, RegisterOptions, SubscribeOptions
from .handling import INVOCATION, Event, EventHandler, Handling, Invocation, Procedure, Result
from .inbox import Delivery, Ended, Inbox, LocalLane
from .node import Node
from .requests import Requests, again
from .values import copied, given

SERVICE: Final = ServiceOptions("local", hello_timeout=0)
"""Stands for the path service that other sessions come through."""
TRANSPORT: Final = {"type": "local"}
"""What the meta API tells of the transport."""
METHOD: Final = "local"
"""The authmethod of these sessions, and their authprovider."""
MAX_WAITING: Final = 10_000
"""Events and invocations that wait or are being handled, from which on a session gets no more."""
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "publisher": (),
    "subscriber": ("subscription_revocation",),
    "caller": ("progressive_call_results", "call_canceling"),
    "callee": ("progressive_call_results", "call_canceling", "registration_revocation"),
}


class Subscription:
    """A handler, and the topic or pattern that it hears. ``is_active`` until it is given up or revoked."""

    def __init__(self, session: "LocalSession", subscription_id: int, topic: str, handler: EventHandler) -> None:
        self._session = session
        self.id = subscription_id
        self.topic = topic
        self.handler = handler
        self.is_active = True

    async def unsubscribe(self) -> None:
        """Hear no more."""
        if self.is_active:
            self.is_active = False
            await self._session.forget_subscription(self)


class Registration:
    """A procedure or pattern, and what carries it out. ``is_active`` until it is given up or revoked."""

    def __init__(self, session: "LocalSession", registration_id: int, procedure: str, handler: Procedure) -> None:
        self._session = session
        self.id = registration_id
        self.procedure = procedure
        self.handler = handler
        self.is_active = True

    async def unregister(self) -> None:
        """Take no more calls; those that run go on."""
        if self.is_active:
            self.is_active = False
            await self._session.forget_registration(self)


class LocalSession:
    """A session inside the process; :func:`join` opens one.

    All of its coroutines raise SessionEnded when it is over, ApplicationError when the router or a callee answers with
    an error, PayloadError where a value cannot be sent.
    """

    def __init__(self, node: Node, realm: str, max_waiting: int = MAX_WAITING) -> None:
        self._loop = asyncio.get_running_loop()
        self._node = node
        self._max_waiting = max_waiting
        self._subscriptions: dict[int, list[Subscription]] = {}
        self._registrations: dict[int, Registration] = {}
        self._changing = asyncio.Lock()
        self._welcome: asyncio.Future[None] = self._loop.create_future()
        self._end: asyncio.Future[SessionEnded] = self._loop.create_future()
        self._handling = Handling(self._loop, self._send, self._weigh)
        self._inbox = Inbox(self._loop, self._handle, self._ended, self._weigh)
        self._requests = Requests(self._loop, self._inbox, self._send, self._unwanted)
        self._connection = node.connect(SERVICE, LocalLane(), self._inbox, TRANSPORT)
        self.realm = realm
        self.id = 0
        self.authid = ""
        self.authrole = ""

    @property
    def is_open(self) -> bool:
        """Whether it has joined and not ended."""
        return self.id != 0 and not self._end.done()

    async def wait_ended(self) -> SessionEnded:
        """Wait until the session is over, and return why."""
        return await asyncio.shield(self._end)

    async def open(self, principal: Admit) -> None:
        """Join the realm, once, before all else."""
        roles = {role: ClientRole(dict.fromkeys(features, True)) for role, features in ROLES.items()}
        hello = messages.Hello(self.realm, messages.HelloDetails(roles=roles))  # type: ignore[arg-type]
        self._node.admit(self._connection, hello, principal)
        await self._welcome
        self.authid, self.authrole = principal.authid, principal.authrole

    async def leave(self) -> None:
        """Say goodbye, after all that was sent before. What runs for the session is cancelled. Safe to call again."""
        if not self._end.done():
            self._node.receive(
                self._connection, messages.Goodbye(messages.ReasonDetails(), errors.CLOSE_GOODBYE_AND_OUT)
            )
            await self.wait_ended()

    async def publish(
        self,
        topic: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: PublishOptions | None = None,
    ) -> int | None:
        """Publish an event. With ``acknowledge`` among the options: wait for it, and return the publication's id."""
        options = options or PublishOptions()
        payload = given(args), given(kwargs)

        def publish(request_id: int) -> Message:
            return messages.Publish(request_id, options, topic, *payload)

        if not options.acknowledge:
            await self._requests.begin(publish)
            return None
        return int(await self._requests.ask(publish, lambda published: published.publication_id))

    async def subscribe(
        self, topic: str, handler: EventHandler, *, options: SubscribeOptions | None = None
    ) -> Subscription:
        """Let ``handler`` hear a topic, or with ``match`` among the options a pattern."""

        def subscribed(answer: messages.Subscribed) -> Subscription:
            subscription = Subscription(self, answer.subscription_id, topic, handler)
            self._subscriptions.setdefault(subscription.id, []).append(subscription)
            return subscription

        async with self._changing:
            subscription: Subscription = await self._requests.ask(
                lambda request_id: messages.Subscribe(request_id, options or SubscribeOptions(), topic), subscribed
            )
        return subscription

    async def register(
        self, procedure: str, handler: Procedure, *, options: RegisterOptions | None = None
    ) -> Registration:
        """Let ``handler`` carry out a procedure, or with ``match`` among the options a pattern of them."""

        def registered(answer: messages.Registered) -> Registration:
            registration = Registration(self, answer.registration_id, procedure, handler)
            replaced = self._registrations.get(registration.id)
            if replaced is not None:
                replaced.is_active = False
            self._registrations[registration.id] = registration
            return registration

        async with self._changing:
            registration: Registration = await self._requests.ask(
                lambda request_id: messages.Register(request_id, options or RegisterOptions(), procedure), registered
            )
        return registration

    async def call(
        self,
        procedure: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it is the call's, which is then canceled at the callee
        options: CallOptions | None = None,
    ) -> Result:
        """Call a procedure, and wait for its result.

        After ``timeout`` seconds the call is canceled and fails with ``wamp.error.timeout``. It is canceled too when
        the task that waits is.
        """
        payload = given(args), given(kwargs)
        options = options or CallOptions()
        request = await self._requests.call(lambda number: messages.Call(number, options, procedure, *payload))
        try:
            with self._requests.within(timeout, request):
                result: Result = await request.answer
        finally:
            self._requests.abandon(request)
        return result

    async def stream(
        self,
        procedure: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it is the call's, which is then canceled at the callee
        options: CallOptions | None = None,
    ) -> AsyncGenerator[Result, None]:
        """Call a procedure, and yield its progressive results as they come, then the result.

        ``timeout`` is that of the whole call. It is canceled when the generator is closed.
        """
        payload = given(args), given(kwargs)
        options = replace(options or CallOptions(), receive_progress=True)
        request = await self._requests.call(
            lambda number: messages.Call(number, options, procedure, *payload), has_parts=True
        )
        try:
            with self._requests.within(timeout, request):
                while (part := await request.part()) is not None:
                    yield part
            yield request.answer.result()
        finally:
            self._requests.abandon(request)
            if not request.answer.cancelled():
                request.answer.exception()  # it was read, or nobody wants it

    async def forget_subscription(self, subscription: Subscription) -> None:
        """The way of :meth:`Subscription.unsubscribe`."""
        async with self._changing:
            holders = self._subscriptions.get(subscription.id, [])
            if subscription in holders:
                holders.remove(subscription)
                if not holders:
                    del self._subscriptions[subscription.id]
                    await self._requests.ask(lambda request_id: messages.Unsubscribe(request_id, subscription.id))

    async def forget_registration(self, registration: Registration) -> None:
        """The way of :meth:`Registration.unregister`."""
        async with self._changing:
            if self._registrations.get(registration.id) is registration:
                del self._registrations[registration.id]
                await self._requests.ask(lambda request_id: messages.Unregister(request_id, registration.id))

    def _send(self, message: Message) -> None:
        if self.is_open:
            self._node.receive(self._connection, message)

    async def _progress(self, message: Message) -> None:
        await self._requests.turn()
        self._send(message)

    # --- what comes ----------------------------------------------------------------------------------------------

    def _handle(self, delivery: Delivery) -> None:
        handler = HANDLERS.get(type(delivery.message))
        if handler is not None:
            handler(self, delivery, delivery.message)

    def _on_welcome(self, delivery: Delivery, message: messages.Welcome) -> None:
        self.id = message.session_id
        if not self._welcome.done():
            self._welcome.set_result(None)

    def _on_abort(self, delivery: Delivery, message: messages.Abort) -> None:
        self._over(message.reason, message.details.message or "")

    def _on_goodbye(self, delivery: Delivery, message: messages.Goodbye) -> None:
        if self._connection.session_id != self.id:  # it answers ours, and the connection waits for another HELLO
            self._connection.lost()
            self._over(message.reason, "")
        else:
            self._over(message.reason, message.details.message or "")
            self._node.receive(
                self._connection, messages.Goodbye(messages.ReasonDetails(), errors.CLOSE_GOODBYE_AND_OUT)
            )

    def _on_answer(self, delivery: Delivery, message: Any) -> None:
        self._requests.on_answer(delivery, message)

    def _on_error(self, delivery: Delivery, message: messages.Error) -> None:
        self._requests.on_error(delivery, message)

    def _on_result(self, delivery: Delivery, message: messages.Result) -> None:
        self._requests.on_result(delivery, message)

    def _unwanted(self, outcome: object) -> None:
        if isinstance(outcome, Subscription | Registration):
            self._handling.start(self._undo(outcome))

    async def _undo(self, holder: Subscription | Registration) -> None:
        """Give up what was granted when nobody waited for it any more."""
        with suppress(WampError):
            await (holder.unsubscribe() if isinstance(holder, Subscription) else holder.unregister())

    def _on_revoked(self, delivery: Delivery, message: Any) -> None:
        """UNSUBSCRIBED and UNREGISTERED: answers, or what the router does of itself."""
        if message.request_id:
            self._on_answer(delivery, message)
        elif isinstance(message, messages.Unsubscribed):
            for subscription in self._subscriptions.pop(message.details.subscription, ()):  # type: ignore[union-attr, arg-type]
                subscription.is_active = False
        else:
            registration = self._registrations.pop(message.details.registration, None)
            if registration is not None:
                registration.is_active = False

    def _on_event(self, delivery: Delivery, message: messages.Event) -> None:
        for subscription in tuple(self._subscriptions.get(message.subscription_id, ())):
            args, kwargs = copied(delivery.args or []), copied(delivery.kwargs or {})
            topic = message.details.topic or subscription.topic
            event = Event(topic, args, kwargs, msgspec.to_builtins(message.details))
            self._handling.handle_event(subscription.handler, event)

    def _on_invocation(self, delivery: Delivery, message: messages.Invocation) -> None:
        registration = self._registrations.get(message.registration_id)
        if registration is None:  # it was on its way when the session unregistered
            details = messages.ErrorDetails()
            self._send(messages.Error(INVOCATION, message.request_id, details, errors.UNAVAILABLE))
            return
        procedure = message.details.procedure or registration.procedure
        details_ = msgspec.to_builtins(message.details)
        invocation = Invocation(
            message.request_id, procedure, delivery.args or [], delivery.kwargs or {}, details_, self._progress
        )
        self._handling.handle_invocation(registration.handler, invocation)

    def _on_interrupt(self, delivery: Delivery, message: messages.Interrupt) -> None:
        self._handling.interrupt(message.request_id)

    # --- the end, and what is too much ---------------------------------------------------------------------------

    def _ended(self, ended: Ended) -> None:
        """The router has closed the connection."""
        self._over(ended.reason, ended.message)
        self._connection.lost()

    def _over(self, reason: str, message: str) -> None:
        if self._end.done():
            return
        end = SessionEnded(reason, message)
        self._end.set_result(end)
        if not self._welcome.done():
            self._welcome.set_exception(again(end))
        self._requests.end(end)
        for registration in self._registrations.values():
            registration.is_active = False
        for subscription in chain.from_iterable(self._subscriptions.values()):
            subscription.is_active = False
        self._handling.stop()
        self._inbox.resume()

    def _weigh(self) -> None:
        """While too much waits, the node leaves the session out, as it does with slow peers."""
        waiting = len(self._inbox) + len(self._handling)
        if waiting >= self._max_waiting:
            self._connection.congested(True)
        elif self._connection.is_congested and waiting <= self._max_waiting // 2:
            self._connection.congested(False)


HANDLERS: Final[Mapping[type[Message], Callable[[LocalSession, Delivery, Any], None]]] = {
    messages.Welcome: LocalSession._on_welcome,
    messages.Abort: LocalSession._on_abort,
    messages.Goodbye: LocalSession._on_goodbye,
    messages.Published: LocalSession._on_answer,
    messages.Subscribed: LocalSession._on_answer,
    messages.Registered: LocalSession._on_answer,
    messages.Unsubscribed: LocalSession._on_revoked,
    messages.Unregistered: LocalSession._on_revoked,
    messages.Error: LocalSession._on_error,
    messages.Result: LocalSession._on_result,
    messages.Event: LocalSession._on_event,
    messages.Invocation: LocalSession._on_invocation,
    messages.Interrupt: LocalSession._on_interrupt,
}
"""What is done with what comes; other messages are not for a client."""


async def join(
    node: Node,
    realm: str,
    *,
    authid: str,
    authrole: str,
    authextra: dict[str, Any] | None = None,
    max_waiting: int = MAX_WAITING,
) -> LocalSession:
    """Open a session inside the process, with any role of the realm, or with ``trusted``, which may do everything.

    Raises SessionEnded where the realm or the role does not exist, or the realm is full.
    """
    session = LocalSession(node, realm, max_waiting)
    await session.open(Admit(realm, authid, authrole, METHOD, METHOD, authextra))
    return session
