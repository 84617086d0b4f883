"""The handlers of the project's apps on a running node: a session in each realm that they are for."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from ..config.configuration import Configuration
from ..handlers.declarations import Declaration
from ..handlers.discovery import Discovery, discover
from ..handlers.execution import Handler, HandlerExecutor, OnFailure
from ..handlers.parameters import Caller
from ..handlers.threads import HandlerThreads
from ..node.local import Registration, Session, Subscription, join
from ..node.node import Node
from ..router.options import TRUSTED
from ..stores.identity.callers import user_behind
from ..wamp.errors import WampError
from ..wamp.messages import RegisterOptions, SubscribeOptions
from .plan import ConfigurationPart

logger = logging.getLogger(__name__)

SESSION_AUTHID: Final = "django"
"""The authid of the sessions."""

CHECK_INTERVAL_SECONDS: Final = 5.0
"""How often it is looked whether all handlers are where they belong."""

UserKey = Callable[[int], str | None]
"""From the id of a session to the primary key of its Django user, where its login has kept that."""


class AppHandlers(ConfigurationPart):
    """Registers the apps' handlers in each realm and restores lost registrations.

    ``threads``: the number of threads for sync handlers, or the pool itself. ``on_failure`` is called with unexpected
    exceptions of handlers.
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
        self._running: dict[Handler, HandlerExecutor] = {}
        self._realms: list[str] = []
        self._sessions: dict[str, Session] = {}
        self._active: dict[tuple[str, Handler], Registration | Subscription] = {}
        self._problems: dict[tuple[str, Handler | None], str] = {}
        self._registering = asyncio.Lock()

    async def start(self, find: Callable[[], Discovery] = discover) -> Discovery:
        """Import the apps' modules; what is wrong with them is logged, and the rest works. Returns what was found."""
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
        """Register the handlers in the realms that exist from now on. What cannot be registered is retried later."""
        await self.register_handlers([realm.name for realm in new.realms])

    async def register_handlers(self, realms: Iterable[str] | None = None) -> None:
        """Register and subscribe what is not; ``realms`` are those that exist from now on."""
        async with self._registering:
            if realms is not None:
                self._realms = list(realms)
                self._forget_missing_realms()
            for realm in self._realms:
                wanted = [one for one in self._running if _is_for(one.declaration, realm)]
                session = await self._session(realm) if wanted else None
                if session is not None:
                    for handler in wanted:
                        await self._register(session, handler)

    async def run(self) -> None:
        """Look again regularly, until cancelled: sessions are killed, and others give up procedures."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_SECONDS)
            await self.register_handlers()

    def close(self) -> None:
        """The process ends."""
        self._threads.close()

    async def _session(self, realm: str) -> Session | None:
        session = self._sessions.get(realm)
        if session is not None and session.is_open:
            return session
        try:
            session = await join(self._node, realm, authid=SESSION_AUTHID, authrole=TRUSTED)
        except WampError as fault:
            self._report_problem(realm, None, f"The handlers of the apps cannot join realm {realm!r}: {fault}")
            return None
        self._problems.pop((realm, None), None)
        self._sessions[realm] = session
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
                subscribe_options = SubscribeOptions(match=match)
                self._active[key] = await session.subscribe(one.uri, running.subscriber, options=subscribe_options)
            else:
                options = RegisterOptions(
                    match=match,
                    invoke=one.invoke,
                    concurrency=one.concurrency,
                    disclose_caller=True if handler.wants_caller else None,
                )
                self._active[key] = await session.register(one.uri, running.procedure, options=options)
        except WampError as fault:
            action = "registered" if one.kind == "procedure" else "subscribed"
            text = f"{one.uri} is not {action} in realm {session.realm!r}, for {one.name} ({one.where}): {fault}"
            self._report_problem(session.realm, handler, text)
        else:
            self._problems.pop(key, None)

    def _report_problem(self, realm: str, handler: Handler | None, text: str) -> None:
        """Log a problem once, as long as it is the same."""
        if self._problems.get((realm, handler)) != text:
            self._problems[realm, handler] = text
            logger.error("%s; it is tried again", text)

    def _forget_missing_realms(self) -> None:
        """The router has ended the sessions there. Handlers that are for a realm that is not are told of."""
        for realm in self._sessions.keys() - set(self._realms):
            del self._sessions[realm]
            self._active = {key: one for key, one in self._active.items() if key[0] != realm}
        for handler in self._running:
            for realm in handler.declaration.realms or ():
                if realm not in self._realms:
                    name = handler.declaration.name
                    self._report_problem(realm, handler, f"{name} is for realm {realm!r}, which is not there")

    def _users(self, caller: Caller) -> Callable[[], Any]:
        """See :class:`~..handlers.execution.UserLookup`."""
        session = None if caller.session is None else self._node.router.sessions.get(caller.session)
        if session is None:
            return lambda: None
        return partial(user_behind, self._user_key(session.id), session.authid, session.authprovider)


def _is_for(declaration: Declaration, realm: str) -> bool:
    return declaration.realms is None or realm in declaration.realms
