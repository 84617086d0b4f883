"""How clients of a service log in: the authentication methods."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from wamp_transport.config.section import Finding, Section, setting

METHODS_OFFERED = "offered now: anonymous, type static"
_DYNAMIC = "this belongs to types dynamic and function, which are not offered yet"


class AnonymousAuth(Section):
    """Login without credentials."""

    type: Literal["static", "dynamic", "function"] = setting(
        ..., "static: role and authid are given here. dynamic and function are not offered yet."
    )
    role: str = setting("anonymous", "Role that these sessions get.", min_length=1, expected="the name of a role")
    authid: str | None = setting(
        None, "Authid that all these sessions get. Null: a random one each.", min_length=1, expected="an authid"
    )
    realm: str | None = setting(
        None,
        "Accepted, as Crossbar does, and without effect: the client names its realm.",
        ignored="the realm is the one that the client asks for",
    )
    authenticator: Any = setting(None, "Procedure that decides.", refused=_DYNAMIC)
    authenticator_realm: Any = setting(None, "Realm of that procedure.", alias="authenticator-realm", refused=_DYNAMIC)
    authenticator_role: Any = setting(
        None, "Role that procedure is called as.", alias="authenticator-role", refused=_DYNAMIC
    )
    create: Any = setting(None, "Function that decides.", refused=_DYNAMIC)
    config: Any = setting(None, "Parameters of that function.", refused=_DYNAMIC)
    expose_controller: Any = setting(None, "Hand the node's controller to it.", refused=_DYNAMIC)

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Only static login is offered, and never as the router's own role."""
        kind = given.get("type")
        if kind in ("dynamic", "function"):
            yield Finding(("type",), f'anonymous authentication of type "{kind}" is not offered yet', METHODS_OFFERED)
        if given.get("role") == "trusted":
            yield Finding(("role",), "role trusted is the router's own and cannot be given to clients")


def _method(name: str) -> Any:
    return setting(
        None,
        f"Authentication method {name}.",
        alias=name,
        refused=f'authentication method "{name}" is not offered yet, so nobody could log in as configured; '
        f"{METHODS_OFFERED}",
        secret=True,
    )


class Auth(Section):
    """Authentication methods of a service. None given: anonymous, with role anonymous."""

    anonymous: AnonymousAuth | None = setting(None, "Login without credentials.")
    ticket: Any = _method("ticket")
    wampcra: Any = _method("wampcra")
    scram: Any = _method("scram")
    cryptosign: Any = _method("cryptosign")
    tls: Any = _method("tls")
    cookie: Any = _method("cookie")
    anonymous_proxy: Any = _method("anonymous-proxy")
    cryptosign_proxy: Any = _method("cryptosign-proxy")

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """A method that is named has parameters: null could mean anything from open to closed."""
        for method, parameters in given.items():
            if parameters is None:
                yield Finding((method,), "expected an object, found null", "leave out methods that are not used")
