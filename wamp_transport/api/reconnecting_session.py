"""A session that opens on first use, reconnects, and then restores its subscriptions and registrations."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from typing import Any, Final

from ..node import session as node_session
from ..node.client_types import EventHandler, Procedure
from ..wamp import errors
from ..wamp.errors import ApplicationError, TransportError, WampError
from ..wamp.messages import RegisterOptions, SubscribeOptions
from .bridge import LoopBridge

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS: Final = 0.2
MAX_RETRY_SECONDS: Final = 30.0
"""The maximum pause between attempts to reconnect. The pause starts at FIRST_RETRY_SECONDS, and doubles each time."""
QUIET_SECONDS: Final = 5.0
"""The time before a failure to establish a handler is logged, if its only cause is that the router is unavailable."""
MAX_OPENING_SECONDS: Final = 30.0
"""The time limit for opening a session. After a timeout, the next operation tries again."""
WITHDRAW_SECONDS: Final = 30.0
"""The time limit for unsubscribing or unregistering."""


class ReconnectingSession:
    """A session that reconnects. ``connect`` opens a session or raises WampError.

    A closed session reconnects automatically if it has handlers to restore. Otherwise, it reconnects when it is used
    again. All coroutines of this class run on the loop of ``bridge``.
    """

    def __init__(self, bridge: LoopBridge, connect: Callable[[], Awaitable[node_session.Session]]) -> None:
        self.bridge = bridge
        self._connect = connect
        self._session: node_session.Session | None = None
        self._opening: asyncio.Task[node_session.Session] | None = None
        self._handlers: list[PersistentHandler] = []
        self._establishing = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def session(self) -> node_session.Session:
        """Return the open session. If there is none, open one.

        Raises TransportError if the router cannot be reached, and SessionClosed if it refuses the session.
        """
        if self._session is not None and self._session.is_open:
            return self._session
        if self._opening is None or self._opening.done():
            self._opening = self._start(self._open())
        # Shielded: if one caller is canceled, others still wait for the session to open.
        return await asyncio.shield(self._opening)

    async def add(self, handler: "PersistentHandler") -> None:
        """Subscribe or register a handler now, and again after each reconnect.

        Raises WampError if the first attempt fails. The handler is then forgotten.
        """
        session = await self.session()
        self._handlers.append(handler)
        try:
            await self._establish(handler, session)
        except BaseException:
            # The caller gets an exception and cannot withdraw the handler, so it must not be established later.
            self.discard(handler)
            raise

    def discard(self, handler: "PersistentHandler") -> None:
        """Forget a handler, so that it is not established again after a reconnect."""
        if handler in self._handlers:
            self._handlers.remove(handler)

    async def close(self) -> None:
        """Leave the realm and stop reconnecting."""
        self.stop()
        if self._session is not None:
            await self._session.leave()

    def stop(self) -> None:
        """Stop reconnecting, and forget all handlers."""
        self._handlers.clear()
        for task in list(self._tasks):
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        # Use an empty context: the session's tasks must not inherit the context of the request that opened the session.
        task = self.bridge.loop.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)
        return task

    def _on_task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # marks the exception as retrieved: the waiting callers have received it

    async def _open(self) -> node_session.Session:
        try:
            async with asyncio.timeout(MAX_OPENING_SECONDS):
                session = await self._connect()
        except TimeoutError:
            text = f"the router has not let a session join within {MAX_OPENING_SECONDS:g} seconds"
            raise TransportError(text) from None
        self._session = session
        self._start(self._reconnect_when_closed(session))
        for handler in tuple(self._handlers):
            fault = await self._try_to_establish(handler, session)
            if fault is not None:
                self._start(self._retry(handler, session, fault))
        return session

    async def _try_to_establish(self, handler: "PersistentHandler", session: node_session.Session) -> WampError | None:
        """Establish a handler on a new session. Return the exception if this fails."""
        try:
            await self._establish(handler, session)
        except WampError as fault:
            return fault
        return None

    async def _retry(self, handler: "PersistentHandler", session: node_session.Session, fault: WampError) -> None:
        """Try to establish a handler until this succeeds, the session closes, or the handler is withdrawn.

        ``fault`` is the exception of the first attempt. It is logged immediately, unless it means that the router is
        unavailable: then a failure is logged only after QUIET_SECONDS, because a node that rejoins its cluster is
        unavailable for a moment.
        """
        pause, waited = FIRST_RETRY_SECONDS, 0.0
        reported = str(fault) if session.is_open and not _is_unavailable(fault) else ""
        if reported:
            logger.error("%s could not be established again; this is retried: %s", handler.uri, reported)
        while True:
            await asyncio.sleep(pause)
            if not session.is_open or handler not in self._handlers:
                return
            again = await self._try_to_establish(handler, session)
            if again is None:
                return
            waited += pause
            if not reported and waited >= QUIET_SECONDS and session.is_open:
                reported = str(again)
                logger.warning("%s could not be established again; this is retried: %s", handler.uri, reported)
            pause = min(2 * pause, MAX_RETRY_SECONDS)

    async def _establish(self, handler: "PersistentHandler", session: node_session.Session) -> None:
        # add() and _open() can both try to establish a handler on the same session. With the lock, only one does.
        async with self._establishing:
            if handler.session is not session and handler in self._handlers:
                await handler.establish(session)
                handler.session = session

    async def _reconnect_when_closed(self, session: node_session.Session) -> None:
        """Wait until the session closes. Then reconnect, unless there are no handlers to restore."""
        reason = await session.wait_ended()
        pause = FIRST_RETRY_SECONDS
        while self._handlers:
            logger.warning("A session of Django code was closed (%s) and reconnects", reason)
            await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - spreads the reconnects of many processes
            pause = min(2 * pause, MAX_RETRY_SECONDS)
            try:
                await self.session()
            except WampError as fault:
                logger.warning("A session of Django code cannot reconnect yet: %s", fault)
            else:
                return


def _is_unavailable(fault: WampError) -> bool:
    return isinstance(fault, ApplicationError) and fault.uri == errors.UNAVAILABLE


class PersistentHandler:
    """A handler that a reconnecting session establishes (subscribes or registers) on each session that it opens."""

    def __init__(self, owner: ReconnectingSession, uri: str) -> None:
        self._owner = owner
        self._current: node_session.Subscription | node_session.Registration | None = None
        self.uri = uri
        self.session: node_session.Session | None = None

    @property
    def is_active(self) -> bool:
        """Whether the handler is currently established."""
        return self._current is not None and self._current.is_active

    async def establish(self, session: node_session.Session) -> None:
        """Subscribe or register on a session."""
        raise NotImplementedError

    async def withdraw(self) -> None:
        """Unsubscribe or unregister permanently. Call this on the loop of the session."""
        self._owner.discard(self)
        if isinstance(self._current, node_session.Subscription):
            await self._current.unsubscribe()
        elif self._current is not None:
            await self._current.unregister()

    def _withdraw_and_wait(self, name: str) -> None:
        self._owner.bridge.forbid_on_loop(name)
        self._owner.bridge.wait(self.withdraw(), WITHDRAW_SECONDS)

    async def _awithdraw(self) -> None:
        await self._owner.bridge.await_on_loop(self.withdraw())


class Subscription(PersistentHandler):
    """A subscription that is restored after each reconnect, until you unsubscribe."""

    def __init__(
        self, owner: ReconnectingSession, topic: str, handler: EventHandler, options: SubscribeOptions
    ) -> None:
        super().__init__(owner, topic)
        self.topic = topic
        self._handler = handler
        self._options = options

    async def establish(self, session: node_session.Session) -> None:
        """Subscribe on a session."""
        self._current = await session.subscribe(self.topic, self._handler, options=self._options)

    def unsubscribe(self) -> None:
        """Unsubscribe: stop receiving events."""
        self._withdraw_and_wait("unsubscribe")

    async def aunsubscribe(self) -> None:
        """Unsubscribe: stop receiving events."""
        await self._awithdraw()


class Registration(PersistentHandler):
    """A registration that is restored after each reconnect, until you unregister it."""

    def __init__(
        self, owner: ReconnectingSession, procedure: str, handler: Procedure, options: RegisterOptions
    ) -> None:
        super().__init__(owner, procedure)
        self.procedure = procedure
        self._handler = handler
        self._options = options

    async def establish(self, session: node_session.Session) -> None:
        """Register on a session."""
        self._current = await session.register(self.procedure, self._handler, options=self._options)

    def unregister(self) -> None:
        """Unregister: stop receiving calls."""
        self._withdraw_and_wait("unregister")

    async def aunregister(self) -> None:
        """Unregister: stop receiving calls."""
        await self._awithdraw()
