"""Define the decisions with which authenticators and authorizers answer the requests of the router core.

The answers to requests for registrations in a cluster are defined here as well.
"""

from typing import Any, Final, Literal

from msgspec import Struct

from ..wamp import errors

GENERIC_DENIAL: Final = "authentication failed"
"""The message for a wrong secret and for an unknown principal. It does not reveal which principals exist."""


class ChallengePeer(Struct, gc=False):
    """The decision of an authenticator to send CHALLENGE, so that the peer proves its identity.

    ``pending`` can be any value. The core passes it back to the authenticator together with the peer's answer.
    """

    method: str
    extra: dict[str, Any]
    pending: Any = None


class Admit(Struct, gc=False):
    """The decision of an authenticator to let the peer join ``realm`` with this authid and role.

    ``authextra`` is sent in WELCOME.
    """

    realm: str | None
    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    authextra: dict[str, Any] | None = None


class Skip(Struct, gc=False):
    """The decision of an authenticator to skip this method. The router then tries the next method that the peer offers.

    A method can be skipped only before it has sent a challenge.
    """


class Permit(Struct, gc=False):
    """The decision of an authorizer to allow an action or, if ``allow`` is False, to deny it.

    ``disclose`` is True if the receiver of the call or event learns the identity of the caller or publisher.
    ``cache`` is True if the decision may be cached.
    """

    allow: bool
    disclose: bool = False
    cache: bool = False


class Deny(Struct, gc=False):
    """The decision to refuse a login or an action. ``reason`` is an error URI, ``message`` a human-readable message."""

    reason: str = errors.AUTHENTICATION_DENIED
    message: str = GENERIC_DENIAL


class RegistrationAdded(Struct, gc=False):
    """The answer to a request for a registration: the callee is in the table of registrations that all nodes share.

    The callees of a registration are ordered by ``number``. The first callee of a new registration has the number 1.
    ``created`` is the time at which the registration was created, as text.
    """

    number: int
    created: str


class RegistrationRefused(Struct, gc=False):
    """The answer to a failed request for a registration. ``status`` is one of these:

    - ``exists``: the procedure is registered with the invocation policy ``single``
    - ``policy``: the procedure is registered with another invocation policy
    - ``unavailable``: the table of registrations cannot be changed at the moment
    """

    status: Literal["exists", "policy", "unavailable"]


Answer = ChallengePeer | Admit | Skip | Permit | Deny | RegistrationAdded | RegistrationRefused
