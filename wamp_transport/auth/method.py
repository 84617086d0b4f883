"""The interface of authentication methods: the answers to HELLO and to AUTHENTICATE."""

from typing import Any, Protocol

from ..router.decisions import Admit, ChallengePeer, Deny, Skip
from ..router.effects import AuthenticationRequest
from ..wamp.messages import Authenticate


class Method(Protocol):
    """An authentication method of one service. ``Deny()`` without arguments is the neutral answer.

    Both methods may raise LoginDenied, which comes from the source of principals.
    """

    async def begin(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Skip | Deny:
        """Return the answer to HELLO."""
        ...

    async def finish(self, request: AuthenticationRequest, message: Authenticate, pending: Any) -> Admit | Deny:
        """Return the answer to AUTHENTICATE. ``pending`` was stored with the challenge."""
        ...
