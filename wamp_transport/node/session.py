"""A WAMP client session that can call, publish, register and subscribe. It is independent of the transport.

:mod:`.local` opens sessions with the router of this process, :mod:`.remote` with any other router. A session belongs to
the event loop in which it was opened. Other threads must not use it. All values are copied when they are sent or
received. A handler that is not a coroutine function blocks the event loop while it runs.

See the Basic Profile of the WAMP specification.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from ..wamp import errors, messages
from ..wamp.errors import SessionClosed, WampError
from ..wamp.messages import CallOptions, ClientRole, Message, PublishOptions, RegisterOptions, SubscribeOptions
from .client_types import Event, EventHandler, Invocation, Procedure, Result
from .handler_runner import INVOCATION, HandlerRunner
from .inbox import DecodedMessage, Inbox, SessionEnd
from .payload_values import copy_payload, to_payload
from .requests import Requests, copy_exception

MAX_QUEUED_MESSAGES: Final = 10_000
"""Maximum number of queued messages and running handlers of a session.

When it is reached, the session receives no more events and calls.
"""

ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "publisher": (),
    "subscriber": ("subscription_revocation",),
    "caller": ("progressive_call_results", "call_canceling"),
    "callee": ("progressive_call_results", "call_canceling", "registration_revocation"),
}


class ClientTransport(Protocol):
    """The interface of a transport that carries the messages of one session. Its methods must not block."""

    def open(self, hello: messages.Hello) -> None:
        """Send HELLO, as the first message."""
        ...

    def send(self, message: Message) -> None:
        """Send a message."""
        ...

    def answer_challenge(self, challenge: messages.Challenge, session_id: int) -> None:
        """Answer a CHALLENGE from the router."""
        ...

    def set_congested(self, is_congested: bool) -> None:
        """Stop receiving messages because the session's queue is too long. If ``is_congested`` is False, resume."""
        ...

    def close(self) -> None:
        """Close the transport, because the session has ended."""
        ...


class Subscription:
    """A handler subscribed to a topic or pattern.

    ``is_active`` is True until the subscription is canceled or revoked.
    """

    def __init__(self, session: "Session", subscription_id: int, topic: str, handler: EventHandler) -> None:
        self._session = session
        self.id = subscription_id
        self.topic = topic
        self.handler = handler
        self.is_active = True

    async def unsubscribe(self) -> None:
        """Stop receiving events."""
        if self.is_active:
            self.is_active = False
            await self._session.forget_subscription(self)


class Registration:
    """A handler registered for a procedure or pattern.

    ``is_active`` is True until the registration is canceled or revoked.
    """

    def __init__(self, session: "Session", registration_id: int, procedure: str, handler: Procedure) -> None:
        self._session = session
        self.id = registration_id
        self.procedure = procedure
        self.handler = handler
        self.is_active = True

    async def unregister(self) -> None:
        """Stop receiving calls. Running calls continue."""
        if self.is_active:
            self.is_active = False
            await self._session.forget_registration(self)


