"""The parts of Django's side of identity, put together for one node."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from ...config.configuration import PathService
from ...config.lockout import Lockout
from ...config.websocket import WebSocketSection
from ...node.node import Node
from ...node.observers import NodeObserver
from ...router.records import Session
from ...signals import LoginFailure
from ...stores.identity.users import Identity
from ...wamp.messages import Error
from .audit import AuditTrail
from .door import Authenticator, Door
from .live import LiveIdentities


class Identities(NodeObserver):
    """Who is there by Django's word. ``name`` is the node's, ``on_failed`` is told of failed logins."""

    def __init__(self, name: str, on_failed: Callable[[LoginFailure], None] = lambda _: None) -> None:
        self._on_failed = on_failed
        self.audit = AuditTrail(name)
        self.live = LiveIdentities(self._is_there, self._leave, self._closed)
        self._node: Node | None = None
        self._door: Door | None = None
        self._lockouts: dict[str, Lockout] = {}

    def door(self, authenticator: Authenticator) -> Door:
        """The authenticator of the node, around one that decides."""
        self._door = Door(authenticator, lambda: self._lockouts, self._session, self.live, self.audit, self._on_failed)
        return self._door

    def attach(self, node: Node) -> None:
        """``node`` is the one that has the sessions."""
        self._node = node
        node.observers.add(self)

    def configure(self, services: Iterable[PathService]) -> None:
        """Take the services."""
        self._lockouts = {
            each.key: each.settings.lockout for each in services if isinstance(each.settings, WebSocketSection)
        }

    def credentials(self, session_id: int) -> Any:
        """What the handshake of a session's connection brought."""
        connection = None if self._node is None else self._node.connections.get(session_id)
        return None if connection is None else connection.credentials

    async def run(self) -> None:
        """Follow users and write the audit trail, until cancelled."""
        await asyncio.gather(self.live.run(), self.audit.run())

    def close(self) -> None:
        """The process ends."""
        self.live.lookups.close()

    def _session(self, session_id: int) -> Session | None:
        return None if self._node is None else self._node.router.sessions.get(session_id)

    def _is_there(self, session_id: int) -> bool:
        return self._session(session_id) is not None

    def _leave(self, session_id: int, reason: str, message: str) -> None:
        if self._node is not None:
            self._node.leave(session_id, reason, message)

    def _closed(self, session_id: int, identity: Identity, message: str) -> None:
        if self._door is not None:
            self._door.closed(session_id, identity, message)

    def request_refused(self, session_id: int, error: Error) -> None:
        """Let the audit trail have what a session may not do."""
        session = self._session(session_id)
        if session is not None and self._door is not None:
            self._door.denied(session, error)
