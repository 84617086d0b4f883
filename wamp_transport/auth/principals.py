"""Who may log in: what is asked about a peer, what is found, and the port to whoever knows."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from ..router.decisions import Admit, Deny
from ..router.effects import AuthenticationRequest
from ..router.options import TRUSTED
from ..wamp import errors
from .scram import Derivation, ScramKeys
from .wampcra import Salting

Result = TypeVar("Result")


class LoginDenied(Exception):
    """A source of principals refuses a login: a URI for programs, and a sentence for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a peer says of itself, and what is known of it.

    ``method`` is named as in the configuration: ``scram`` for both of its forms. ``details`` are what Crossbar hands to
    authenticators. ``public_key`` is in lower case hex, ``fingerprints`` are as :mod:`.fingerprints` makes them;
    ``ticket`` is given once the peer has sent one.
    """

    method: str
    realm: str | None
    authid: str | None
    details: Mapping[str, Any] = field(repr=False)
    public_key: str | None = None
    fingerprints: frozenset[str] = frozenset()
    ticket: str | None = field(default=None, repr=False)


class TicketCheck(Protocol):
    """What tells whether a ticket is the right one."""

    @property
    def is_slow(self) -> bool:
        """Whether it is asked in a thread."""
        ...

    def accepts(self, ticket: str) -> bool:
        """Whether it is. Takes the same time wherever a wrong one differs."""
        ...


@dataclass(frozen=True, slots=True)
class CraKeys:
    """Keys of WAMP-CRA, any of which counts: secrets themselves or, with ``salting``, what was derived from them."""

    keys: tuple[str, ...] = field(repr=False)
    salting: Salting | None = None


@dataclass(frozen=True, slots=True)
class CraPassword:
    """A password from which the key of WAMP-CRA is derived when it is needed, in a thread."""

    password: str = field(repr=False)
    salting: Salting


@dataclass(frozen=True, slots=True)
class ScramCredential:
    """Keys of SCRAM, any of which counts, all derived in the same way."""

    derivation: Derivation
    keys: tuple[ScramKeys, ...]


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """Public keys of cryptosign, any of which counts, in lower case hex."""

    keys: tuple[str, ...]


Credential = TicketCheck | CraKeys | CraPassword | ScramCredential | PublicKeys


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a peer is, if it proves so. What is None is taken from its HELLO or the method's default.

    ``credential`` is what it has to prove; None where the source has checked that itself.
    """

    role: str | None = None
    authid: str | None = None
    realm: str | None = None
    extra: Mapping[str, Any] | None = None
    credential: Credential | None = None


class Principals(Protocol):
    """Where the principals of a method come from.

    ``provider`` is what sessions are told as authprovider, such as ``static``.
    """

    provider: str

    async def find(self, lookup: Lookup) -> Principal | None:
        """The principal; None where there is none. Raises LoginDenied to refuse with a reason of its own."""
        ...

    def model(self, choice: int, realm: str | None = None) -> Principal | None:
        """Any principal of a realm, as a model for challenges to peers that are none.

        The same one for the same ``choice``.
        """
        ...


@dataclass(frozen=True, slots=True)
class World:
    """What methods need from outside.

    ``random_bytes(n)`` are unguessable. ``timestamp()`` is the time of day as RFC 3339 text in UTC.
    ``offload(function)`` runs what is slow elsewhere and waits for it. ``secret_key`` makes what is told to unknown
    peers the same each time. ``router_key`` is the private key of 32 octets with which the router proves itself.
    """

    random_bytes: Callable[[int], bytes]
    timestamp: Callable[[], str]
    offload: Callable[[Callable[[], Any]], Awaitable[Any]]
    secret_key: bytes = field(repr=False)
    router_key: bytes = field(repr=False)


def lookup_of(request: AuthenticationRequest, method: str, **more: Any) -> Lookup:
    """What a login says, for sources of principals."""
    hello, ticket = request.hello, more.get("ticket")
    details: dict[str, Any] = {
        "session": request.session_id,
        "transport": {**request.transport, "client_cert": request.transport.get("peer_cert")},
        "authmethod": request.method,
        "authid": hello.details.authid,
        "authrole": hello.details.authrole,
        "authextra": hello.details.authextra,
    }
    if ticket is not None:
        details["ticket"] = ticket
    return Lookup(method, hello.realm, hello.details.authid, details, **more)


def admission(
    request: AuthenticationRequest,
    principal: Principal,
    provider: str,
    default_role: str | None,
    *,
    authid: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Admit | Deny:
    """The session of a peer that is this principal. ``authid`` is for a principal and a peer that name none.

    ``extra`` is what the method itself tells the peer.
    """
    role = principal.role or default_role
    if role is None:
        return Deny(errors.NO_SUCH_ROLE, "no role is assigned to this login")
    if role == TRUSTED:
        return Deny(errors.NO_SUCH_ROLE, f"the role {TRUSTED!r} is not for logins")
    told = {**(principal.extra or {}), **(extra or {})}
    return Admit(
        principal.realm or request.hello.realm,
        principal.authid or request.hello.details.authid or authid or "",
        role,
        request.method,
        provider,
        told or None,
    )
