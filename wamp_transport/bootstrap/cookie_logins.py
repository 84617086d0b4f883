"""Logins that are stored with a cookie. Later connections with the cookie reuse the login, and a logout deletes it."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from ..auth.providers import AuthProvider
from ..config.auth_methods import COOKIE
from ..config.configuration import PathService, service_options
from ..node.connection import Connection
from ..node.node import Node
from ..node.observers import NodeObserver
from ..router.decisions import Admit, Deny, Skip
from ..router.effects import AuthenticationRequest
from ..router.records import Session
from ..stores.cookies.records import CookieLogin, CookieStoreError
from ..transports.cookies import client_of, connections_of, log_out
from ..wamp.errors import CLOSE_LOGOUT
from .cookies import CookieStores

logger = logging.getLogger(__name__)

MAX_EXTRA_BYTES: Final = 16 * 1024
"""The maximum size of a login's authextra in bytes of JSON. Logins with a larger authextra are not stored."""

IsStillAllowed = Callable[[str, str, str, str], bool]
"""A function that returns whether the configuration still allows a login.

It is called with ``(method, provider, authid, role)``.
"""


class CookieLogins(NodeObserver):
    """The logins in a node's cookie stores.

    The object also observes the node, so that it can delete the login of a client that logs out or is logged out.
    """

    def __init__(self, stores: CookieStores) -> None:
        self._stores = stores
        self._allowed: set[str] = set()
        self._connections: Mapping[int, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def configure(self, services: Iterable[PathService]) -> None:
        """Store and accept logins only for those of ``services`` that have the authentication method ``cookie``."""
        self._allowed = {each.key for each in services if COOKIE.name in service_options(each).authmethods}

    def watch(self, node: Node) -> None:
        """Observe ``node`` for sessions that end with a logout."""
        self._connections = node.connections
        node.observers.add(self)

    def goodbye_received(self, connection: Connection, reason: str) -> None:
        """If a client logs out with GOODBYE, delete its stored login and close its other connections."""
        if reason == CLOSE_LOGOUT:
            self._start_logout(connection.service.key, client_of(connection), connection)

    def session_left(self, session: Session, reason: str) -> None:
        """If the router itself logs a session out, delete the client's stored login and close its other connections.

        The router does this, for example, when the user changes, or when ``wamp.session.kill`` is called with the
        reason ``wamp.close.logout``. Otherwise, the client could join again with its cookie.
        """
        if reason == CLOSE_LOGOUT == session.leave_reason:
            self._start_logout(session.service.key, session.transport.get("http_cbtid"))

    def _start_logout(self, service: str, id: str | None, except_for: Connection | None = None) -> None:
        tracker = self._stores.trackers.get(service)
        if id is None or tracker is None:
            return
        others = [one for one in connections_of(id, self._connections.values()) if one is not except_for]
        task = asyncio.ensure_future(self._log_out(log_out(tracker.store, id, others)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def admit(self, request: AuthenticationRequest, is_still_allowed: IsStillAllowed) -> Admit | Skip | Deny:
        """Admit a client whose cookie has a stored login, if the login is still allowed.

        Otherwise, skip to the next method.
        """
        id, tracker = request.transport.get("http_cbtid"), self._stores.trackers.get(request.service)
        if id is None or tracker is None or request.service not in self._allowed:
            return Skip()
        try:
            login = await tracker.store.login(id, request.service)
        except CookieStoreError as error:
            logger.error("Reading a login from the cookie store failed: %s", error)
            return Skip()
        if login is None or request.hello.realm not in (None, login.realm):
            return Skip()
        if not is_still_allowed(login.authmethod, login.authprovider, login.authid, login.authrole):
            return Skip()
        return Admit(login.realm, login.authid, login.authrole, COOKIE.name, AuthProvider.COOKIE.value, login.authextra)

    async def remember(self, request: AuthenticationRequest, admitted: Admit) -> None:
        """Store a client's login with its cookie, if the service has the authentication method ``cookie``."""
        id, tracker = request.transport.get("http_cbtid"), self._stores.trackers.get(request.service)
        if id is None or tracker is None or request.service not in self._allowed or admitted.realm is None:
            return
        if admitted.authextra and len(json.dumps(admitted.authextra, default=str, skipkeys=True)) > MAX_EXTRA_BYTES:
            text = "The login of %r is not stored with its cookie: its authextra has more than %d bytes"
            logger.warning(text, admitted.authid[:100], MAX_EXTRA_BYTES)
            return
        login = CookieLogin(
            request.service,
            admitted.realm,
            admitted.authid,
            admitted.authrole,
            admitted.authmethod,
            admitted.authprovider,
            admitted.authextra,
        )
        try:
            await tracker.store.remember(id, login)
        except CookieStoreError as error:
            logger.error("Storing a login with its cookie failed: %s", error)

    async def _log_out(self, logging_out: Awaitable[None]) -> None:
        try:
            await logging_out
        except CookieStoreError as error:
            logger.error("Deleting a cookie failed, so it is still accepted as a login: %s", error)
