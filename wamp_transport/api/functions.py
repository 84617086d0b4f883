"""The functions of :mod:`wamp_transport.api`, each for sync and for async code.

All of them take ``realm`` and ``role``: whose session it is, by default that of the settings ``REALM`` and ``ROLE``;
and ``timeout``, in seconds, by default the setting ``TIMEOUT``, None to wait for ever. All of them raise NotConfigured
where there is no router to speak to, TransportError where it cannot be reached, and ApplicationError, or one of its
subclasses, where the router or a callee answers with an error; CallTimeout is one of them. The sync ones raise
SynchronousOnlyOperation on the event loop of the router, where they would wait for themselves.
"""

import dataclasses
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Literal

from msgspec.structs import replace

from ..conf import app_settings
from ..node.client_types import EventHandler, Procedure, Result
from ..node.payload_values import given
from ..wamp.messages import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions
from . import bridge
from .backends import Home, current_home
from .reconnecting_session import Lasting, Registration, SessionDetails, Subscription
from .threads import awaitable
from .transactions import adeferred, deferred

Match = Literal["exact", "prefix", "wildcard"]
Timeout = float | Literal["default"] | None

DEFAULT: Final = "default"
"""The timeout of the settings."""

_SUBSCRIBE_OPTIONS: Final = SubscribeOptions()
_REGISTER_OPTIONS: Final = RegisterOptions()


def publish(
    topic: str,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    immediate: bool = False,
    using: str | None = None,
    options: PublishOptions | None = None,
    realm: str | None = None,
    role: str | None = None,
    timeout: Timeout = DEFAULT,
) -> int | None:
    """Publish an event: after the commit where a transaction is open, or not at all if that is rolled back.

    ``immediate``: at once, whatever happens to the transaction. ``using``: the database whose transaction counts.
    Values are taken as they are now, not as they are at the commit. Subscribers of this process hear it as well, unless
    ``options`` have ``exclude_me``; with ``acknowledge`` among them the publication's id is returned, but None where it
    waits for the commit. Raises PayloadError where a value cannot be sent.
    """
    publication = Unpublished.of(topic, args, kwargs, options, realm, role, timeout)
    if not immediate and deferred(publication.send, using):
        return None
    return publication.send()


async def apublish(
    topic: str,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    immediate: bool = False,
    using: str | None = None,
    options: PublishOptions | None = None,
    realm: str | None = None,
    role: str | None = None,
    timeout: Timeout = DEFAULT,  # noqa: ASYNC109 - it is the same as in publish
) -> int | None:
    """:func:`publish` for coroutines. The transaction is one of sync code that waits for this by ``async_to_sync``."""
    publication = Unpublished.of(topic, args, kwargs, options, realm, role, timeout)
    if not immediate and await adeferred(publication.send, using):
        return None
    return await publication.asend()


def call(
    procedure: str,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    timeout: Timeout = DEFAULT,
    options: CallOptions | None = None,
    realm: str | None = None,
    role: str | None = None,
) -> Any:
    """Call a procedure and wait for its result.

    Returned is the only value of the result, None where there is none, and a :class:`~..node.client_types.Result` where
    there are several, or named ones. After ``timeout`` the call is canceled and raises CallTimeout.
    """
    target = _Target.of("call", realm, role, timeout)
    return bridge.wait(target.loop, target.call(procedure, args, kwargs, options), target.seconds)


async def acall(
    procedure: str,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    timeout: Timeout = DEFAULT,  # noqa: ASYNC109 - it is the call's, which is then canceled at the callee
    options: CallOptions | None = None,
    realm: str | None = None,
    role: str | None = None,
) -> Any:
    """:func:`call` for coroutines; the call is canceled with the task that waits."""
    target = _Target.of(None, realm, role, timeout)
    return await bridge.reach(target.loop, target.call(procedure, args, kwargs, options))


