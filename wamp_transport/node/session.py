"""A session of code in this process, whatever carries its messages: it calls, publishes, registers, subscribes.

:mod:`.local` opens one at a router in this process, :mod:`.remote` one at a router elsewhere. It belongs to the event
loop that opened it; no other thread may use it. What code hands over is copied, and what it gets is its own. A handler
that is no coroutine function holds up the loop while it runs.

Section of the specification: Basic Profile.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from ..wamp import errors, messages
from ..wamp.errors import SessionEnded, WampError
from ..wamp.messages import CallOptions, ClientRole, Message, PublishOptions, RegisterOptions, SubscribeOptions
from .client_types import Event, EventHandler, Invocation, Procedure, Result
from .handler_runner import INVOCATION, Handling
from .inbox import Delivery, Ended, Inbox
from .payload_values import copied, given
from .requests import Requests, again

MAX_WAITING: Final = 10_000
"""Events and invocations that wait or are being handled, from which on a session gets no more."""
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "publisher": (),
    "subscriber": ("subscription_revocation",),
    "caller": ("progressive_call_results", "call_canceling"),
    "callee": ("progressive_call_results", "call_canceling", "registration_revocation"),
}


class Line(Protocol):
    """What carries the messages of one session. Nothing here waits or raises."""

    def open(self, hello: messages.Hello) -> None:
        """Send HELLO, before all else."""
        ...

    def send(self, message: Message) -> None:
        """Send a message."""
        ...

    def challenged(self, challenge: messages.Challenge, session_id: int) -> None:
        """The router wants to know who this is."""
        ...

    def congested(self, is_congested: bool) -> None:
        """Too much waits for the session's code; or no longer."""
        ...

    def close(self) -> None:
        """The session is over."""
        ...


class Subscription:
    """A handler, and the topic or pattern that it hears. ``is_active`` until it is given up or revoked."""

    def __init__(self, session: "Session", subscription_id: int, topic: str, handler: EventHandler) -> None:
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

    def __init__(self, session: "Session", registration_id: int, procedure: str, handler: Procedure) -> None:
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


class Session:
    """A session. All of its coroutines raise SessionEnded when it is over, ApplicationError when the router or a callee
    answers with an error, PayloadError where a value cannot be sent.

    ``connect`` makes the line, whose messages go into the inbox that it is given.
    """

    def __init__(self, realm: str, connect: Callable[[Inbox], Line], max_waiting: int = MAX_WAITING) -> None:
        self._loop = asyncio.get_running_loop()
        self._max_waiting = max_waiting
        self._subscriptions: dict[int, list[Subscription]] = {}
        self._registrations: dict[int, Registration] = {}
        self._changing = asyncio.Lock()
        self._welcome: asyncio.Future[None] = self._loop.create_future()
        self._end: asyncio.Future[SessionEnded] = self._loop.create_future()
        self._handling = Handling(self._loop, self._send, self._weigh)
        self._inbox = Inbox(self._loop, self._handle, self._ended, self._weigh)
        self._requests = Requests(self._loop, self._inbox, self._send, self._unwanted)
        self._is_congested = False
        self._is_leaving = False
        self._line = connect(self._inbox)
        self.realm = realm
        self.id = 0
        self.authid = ""
        self.authrole = ""
        self.authmethod = ""

    @property
    def is_open(self) -> bool:
        """Whether it has joined and not ended."""
        return self.id != 0 and not self._end.done()

    async def wait_ended(self) -> SessionEnded:
        """Wait until the session is over, and return why."""
        return await asyncio.shield(self._end)

    async def open(
        self,
        authmethods: Sequence[str] | None = None,
        authid: str | None = None,
        authextra: dict[str, Any] | None = None,
    ) -> None:
        """Join the realm, once, before all else. Raises SessionEnded where the router does not let it."""
        roles: dict[str, ClientRole | None] = {
            role: ClientRole(dict.fromkeys(features, True)) for role, features in ROLES.items()
        }
        details = messages.HelloDetails(
            roles=roles,
            authmethods=None if authmethods is None else list(authmethods),
            authid=authid,
            authextra=authextra,
        )
        self._line.open(messages.Hello(self.realm, details))
        try:
            await self._welcome
        except asyncio.CancelledError:
            self._over(errors.CLOSE_NORMAL, "nobody waits for the session any more")
            self._line.close()
            raise

    async def leave(self) -> None:
        """Say goodbye, after all that was sent before. What runs for the session is cancelled. Safe to call again."""
        if not self._end.done():
            if not self._is_leaving:
                self._is_leaving = True
                self._line.send(messages.Goodbye(messages.ReasonDetails(), errors.CLOSE_GOODBYE_AND_OUT))
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
            self._line.send(message)

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
        details = message.details
        self.realm = details.realm or self.realm
        self.authid, self.authrole = details.authid or "", details.authrole or ""
        self.authmethod = details.authmethod or ""
        if not self._welcome.done():
            self._welcome.set_result(None)

    def _on_challenge(self, delivery: Delivery, message: messages.Challenge) -> None:
        self._line.challenged(message, self.id)

    def _on_abort(self, delivery: Delivery, message: messages.Abort) -> None:
        self._over(message.reason, message.details.message or "")

    def _on_goodbye(self, delivery: Delivery, message: messages.Goodbye) -> None:
        if self._is_leaving:
            self._line.close()
            self._over(message.reason, "")
        else:
            self._over(message.reason, message.details.message or "")
            self._line.send(messages.Goodbye(messages.ReasonDetails(), errors.CLOSE_GOODBYE_AND_OUT))

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
        self._line.close()

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
        is_congested = waiting > self._max_waiting // 2 if self._is_congested else waiting >= self._max_waiting
        if is_congested != self._is_congested:
            self._is_congested = is_congested
            self._line.congested(is_congested)


HANDLERS: Final[Mapping[type[Message], Callable[[Session, Delivery, Any], None]]] = {
    messages.Welcome: Session._on_welcome,
    messages.Challenge: Session._on_challenge,
    messages.Abort: Session._on_abort,
    messages.Goodbye: Session._on_goodbye,
    messages.Published: Session._on_answer,
    messages.Subscribed: Session._on_answer,
    messages.Registered: Session._on_answer,
    messages.Unsubscribed: Session._on_revoked,
    messages.Unregistered: Session._on_revoked,
    messages.Error: Session._on_error,
    messages.Result: Session._on_result,
    messages.Event: Session._on_event,
    messages.Invocation: Session._on_invocation,
    messages.Interrupt: Session._on_interrupt,
}
"""What is done with what comes; other messages are not for a client."""
