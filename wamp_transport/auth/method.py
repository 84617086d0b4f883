"""The shape of a method: what it answers to HELLO, and what to AUTHENTICATE."""

from typing import Any, Protocol

from ..router.decisions import Admit, ChallengePeer, Deny, Skip
from ..router.effects import AuthenticationRequest
from ..wamp.messages import Authenticate


class Method(Protocol):
    """An authentication method of one service. ``Deny()`` without arguments is the neutral answer.

    Sources of principals may raise LoginDenied through both.
    """

    async def begin(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Skip | Deny:
        """The answer to HELLO."""
        ...

    async def finish(self, request: AuthenticationRequest, message: Authenticate, pending: Any) -> Admit | Deny:
        """The answer to AUTHENTICATE. ``pending`` is what was kept with the challenge."""
        ...
