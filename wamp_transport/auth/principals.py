"""Principals, the data with which they are looked up, and the interface of sources of principals."""

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
    """Raised if a source of principals denies a login.

    ``reason`` is an error URI, and the message explains it. Both are sent to the client.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Lookup:
    """The data of a login that is used to look up a principal.

    ``method`` is the method's name in the configuration, which is ``scram`` for both variants of SCRAM. ``details`` are
    the details that authenticators receive, as in Crossbar. ``public_key`` is in lowercase hexadecimal.
    ``fingerprints`` have the form of :mod:`.fingerprints`. ``ticket`` is None if the client has sent none.
    """

    method: str
    realm: str | None
    authid: str | None
    details: Mapping[str, Any] = field(repr=False)
    public_key: str | None = None
    fingerprints: frozenset[str] = frozenset()
    ticket: str | None = field(default=None, repr=False)


class TicketCheck(Protocol):
    """A check that decides whether a ticket is valid for a principal."""

    @property
    def is_slow(self) -> bool:
        """Whether the check must run in a thread."""
        ...

    def accepts(self, ticket: str) -> bool:
        """Return whether the ticket is valid. The comparison takes constant time."""
        ...


@dataclass(frozen=True, slots=True)
class CraKeys:
    """The valid keys of a principal for WAMP-CRA. They are secrets or, with ``salting``, derived keys."""

    keys: tuple[str, ...] = field(repr=False)
    salting: Salting | None = None


@dataclass(frozen=True, slots=True)
class CraPassword:
    """A password for WAMP-CRA. For each login, the key is derived from it in a thread."""

    password: str = field(repr=False)
    salting: Salting


@dataclass(frozen=True, slots=True)
class ScramCredential:
    """The valid keys of a principal for SCRAM, all derived with the same parameters."""

    derivation: Derivation
    keys: tuple[ScramKeys, ...]


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """The valid public keys of a principal for cryptosign, in lowercase hexadecimal."""

    keys: tuple[str, ...]


Credential = TicketCheck | CraKeys | CraPassword | ScramCredential | PublicKeys


@dataclass(frozen=True, slots=True)
class Principal:
    """The identity that a client gets after authentication.

    If the role is None, the session gets the default role. If the authid or the realm is None, the session gets the one
    from HELLO; see :func:`admission`. ``credential`` is the credential against which the client's response is checked.
    It is None if the source has already checked the client.
    """

    role: str | None = None
    authid: str | None = None
    realm: str | None = None
    extra: Mapping[str, Any] | None = None
    credential: Credential | None = None


class Principals(Protocol):
    """A source of principals for an authentication method.

    ``provider`` is the authprovider in session details, such as ``static``.
    """

    provider: str

    async def find(self, lookup: Lookup) -> Principal | None:
        """Return the principal for a login; None if there is none.

        Raises LoginDenied to deny the login for a reason that the client may learn.
        """
        ...

    def model(self, choice: int, realm: str | None = None) -> Principal | None:
        """Return a principal of a realm as a model for challenges to unknown clients; None if there is none.

        The number ``choice`` selects the principal. The same number selects the same principal, until the principals
        change.
        """
        ...


@dataclass(frozen=True, slots=True)
class World:
    """The functions and keys that authentication methods need from outside this package.

    ``random_bytes(n)`` returns unguessable bytes. ``timestamp()`` returns the current time in UTC as RFC 3339 text.
    ``offload(function)`` runs a slow function in a thread and waits for it. The salts in challenges to unknown clients
    are derived from ``secret_key``, so that they do not change. ``router_key`` is the private key (32 bytes) with which
    the router proves its identity.
    """

    random_bytes: Callable[[int], bytes]
    timestamp: Callable[[], str]
    offload: Callable[[Callable[[], Any]], Awaitable[Any]]
    secret_key: bytes = field(repr=False)
    router_key: bytes = field(repr=False)


def lookup_of(request: AuthenticationRequest, method: str, **more: Any) -> Lookup:
    """Return the data for looking up the principal of a login. ``more`` contains further fields of Lookup."""
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
    """Return the decision to admit a client as ``principal``.

    The login is denied if the principal has no role and there is no ``default_role``, or if the role is ``trusted``.
    ``authid`` is used if neither the principal nor HELLO contains one. ``extra`` contains additional details for
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