def submit(
    procedure: str,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    timeout: Timeout = DEFAULT,
    options: CallOptions | None = None,
    realm: str | None = None,
    role: str | None = None,
) -> Future[Any]:
    """Begin a call and do not wait: ``result()`` of the future does, ``cancel()`` cancels the call."""
    target = _Target.of(None, realm, role, timeout)
    return bridge.post(target.loop, target.call(procedure, args, kwargs, options))


def stream(
    procedure: str,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    timeout: Timeout = DEFAULT,
    options: CallOptions | None = None,
    realm: str | None = None,
    role: str | None = None,
) -> Generator[Any, None, None]:
    """Call a procedure; yield its progressive results as they come, then the result, each as :func:`call` returns it.

    ``timeout`` is that of the whole call. It is canceled when the iterator is closed.
    """
    target = _Target.of("stream", realm, role, timeout)
    return bridge.iterate(target.loop, target.stream(procedure, args, kwargs, options))


def astream(
    procedure: str,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    timeout: Timeout = DEFAULT,
    options: CallOptions | None = None,
    realm: str | None = None,
    role: str | None = None,
) -> AsyncGenerator[Any, None]:
    """:func:`stream` for coroutines."""
    target = _Target.of(None, realm, role, timeout)
    return bridge.aiterate(target.loop, target.stream(procedure, args, kwargs, options))


def subscribe(
    topic: str,
    handler: EventHandler,
    *,
    match: Match = "exact",
    options: SubscribeOptions | None = None,
    realm: str | None = None,
    role: str | None = None,
    timeout: Timeout = DEFAULT,
) -> Subscription:
    """Let ``handler``, a function or coroutine function, hear the events of a topic or pattern in this process.

    It is given an :class:`~..node.client_types.Event`. Functions run in a thread, for one event after the other;
    coroutine functions on the loop of the sessions, where one event does not wait for another.
    """
    target = _Target.of("subscribe", realm, role, timeout)
    return bridge.wait(target.loop, target.subscribe(topic, handler, match, options), target.seconds)


async def asubscribe(
    topic: str,
    handler: EventHandler,
    *,
    match: Match = "exact",
    options: SubscribeOptions | None = None,
    realm: str | None = None,
    role: str | None = None,
    timeout: Timeout = DEFAULT,  # noqa: ASYNC109 - it is the same as in subscribe
) -> Subscription:
    """:func:`subscribe` for coroutines."""
    target = _Target.of(None, realm, role, timeout)
    return await bridge.reach(target.loop, target.subscribe(topic, handler, match, options))


def register(
    procedure: str,
    handler: Procedure,
    *,
    match: Match = "exact",
    options: RegisterOptions | None = None,
    realm: str | None = None,
    role: str | None = None,
    timeout: Timeout = DEFAULT,
) -> Registration:
    """Let ``handler``, a function or coroutine function, carry out a procedure in this process.

    It is given an :class:`~..node.client_types.Invocation`; what it returns is the result. Functions run in a thread,
    coroutine functions on the loop of the sessions.
    """
    target = _Target.of("register", realm, role, timeout)
    return bridge.wait(target.loop, target.register(procedure, handler, match, options), target.seconds)


async def aregister(
    procedure: str,
    handler: Procedure,
    *,
    match: Match = "exact",
    options: RegisterOptions | None = None,
    realm: str | None = None,
    role: str | None = None,
    timeout: Timeout = DEFAULT,  # noqa: ASYNC109 - it is the same as in register
) -> Registration:
    """:func:`register` for coroutines."""
    target = _Target.of(None, realm, role, timeout)
    return await bridge.reach(target.loop, target.register(procedure, handler, match, options))


def session_details(*, realm: str | None = None, role: str | None = None, timeout: Timeout = DEFAULT) -> SessionDetails:
    """Who Django code is at the router; the session is opened if need be."""
    target = _Target.of("session_details", realm, role, timeout)
    return bridge.wait(target.loop, target.details(), target.seconds)


async def asession_details(
    *,
    realm: str | None = None,
    role: str | None = None,
    timeout: Timeout = DEFAULT,  # noqa: ASYNC109 - it is the same as in session_details
) -> SessionDetails:
    """:func:`session_details` for coroutines."""
    target = _Target.of(None, realm, role, timeout)
    return await bridge.reach(target.loop, target.details())


