"""Define the answers with which authenticators and authorizers respond to the core's requests for a decision."""

from typing import Any, Final

from msgspec import Struct

from ..wamp import errors

GENERIC_DENIAL: Final = "authentication failed"
"""The message for a wrong secret and for an unknown principal. It does not reveal which principals exist."""


class ChallengePeer(Struct, gc=False):
    """A challenge: the peer must prove its identity.

    ``pending`` can be any value. The core passes it back to the authenticator together with the peer's answer.
    """

    method: str
    extra: dict[str, Any]
    pending: Any = None


class Admit(Struct, gc=False):
    """An admission: the peer is this principal and may join this realm. ``authextra`` is sent in WELCOME."""

    realm: str | None
    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    authextra: dict[str, Any] | None = None


class Skip(Struct, gc=False):
    """The authentication method does not apply to the peer, so the router tries the next method that the peer offers.

    This answer is valid only before a challenge.
    """


class Permit(Struct, gc=False):
    """The decision of an authorizer.

    ``disclose``: whether the receiver learns the identity of the caller or publisher. ``cache``: whether the decision
    may be cached.
    """

    allow: bool
    disclose: bool = False
    cache: bool = False


class Deny(Struct, gc=False):
    """A refusal of a login or an action. ``reason`` is a URI for programs, ``message`` a sentence for people."""

    reason: str = errors.AUTHENTICATION_DENIED
    message: str = GENERIC_DENIAL


Answer = ChallengePeer | Admit | Skip | Permit | Deny
