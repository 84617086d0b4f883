"""The identity services of a node: the login guard, the session watch and the audit trail."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from ...config.configuration import PathService
from ...config.limits import Lockout
from ...config.websocket import WebSocketSection
from ...node.decision_tasks import Authenticator
from ...node.node import Node
from ...node.observers import NodeObserver
from ...router.records import RemoteCaller, Session
from ...signals import LoginFailure
from ...stores.identity.users import Identity
from ...wamp.messages import Error
from .audit import AuditTrail
from .login_guard import GuardedAuthenticator
from .session_watch import SessionWatch


class IdentityServices(NodeObserver):
    """The identity services of the node with the given ``name``. ``on_failed`` is called after each failed login."""

    def __init__(self, name: str, on_failed: Callable[[LoginFailure], None] = lambda _: None) -> None:
        self._on_failed = on_failed
        self.audit = AuditTrail(name)
        self.session_watch = SessionWatch(self._session_exists, self._leave, self._closed)
        self._node: Node | None = None
        self._guard: GuardedAuthenticator | None = None
        self._lockouts: dict[str, Lockout] = {}

    def guard(self, authenticator: Authenticator) -> GuardedAuthenticator:
        """Return ``authenticator`` wrapped in the login guard."""
        self._guard = GuardedAuthenticator(
            authenticator, lambda: self._lockouts, self._session, self.session_watch, self.audit, self._on_failed
        )
        return self._guard

    def attach(self, node: Node) -> None:
        """Set the node and start watching its sessions."""
        self._node = node
        node.observers.add(self)

    def configure(self, services: Iterable[PathService]) -> None:
        """Apply the lockout options of ``services``."""
        self._lockouts = {
            each.key: each.settings.lockout for each in services if isinstance(each.settings, WebSocketSection)
        }

    def credentials(self, session_id: int) -> Any:
        """Return the credentials from the opening handshake of a session's connection.

        Return None if the handshake contained none, or if there is no such session.
        """
        connection = None if self._node is None else self._node.connections.get(session_id)
        return None if connection is None else connection.credentials

    async def run(self) -> None:
        """Watch sessions and write the audit trail, until canceled."""
        await asyncio.gather(self.session_watch.run(), self.audit.run())

    def close(self) -> None:
        """Stop the threads that query identities."""
        self.session_watch.queries.close()

    def _session(self, session_id: int) -> Session | None:
        return None if self._node is None else self._node.router.sessions.get(session_id)

    def _session_exists(self, session_id: int) -> bool:
        return self._session(session_id) is not None

    def _leave(self, session_id: int, reason: str, message: str) -> None:
        if self._node is not None:
            self._node.leave(session_id, reason, message)

    def _closed(self, session_id: int, identity: Identity, message: str) -> None:
        if self._guard is not None:
            self._guard.on_closed(session_id, identity, message)

    def session_killed(self, session: Session, killer: Session | RemoteCaller, reason: str) -> None:
        """Record in the audit trail who ended a session."""
        if self._guard is not None:
            self._guard.on_killed(session, killer, reason)

    def request_refused(self, session_id: int, error: Error) -> None:
        """Record a denied request of a session in the audit trail."""
        session = self._session(session_id)
        if session is not None and self._guard is not None:
            self._guard.on_denied(session, error)
