"""The ``auth`` section: the authentication methods of a service."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from wamp_transport.config.auth_methods import AUTH_METHODS
from wamp_transport.config.principals import (
    CraPrincipal,
    CryptosignPrincipal,
    Key,
    ScramPrincipal,
    StaticPrincipal,
    TicketPrincipal,
    TlsPrincipal,
)
from wamp_transport.config.report import short
from wamp_transport.config.secret import is_reference
from wamp_transport.config.section import Finding, Section, setting
from wamp_transport.wamp.uris import is_uri

Kind = Literal["static", "dynamic", "function"]
StoredKind = Literal["static", "dynamic", "function", "database"]
TicketKind = Literal["static", "dynamic", "function", "database", "token"]

_KEYS: Mapping[str, tuple[str, ...]] = {
    "dynamic": ("authenticator", "authenticator-realm", "authenticator-role"),
    "function": ("create", "config", "expose_controller"),
    "database": (),
    "token": (),
}
"""The attributes that are valid only for one ``type``, by type.

Those for type static differ between the methods, and are in the attribute ``static_keys`` of each class.
"""

PRINCIPALS = ("principals", "users")


_WHO = (
    "Where logins are decided. static: in this configuration. dynamic: by a WAMP procedure with the arguments (realm, "
    "authid, details). function: by a Python callable with the same arguments."
)
_STORED = f"{_WHO} database: by the principals in the database, which are edited in the admin."


class MethodAuth(Section):
    """The base class of authentication methods whose ``type`` selects a source of principals.

    ``static_keys`` contains the attributes that are valid only for type static.
    """

    static_keys: ClassVar[tuple[str, ...]] = ("principals",)

    type: TicketKind = setting(..., _WHO)
    default_role: str | None = setting(
        None,
        "Role of sessions for which no other role is given. Null: their logins are refused.",
        alias="default-role",
        min_length=1,
        expected="the name of a role",
    )
    authenticator: str | None = setting(None, "URI of the procedure that decides, for type dynamic.")
    authenticator_realm: str | None = setting(
        None,
        "Realm of `authenticator`. Null: the realm that the client requests.",
        alias="authenticator-realm",
        min_length=1,
        expected="the name of a realm",
    )
    authenticator_role: str | None = setting(
        None,
        "Role with which `authenticator` is called. Null: the router's own role, which may call anything.",
        alias="authenticator-role",
        min_length=1,
        expected="the name of a role",
    )
    create: str | None = setting(
        None,
        "For type function: dotted path of a callable, package.module.name. It is called once as "
        "create(config, controller), and returns the function that decides.",
        pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)+$",
        expected="package.module.name",
    )
    config: dict[str, Any] | None = setting(None, "The argument `config` of `create`.")
    expose_controller: bool = setting(
        False,
        "Pass the node's controller to `create`.",
        ignored="there is no controller; `create` is called with None instead",
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that only attributes of this ``type`` are set, all required ones are set, and the values are valid."""
        kind = given.get("type")
        if not isinstance(kind, str) or kind not in ("static", *_KEYS):
            return
        keys: dict[str, tuple[str, ...]] = {**_KEYS, "static": cls.static_keys}
        for owner, names in keys.items():
            for name in names:
                if owner != kind and given.get(name) not in (None, False):
                    yield Finding((name,), f'belongs to type {owner}, not to type "{kind}"')
        needed = {"dynamic": "authenticator", "function": "create"}.get(kind)
        if needed is not None and given.get(needed) is None:
            yield Finding((needed,), f'type "{kind}" needs `{needed}`')
        is_empty = all(given.get(name) is None for name in cls.static_keys)
        if kind == "static" and cls.static_keys[0] in PRINCIPALS and is_empty:
            yield Finding((cls.static_keys[0],), f'type "static" needs `{cls.static_keys[0]}`')
        uri = given.get("authenticator")
        if kind == "dynamic" and isinstance(uri, str) and not is_uri(uri, "exact", loose=True):
            yield Finding(("authenticator",), f'expected the URI of a procedure, found "{short(uri)}"')
        if given.get("default-role") == "trusted":
            yield Finding(("default-role",), "role trusted is the router's own and cannot be given to clients")

    def listed(self) -> Mapping[str, StaticPrincipal]:
        """Return the principals that the configuration lists for type static, by their key in the configuration."""
        return {}


