"""A WAMP client in memory: it calls, publishes, subscribes and registers at the router of the test."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, Literal, TypeVar

from asgiref.sync import sync_to_async
from msgspec.structs import replace

from ..api.bridge import within
from ..api.functions import value_of
from ..api.threads import awaitable
from ..conf import app_settings
from ..node.client_types import Event, Procedure
from ..node.local import METHOD, LocalLine
from ..node.session import Registration, Session, Subscription
from ..router.answers import Admit
from ..stores.identity import users
from ..wamp import errors
from ..wamp.errors import ApplicationError
from ..wamp.messages import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions
from .loop import DrivenFuture
from .records import Match, listed, said
from .router import OPEN_ROLE, InMemoryRouter, active_router

Outcome = TypeVar("Outcome")
Timeout = float | Literal["default"] | None

USER_ROLE: Final = "user"
"""The role of users where every role may do everything, and no table or hook says another one."""
DJANGO: Final = "django"
SESSION: Final = "django-session"


class NoEvent(AssertionError):
    """No event has come in time."""


class WampClient:
    """A client of the router of this test; it joins when it is first used.

    ``user``: a Django user who is in the database; ``AnonymousUser`` is none. Its role is that of a login by Django's
    session (the table in the admin, the setting ``USER_ROLE``), unless ``role`` says one. Without a user it is
    ``anonymous``, or who ``authid`` and ``role`` say; no login is asked for. ``realm`` is the only one there is, or the
    setting ``REALM``.

    Each function has one for coroutines, with an ``a`` in front. Times are of the test's clock. After each function all
    has happened that comes of it; where a handler of the project has failed meanwhile, :meth:`call` raises the error
    with its cause, and :meth:`publish` raises it, unless ``raises_failures`` is False.
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
        """All that was heard, in order."""
        self._realm, self._role, self._authid = realm, role, authid
        self._received = 0
        self._joined: Session | None = None
        self._joining = asyncio.Lock()
        self._heard = asyncio.Event()

    def __repr__(self) -> str:
        who = "not joined" if self._joined is None else f"{self._joined.authid}, {self._joined.authrole}"
        return f"<WampClient: {who}>"

    # --- who it is --------------------------------------------------------------------------------------------------

    @property
    def session(self) -> Session:
        """Its session, with ``id``, ``realm``, ``authid`` and ``authrole``; it joins if need be."""
        return self._wait(self._session())

    async def asession(self) -> Session:
        """:attr:`session` for coroutines."""
        return await self._reach(self._session())

    def leave(self) -> None:
        """Say goodbye. What is used afterwards joins anew, without the subscriptions and registrations."""
        self._wait(self._leave())

    async def aleave(self) -> None:
        """:meth:`leave` for coroutines."""
        await self._reach(self._leave())

    # --- calls ------------------------------------------------------------------------------------------------------

    def call(
        self,
        procedure: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        timeout: Timeout = "default",
        options: CallOptions | None = None,
    ) -> Any:
        """Call a procedure; returns and raises what ``api.call`` does."""
        return self._wait(self._call(procedure, args, kwargs, timeout, options))

    async def acall(
        self,
        procedure: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        timeout: Timeout = "default",  # noqa: ASYNC109 - it is the same as in call
        options: CallOptions | None = None,
    ) -> Any:
        """:meth:`call` for coroutines."""
        return await self._reach(self._call(procedure, args, kwargs, timeout, options))

    def submit(
        self,
        procedure: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        timeout: Timeout = "default",
        options: CallOptions | None = None,
    ) -> DrivenFuture[Any]:
        """Begin a call, and let happen what can; ``result()`` of the future waits, ``cancel()`` cancels."""
        work = self._call(procedure, args, kwargs, timeout, options)
        future = self.router.loop.post(work)
        assert isinstance(future, DrivenFuture)  # noqa: S101 - that is what the loop makes
        return future

    def stream(
        self, procedure: str, *args: Any, kwargs: Mapping[str, Any] | None = None, options: CallOptions | None = None
    ) -> Iterator[Any]:
        """Call a procedure; yield its progressive results as they come, then the result."""
        parts = self._stream(procedure, args, kwargs, options)
        try:
            while (part := self._wait(_next(parts))) is not None:
                yield part[0]
        finally:
            self._wait(parts.aclose())

    async def astream(
        self, procedure: str, *args: Any, kwargs: Mapping[str, Any] | None = None, options: CallOptions | None = None
    ) -> AsyncIterator[Any]:
        """:meth:`stream` for coroutines."""
        parts = self._stream(procedure, args, kwargs, options)
        try:
            while (part := await self._reach(_next(parts))) is not None:
                yield part[0]
        finally:
            await self._reach(parts.aclose())

    def register(
        self, procedure: str, handler: Procedure, *, match: Match = "exact", options: RegisterOptions | None = None
    ) -> Registration:
        """Carry out a procedure, as a service elsewhere would.

        ``handler`` is given an Invocation, and may be a coroutine function. What it returns is the result.
        """
        return self._wait(self._register(procedure, handler, match, options))

    async def aregister(
        self, procedure: str, handler: Procedure, *, match: Match = "exact", options: RegisterOptions | None = None
    ) -> Registration:
        """:meth:`register` for coroutines."""
        return await self._reach(self._register(procedure, handler, match, options))

    # --- events -----------------------------------------------------------------------------------------------------

    def publish(
        self,
        topic: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        options: PublishOptions | None = None,
    ) -> int:
        """Publish an event, as a client elsewhere would; returns its id once the router has taken it.

        Raises ApplicationError where the router does not.
        """
        return self._wait(self._publish(topic, args, kwargs, options), raises=True)

    async def apublish(
        self,
        topic: str,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        options: PublishOptions | None = None,
    ) -> int:
        """:meth:`publish` for coroutines."""
        return await self._reach(self._publish(topic, args, kwargs, options), raises=True)

    def subscribe(
        self,
        topic: str,
        *,
        match: Match = "exact",
        handler: Callable[[Event], object] | None = None,
        options: SubscribeOptions | None = None,
    ) -> Subscription:
        """Hear a topic or pattern: what comes is in :attr:`events`, for :meth:`receive`, and ``handler`` gets it."""
        return self._wait(self._subscribe(topic, match, handler, options))

    async def asubscribe(
        self,
        topic: str,
        *,
        match: Match = "exact",
        handler: Callable[[Event], object] | None = None,
        options: SubscribeOptions | None = None,
    ) -> Subscription:
        """:meth:`subscribe` for coroutines."""
        return await self._reach(self._subscribe(topic, match, handler, options))

    def receive(self, timeout: float = 5.0) -> Event:
        """The oldest event that was not received yet; waits for it ``timeout`` seconds of the clock. Raises NoEvent."""
        return self._wait(self._receive(timeout))

    async def areceive(self, timeout: float = 5.0) -> Event:  # noqa: ASYNC109 - it is the same as in receive
        """:meth:`receive` for coroutines."""
        return await self._reach(self._receive(timeout))

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
            principal = Admit(realm, self._authid or role, role, METHOD, METHOD)
        else:
            role, authid = await sync_to_async(self._identity)(realm)
            principal = Admit(realm, authid, role, SESSION, DJANGO)
        await router.ready(realm, role)
        session = Session(realm, lambda inbox: LocalLine(router.node, principal, inbox))
        await session.open()
        if user is not None:
            router.knows(session.id, str(user.pk))
        return session

    def _identity(self, realm: str) -> tuple[str, str]:
        """The role and the authid of the user."""
        authid = self._authid or users.authid_of(self.user)
        if self._role is not None:
            return self._role, authid
        role = users.role_of(self.user, realm)
        if role is None and self.router.has_any_role:
            role = USER_ROLE
        if not role:
            raise ValueError(
                f"User {authid!r} has no role in realm {realm!r}: neither the setting USER_ROLE nor the roles of users"
                " in the database give one. Say role=... where that is not what the test is about."
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
        seconds = app_settings().api.timeout if timeout == "default" else timeout
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
        return await session.register(procedure, awaitable(handler), options=options)

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
        handle = None if handler is None else awaitable(handler, in_order=True)

        def hear(event: Event) -> object:
            self.events.append(event)
            self._heard.set()
            return None if handle is None else handle(event)

        return await session.subscribe(topic, hear, options=replace(options or SubscribeOptions(), match=match))

    async def _receive(self, timeout: float) -> Event:  # noqa: ASYNC109 - it is the caller's
        try:
            async with asyncio.timeout(timeout):
                while len(self.events) <= self._received:
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            before = [said(one.topic, one.args, one.kwargs) for one in self.events]
            lines = listed("Received before:", before, "None was received before.")
            raise NoEvent("\n".join([f"No event within {timeout:g} seconds.", *lines])) from None
        self._received += 1
        return self.events[self._received - 1]

    # --- from outside -----------------------------------------------------------------------------------------------

    def _wait(self, work: Coroutine[Any, Any, Outcome], *, raises: bool = False) -> Outcome:
        loop = self.router.loop
        try:
            loop.refuse_coroutines()
        except BaseException:
            work.close()
            raise
        before = len(self.router.failures)
        outcome = loop.post(work).result()
        if raises:
            self._raise_failure(before)
        return outcome

    async def _reach(self, work: Coroutine[Any, Any, Outcome], *, raises: bool = False) -> Outcome:
        before = len(self.router.failures)
        outcome = await self.router.loop.reach(work)
        if raises:
            await self.router.asettle()
            self._raise_failure(before)
        return outcome

    def _raise_failure(self, before: int) -> None:
        failed = self.router.failures[before:]
        if failed and self.raises_failures:
            raise failed[0].error


async def _next(parts: AsyncGenerator[Outcome, None]) -> tuple[Outcome] | None:
    try:
        return (await anext(parts),)
    except StopAsyncIteration:  # no future can carry that
        return None
