"""A session that comes back: opened when it is needed, again when it was lost, with what was registered on it."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Final

from ..node import session as live
from ..node.client_types import EventHandler, Procedure
from ..node.session import Session
from ..wamp.errors import TransportError, WampError
from ..wamp.messages import RegisterOptions, SubscribeOptions
from . import bridge

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 30.0
"""Seconds between attempts to come back: twice as many each time, up to this."""
LONGEST_OPENING: Final = 30.0
"""Seconds for a session to be opened, after which the next one to need it may try again."""
GIVE_UP_SECONDS: Final = 30.0
"""How long giving up a subscription or registration may take."""


@dataclass(frozen=True, slots=True)
class SessionDetails:
    """Who Django code is at the router. ``is_local``: in the process of the router itself."""

    id: int
    realm: str
    authid: str
    authrole: str
    authmethod: str
    is_local: bool


class Lasting:
    """A session that comes back. It belongs to ``loop``; ``connect`` opens a session, or raises WampError."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connect: Callable[[], Awaitable[Session]]) -> None:
        self.loop = loop
        self._connect = connect
        self._session: Session | None = None
        self._opening: asyncio.Task[Session] | None = None
        self._held: list[Held] = []
        self._settling = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def session(self) -> Session:
        """The session, opened if need be. Raises TransportError, SessionEnded."""
        if self._session is not None and self._session.is_open:
            return self._session
        if self._opening is None or self._opening.done():
            self._opening = self._start(self._open())
        return await asyncio.shield(self._opening)

    async def hold(self, held: "Held") -> None:
        """Put something in force, and again whenever the session has come back. Raises WampError where it cannot be."""
        session = await self.session()
        self._held.append(held)
        try:
            await self._settle(held, session)
        except BaseException:  # whoever asked for it knows, and does not have it
            self.release(held)
            raise

    def release(self, held: "Held") -> None:
        """It is not put in force again."""
        if held in self._held:
            self._held.remove(held)

    async def close(self) -> None:
        """Say goodbye, for good."""
        self.end()
        if self._session is not None:
            await self._session.leave()

    def end(self) -> None:
        """Do not come back."""
        self._held.clear()
        for task in list(self._tasks):
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        # What runs for the session must not see the context of whoever happened to open it.
        task = self.loop.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited was told

    async def _open(self) -> Session:
        try:
            async with asyncio.timeout(LONGEST_OPENING):
                session = await self._connect()
        except TimeoutError:
            raise TransportError(f"the router has not let a session join within {LONGEST_OPENING:g} seconds") from None
        self._session = session
        self._start(self._watch(session))
        for held in tuple(self._held):
            try:
                await self._settle(held, session)
            except WampError as fault:
                logger.error("%s is not in force again: %s", held.uri, fault)
        return session

    async def _settle(self, held: "Held", session: Session) -> None:
        async with self._settling:
            if held.session is not session and held in self._held:
                await held.settle(session)
                held.session = session

    async def _watch(self, session: Session) -> None:
        """When the session is over and something hangs on it, come back."""
        end = await session.wait_ended()
        pause = FIRST_PAUSE
        while self._held:
            logger.warning("A session of Django code has ended (%s); it comes back", end)
            await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - so that not all come at once
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                await self.session()
            except WampError as fault:
                logger.warning("A session of Django code cannot come back yet: %s", fault)
            else:
                return


class Held:
    """What is put in force on each session that a lasting one has, one after the other."""

    def __init__(self, lasting: Lasting, uri: str) -> None:
        self._lasting = lasting
        self._live: live.Subscription | live.Registration | None = None
        self.uri = uri
        self.session: Session | None = None

    @property
    def is_active(self) -> bool:
        """Whether it is in force at this moment."""
        return self._live is not None and self._live.is_active

    async def settle(self, session: Session) -> None:
        """Put it in force on a session."""
        raise NotImplementedError

    async def give_up(self) -> None:
        """On the loop of the session: it is in force no more."""
        self._lasting.release(self)
        if isinstance(self._live, live.Subscription):
            await self._live.unsubscribe()
        elif self._live is not None:
            await self._live.unregister()

    async def _areach(self) -> None:
        await bridge.reach(self._lasting.loop, self.give_up())

    def _reach(self, name: str) -> None:
        bridge.refuse_on(self._lasting.loop, name)
        bridge.wait(self._lasting.loop, self.give_up(), GIVE_UP_SECONDS)


class Subscription(Held):
    """A handler that hears a topic or pattern, until it is unsubscribed; also after the connection was lost."""

    def __init__(self, lasting: Lasting, topic: str, handler: EventHandler, options: SubscribeOptions) -> None:
        super().__init__(lasting, topic)
        self.topic = topic
        self._handler = handler
        self._options = options

    async def settle(self, session: Session) -> None:
        """See :class:`Held`."""
        self._live = await session.subscribe(self.topic, self._handler, options=self._options)

    def unsubscribe(self) -> None:
        """Hear no more."""
        self._reach("unsubscribe")

    async def aunsubscribe(self) -> None:
        """Hear no more."""
        await self._areach()


class Registration(Held):
    """A handler that carries out a procedure, until it is unregistered; also after the connection was lost."""

    def __init__(self, lasting: Lasting, procedure: str, handler: Procedure, options: RegisterOptions) -> None:
        super().__init__(lasting, procedure)
        self.procedure = procedure
        self._handler = handler
        self._options = options

    async def settle(self, session: Session) -> None:
        """See :class:`Held`."""
        self._live = await session.register(self.procedure, self._handler, options=self._options)

    def unregister(self) -> None:
        """Take no more calls."""
        self._reach("unregister")

    async def aunregister(self) -> None:
        """Take no more calls."""
        await self._areach()
