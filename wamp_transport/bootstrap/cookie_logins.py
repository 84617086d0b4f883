"""Logins that a cookie stands for: remembered with its record, taken from there, forgotten at logout."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from ..config.configuration import PathService, service_options
from ..node.connection import Connection
from ..node.node import Node
from ..node.observers import NodeObserver
from ..router.answers import Admit, Deny, Skip
from ..router.effects import Authenticate
from ..stores.cookies.records import CookieStoreError, Login
from ..transports.cookies import log_out
from ..wamp.errors import CLOSE_LOGOUT
from .cookies import CookieStores

logger = logging.getLogger(__name__)

METHOD = "cookie"

MayBe = Callable[[str, str, str, str], bool]
"""Whether who logged in by this method and provider, as this authid and role, could do so now."""


class CookieLogins(NodeObserver):
    """What the cookie stores of the services know of logins."""

    def __init__(self, stores: CookieStores) -> None:
        self._stores = stores
        self._allowed: set[str] = set()
        self._connections: Mapping[int, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def configure(self, services: Iterable[PathService]) -> None:
        """Take the services: logins are remembered where the method cookie is configured."""
        self._allowed = {each.key for each in services if "cookie" in service_options(each).authmethods}

    def watch(self, node: Node) -> None:
        """Log out the clients of ``node`` that say so."""
        self._connections = node.connections
        node.observers.add(self)

    def goodbye_received(self, connection: Connection, reason: str) -> None:
        """Forget the login of a client that says goodbye to log out, and close its other connections."""
        tracker = self._stores.trackers.get(connection.service.key)
        if reason == CLOSE_LOGOUT and tracker is not None:
            others = list(self._connections.values())
            task = asyncio.ensure_future(self._log_out(log_out(tracker.keeper, others, connection)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def admit(self, request: Authenticate, may_be: MayBe) -> Admit | Skip | Deny:
        """The session of a client that has logged in before; without such a login another method is tried."""
        id, tracker = request.transport.get("http_cbtid"), self._stores.trackers.get(request.service)
        if id is None or tracker is None or request.service not in self._allowed:
            return Skip()
        try:
            login = await tracker.keeper.login(id, request.service)
        except CookieStoreError as error:
            logger.error("A login by cookie cannot be looked up: %s", error)
            return Skip()
        if login is None or request.hello.realm not in (None, login.realm):
            return Skip()
        if not may_be(login.authmethod, login.authprovider, login.authid, login.authrole):
            return Skip()
        return Admit(login.realm, login.authid, login.authrole, METHOD, METHOD, login.authextra)

    async def remember(self, request: Authenticate, admitted: Admit) -> None:
        """A client has logged in: its cookie stands for that from now on."""
        id, tracker = request.transport.get("http_cbtid"), self._stores.trackers.get(request.service)
        if id is None or tracker is None or request.service not in self._allowed or admitted.realm is None:
            return
        login = Login(
            request.service,
            admitted.realm,
            admitted.authid,
            admitted.authrole,
            admitted.authmethod,
            admitted.authprovider,
            admitted.authextra,
        )
        try:
            await tracker.keeper.remember(id, login)
        except CookieStoreError as error:
            logger.error("A login cannot be remembered with its cookie: %s", error)

    async def _log_out(self, logging_out: Awaitable[None]) -> None:
        try:
            await logging_out
        except CookieStoreError as error:
            logger.error("A cookie cannot be forgotten, and still stands for its login: %s", error)
