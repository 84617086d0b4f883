"""The smaller parts of a node to which the configuration is applied. Larger parts have their own modules."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from ..config.configuration import Configuration, router_options, service_options
from ..node.node import Node
from ..router.records import ACTIVE_STATES, JOINING_STATES
from ..wamp.errors import AUTHENTICATION_FAILED, NO_SUCH_PRINCIPAL
from .authentication import Authentication, PreparedLogins
from .cookie_logins import CookieLogins
from .identity.identity_services import IdentityServices
from .plan import ConfigurationPart
from .threads import Functions

logger = logging.getLogger(__name__)

CHANGED_PRINCIPAL: Final = "this principal was removed or has another role now: log in again"
CHANGED_LOGINS: Final = "the logins of this service have changed: log in again"


class LoginsPart(ConfigurationPart):
    """The part of a node that applies the authentication methods of services.

    It also closes sessions that the new configuration does not allow, and aborts pending logins at services whose
    methods have changed.
    """

    name = "logins"

    def __init__(
        self, node: Node, authentication: Authentication, cookie_logins: CookieLogins, identities: IdentityServices
    ) -> None:
        self._node = node
        self._authentication = authentication
        self._cookie_logins = cookie_logins
        self._identities = identities
        self._prepared = PreparedLogins({}, {})
        self._replaced: set[str] = set()

    async def prepare(self, new: Configuration) -> None:
        """Build the authentication methods of each service. This runs in a thread, because it imports modules."""
        services = {service.key: service for service in new.services}
        self._prepared = await asyncio.to_thread(self._authentication.prepare, services)

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Use the prepared methods. A service whose methods could not be built denies all logins.

        Raises the first error of these services.
        """
        # Keep these keys until all sessions have been checked: if the check fails, the next attempt repeats it.
        self._replaced |= self._authentication.use(self._prepared)
        self._cookie_logins.configure(new.services)
        self._identities.configure(new.services)
        self._end_outdated_logins()
        self._replaced.clear()
        for error in self._prepared.failures.values():
            raise error

    def close(self) -> None:
        """Stop the threads that check logins."""
        self._authentication.close()

    def _end_outdated_logins(self) -> None:
        for session in list(self._node.router.sessions.values()):
            if session.state in ACTIVE_STATES:
                if self._authentication.is_stale(session):
                    self._node.leave(session.id, NO_SUCH_PRINCIPAL, CHANGED_PRINCIPAL)
            elif (
                session.state in JOINING_STATES and session.login is not None and session.service.key in self._replaced
            ):
                # The client's secret is being checked against principals that are no longer valid.
                self._node.leave(session.id, AUTHENTICATION_FAILED, CHANGED_LOGINS)


class RouterPart(ConfigurationPart):
    """The part of a node that applies realms, roles, permissions, limits and service options to the router."""

    name = "router"

    def __init__(self, node: Node) -> None:
        self._node = node

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Apply the router options, and close sessions that the options do not allow."""
        services = {service.key: service_options(service) for service in new.services}
        self._node.configure(router_options(new), services)


class FunctionsPart(ConfigurationPart):
    """The part of a node that checks whether the project's authorizer functions can be used."""

    name = "functions"

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Log the functions that cannot be used. All actions of the roles that they authorize are denied."""
        for fault in await asyncio.to_thread(lambda: list(self._functions.faults(new))):
            logger.error("%s", fault)

    def close(self) -> None:
        """Stop the threads of the functions."""
        self._functions.close()


class ServerPart(ConfigurationPart):
    """The part of a node that passes the configuration to the server.

    The server opens and closes ports, and changes the options of connections.
    """

    name = "server"

    def __init__(self, follow: Callable[[Configuration], Awaitable[None]]) -> None:
        self._follow = follow

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Pass the configuration to the server."""
        await self._follow(new)
