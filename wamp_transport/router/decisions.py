"""Define the answers that authenticators and authorizers outside the core give to its requests."""

from typing import Any, Final

from msgspec import Struct

from ..wamp import errors

GENERIC_DENIAL: Final = "authentication failed"
"""The message for a wrong secret and for an unknown principal. It is the same, so that it does not reveal who exists.
"""


class ChallengePeer(Struct, gc=False):
    """The peer must prove its identity.

    ``pending`` is any value; the core returns it together with the peer's answer.
    """

    method: str
    extra: dict[str, Any]
    pending: Any = None


class Admit(Struct, gc=False):
    """The peer is this principal and may join this realm. ``authextra`` is sent in WELCOME."""

    realm: str | None
    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    authextra: dict[str, Any] | None = None


class Skip(Struct, gc=False):
    """This method does not apply to the peer; try the next one that it offers. Only valid before a challenge."""


class Permit(Struct, gc=False):
    """The decision of an authorizer.

    ``disclose``: the receiver learns the identity of the caller or publisher. ``cache``: the decision may be cached.
    """

    allow: bool
    disclose: bool = False
    cache: bool = False


class Deny(Struct, gc=False):
    """The login or the request fails. ``reason`` is a URI for programs, ``message`` a sentence for people."""

    reason: str = errors.AUTHENTICATION_DENIED
    message: str = GENERIC_DENIAL


Answer = ChallengePeer | Admit | Skip | Permit | Deny
