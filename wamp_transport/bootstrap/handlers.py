"""The registration of the apps' handlers on a running node.

The node opens a session for the handlers in each realm. In a cluster, it opens a second one for the subscribers with
``each_node``, because all subscribers of a session to the same topic share one subscription: either all of them receive
the events from other nodes, or none.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import product
from typing import Any, Final

from ..config.configuration import Configuration
from ..handlers.declarations import Declaration
from ..handlers.discovery import Discovery, discover
from ..handlers.execution import Handler, HandlerExecutor, OnFailure
from ..handlers.parameters import Caller
from ..handlers.threads import HandlerThreads
from ..node.local import Registration, Session, Subscription, join
from ..node.node import Node
from ..node.remote_users import REPLY_SECONDS, RemoteUsers
from ..router.handler_options import HandlerRegisterOptions, HandlerSubscribeOptions
from ..router.options import TRUSTED
from ..stores.identity.callers import user_behind
from ..wamp import errors
from ..wamp.errors import ApplicationError, SessionClosed, WampError
from .plan import ConfigurationPart

logger = logging.getLogger(__name__)

SESSION_AUTHID: Final = "django"
"""The authid of the sessions that register the handlers."""

CHECK_INTERVAL_SECONDS: Final = 5.0
"""The interval between checks for missing registrations and subscriptions."""

SessionKey = tuple[str, bool]
"""A realm, and whether the session is for subscribers with ``each_node``."""

UserKey = Callable[[int], str | None]
"""A function that returns the primary key of a session's Django user, as text; None if there is no such user."""