class AnonymousAuth(MethodAuth):
    """Login without credentials."""

    static_keys = ("role", "authid", "realm")

    type: Kind = setting(..., _WHO)
    role: str = setting("anonymous", "Role of anonymous sessions.", min_length=1, expected="the name of a role")
    authid: str | None = setting(
        None,
        "Authid of all anonymous sessions. Null: a random authid for each session.",
        min_length=1,
        expected="an authid",
    )
    realm: str | None = setting(
        None,
        "Accepted for compatibility with Crossbar. It has no effect, because each client names its realm.",
        ignored="sessions join the realm that the client requests",
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check what the base class checks, and that the role is not reserved for the router."""
        yield from super().check(given)
        if given.get("role") == "trusted":
            yield Finding(("role",), "role trusted is the router's own and cannot be given to clients")


def _listed(help: str) -> Any:
    return setting(None, f"{help}, by authid, for type static.", secret=True)


class TicketAuth(MethodAuth):
    """Login with a ticket: a password or token that the client sends in plain text. Use TLS."""

    type: TicketKind = setting(..., f"{_STORED} token: by signed tokens that Django code makes, and by the token hook.")
    principals: dict[str, TicketPrincipal] | None = _listed("Principals and their tickets")

    def listed(self) -> Mapping[str, TicketPrincipal]:
        return self.principals or {}


class CraAuth(MethodAuth):
    """Login with WAMP-CRA: the client proves that it knows a shared secret, without sending it."""

    static_keys = ("users",)

    type: StoredKind = setting(..., _STORED)
    users: dict[str, CraPrincipal] | None = _listed("Users and their secrets")

    def listed(self) -> Mapping[str, CraPrincipal]:
        return self.users or {}


class ScramAuth(MethodAuth):
    """Login with SCRAM: the password is never sent, and the server does not know it. Methods: wamp-scram and scram."""

    type: StoredKind = setting(..., _STORED)
    principals: dict[str, ScramPrincipal] | None = _listed("Principals and the keys derived from their passwords")

    def listed(self) -> Mapping[str, ScramPrincipal]:
        return self.principals or {}


class CryptosignAuth(MethodAuth):
    """Login with WAMP-cryptosign: the client proves that it has a private key."""

    static_keys = ("principals", "trustroots")

    type: StoredKind = setting(..., _STORED)
    principals: dict[str, CryptosignPrincipal] | None = setting(
        None, "Principals and their public keys, by authid, for type static."
    )
    trustroots: Any = setting(
        None,
        "Roots of certificate chains, by realm.",
        refused="certificates of cryptosign (EIP-712 of Ethereum) are not offered, and without them nobody could log "
        "in as configured; list the clients' public keys under `principals`, or use type dynamic, "
        "function or database",
    )
    router_key: Key | None = setting(
        None,
        "Private key (Ed25519, 32 octets in hex) with which the router authenticates itself to clients that send a "
        '`challenge`. Give it as "${NAME}", a reference to an environment variable. Null: a key derived from '
        "SECRET_KEY, which is the same in all processes. `manage.py wamp keygen --router` prints its public key.",
        expected='"${NAME}"',
        secret=True,
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check what the base class checks, and that ``router_key`` is a reference to an environment variable."""
        yield from super().check(given)
        key = given.get("router_key")
        if isinstance(key, str) and not is_reference(key):
            message = 'expected "${NAME}" for an environment variable: private keys are not written into configurations'
            yield Finding(("router_key",), message)

    def listed(self) -> Mapping[str, CryptosignPrincipal]:
        return self.principals or {}


class TlsAuth(MethodAuth):
    """Login with the client's TLS certificate. Clients send one only if the endpoint has `ca_certificates`."""

    type: StoredKind = setting(..., _STORED)
    principals: dict[str, TlsPrincipal] | None = setting(
        None, "Principals and the fingerprints of their certificates, by authid, for type static."
    )

    def listed(self) -> Mapping[str, TlsPrincipal]:
        return self.principals or {}


class DjangoAuth(Section):
    """The base class of the methods with which Django users log in."""

    enabled: bool = setting(True, "Offer the method. If the only method in `auth` is not offered, nobody can log in.")
    default_role: str | None = setting(
        None,
        'Role of users to whom no line of the table "Roles of Django users" applies. Null: their logins are refused.',
        alias="default-role",
        min_length=1,
        expected="the name of a role",
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the role is not reserved for the router."""
        if given.get("default-role") == "trusted":
            yield Finding(("default-role",), "role trusted is the router's own and cannot be given to clients")


class TokenAuth(DjangoAuth):
    """Login with a signed token from ``wamp_transport.tokens``, or with another token that the token hook accepts."""


class SessionAuth(DjangoAuth):
    """Login as the user who is logged in to Django. The browser sends Django's session cookie with the handshake.

    The cookie is accepted only from pages of the requested host, which must be one of Django's ALLOWED_HOSTS, and from
    pages of `trusted_origins`. The option `allowed_origins` does not change this.
    """

    trusted_origins: tuple[str, ...] = setting(
        (), "Other origins whose pages may use the cookie, as scheme://host:port, without asterisks."
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check what the base class checks, and that trusted origins are complete and contain no wildcards."""
        yield from super().check(given)
        origins = given.get("trusted_origins")
        for index, origin in enumerate(origins if isinstance(origins, tuple) else ()):
            if isinstance(origin, str) and ("://" not in origin or "*" in origin):
                yield Finding(
                    ("trusted_origins", index),
                    f'expected the full name of an origin, found "{short(origin)}"',
                    "write scheme://host:port, such as https://example.com",
                )


def _internal(name: str) -> Any:
    return setting(
        None,
        f"Authentication method {name}.",
        alias=name,
        refused=f'authentication method "{name}" belongs to parts of Crossbar that are not offered',
        secret=True,
    )


class Auth(Section):
    """The authentication methods of a service. Without any method, clients are anonymous and get the role anonymous."""

    anonymous: AnonymousAuth | None = setting(None, "Login without credentials.")
    ticket: TicketAuth | None = setting(None, "Login with a ticket.")
    wampcra: CraAuth | None = setting(None, "Login with a shared secret.")
    scram: ScramAuth | None = setting(None, "Login with a password that the server does not know.")
    cryptosign: CryptosignAuth | None = setting(None, "Login with a private key.")
    tls: TlsAuth | None = setting(None, "Login with a TLS certificate.", secret=True)
    cookie: dict[str, Any] | None = setting(
        None,
        "Login with the cookie of a client that has logged in before. The value is an empty object. The service must "
        "have a `cookie`.",
        secret=True,
    )
    token: TokenAuth | None = setting(None, "Login with a signed token. The object may be empty.")
    django_session: SessionAuth | None = setting(
        None, "Login as the user who is logged in to Django. The object may be empty.", alias="django-session"
    )
    anonymous_proxy: Any = _internal("anonymous-proxy")
    cryptosign_proxy: Any = _internal("cryptosign-proxy")

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that no method is null, because null could be read as allowing everybody or nobody."""
        for method, parameters in given.items():
            if parameters is None:
                yield Finding((method,), "expected an object, found null", "leave out methods that are not used")

    def methods(self) -> Mapping[str, MethodAuth]:
        """Return the configured methods that have a source of principals, by their key in this section."""
        names = (method.name for method in AUTH_METHODS if method.has_principal_source)
        return {name: section for name in names if (section := getattr(self, name)) is not None}

    def django_methods(self) -> Mapping[str, DjangoAuth]:
        """Return the enabled methods that use Django's users, by name."""
        names = (method.name for method in AUTH_METHODS if method.uses_django_users)
        found = {name: getattr(self, name.replace("-", "_")) for name in names}
        return {name: section for name, section in found.items() if section is not None and section.enabled}
