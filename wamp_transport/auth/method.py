"""The interface of authentication methods: the responses to HELLO and to AUTHENTICATE."""

from typing import Any, Protocol

from ..router.decisions import Admit, ChallengePeer, Deny, Skip
from ..router.effects import AuthenticationRequest
from ..wamp.messages import Authenticate


class Method(Protocol):
    """An authentication method of a WAMP service.

    :meth:`begin` and :meth:`finish` return ``Deny()`` without arguments if the client must not learn the reason. They
    raise LoginDenied if the source of principals raises it.
    """

    async def begin(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Skip | Deny:
        """Return the response to HELLO."""
        ...

    async def finish(self, request: AuthenticationRequest, message: Authenticate, pending: Any) -> Admit | Deny:
        """Return the response to AUTHENTICATE. ``pending`` is the state that :meth:`begin` has returned."""
        ...