class AppHandlers(ConfigurationPart):
    """The part of a node that registers the apps' handlers in each realm, and restores them if they are lost.

    ``threads`` is the number of threads for synchronous handlers, or an existing thread pool. ``on_failure`` is called
    when a handler raises an unexpected exception.
    """

    name = "handlers"

    def __init__(
        self,
        node: Node,
        threads: int | HandlerThreads,
        user_key: UserKey = lambda _: None,
        on_failure: OnFailure = lambda *_: None,
    ) -> None:
        self._node = node
        self._user_key = user_key
        self._threads = HandlerThreads(threads) if isinstance(threads, int) else threads
        self._on_failure = on_failure
        self.remote_users: RemoteUsers | None = None
        """Finds the users of sessions on other nodes; None outside a cluster."""
        self._running: dict[Handler, HandlerExecutor] = {}
        self._realms: list[str] = []
        self._sessions: dict[SessionKey, Session] = {}
        self._active: dict[tuple[str, Handler], Registration | Subscription] = {}
        self._problems: dict[tuple[str, Handler | None], str] = {}
        self._delayed: dict[tuple[str, Handler], str] = {}
        """The handlers whose last registration failed for a temporary reason, each with the reason."""
        self._is_delay_reported = False
        self._registering = asyncio.Lock()
        self._must_check = asyncio.Event()

    async def start(self, find: Callable[[], Discovery] = discover) -> Discovery:
        """Import the apps' modules and return the handlers that were found. Faulty handlers are logged and skipped."""
        discovery = await asyncio.to_thread(find)
        self._running = {
            one: HandlerExecutor(one, self._threads, self._users, self._on_failure) for one in discovery.handlers
        }
        for broken in discovery.broken:
            logger.error("%s", broken, exc_info=broken.error)
        for one in discovery.entries:
            if one.faults:
                logger.error("Not served: %s", one)
        return discovery

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Register the handlers in the realms of ``new``. Failed registrations are logged and retried later."""
        await self.register_handlers([realm.name for realm in new.realms])

    async def register_handlers(self, realms: Iterable[str] | None = None) -> None:
        """Register or subscribe each handler that is not active yet, in each of its realms.

        ``realms`` are the names of the configured realms. If it is None, the realms of the previous call are used.
        """
        async with self._registering:
            if realms is not None:
                self._realms = list(realms)
                self._forget_missing_realms()
            delayed_before, self._delayed = self._delayed, {}
            for key in product(self._realms, (False, True)):
                wanted = [one for one in self._running if self._is_for(one.declaration, key)]
                session = await self._session(key) if wanted else None
                if session is not None:
                    for handler in wanted:
                        await self._register(session, handler)
            self._report_delay(delayed_before)

    async def run(self) -> None:
        """Restore lost registrations and retry failed ones at intervals, and after :meth:`wake`, until canceled.

        A registration is lost, for example, if the session is killed. A failed registration can succeed later, for
        example after another callee has unregistered the procedure.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_INTERVAL_SECONDS):
                    await self._must_check.wait()
            self._must_check.clear()
            await self.register_handlers()

    def wake(self) -> None:
        """Make :meth:`run` check the registrations now."""
        self._must_check.set()

    def close(self) -> None:
        """Stop the threads of the handlers."""
        self._threads.close()

    async def _session(self, key: SessionKey) -> Session | None:
        """Return a session for handlers. Open it if necessary. If this fails, log the problem and return None."""
        realm, _ = key
        session = self._sessions.get(key)
        if session is not None and session.is_open:
            return session
        try:
            session = await join(self._node, realm, authid=SESSION_AUTHID, authrole=TRUSTED)
        except WampError as fault:
            self._report_problem(realm, None, f"The handlers of the apps cannot join realm {realm!r}: {fault}")
            return None
        self._problems.pop((realm, None), None)
        self._sessions[key] = session
        return session

    async def _register(self, session: Session, handler: Handler) -> None:
        key = session.realm, handler
        current = self._active.get(key)
        if current is not None and current.is_active:
            return
        one = handler.declaration
        match = None if one.match == "exact" else one.match
        running = self._running[handler]
        try:
            if one.kind == "subscriber":
                subscribe_options = HandlerSubscribeOptions(match=match, home_only=not one.each_node)
                self._active[key] = await session.subscribe(one.uri, running.subscriber, options=subscribe_options)
            else:
                options = HandlerRegisterOptions(
                    match=match,
                    invoke=one.invoke,
                    concurrency=one.concurrency,
                    disclose_caller=True if handler.wants_caller else None,
                    prefers_own_node=True,
                )
                self._active[key] = await session.register(one.uri, running.procedure, options=options)
        except WampError as fault:
            if _is_temporary(fault):
                self._delayed[key] = str(fault)
                return
            action = "registered" if one.kind == "procedure" else "subscribed"
            text = f"{one.uri} is not {action} in realm {session.realm!r}, for {one.name} ({one.where}): {fault}"
            self._report_problem(session.realm, handler, text)
        else:
            self._problems.pop(key, None)

    def _report_problem(self, realm: str, handler: Handler | None, text: str) -> None:
        """Log a problem if it is new or has changed."""
        if self._problems.get((realm, handler)) != text:
            self._problems[realm, handler] = text
            logger.error("%s; this is retried", text)

    def _report_delay(self, before: dict[tuple[str, Handler], str]) -> None:
        """Log once that registrations fail for a temporary reason, if the previous attempt failed as well.

        ``before`` contains the failures of the previous attempt. A single failure is not logged, because registrations
        can fail for a moment when a node joins its cluster again.
        """
        delayed = [text for key, text in self._delayed.items() if key in before]
        if delayed and not self._is_delay_reported:
            logger.warning("%d handlers are not registered yet; this is retried: %s", len(delayed), delayed[0])
        self._is_delay_reported = bool(self._delayed) and (self._is_delay_reported or bool(delayed))

    def _forget_missing_realms(self) -> None:
        """Forget the sessions in removed realms, because the router has closed them.

        Log the handlers that are declared for a realm that does not exist.
        """
        self._sessions = {key: one for key, one in self._sessions.items() if key[0] in self._realms}
        self._active = {key: one for key, one in self._active.items() if key[0] in self._realms}
        for handler in self._running:
            for realm in handler.declaration.realms or ():
                if realm not in self._realms:
                    name = handler.declaration.name
                    self._report_problem(realm, handler, f"{name} is for realm {realm!r}, which does not exist")

    def _is_for(self, declaration: Declaration, key: SessionKey) -> bool:
        """Return whether a handler belongs to a session."""
        realm, each_node = key
        needs_own_session = declaration.each_node and self._node.router.cluster is not None
        return each_node is needs_own_session and (declaration.realms is None or realm in declaration.realms)

    def _users(self, caller: Caller) -> Callable[[], Any]:
        """Return a function that loads the Django user of a caller; see :class:`~..handlers.execution.UserLookup`."""
        session = None if caller.session is None else self._node.router.sessions.get(caller.session)
        if session is None and caller.session is not None and self.remote_users is not None:
            return partial(_find_remote_user, self.remote_users, caller.session, asyncio.get_running_loop())
        if session is None:
            return lambda: None
        return partial(user_behind, self._user_key(session.id), session.authid, session.authprovider)


def _find_remote_user(users: RemoteUsers, session_id: int, loop: asyncio.AbstractEventLoop) -> Any:
    """Return the active Django user of a session on another node, or None. Call this in a thread.

    Raises ApplicationError if another node does not answer.
    """
    # The time limit matters only if the loop stops in the meantime.
    found = asyncio.run_coroutine_threadsafe(users.find(session_id), loop).result(2 * REPLY_SECONDS)
    return None if found is None else user_behind(found.user_key, found.authid, found.authprovider)


def _is_temporary(fault: WampError) -> bool:
    """Return whether a registration has failed because the session or the connection to the cluster was lost."""
    return isinstance(fault, SessionClosed) or (isinstance(fault, ApplicationError) and fault.uri == errors.UNAVAILABLE)
