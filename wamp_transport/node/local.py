"""Sessions inside the process: peers without a transport, on the same router and under the same rules as all others.

    session = await join(node, "realm1", authid="shop", authrole="backend")
    result = await session.call("com.example.add", [2, 3])
    await session.publish("com.example.added", [result.value])

They belong to the loop of the node; no other thread may use them.
"""

import asyncio
from typing import Any, Final

from ..router.answers import Admit
from ..router.options import TRUSTED, ServiceOptions
from ..wamp.errors import SessionEnded
from ..wamp.messages import Challenge, Hello, Message
from .inbox import Inbox, LocalLane
from .node import Node
from .session import MAX_WAITING, Registration, Session, Subscription

__all__ = ["LocalSession", "Registration", "ServiceSessions", "Subscription", "join"]

SERVICE: Final = ServiceOptions("local", hello_timeout=0)
"""Stands for the path service that other sessions come through."""
TRANSPORT: Final = {"type": "local"}
"""What the meta API tells of the transport."""
METHOD: Final = "local"
"""The authmethod of these sessions, and their authprovider."""

ROUTER_AUTHID: Final = "router"
"""The authid of the sessions of :class:`ServiceSessions`."""

LocalSession = Session
"""What :func:`join` opens."""


class LocalLine:
    """A connection of the node's own; no bytes, no login."""

    def __init__(self, node: Node, principal: Admit, inbox: Inbox) -> None:
        self._node = node
        self._principal = principal
        self._connection = node.connect(SERVICE, LocalLane(), inbox, TRANSPORT)

    def open(self, hello: Hello) -> None:
        """See :class:`~.session.Line`."""
        self._node.admit(self._connection, hello, self._principal)

    def send(self, message: Message) -> None:
        """See :class:`~.session.Line`."""
        self._node.receive(self._connection, message)

    def challenged(self, challenge: Challenge, session_id: int) -> None:
        """There is no login."""

    def congested(self, is_congested: bool) -> None:
        """While too much waits, the node leaves the session out, as it does with slow peers."""
        self._connection.congested(is_congested)

    def close(self) -> None:
        """See :class:`~.session.Line`."""
        self._connection.lost()


async def join(
    node: Node,
    realm: str,
    *,
    authid: str,
    authrole: str,
    authextra: dict[str, Any] | None = None,
    max_waiting: int = MAX_WAITING,
) -> Session:
    """Open a session inside the process, with any role of the realm, or with ``trusted``, which may do everything.

    Raises SessionEnded where the realm or the role does not exist, or the realm is full.
    """
    principal = Admit(realm, authid, authrole, METHOD, METHOD, authextra)
    session = Session(realm, lambda inbox: LocalLine(node, principal, inbox), max_waiting)
    await session.open()
    return session


class ServiceSessions:
    """Opens a session when it is first wanted, and another one when that has ended.

    ``node`` is set when there is one; before, and in realms that are not there, there are no sessions.
    """

    def __init__(self) -> None:
        self.node: Node | None = None
        self._sessions: dict[tuple[str, str], LocalSession] = {}
        self._opening = asyncio.Lock()

    async def of(self, realm: str, authrole: str = TRUSTED) -> LocalSession:
        """The session of this role. Raises SessionEnded where there can be none."""
        key = (realm, authrole)
        async with self._opening:
            session = self._sessions.get(key)
            if session is None or not session.is_open:
                self._sessions.pop(key, None)
                if self.node is None:
                    raise SessionEnded("wamp.close.system_shutdown", "there is no router yet")
                session = self._sessions[key] = await join(self.node, realm, authid=ROUTER_AUTHID, authrole=authrole)
        return session
