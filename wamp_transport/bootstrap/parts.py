"""The parts of a node that follow the configuration and have no module of their own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from ..config.configuration import Configuration, router_options, service_options
from ..node.node import Node
from ..router.records import JOINING, PRESENT
from ..wamp.errors import AUTHENTICATION_FAILED, NO_SUCH_PRINCIPAL
from .authentication import Authentication, PreparedLogins
from .cookie_logins import CookieLogins
from .functions import Functions
from .identity.identities import Identities
from .plan import ConfigurationPart

logger = logging.getLogger(__name__)

CHANGED_PRINCIPAL: Final = "who this principal is has changed: log in again"
CHANGED_LOGINS: Final = "who may log in here has changed: log in again"


class LoginsPart(ConfigurationPart):
    """Who may log in at which service. Sessions whose login is no longer valid end, logins in progress begin anew."""

    name = "logins"

    def __init__(
        self, node: Node, authentication: Authentication, cookie_logins: CookieLogins, identities: Identities
    ) -> None:
        self._node = node
        self._authentication = authentication
        self._cookie_logins = cookie_logins
        self._identities = identities
        self._prepared = PreparedLogins({}, {})
        self._replaced: set[str] = set()

    async def prepare(self, new: Configuration) -> None:
        """Build the methods of each service, in a thread: modules are imported."""
        services = {service.key: service for service in new.services}
        self._prepared = await asyncio.to_thread(self._authentication.prepare, services)

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Use what was prepared, in one turn of the loop. A service whose methods could not be built admits nobody."""
        # Kept until the sessions have been looked at: after a failure in between, the next attempt has to know them.
        self._replaced |= self._authentication.use(self._prepared)
        self._cookie_logins.configure(new.services)
        self._identities.configure(new.services)
        self._end_outdated_logins()
        self._replaced.clear()
        for error in self._prepared.failures.values():
            raise error

    def close(self) -> None:
        """Stop the threads in which logins are checked."""
        self._authentication.close()

    def _end_outdated_logins(self) -> None:
        for session in list(self._node.router.sessions.values()):
            if session.state in PRESENT:
                if self._authentication.is_stale(session):
                    self._node.leave(session.id, NO_SUCH_PRINCIPAL, CHANGED_PRINCIPAL)
            elif session.state in JOINING and session.login is not None and session.service.key in self._replaced:
                # Its secret is being checked against what is valid no longer.
                self._node.leave(session.id, AUTHENTICATION_FAILED, CHANGED_LOGINS)


class RouterPart(ConfigurationPart):
    """Realms, roles, permissions and limits, and which services sessions may come through."""

    name = "router"

    def __init__(self, node: Node) -> None:
        self._node = node

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Apply the options in one turn of the loop, and end the sessions that they do not allow."""
        services = {service.key: service_options(service) for service in new.services}
        self._node.configure(router_options(new), services)


class FunctionsPart(ConfigurationPart):
    """The authorizer functions that roles name."""

    name = "functions"

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Log which functions cannot be used. Their roles may do nothing."""
        for fault in await asyncio.to_thread(lambda: list(self._functions.faults(new))):
            logger.error("%s", fault)

    def close(self) -> None:
        """Begin nothing more."""
        self._functions.close()


class ServerPart(ConfigurationPart):
    """What the server does with a configuration: open and close its ports, change the options of connections."""

    name = "server"

    def __init__(self, follow: Callable[[Configuration], Awaitable[None]]) -> None:
        self._follow = follow

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Let the server follow."""
        await self._follow(new)
