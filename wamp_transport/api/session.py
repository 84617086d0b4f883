"""The session object of :mod:`wamp_transport.api`. Each operation has a synchronous and an async method."""

import dataclasses
from collections.abc import AsyncGenerator, Coroutine, Generator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Literal

from msgspec.structs import replace

from ..conf import app_settings
from ..node.client_types import EventHandler, Procedure, Result
from ..node.payload_values import to_payload
from ..router.options import LOCAL_SERVICE
from ..signals import SessionInfo
from ..wamp.messages import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions
from .backends import ApiBackend, current_backend
from .bridge import LoopBridge, Outcome, within
from .reconnecting_session import ReconnectingSession, Registration, Subscription
from .transactions import arun_after_commit, run_after_commit

Match = Literal["exact", "prefix", "wildcard"]
Timeout = float | Literal["default"] | None

DEFAULT_TIMEOUT: Final = "default"
"""The value that selects the default timeout: the session's or, if it has none, the one in the settings."""

_SUBSCRIBE_OPTIONS: Final = SubscribeOptions()
_REGISTER_OPTIONS: Final = RegisterOptions()


class Session:
    """A session of Django code. The functions of :mod:`wamp_transport.api` are the methods of a default session.

    ``realm`` and ``role`` default to the settings ``REALM`` and ``ROLE``; ``timeout``, in seconds, defaults to the
    setting ``TIMEOUT``, and None waits forever. Each operation can override all three. Session objects are cheap:
    objects for the same realm and role share one session of the process, which opens on first use and reconnects.

    All operations raise :class:`NotConfigured` if the router or the realm is not known, TransportError if the router
    cannot be reached, SessionClosed if it refuses the session, and ApplicationError or a subclass, such as CallTimeout,
    if the router or a callee answers with an error or does not answer in time. On the event loop of the sessions,
    methods that block raise SynchronousOnlyOperation: they would block the loop that they wait for. The async methods
    have the prefix ``a``.
    """

    def __init__(
        self, *, realm: str | None = None, role: str | None = None, timeout: Timeout = DEFAULT_TIMEOUT
    ) -> None:
        self._realm = realm
        self._role = role
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"<Session: realm={self._realm!r}, role={self._role!r}>"

    # --- events -----------------------------------------------------------------------------------------------------

    def publish(
        self,
        topic: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        on_commit: bool = True,
        using: str | None = None,
        options: PublishOptions | None = None,
        realm: str | None = None,
        role: str | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
    ) -> int | None:
        """Publish an event. If a transaction is open, publish it after the commit; a rollback discards it.

        With ``on_commit=False``, publish immediately, even if the transaction is rolled back later. ``using`` is the
        database of the transaction. Values are copied immediately, not at the commit. Subscribers in this process
        receive the event too, unless ``options`` sets ``exclude_me`` to True. If ``options`` sets ``acknowledge``,
        return the ID of the publication, or None if the event waits for the commit. Errors after the commit are logged,
        not raised. Raises PayloadError if a value cannot be sent.
        """
        publication = PendingPublication.of(topic, args, kwargs, options, self._with(realm, role, timeout))
        if on_commit and run_after_commit(publication.send, using):
            return None
        return publication.send()

    async def apublish(
        self,
        topic: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        on_commit: bool = True,
        using: str | None = None,
        options: PublishOptions | None = None,
        realm: str | None = None,
        role: str | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,  # noqa: ASYNC109 - as in publish
    ) -> int | None:
        """Publish an event. See :meth:`publish`.

        If synchronous code calls this coroutine with ``async_to_sync``, the event waits for the transaction that is
        open in that code.
        """
        publication = PendingPublication.of(topic, args, kwargs, options, self._with(realm, role, timeout))
        if on_commit and await arun_after_commit(publication.send, using):
            return None
        return await publication.asend()

    def subscribe(
        self,
        topic: str,
        handler: EventHandler,
        *,
        match: Match = "exact",
        options: SubscribeOptions | None = None,
        realm: str | None = None,
        role: str | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
    ) -> Subscription:
        """Subscribe ``handler``, a function or coroutine function, to a topic or pattern.

        The handler is called with each :class:`Event`. Functions run in a thread and handle one event at a time.
        Coroutine functions run on the event loop of the sessions and can handle several events at the same time.
        """
        target = self._target(realm, role, timeout, blocking="subscribe")
        return target.wait(target.subscribe(topic, handler, match, options))

    async def asubscribe(
        self,
        topic: str,
        handler: EventHandler,
        *,
        match: Match = "exact",
        options: SubscribeOptions | None = None,
        realm: str | None = None,
        role: str | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,  # noqa: ASYNC109 - as in subscribe
    ) -> Subscription:
        """Subscribe ``handler`` to a topic or pattern. See :meth:`subscribe`."""
        target = self._target(realm, role, timeout)
        return await target.bridge.await_on_loop(target.subscribe(topic, handler, match, options))

    # --- calls ------------------------------------------------------------------------------------------------------

    def call(
        self,
        procedure: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        options: CallOptions | None = None,
        realm: str | None = None,
        role: str | None = None,
    ) -> Any:
        """Call a procedure and return its result.

        If the result is a single positional value, return this value. If it is empty, return None. If it has several
        or named values, return a :class:`Result`. After ``timeout``, cancel the call and raise CallTimeout.
        """
        target = self._target(realm, role, timeout, blocking="call")
        return target.wait(target.call(procedure, args, kwargs, options))

    async def acall(
        self,
        procedure: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,  # noqa: ASYNC109 - the callee must be canceled too
        options: CallOptions | None = None,
        realm: str | None = None,
        role: str | None = None,
    ) -> Any:
        """Call a procedure and return its result. See :meth:`call`. Canceling the waiting task cancels the call."""
        target = self._target(realm, role, timeout)
        return await target.bridge.await_on_loop(target.call(procedure, args, kwargs, options))

    def submit(
        self,
        procedure: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        options: CallOptions | None = None,
        realm: str | None = None,
        role: str | None = None,
    ) -> Future[Any]:
        """Start a call and return its future. ``result()`` waits for the result, and ``cancel()`` cancels the call."""
        target = self._target(realm, role, timeout)
        return target.bridge.run_on_loop(target.call(procedure, args, kwargs, options))

    def stream(
        self,
        procedure: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        options: CallOptions | None = None,
        realm: str | None = None,
        role: str | None = None,
    ) -> Generator[Any, None, None]:
        """Call a procedure. Yield its progressive results as they arrive, then the final result.

        Results have the same form as in :meth:`call`. ``timeout`` applies to the whole call. Closing the iterator
        cancels the call.
        """
        target = self._target(realm, role, timeout, blocking="stream")
        return target.bridge.iterate(target.stream(procedure, args, kwargs, options))

    def astream(
        self,
        procedure: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        options: CallOptions | None = None,
        realm: str | None = None,
        role: str | None = None,
    ) -> AsyncGenerator[Any, None]:
        """Call a procedure and yield its results. See :meth:`stream`."""
        target = self._target(realm, role, timeout)
        return target.bridge.aiterate(target.stream(procedure, args, kwargs, options))

    def register(
        self,
        procedure: str,
        handler: Procedure,
        *,
        match: Match = "exact",
        options: RegisterOptions | None = None,
        realm: str | None = None,
        role: str | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
    ) -> Registration:
        """Register ``handler``, a function or coroutine function, for a procedure or pattern.

        The handler receives an :class:`Invocation`, and returns the result of the call. Functions run in a thread,
        coroutine functions on the event loop of the sessions.
        """
        target = self._target(realm, role, timeout, blocking="register")
        return target.wait(target.register(procedure, handler, match, options))

    async def aregister(
        self,
        procedure: str,
        handler: Procedure,
        *,
        match: Match = "exact",
        options: RegisterOptions | None = None,
        realm: str | None = None,
        role: str | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,  # noqa: ASYNC109 - as in register
    ) -> Registration:
        """Register ``handler`` for a procedure or pattern. See :meth:`register`."""
        target = self._target(realm, role, timeout)
        return await target.bridge.await_on_loop(target.register(procedure, handler, match, options))

    # --- the session ------------------------------------------------------------------------------------------------

    def session_info(
        self, *, realm: str | None = None, role: str | None = None, timeout: Timeout = DEFAULT_TIMEOUT
    ) -> SessionInfo:
        """Return the ID, realm, authid and role of the session. Open the session if it is not open."""
        target = self._target(realm, role, timeout, blocking="session_info")
        return target.wait(target.session_info())

    async def asession_info(
        self,
        *,
        realm: str | None = None,
        role: str | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,  # noqa: ASYNC109 - as in session_info
    ) -> SessionInfo:
        """Return information about the session. See :meth:`session_info`."""
        target = self._target(realm, role, timeout)
        return await target.bridge.await_on_loop(target.session_info())

    def _with(self, realm: str | None, role: str | None, timeout: Timeout) -> "Session":
        """Return this session, or a copy with the values that an operation overrides."""
        if realm is None and role is None and timeout == DEFAULT_TIMEOUT:
            return self
        timeout = self._timeout if timeout == DEFAULT_TIMEOUT else timeout
        return Session(realm=realm or self._realm, role=role or self._role, timeout=timeout)

    def _target(
        self,
        realm: str | None = None,
        role: str | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        blocking: str | None = None,
    ) -> "_Target":
        """Return the session and time limit for an operation.

        If the operation blocks the calling thread, ``blocking`` is the name of the API method. In this case, raise
        SynchronousOnlyOperation if the thread runs the event loop of the sessions.
        """
        backend = current_backend()
        if blocking is not None:
            backend.bridge.forbid_on_loop(blocking)
        timeout = self._timeout if timeout == DEFAULT_TIMEOUT else timeout
        seconds = app_settings().api.timeout if timeout == DEFAULT_TIMEOUT else timeout
        return _Target(backend, backend.session(realm or self._realm, role or self._role), seconds)