@dataclass(frozen=True, slots=True)
class _Target:
    """The session that a function speaks through, and how long it may take. The coroutines run on ``loop``."""

    home: Home
    lasting: Lasting
    seconds: float | None

    @classmethod
    def of(cls, waits: str | None, realm: str | None, role: str | None, timeout: Timeout) -> "_Target":
        """``waits`` is the name of the function, if its thread waits."""
        home = current_home()
        if waits is not None:
            bridge.refuse_on(home.loop, waits)
        seconds = app_settings().api.timeout if timeout == DEFAULT else timeout
        return cls(home, home.lasting(realm, role), seconds)

    @property
    def loop(self) -> Any:
        """The loop that owns the session."""
        return self.lasting.loop

    async def publish(self, topic: str, args: Any, kwargs: Any, options: PublishOptions) -> int | None:
        async def work() -> int | None:
            session = await self.lasting.session()
            return await session.publish(topic, args, kwargs, options=options)

        return await bridge.within(self.seconds, work())

    async def call(self, procedure: str, args: Any, kwargs: Any, options: CallOptions | None) -> Any:
        async def work() -> Any:
            session = await self.lasting.session()
            return value_of(await session.call(procedure, args, kwargs, options=options))

        return await bridge.within(self.seconds, work())

    async def stream(
        self, procedure: str, args: Any, kwargs: Any, options: CallOptions | None
    ) -> AsyncGenerator[Any, None]:
        session = await bridge.within(self.seconds, self.lasting.session())
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
        subscription = Subscription(self.lasting, topic, awaitable(handler, in_order=True), options)
        await bridge.within(self.seconds, self.lasting.hold(subscription))
        return subscription

    async def register(
        self, procedure: str, handler: Procedure, match: Match, options: RegisterOptions | None
    ) -> Registration:
        options = replace(options or _REGISTER_OPTIONS, match=match)
        registration = Registration(self.lasting, procedure, awaitable(handler), options)
        await bridge.within(self.seconds, self.lasting.hold(registration))
        return registration

    async def details(self) -> SessionDetails:
        session = await bridge.within(self.seconds, self.lasting.session())
        return SessionDetails(
            session.id, session.realm, session.authid, session.authrole, session.authmethod, self.home.is_local
        )


@dataclass(frozen=True, slots=True)
class Unpublished:
    """An event that is yet to be published. Its values are copies; where it goes is decided when it does."""

    topic: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any] | None
    options: PublishOptions
    target: Callable[[str | None], _Target]

    @classmethod
    def of(
        cls,
        topic: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None,
        options: PublishOptions | None,
        realm: str | None,
        role: str | None,
        timeout: Timeout,
    ) -> "Unpublished":
        options = options or PublishOptions()
        if options.exclude_me is None:
            # That the code of a process shares a session is no reason for one part of it not to hear another.
            options = replace(options, exclude_me=False)
        own_args, own_kwargs = given(args) if args else (), given(kwargs) if kwargs else None
        return cls(topic, own_args, own_kwargs, options, lambda waits: _Target.of(waits, realm, role, timeout))

    def send(self, seconds: float | None = None) -> int | None:
        """Publish it. ``seconds``: how long that may take at most, None where the timeout was said before."""
        target = self.target("publish")
        if seconds is not None:
            target = dataclasses.replace(target, seconds=seconds)
        return bridge.wait(target.loop, self._publish(target), target.seconds)

    async def asend(self) -> int | None:
        target = self.target(None)
        return await bridge.reach(target.loop, self._publish(target))

    async def _publish(self, target: _Target) -> int | None:
        return await target.publish(self.topic, self.args, self.kwargs, self.options)


def value_of(result: Result) -> Any:
    """The only value of a result, None where there is none; the result where there are several, or named ones."""
    if result.kwargs or len(result.args) > 1:
        return result
    return result.value
