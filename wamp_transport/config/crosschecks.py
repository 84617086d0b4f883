"""Validation across sections: names, endpoints, paths, URLs, roles and cookies in the whole node."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from wamp_transport.config.auth import AnonymousAuth, MethodAuth
from wamp_transport.config.environment_variables import number_in, switch_in
from wamp_transport.config.node import RouterWorker
from wamp_transport.config.paths import PathTree, segments_at
from wamp_transport.config.principals import StaticPrincipal
from wamp_transport.config.realm import RealmSection, RoleSection
from wamp_transport.config.report import Location, path_text, short
from wamp_transport.config.schema_walk import SchemaMatch
from wamp_transport.config.section import Finding
from wamp_transport.config.transport import WebSocketTransport, WebTransport
from wamp_transport.config.websocket import WebSocketSection, url_finding

_ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - only compared, not used to listen


def enabled(sections: Iterable[SchemaMatch], environ: Mapping[str, str]) -> list[SchemaMatch]:
    """Return the sections, without disabled router workers and the sections in them."""
    sections = list(sections)
    off = {
        found.location
        for found in sections
        if found.section is RouterWorker and switch_in(_in(found.given, "options", "disabled"), environ)
    }
    return [found for found in sections if found.location[:2] not in off]


def check_across(sections: list[SchemaMatch], environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the findings that involve more than one section. ``sections`` are those of the enabled workers."""
    yield from _repeated(sections, (RealmSection,), "name", "realm")
    yield from _repeated(sections, (WebTransport, WebSocketTransport), "id", "transport id")
    yield from _endpoints(sections, environ)
    yield from _service_paths(sections)
    yield from _urls(sections)
    yield from _anonymous_roles(sections)
    yield from _login_roles(sections)
    yield from _cookies(sections)


def _repeated(sections: list[SchemaMatch], kinds: tuple[type, ...], key: str, word: str) -> Iterator[Finding]:
    seen: dict[str, Location] = {}
    for found in sections:
        name = found.given.get(key) if found.section in kinds else None
        if not isinstance(name, str):
            continue
        if name in seen:
            yield Finding((*found.location, key), f'{word} "{short(name)}" is already taken by {path_text(seen[name])}')
        seen.setdefault(name, found.location)


def _endpoints(sections: list[SchemaMatch], environ: Mapping[str, str]) -> Iterator[Finding]:
    taken: dict[tuple[str, object], list[tuple[str, Location]]] = {}
    for found in sections:
        if found.section not in (WebTransport, WebSocketTransport):
            continue
        place = _listens_at(found.given.get("endpoint"), environ)
        if place is None:
            continue
        kind, number, interface = place
        others = taken.setdefault((kind, number), [])
        clash = next((where for other, where in others if _clash(interface, other)), None)
        if clash is not None:
            location = (*found.location, "endpoint") if "endpoint" in found.given else found.location
            yield Finding(
                location,
                f"{path_text(clash)} listens on the same {'port' if kind == 'tcp' else 'socket'}",
                "put the services of both on the paths of one transport, or give another port",
            )
        others.append((interface, found.location))


def _listens_at(endpoint: object, environ: Mapping[str, str]) -> tuple[str, object, str] | None:
    if endpoint is None:
        return "tcp", 8080, "127.0.0.1"
    if not isinstance(endpoint, dict):
        return None
    if endpoint.get("type") == "tcp":
        port, interface = number_in(endpoint.get("port"), environ), endpoint.get("interface", "")
        return ("tcp", port, interface) if port is not None and isinstance(interface, str) else None
    path = endpoint.get("path")
    return ("unix", path, "") if endpoint.get("type") == "unix" and isinstance(path, str) else None


def _clash(one: str, other: str) -> bool:
    if one == other:
        return True
    if one not in _ANYWHERE and other not in _ANYWHERE:
        return False
    return len({_ip_version(one), _ip_version(other)} - {0}) < 2


def _ip_version(interface: str) -> int:
    """Return the IP version of an interface; 0 if it is unknown."""
    try:
        return ip_address(interface).version
    except ValueError:
        return 0


def _services(sections: list[SchemaMatch]) -> Iterator[tuple[SchemaMatch, Location, tuple[str, ...]]]:
    """Yield each service, the location of its transport, and the segments of the service's path."""
    transport: Location = ()
    for found in sections:
        if found.section is WebTransport:
            transport = found.location
        elif found.section is WebSocketTransport:
            yield found, found.location, ()
        elif found.location[: len(transport) + 1] == (*transport, "paths"):
            tail = found.location[len(transport) :]
            if len(tail) % 2 == 0 and all(step == "paths" for step in tail[::2]):
                yield found, transport, segments_at(tail)


