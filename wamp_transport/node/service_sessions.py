"""The router's own sessions: one for each realm and role that something inside calls procedures as."""

import asyncio

from ..router.options import TRUSTED
from ..wamp.errors import SessionEnded
from .local import LocalSession, join
from .node import Node

AUTHID = "router"


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
                session = self._sessions[key] = await join(self.node, realm, authid=AUTHID, authrole=authrole)
        return session
