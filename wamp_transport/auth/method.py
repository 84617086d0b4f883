"""The interface of authentication methods: the responses to HELLO and to AUTHENTICATE."""

from typing import Any, Protocol

from ..router.decisions import Admit, ChallengePeer, Deny, Skip
from ..router.effects import AuthenticationRequest
from ..wamp.messages import Authenticate


class Method(Protocol):
    """An authentication method of a service. ``Deny()`` without arguments does not reveal a reason.

    Both methods may raise LoginDenied, which the source of principals raises.
    """

    async def begin(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Skip | Deny:
        """Return the response to HELLO."""
        ...

    async def finish(self, request: AuthenticationRequest, message: Authenticate, pending: Any) -> Admit | Deny:
        """Return the response to AUTHENTICATE. ``pending`` was stored with the challenge."""
        ...