class Session:
    """A client session.

    The methods that send requests raise SessionClosed if the session is closed, ApplicationError if the router or a
    callee answers with an ERROR, and PayloadError if a value cannot be sent. ``connect`` is a function that creates the
    transport. Its argument is the inbox to which the transport must write received messages.
    """

    def __init__(
        self, realm: str, connect: Callable[[Inbox], ClientTransport], max_queued: int = MAX_QUEUED_MESSAGES
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._max_queued = max_queued
        self._subscriptions: dict[int, list[Subscription]] = {}
        self._registrations: dict[int, Registration] = {}
        self._change_lock = asyncio.Lock()
        self._welcome: asyncio.Future[None] = self._loop.create_future()
        self._end: asyncio.Future[SessionClosed] = self._loop.create_future()
        self._handler_runner = HandlerRunner(self._loop, self._send, self._update_congestion)
        self._inbox = Inbox(self._loop, self._handle, self._on_connection_end, self._update_congestion)
        self._requests = Requests(self._loop, self._inbox, self._send, self._undo_late_outcome)
        self._is_congested = False
        self._is_leaving = False
        self._transport = connect(self._inbox)
        self.realm = realm
        self.id = 0
        self.authid = ""
        self.authrole = ""
        self.authmethod = ""
        self.authprovider = ""

    @property
    def is_open(self) -> bool:
        """Whether the session has joined and is not closed."""
        return self.id != 0 and not self._end.done()

    async def wait_ended(self) -> SessionClosed:
        """Wait until the session is closed, and return an exception with the reason."""
        return await asyncio.shield(self._end)

    async def open(
        self,
        authmethods: Sequence[str] | None = None,
        authid: str | None = None,
        authextra: dict[str, Any] | None = None,
    ) -> None:
        """Join the realm. Call this once, before all other methods. Raises SessionClosed if the router refuses."""
        roles: dict[str, ClientRole | None] = {
            role: ClientRole(dict.fromkeys(features, True)) for role, features in ROLES.items()
        }
        details = messages.HelloDetails(
            roles=roles,
            authmethods=None if authmethods is None else list(authmethods),
            authid=authid,
            authextra=authextra,
        )
        self._transport.open(messages.Hello(self.realm, details))
        try:
            await self._welcome
        except asyncio.CancelledError:
            self._end_session(errors.CLOSE_NORMAL, "the opening of the session was canceled")
            self._transport.close()
            raise

    async def leave(self) -> None:
        """Leave the realm: send GOODBYE, and wait until the session is closed. Running handlers are canceled.

        A second call only waits.
        """
        if not self._end.done():
            if not self._is_leaving:
                self._is_leaving = True
                self._transport.send(messages.Goodbye(messages.ReasonDetails(), errors.CLOSE_GOODBYE_AND_OUT))
            await self.wait_ended()

    async def publish(
        self,
        topic: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        options: PublishOptions | None = None,
    ) -> int | None:
        """Publish an event.

        With ``acknowledge`` in the options, wait for the acknowledgment and return the publication id.
        """
        options = options or PublishOptions()
        payload = to_payload(args), to_payload(kwargs, "kwargs")

        def publish(request_id: int) -> Message:
            return messages.Publish(request_id, options, topic, *payload)

        if not options.acknowledge:
            await self._requests.begin(publish)
            return None
        return int(await self._requests.ask(publish, lambda published: published.publication_id))

    async def subscribe(
        self, topic: str, handler: EventHandler, *, options: SubscribeOptions | None = None
    ) -> Subscription:
        """Subscribe ``handler`` to a topic or, with ``match`` in the options, to a pattern."""

        def subscribed(answer: messages.Subscribed) -> Subscription:
            subscription = Subscription(self, answer.subscription_id, topic, handler)
            self._subscriptions.setdefault(subscription.id, []).append(subscription)
            return subscription

        async with self._change_lock:
            subscription: Subscription = await self._requests.ask(
                lambda request_id: messages.Subscribe(request_id, options or SubscribeOptions(), topic), subscribed
            )
        return subscription

    async def register(
        self, procedure: str, handler: Procedure, *, options: RegisterOptions | None = None
    ) -> Registration:
        """Register ``handler`` for a procedure or, with ``match`` in the options, for a pattern."""

        def registered(answer: messages.Registered) -> Registration:
            registration = Registration(self, answer.registration_id, procedure, handler)
            replaced = self._registrations.get(registration.id)
            if replaced is not None:
                replaced.is_active = False
            self._registrations[registration.id] = registration
            return registration

        async with self._change_lock:
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
        timeout: float | None = None,  # noqa: ASYNC109 - the timeout also cancels the call at the callee
        options: CallOptions | None = None,
    ) -> Result:
        """Call a procedure and return its result.

        After ``timeout`` seconds, the call is canceled and this method raises CallTimeout. If the waiting task is
        canceled, the call is canceled as well.
        """
        payload = to_payload(args), to_payload(kwargs, "kwargs")
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
        timeout: float | None = None,  # noqa: ASYNC109 - the timeout also cancels the call at the callee
        options: CallOptions | None = None,
    ) -> AsyncGenerator[Result, None]:
        """Call a procedure. Yield its progressive results as they arrive, then the final result.

        ``timeout`` applies to the whole call: after that many seconds, it is canceled and the generator raises
        CallTimeout. Closing the generator cancels the call.
        """
        payload = to_payload(args), to_payload(kwargs, "kwargs")
        options = replace(options or CallOptions(), receive_progress=True)
        request = await self._requests.call(
            lambda number: messages.Call(number, options, procedure, *payload), is_progressive=True
        )
        try:
            with self._requests.within(timeout, request):
                while (part := await request.part()) is not None:
                    yield part
            yield request.answer.result()
        finally:
            self._requests.abandon(request)
            if not request.answer.cancelled():
                request.answer.exception()  # mark the exception as retrieved

    async def forget_subscription(self, subscription: Subscription) -> None:
        """Remove a subscription.

        If several handlers subscribe to the same topic, the router has only one subscription for them. Therefore,
        UNSUBSCRIBE is sent only when the last of them is removed.
        """
        async with self._change_lock:
            holders = self._subscriptions.get(subscription.id, [])
            if subscription in holders:
                holders.remove(subscription)
                if not holders:
                    del self._subscriptions[subscription.id]
                    await self._requests.ask(lambda request_id: messages.Unsubscribe(request_id, subscription.id))

    async def forget_registration(self, registration: Registration) -> None:
        """Remove a registration."""
        async with self._change_lock:
            if self._registrations.get(registration.id) is registration:
                del self._registrations[registration.id]
                await self._requests.ask(lambda request_id: messages.Unregister(request_id, registration.id))

    def _send(self, message: Message) -> None:
        if self.is_open:
            self._transport.send(message)

    async def _progress(self, message: Message) -> None:
        await self._requests.turn()
        self._send(message)

    # --- incoming messages -----------------------------------------------------------------------------------------

    def _handle(self, delivery: DecodedMessage) -> None:
        handler = HANDLERS.get(type(delivery.message))
        if handler is not None:
            handler(self, delivery, delivery.message)

    def _on_welcome(self, delivery: DecodedMessage, message: messages.Welcome) -> None:
        self.id = message.session_id
        details = message.details
        self.realm = details.realm or self.realm
        self.authid, self.authrole = details.authid or "", details.authrole or ""
        self.authmethod = details.authmethod or ""
        self.authprovider = details.authprovider or ""
        if not self._welcome.done():
            self._welcome.set_result(None)

    def _on_challenge(self, delivery: DecodedMessage, message: messages.Challenge) -> None:
        self._transport.answer_challenge(message, self.id)

    def _on_abort(self, delivery: DecodedMessage, message: messages.Abort) -> None:
        self._end_session(message.reason, message.details.message or "")

    def _on_goodbye(self, delivery: DecodedMessage, message: messages.Goodbye) -> None:
        if self._is_leaving:
            self._transport.close()
            self._end_session(message.reason, "")
        else:
            self._end_session(message.reason, message.details.message or "")
            self._transport.send(messages.Goodbye(messages.ReasonDetails(), errors.CLOSE_GOODBYE_AND_OUT))

    def _on_answer(self, delivery: DecodedMessage, message: Any) -> None:
        self._requests.on_answer(delivery, message)

    def _on_error(self, delivery: DecodedMessage, message: messages.Error) -> None:
        self._requests.on_error(delivery, message)

    def _on_result(self, delivery: DecodedMessage, message: messages.Result) -> None:
        self._requests.on_result(delivery, message)

    def _undo_late_outcome(self, outcome: object) -> None:
        if isinstance(outcome, Subscription | Registration):
            self._handler_runner.start(self._undo(outcome))

    async def _undo(self, holder: Subscription | Registration) -> None:
        """Cancel a subscription or registration whose confirmation arrived after the waiting task was canceled."""
        with suppress(WampError):
            await (holder.unsubscribe() if isinstance(holder, Subscription) else holder.unregister())

    def _on_revoked(self, delivery: DecodedMessage, message: Any) -> None:
        """Handle UNSUBSCRIBED or UNREGISTERED.

        The message is an answer to a request of this session or, if its request id is 0, a revocation by the router.
        """
        if message.request_id:
            self._on_answer(delivery, message)
        elif isinstance(message, messages.Unsubscribed):
            for subscription in self._subscriptions.pop(message.details.subscription, ()):  # type: ignore[union-attr, arg-type]
                subscription.is_active = False
        else:
            registration = self._registrations.pop(message.details.registration, None)
            if registration is not None:
                registration.is_active = False

    def _on_event(self, delivery: DecodedMessage, message: messages.Event) -> None:
        for subscription in tuple(self._subscriptions.get(message.subscription_id, ())):
            args, kwargs = copy_payload(delivery.args or []), copy_payload(delivery.kwargs or {})
            topic = message.details.topic or subscription.topic
            event = Event(topic, args, kwargs, msgspec.to_builtins(message.details))
            self._handler_runner.handle_event(subscription.handler, event)

    def _on_invocation(self, delivery: DecodedMessage, message: messages.Invocation) -> None:
        registration = self._registrations.get(message.registration_id)
        if registration is None:  # the router sent this call before it received our UNREGISTER
            details = messages.ErrorDetails()
            self._send(messages.Error(INVOCATION, message.request_id, details, errors.UNAVAILABLE))
            return
        procedure = message.details.procedure or registration.procedure
        details_ = msgspec.to_builtins(message.details)
        invocation = Invocation(
            message.request_id, procedure, delivery.args or [], delivery.kwargs or {}, details_, self._progress
        )
        self._handler_runner.handle_invocation(registration.handler, invocation)

    def _on_interrupt(self, delivery: DecodedMessage, message: messages.Interrupt) -> None:
        self._handler_runner.interrupt(message.request_id)

    # --- end and congestion -------------------------------------------------------------------------------

    def _on_connection_end(self, end: SessionEnd) -> None:
        """Handle the end of the connection."""
        self._end_session(end.reason, end.message)
        self._transport.close()

    def _end_session(self, reason: str, message: str) -> None:
        if self._end.done():
            return
        end = SessionClosed(reason, message)
        self._end.set_result(end)
        if not self._welcome.done():
            self._welcome.set_exception(copy_exception(end))
        self._requests.end(end)
        for registration in self._registrations.values():
            registration.is_active = False
        for subscription in chain.from_iterable(self._subscriptions.values()):
            subscription.is_active = False
        self._handler_runner.stop()
        self._inbox.resume()

    def _update_congestion(self) -> None:
        """Notify the transport when the queue of received messages becomes too long, and when it is short enough again.

        The queue must shrink to half of the limit, so that the state does not change with each message.
        """
        waiting = len(self._inbox) + len(self._handler_runner)
        is_congested = waiting > self._max_queued // 2 if self._is_congested else waiting >= self._max_queued
        if is_congested != self._is_congested:
            self._is_congested = is_congested
            self._transport.set_congested(is_congested)


HANDLERS: Final[Mapping[type[Message], Callable[[Session, DecodedMessage, Any], None]]] = {
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
"""The methods that handle the router's messages, by type. Messages of other types are ignored."""
