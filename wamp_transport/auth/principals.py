"""Principals: the data of a login, the principal found for it, and the interface of sources of principals."""

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
    """A source of principals refuses a login: with a URI for programs and a sentence for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Lookup:
    """The data of a login with which a principal is looked up.

    ``method`` is the name in the configuration: ``scram`` for both of its forms. ``details`` are what Crossbar passes
    to authenticators. ``public_key`` is in lower case hex, ``fingerprints`` have the form of :mod:`.fingerprints`.
    ``ticket`` is set once the peer has sent one.
    """

    method: str
    realm: str | None
    authid: str | None
    details: Mapping[str, Any] = field(repr=False)
    public_key: str | None = None
    fingerprints: frozenset[str] = frozenset()
    ticket: str | None = field(default=None, repr=False)


class TicketCheck(Protocol):
    """A check of tickets."""

    @property
    def is_slow(self) -> bool:
        """Whether to run it in a thread."""
        ...

    def accepts(self, ticket: str) -> bool:
        """Return whether the ticket is right, in constant time."""
        ...


@dataclass(frozen=True, slots=True)
class CraKeys:
    """Keys for WAMP-CRA, any of which is valid: the secrets themselves or, with ``salting``, keys derived from them."""

    keys: tuple[str, ...] = field(repr=False)
    salting: Salting | None = None


@dataclass(frozen=True, slots=True)
class CraPassword:
    """A password from which the key for WAMP-CRA is derived on demand, in a thread."""

    password: str = field(repr=False)
    salting: Salting


@dataclass(frozen=True, slots=True)
class ScramCredential:
    """Keys for SCRAM, any of which is valid, all derived in the same way."""

    derivation: Derivation
    keys: tuple[ScramKeys, ...]


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """Public keys for cryptosign, any of which is valid, in lower case hex."""

    keys: tuple[str, ...]


Credential = TicketCheck | CraKeys | CraPassword | ScramCredential | PublicKeys


@dataclass(frozen=True, slots=True)
class Principal:
    """The identity that a peer gets once it has proved it. The peer's HELLO or the method's default replaces None.

    ``credential`` is what the peer has to prove; None if the source has checked that itself.
    """

    role: str | None = None
    authid: str | None = None
    realm: str | None = None
    extra: Mapping[str, Any] | None = None
    credential: Credential | None = None


class Principals(Protocol):
    """A source of principals for a method.

    ``provider`` is the authprovider that sessions show, such as ``static``.
    """

    provider: str

    async def find(self, lookup: Lookup) -> Principal | None:
        """Return the principal; None if there is none. Raises LoginDenied to refuse with a reason of its own."""
        ...

    def model(self, choice: int, realm: str | None = None) -> Principal | None:
        """Return some principal of a realm, as a model for challenges to unknown peers.

        The same ``choice`` gives the same principal.
        """
        ...


@dataclass(frozen=True, slots=True)
class World:
    """The services that methods need from outside.

    ``random_bytes(n)`` are unguessable. ``timestamp()`` is the time of day in UTC as RFC 3339 text.
    ``offload(function)`` runs a slow function elsewhere and waits for it. ``secret_key`` makes challenges to unknown
    peers the same each time. ``router_key`` is the private key, 32 octets, with which the router proves its identity.
    """

    random_bytes: Callable[[int], bytes]
    timestamp: Callable[[], str]
    offload: Callable[[Callable[[], Any]], Awaitable[Any]]
    secret_key: bytes = field(repr=False)
    router_key: bytes = field(repr=False)


def lookup_of(request: AuthenticationRequest, method: str, **more: Any) -> Lookup:
    """Return the lookup for a login."""
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
    """Return the session of a peer that is this principal. ``authid`` applies if neither principal nor peer has one.

    ``extra`` holds details that the method itself sends in WELCOME.
    """
    role = principal.role or default_role
    if role is None:
        return Deny(errors.NO_SUCH_ROLE, "no role is assigned to this login")
    if role == TRUSTED:
        return Deny(errors.NO_SUCH_ROLE, f"a login cannot have the role {TRUSTED!r}")
    details = {**(principal.extra or {}), **(extra or {})}
    return Admit(
        principal.realm or request.hello.realm,
        principal.authid or request.hello.details.authid or authid or "",
        role,
        request.method,
        provider,
        details or None,
    )
