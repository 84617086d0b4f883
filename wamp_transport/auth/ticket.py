"""Ticket-based authentication: the client sends a password or token in plain text.

See the WAMP specification, Advanced Profile, "Ticket-based Authentication".
"""

import hmac
from dataclasses import dataclass, field
from typing import Any

from ..config.auth_methods import TICKET
from ..router.decisions import Admit, ChallengePeer, Deny
from ..router.effects import AuthenticationRequest
from ..wamp.messages import Authenticate
from .principals import (
    CraKeys,
    CraPassword,
    Principals,
    PublicKeys,
    ScramCredential,
    TicketCheck,
    World,
    admission,
    lookup_of,
)


@dataclass(frozen=True, slots=True)
class PlainTickets:
    """The valid tickets of a principal, in clear text."""

    tickets: tuple[str, ...] = field(repr=False)
    is_slow: bool = False

    def accepts(self, ticket: str) -> bool:
        given = ticket.encode("utf-8", "surrogatepass")
        return any([hmac.compare_digest(each.encode("utf-8", "surrogatepass"), given) for each in self.tickets])


@dataclass(frozen=True, slots=True)
class DelayedTickets:
    """The clear-text tickets of a principal, if other principals of the service have hashed tickets.

    A check takes as long as for a hashed ticket, so that its duration does not show which principals exist. ``delay``
    is a slow checker that accepts no ticket.
    """

    tickets: TicketCheck
    delay: TicketCheck
    is_slow: bool = True

    def accepts(self, ticket: str) -> bool:
        self.delay.accepts(ticket)
        return self.tickets.accepts(ticket)


class TicketMethod:
    """The authentication method ``ticket``. The principal is looked up after the client has sent the ticket."""

    def __init__(self, principals: Principals, world: World, default_role: str | None = None) -> None:
        self._principals = principals
        self._world = world
        self._default_role = default_role

    async def begin(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Deny:
        """Ask the client for its ticket."""
        return ChallengePeer(request.method, {})

    async def finish(self, request: AuthenticationRequest, message: Authenticate, pending: Any) -> Admit | Deny:
        """Admit the client if its ticket is valid."""
        principal = await self._principals.find(lookup_of(request, TICKET.name, ticket=message.signature))
        if principal is None:
            return Deny()
        check = principal.credential
        if isinstance(check, CraKeys | CraPassword | ScramCredential | PublicKeys):
            return Deny()
        if check is not None:
            accepts = check.accepts
            is_right = (
                await self._world.offload(lambda: accepts(message.signature))
                if check.is_slow
                else accepts(message.signature)
            )
            if not is_right:
                return Deny()
        return admission(request, principal, self._principals.provider, self._default_role)
