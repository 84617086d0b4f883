"""Principals: the login data, the principal found for it, and the interface of sources of principals."""

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
    """A source of principals denies a login. The exception contains a URI and a user-friendly message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Lookup:
    """The login data that is used to look up a principal.

    ``method`` is the name in the configuration: ``scram`` for both variants. ``details`` are those that Crossbar passes
    to authenticators. ``public_key`` is in lowercase hexadecimal. ``fingerprints`` have the form of
    :mod:`.fingerprints`. ``ticket`` is set when the client has sent one.
    """

    method: str
    realm: str | None
    authid: str | None
    details: Mapping[str, Any] = field(repr=False)
    public_key: str | None = None
    fingerprints: frozenset[str] = frozenset()
    ticket: str | None = field(default=None, repr=False)


class TicketCheck(Protocol):
    """A checker for tickets."""

    @property
    def is_slow(self) -> bool:
        """Whether the check must run in a thread."""
        ...

    def accepts(self, ticket: str) -> bool:
        """Return whether the ticket is valid. The comparison takes constant time."""
        ...


@dataclass(frozen=True, slots=True)
class CraKeys:
    """Keys for WAMP-CRA, all of which are valid. They are the secrets or, with ``salting``, derived keys."""

    keys: tuple[str, ...] = field(repr=False)
    salting: Salting | None = None


@dataclass(frozen=True, slots=True)
class CraPassword:
    """A password from which the WAMP-CRA key is derived in a thread when it is needed."""

    password: str = field(repr=False)
    salting: Salting


@dataclass(frozen=True, slots=True)
class ScramCredential:
    """Keys for SCRAM, all of which are valid and derived with the same parameters."""

    derivation: Derivation
    keys: tuple[ScramKeys, ...]


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """Public keys for cryptosign, all of which are valid, in lowercase hexadecimal."""

    keys: tuple[str, ...]


Credential = TicketCheck | CraKeys | CraPassword | ScramCredential | PublicKeys


@dataclass(frozen=True, slots=True)
class Principal:
    """The identity that a client gets after authentication. None is replaced with a value from HELLO or a default.

    ``credential`` is the credential that the client must prove. It is None if the source has checked the client
    already.
    """

    role: str | None = None
    authid: str | None = None
    realm: str | None = None
    extra: Mapping[str, Any] | None = None
    credential: Credential | None = None


class Principals(Protocol):
    """A source of principals for a method.

    ``provider`` is the authprovider in session details, such as ``static``.
    """

    provider: str

    async def find(self, lookup: Lookup) -> Principal | None:
        """Return the principal; None if there is none. Raises LoginDenied to give a reason."""
        ...

    def model(self, choice: int, realm: str | None = None) -> Principal | None:
        """Return a principal of a realm as a model for challenges to unknown clients.

        The same ``choice`` returns the same principal.
        """
        ...


@dataclass(frozen=True, slots=True)
class World:
    """The external services that authentication methods need.

    ``random_bytes(n)`` returns unguessable bytes. ``timestamp()`` returns the current time in UTC as RFC 3339 text.
    ``offload(function)`` runs a slow function in a thread and waits for it. ``secret_key`` makes challenges to unknown
    clients repeatable. ``router_key`` is the private key (32 bytes) with which the router proves its identity.
    """

    random_bytes: Callable[[int], bytes]
    timestamp: Callable[[], str]
    offload: Callable[[Callable[[], Any]], Awaitable[Any]]
    secret_key: bytes = field(repr=False)
    router_key: bytes = field(repr=False)


def lookup_of(request: AuthenticationRequest, method: str, **more: Any) -> Lookup:
    """Return the lookup data for a login."""
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
    """Return the admission of a client as this principal.

    ``authid`` applies if neither the principal nor the client has one. ``extra`` contains additional details for
    WELCOME.
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
