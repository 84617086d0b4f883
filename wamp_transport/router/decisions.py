"""What the world answers when the core has asked: about who a session is, and about what it may do."""

from typing import Any, Final

from msgspec import Struct

from ..wamp import errors

GENERIC_DENIAL: Final = "authentication failed"
"""The one sentence for a wrong secret and for a principal that does not exist: neither is told from the other."""


class ChallengePeer(Struct, gc=False):
    """The peer is to prove who it is. ``pending`` comes back with its answer, whatever it holds."""

    method: str
    extra: dict[str, Any]
    pending: Any = None


class Admit(Struct, gc=False):
    """The peer is this principal, in this realm. ``authextra`` is what WELCOME tells it."""

    realm: str | None
    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    authextra: dict[str, Any] | None = None


class Skip(Struct, gc=False):
    """This method does not apply to the peer: the next one that it offers is to be tried. Only before a challenge."""


class Permit(Struct, gc=False):
    """An authorizer has decided. ``disclose``: the receiver is told who it was; ``cache``: so it is for the next."""

    allow: bool
    disclose: bool = False
    cache: bool = False


class Deny(Struct, gc=False):
    """No session, or the request fails: ``reason`` is a URI for programs, ``message`` a sentence for people."""

    reason: str = errors.AUTHENTICATION_DENIED
    message: str = GENERIC_DENIAL


Answer = ChallengePeer | Admit | Skip | Permit | Deny
