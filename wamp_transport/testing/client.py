"""A WAMP client in memory, which is connected to the router of a test."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeVar

from asgiref.sync import sync_to_async
from msgspec.structs import replace

from ..api.bridge import within
from ..api.session import DEFAULT_TIMEOUT, Timeout, value_of
from ..api.threads import awaitable
from ..auth.providers import AuthProvider
from ..conf import app_settings
from ..config.auth_methods import DJANGO_SESSION, LOCAL
from ..node.client_types import Event, Procedure
from ..node.local import LocalClientTransport
from ..node.session import Registration, Session, Subscription
from ..router.decisions import Admit
from ..stores.identity import users
from ..wamp import errors
from ..wamp.errors import ApplicationError
from ..wamp.messages import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions
from .loop import DrivenFuture, MemoryLoopBridge
from .records import Match, in_one_line, numbered
from .router import OPEN_ROLE, InMemoryRouter, active_router

Outcome = TypeVar("Outcome")

USER_ROLE: Final = "user"
"""The role of users if there is no configuration, and neither the admin nor the setting ``USER_ROLE`` sets a role."""


class NoEventReceived(AssertionError):
    """Raised if no event was received within the timeout."""


class WampClient:
    """A client of the test's router. It joins on first use, without authentication.

    ``user`` is a Django user in the database; ``AnonymousUser`` is the same as None. Unless ``role`` is given, the
    client has the role that the user would have after a login with Django's session (from the table in the admin or the
    setting ``USER_ROLE``). Without a user, the client has the given ``authid`` and ``role``, or is ``anonymous``.
    ``realm`` defaults to the setting ``REALM`` or, without this setting, to the only realm.

    Each method except :meth:`submit` has an async variant with the prefix ``a``. Timeouts use the test's clock. Each
    method returns only when the router is idle. If one of the project's handlers has failed, :meth:`call` raises the
    error that the router has sent, with the handler's exception as its cause; :meth:`publish` raises the handler's
    exception. If ``raises_failures`` is False, handlers' exceptions are neither raised nor set as a cause.
    """

    def __init__(
        self,
        user: Any = None,
        *,
        realm: str | None = None,
        role: str | None = None,
        authid: str | None = None,
        raises_failures: bool = True,
        router: InMemoryRouter | None = None,
    ) -> None:
        self.router = router or active_router()
        self.user = user if getattr(user, "is_authenticated", False) else None
        self.raises_failures = raises_failures
        self.events: list[Event] = []
        """All received events, in order."""
        self._realm, self._role, self._authid = realm, role, authid
        self._received = 0
        self._joined: Session | None = None
        self._joining = asyncio.Lock()
        self._has_new_event = asyncio.Event()

    def __repr__(self) -> str:
        who = "not joined" if self._joined is None else f"{self._joined.authid}, {self._joined.authrole}"
        return f"<WampClient: {who}>"

    # --- identity ---------------------------------------------------------------------------------------------------

    @property
    def session(self) -> Session:
        """The client's session, with ``id``, ``realm``, ``authid`` and ``authrole``.

        The client joins if it has not joined yet.
        """
        return self._wait(self._session())

    async def asession(self) -> Session:
        """Return :attr:`session` from a coroutine."""
        return await self._await(self._session())

    def leave(self) -> None:
        """Leave the realm. The next use of the client joins again, without subscriptions and registrations."""
        self._wait(self._leave())

    async def aleave(self) -> None:
        """Leave the realm. See :meth:`leave`."""
        await self._await(self._leave())

    # --- calls ------------------------------------------------------------------------------------------------------

    def call(
        self,
        procedure: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        options: CallOptions | None = None,
    ) -> Any:
        """Call a procedure. The result and the exceptions are the same as for ``api.call``."""
        return self._wait(self._call(procedure, args, kwargs, timeout, options))

    async def acall(
        self,
        procedure: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,  # noqa: ASYNC109 - it is the same as in call
        options: CallOptions | None = None,
    ) -> Any:
        """Call a procedure. See :meth:`call`."""
        return await self._await(self._call(procedure, args, kwargs, timeout, options))

    def submit(
        self,
        procedure: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        options: CallOptions | None = None,
    ) -> DrivenFuture[Any]:
        """Start a call and return its future. ``result()`` waits for the result, and ``cancel()`` cancels the call."""
        work = self._call(procedure, args, kwargs, timeout, options)
        future = self._bridge.run_on_loop(work)
        assert isinstance(future, DrivenFuture)  # noqa: S101 - the loop makes no others
        return future

    def stream(
        self, procedure: str, *args: Any, kwargs: Mapping[str, Any] | None = None, options: CallOptions | None = None
    ) -> Iterator[Any]:
        """Call a procedure. Yield its progressive results as they arrive, then the final result."""
        self.router.loop.forbid_in_coroutine()
        yield from self._bridge.iterate(self._stream(procedure, args, kwargs, options))

    async def astream(
        self, procedure: str, *args: Any, kwargs: Mapping[str, Any] | None = None, options: CallOptions | None = None
    ) -> AsyncIterator[Any]:
        """Call a procedure and yield its results. See :meth:`stream`."""
        async with aclosing(self._bridge.aiterate(self._stream(procedure, args, kwargs, options))) as parts:
            async for part in parts:
                yield part

    def register(
        self, procedure: str, handler: Procedure, *, match: Match = "exact", options: RegisterOptions | None = None
    ) -> Registration:
        """Register a procedure, as an external service would.

        ``handler`` is a function or coroutine function. It receives an Invocation and returns the result.
        """
        return self._wait(self._register(procedure, handler, match, options))

    async def aregister(
        self, procedure: str, handler: Procedure, *, match: Match = "exact", options: RegisterOptions | None = None
    ) -> Registration:
        """Register a procedure. See :meth:`register`."""
        return await self._await(self._register(procedure, handler, match, options))

    # --- events -----------------------------------------------------------------------------------------------------

    def publish(
        self,
        topic: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        options: PublishOptions | None = None,
    ) -> int:
        """Publish an event, as an external client would. Return the ID of the publication.

        Raises ApplicationError if the router refuses the event.
        """
        return self._wait(self._publish(topic, args, kwargs, options), raises=True)

    async def apublish(
        self,
        topic: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        options: PublishOptions | None = None,
    ) -> int:
        """Publish an event. See :meth:`publish`."""
        return await self._await(self._publish(topic, args, kwargs, options), raises=True)

    def subscribe(
        self,
        topic: str,
        *,
        match: Match = "exact",
        handler: Callable[[Event], object] | None = None,
        options: SubscribeOptions | None = None,
    ) -> Subscription:
        """Subscribe to a topic or pattern. Received events are added to :attr:`events` and passed to ``handler``."""
        return self._wait(self._subscribe(topic, match, handler, options))

    async def asubscribe(
        self,
        topic: str,
        *,
        match: Match = "exact",
        handler: Callable[[Event], object] | None = None,
        options: SubscribeOptions | None = None,
    ) -> Subscription:
        """Subscribe to a topic or pattern. See :meth:`subscribe`."""
        return await self._await(self._subscribe(topic, match, handler, options))

    def receive(self, timeout: float = 5.0) -> Event:
        """Return the next event. Raises NoEventReceived if none arrives within ``timeout`` seconds.

        Each event is returned once.
        """
        return self._wait(self._receive(timeout))

    async def areceive(self, timeout: float = 5.0) -> Event:  # noqa: ASYNC109 - it is the same as in receive
        """Return the next event. See :meth:`receive`."""
        return await self._await(self._receive(timeout))

    # --- on the loop ------------------------------------------------------------------------------------------------

    async def _session(self) -> Session:
        async with self._joining:
            if self._joined is None or not self._joined.is_open:
                self._joined = await self._join()
            return self._joined

    async def _join(self) -> Session:
        router = self.router
        realm = self._realm or router.realm
        user = self.user
        if user is None:
            role = self._role or OPEN_ROLE
            principal = Admit(realm, self._authid or role, role, LOCAL.name, AuthProvider.LOCAL.value)
        else:
            role, authid = await sync_to_async(self._identity)(realm)
            principal = Admit(realm, authid, role, DJANGO_SESSION.name, AuthProvider.DJANGO.value)
        await router._prepare(realm, role)
        session = Session(realm, lambda inbox: LocalClientTransport(router.node, principal, inbox))
        await session.open()
        if user is not None:
            router._users[session.id] = str(user.pk)
        return session

    def _identity(self, realm: str) -> tuple[str, str]:
        """Return the role and the authid of the user."""
        authid = self._authid or users.authid_of(self.user)
        if self._role is not None:
            return self._role, authid
        role = users.role_of(self.user, realm)
        if role is None and self.router._is_open:
            role = USER_ROLE
        if not role:
            raise ValueError(
                f"User {authid!r} has no role in realm {realm!r}: neither the setting USER_ROLE nor the roles of users"
                " in the database give one. Pass role=... if the test is not about roles."
            )
        return role, authid

    async def _leave(self) -> None:
        if self._joined is not None:
            await self._joined.leave()

    async def _call(
        self,
        procedure: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None,
        timeout: Timeout,  # noqa: ASYNC109 - it is the call's
        options: CallOptions | None,
    ) -> Any:
        session = await self._session()
        seconds = app_settings().api.timeout if timeout == DEFAULT_TIMEOUT else timeout
        before = len(self.router.failures)
        try:
            return value_of(await within(seconds, session.call(procedure, args, kwargs, options=options)))
        except ApplicationError as fault:
            failed = [one for one in self.router.failures[before:] if fault.uri == errors.RUNTIME_ERROR]
            if failed and self.raises_failures:
                raise fault from failed[-1].error
            raise

    async def _stream(
        self, procedure: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None, options: CallOptions | None
    ) -> AsyncGenerator[Any, None]:
        session = await self._session()
        seconds = app_settings().api.timeout
        async with aclosing(session.stream(procedure, args, kwargs, timeout=seconds, options=options)) as parts:
            async for part in parts:
                yield value_of(part)

    async def _register(
        self, procedure: str, handler: Procedure, match: Match, options: RegisterOptions | None
    ) -> Registration:
        session = await self._session()
        options = replace(options or RegisterOptions(), match=match)
        return await session.register(procedure, awaitable(handler, clean=False), options=options)

    async def _publish(
        self, topic: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None, options: PublishOptions | None
    ) -> int:
        session = await self._session()
        options = replace(options or PublishOptions(), acknowledge=True)
        publication = await session.publish(topic, args, kwargs, options=options)
        assert publication is not None  # noqa: S101 - it was asked for
        return publication

    async def _subscribe(
        self, topic: str, match: Match, handler: Callable[[Event], object] | None, options: SubscribeOptions | None
    ) -> Subscription:
        session = await self._session()
        handle = None if handler is None else awaitable(handler, in_order=True, clean=False)

        def receive(event: Event) -> object:
            self.events.append(event)
            self._has_new_event.set()
            return None if handle is None else handle(event)

        return await session.subscribe(topic, receive, options=replace(options or SubscribeOptions(), match=match))

    async def _receive(self, timeout: float) -> Event:  # noqa: ASYNC109 - it is the caller's
        try:
            async with asyncio.timeout(timeout):
                while len(self.events) <= self._received:
                    self._has_new_event.clear()
                    await self._has_new_event.wait()
        except TimeoutError:
            before = [in_one_line(one.topic, one.args, one.kwargs) for one in self.events]
            lines = numbered("Received before:", before, "None was received before.")
            raise NoEventReceived("\n".join([f"No event within {timeout:g} seconds.", *lines])) from None
        self._received += 1
        return self.events[self._received - 1]

    # --- helpers for synchronous callers ----------------------------------------------------------------------------

    @property
    def _bridge(self) -> MemoryLoopBridge:
        return MemoryLoopBridge(self.router.loop)

    def _wait(self, work: Coroutine[Any, Any, Outcome], *, raises: bool = False) -> Outcome:
        try:
            self.router.loop.forbid_in_coroutine()
        except BaseException:
            work.close()
            raise
        before = len(self.router.failures)
        outcome = self._bridge.wait(work, None)
        if raises:
            self._raise_failure(before)
        return outcome

    async def _await(self, work: Coroutine[Any, Any, Outcome], *, raises: bool = False) -> Outcome:
        before = len(self.router.failures)
        outcome = await self._bridge.await_on_loop(work)
        if raises:
            await self.router.arun_until_idle()
            self._raise_failure(before)
        return outcome

    def _raise_failure(self, before: int) -> None:
        failed = self.router.failures[before:]
        if failed and self.raises_failures:
            raise failed[0].error