@dataclass(frozen=True, slots=True)
class _Target:
    """The session and the time limit for one operation. All coroutine methods must run on the loop of ``bridge``."""

    backend: ApiBackend
    session: ReconnectingSession
    seconds: float | None

    @property
    def bridge(self) -> LoopBridge:
        return self.backend.bridge

    def wait(self, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        return self.backend.bridge.wait(work, self.seconds)

    async def publish(self, topic: str, args: Any, kwargs: Any, options: PublishOptions) -> int | None:
        async def work() -> int | None:
            session = await self.session.session()
            return await session.publish(topic, args, kwargs, options=options)

        return await within(self.seconds, work())

    async def call(self, procedure: str, args: Any, kwargs: Any, options: CallOptions | None) -> Any:
        async def work() -> Any:
            session = await self.session.session()
            return value_of(await session.call(procedure, args, kwargs, options=options))

        return await within(self.seconds, work())

    async def stream(
        self, procedure: str, args: Any, kwargs: Any, options: CallOptions | None
    ) -> AsyncGenerator[Any, None]:
        session = await within(self.seconds, self.session.session())
        parts = session.stream(procedure, args, kwargs, timeout=self.seconds, options=options)
        try:
            async for part in parts:
                yield value_of(part)
        finally:
            await parts.aclose()

    async def subscribe(
        self, topic: str, handler: EventHandler, match: Match, options: SubscribeOptions | None
    ) -> Subscription:
        options = replace(options or _SUBSCRIBE_OPTIONS, match=match)
        prepared = self.backend.prepare_handler(handler, in_order=True)
        subscription = Subscription(self.session, topic, prepared, options)
        await within(self.seconds, self.session.add(subscription))
        return subscription

    async def register(
        self, procedure: str, handler: Procedure, match: Match, options: RegisterOptions | None
    ) -> Registration:
        options = replace(options or _REGISTER_OPTIONS, match=match)
        registration = Registration(self.session, procedure, self.backend.prepare_handler(handler), options)
        await within(self.seconds, self.session.add(registration))
        return registration

    async def session_info(self) -> SessionInfo:
        session = await within(self.seconds, self.session.session())
        is_local = self.backend.is_local
        return SessionInfo(
            id=session.id,
            realm=session.realm,
            authid=session.authid,
            authrole=session.authrole,
            authmethod=session.authmethod,
            authprovider=session.authprovider,
            is_local=is_local,
            service=LOCAL_SERVICE.key if is_local else "",
        )


@dataclass(frozen=True, slots=True)
class PendingPublication:
    """An event that has not been published yet, with copies of its values. The router is chosen when it is sent."""

    topic: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any] | None
    options: PublishOptions
    session: Session

    @classmethod
    def of(
        cls,
        topic: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None,
        options: PublishOptions | None,
        session: Session,
    ) -> "PendingPublication":
        """Create a pending publication with copies of the values. Raises PayloadError if a value cannot be sent."""
        options = options or PublishOptions()
        if options.exclude_me is None:
            # All code of a process shares a session, and a publisher does not receive its events by default. Without
            # this option, one part of a project could not receive the events of another part.
            options = replace(options, exclude_me=False)
        copied_args, copied_kwargs = to_payload(args) if args else (), to_payload(kwargs, "kwargs") if kwargs else None
        return cls(topic, copied_args, copied_kwargs, options, session)

    def send(self, seconds: float | None = None) -> int | None:
        """Publish the event. ``seconds`` overrides the timeout of the session."""
        target = self.session._target(blocking="publish")
        if seconds is not None:
            target = dataclasses.replace(target, seconds=seconds)
        return target.wait(self._publish(target))

    async def asend(self) -> int | None:
        """Publish the event from a coroutine."""
        target = self.session._target()
        return await target.bridge.await_on_loop(self._publish(target))

    async def _publish(self, target: _Target) -> int | None:
        return await target.publish(self.topic, self.args, self.kwargs, self.options)


def value_of(result: Result) -> Any:
    """Return the only positional value of a result; None if the result is empty. Return any other result unchanged."""
    if result.kwargs or len(result.args) > 1:
        return result
    return result.value