def _service_paths(sections: list[SchemaMatch]) -> Iterator[Finding]:
    taken: dict[tuple[Location, tuple[str, ...]], Location] = {}
    for found, transport, segments in _services(sections):
        if found.section is PathTree or found.section is WebSocketTransport:
            continue
        if (transport, segments) in taken:
            yield Finding(
                found.location,
                f"{path_text(taken[transport, segments])} is on the same path, /{'/'.join(segments)}",
            )
        taken.setdefault((transport, segments), found.location)


def _urls(sections: list[SchemaMatch]) -> Iterator[Finding]:
    for found, _, segments in _services(sections):
        if not issubclass(found.section, WebSocketSection):
            continue
        finding = url_finding(found.given.get("url"), segments)
        if finding is not None:
            yield Finding((*found.location, *finding.location), finding.message, finding.hint)


def _cookies(sections: list[SchemaMatch]) -> Iterator[Finding]:
    """Check that services use the same store if their cookies have the same name.

    A browser has only one cookie with this name for all ports of a host, so each service would replace the cookie of
    the other.
    """
    first: dict[str, tuple[object, Location]] = {}
    for found, _, _ in _services(sections):
        cookie = found.given.get("cookie")
        if not issubclass(found.section, WebSocketSection) or not isinstance(cookie, dict):
            continue
        store = cookie.get("store", {})
        kind = store.get("type", "database") if isinstance(store, dict) else None
        place = found.location if kind == "memory" else (kind, _in(cookie, "store", "filename"))
        name = cookie.get("name", "cbtid")
        if not isinstance(name, str):
            continue
        other, where = first.setdefault(name, (place, found.location))
        if other != place:
            yield Finding(
                (*found.location, "cookie", "name") if "name" in cookie else (*found.location, "cookie"),
                f'{path_text(where)} has a cookie "{short(name)}" too, in another store: each service would replace '
                "the cookie of the other",
                "give them different names, or the same store",
                "ignored",
            )


def _anonymous_roles(sections: list[SchemaMatch]) -> Iterator[Finding]:
    """Yield a finding for each service that gives anonymous clients a role that no realm has.

    Skip this check if no realms are configured.
    """
    if not any(found.section is RealmSection for found in sections):
        return
    known = [found.given.get("name") for found in sections if found.section is RoleSection]
    for found in sections:
        if not issubclass(found.section, WebSocketSection):
            continue
        anonymous = _in(found.given, "auth", "anonymous")
        role = anonymous.get("role", "anonymous") if isinstance(anonymous, dict) else "anonymous"
        if (anonymous is None and found.given.get("auth")) or not isinstance(role, str) or role in known:
            continue
        if isinstance(anonymous, dict) and anonymous.get("type") in ("dynamic", "function"):
            continue
        given = isinstance(anonymous, dict) and "role" in anonymous
        yield Finding(
            (*found.location, "auth", "anonymous", "role") if given else found.location,
            f'no realm has the role "{short(role)}", so anonymous clients of this service cannot join',
            level="ignored",
        )


def _login_roles(sections: list[SchemaMatch]) -> Iterator[Finding]:
    """Yield findings about roles and realms that are used in login options but do not exist."""
    if not any(found.section is RealmSection for found in sections):
        return
    realms, roles = _names(sections, RealmSection), _names(sections, RoleSection)
    for found in sections:
        if issubclass(found.section, StaticPrincipal | MethodAuth) and found.section is not AnonymousAuth:
            yield from _unknown(found, ("role", "default-role", "authenticator-role"), roles, "no realm has the role")
            yield from _unknown(found, ("realm", "authenticator-realm"), realms, "there is no realm")


def _names(sections: list[SchemaMatch], kind: type) -> list[Any]:
    return [found.given.get("name") for found in sections if found.section is kind]


def _unknown(found: SchemaMatch, keys: tuple[str, ...], known: list[Any], text: str) -> Iterator[Finding]:
    for key in keys:
        name = found.given.get(key)
        if isinstance(name, str) and name and name not in known and name != "trusted":
            message = f'{text} "{short(name)}", so logins that need it fail'
            yield Finding((*found.location, key), message, level="ignored")


def _in(given: Mapping[str, Any], *keys: str) -> Any:
    value: Any = given
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
