"""Client sessions inside the router's process, without a network. The router treats them like all other sessions.

    session = await join(node, "realm1", authid="shop", authrole="backend")
    result = await session.call("com.example.add", [2, 3])
    await session.publish("com.example.added", [result.value])

The sessions belong to the event loop of the node. Other threads must not use them.
"""

import asyncio
from typing import Any, Final

from ..auth.providers import AuthProvider
from ..config.auth_methods import LOCAL
from ..router.decisions import Admit
from ..router.options import LOCAL_SERVICE, TRUSTED
from ..wamp.errors import SessionClosed
from ..wamp.messages import Challenge, Hello, Message
from .inbox import Inbox, LocalMessageEncoder
from .node import Node
from .session import MAX_QUEUED_MESSAGES, Registration, Session, Subscription

__all__ = ["Registration", "ServiceSessions", "Session", "Subscription", "join"]

TRANSPORT: Final = {"type": "local"}
"""The transport details that the meta API shows."""

ROUTER_AUTHID: Final = "router"
"""The authid of the sessions of :class:`ServiceSessions`."""


class LocalClientTransport:
    """The transport of a session inside the process. Messages are passed as objects. There is no authentication."""

    def __init__(self, node: Node, principal: Admit, inbox: Inbox) -> None:
        self._node = node
        self._principal = principal
        self._connection = node.connect(LOCAL_SERVICE, LocalMessageEncoder(), inbox, TRANSPORT)

    def open(self, hello: Hello) -> None:
        """Join the realm without authentication."""
        self._node.admit(self._connection, hello, self._principal)

    def send(self, message: Message) -> None:
        """Pass a message to the router."""
        self._node.receive(self._connection, message)

    def answer_challenge(self, challenge: Challenge, session_id: int) -> None:
        """Do nothing, because there is no CHALLENGE without authentication."""

    def set_congested(self, is_congested: bool) -> None:
        """Stop sending events and calls to a session whose queue is too long. If ``is_congested`` is False, resume."""
        self._connection.set_congested(is_congested)

    def close(self) -> None:
        """Close the connection."""
        self._connection.lost()


async def join(
    node: Node,
    realm: str,
    *,
    authid: str,
    authrole: str,
    authextra: dict[str, Any] | None = None,
    max_queued: int = MAX_QUEUED_MESSAGES,
) -> Session:
    """Open a session with a role of the realm, or with ``trusted``, the role that may do everything.

    When ``max_queued`` messages are queued or being handled, the session receives no more events and calls. Raises
    SessionClosed if the realm or the role does not exist, or if the realm is full.
    """
    principal = Admit(realm, authid, authrole, LOCAL.name, AuthProvider.LOCAL.value, authextra)
    session = Session(realm, lambda inbox: LocalClientTransport(node, principal, inbox), max_queued)
    await session.open()
    return session


class ServiceSessions:
    """The sessions with which the router itself calls procedures, one for each realm and role in use.

    A session is opened on first use, and reopened if it was closed. ``node`` is None until the node starts, and no
    session can be opened before that.
    """

    def __init__(self) -> None:
        self.node: Node | None = None
        self._sessions: dict[tuple[str, str], Session] = {}
        self._opening = asyncio.Lock()

    async def of(self, realm: str, authrole: str = TRUSTED) -> Session:
        """Return the session with this role in the realm. Raises SessionClosed if it cannot be opened."""
        key = (realm, authrole)
        async with self._opening:
            session = self._sessions.get(key)
            if session is None or not session.is_open:
                self._sessions.pop(key, None)
                if self.node is None:
                    raise SessionClosed("wamp.close.system_shutdown", "the router has not started yet")
                session = self._sessions[key] = await join(self.node, realm, authid=ROUTER_AUTHID, authrole=authrole)
        return session
