"""The validated configuration with typed, immutable realms, transports and services.

:func:`diff` compares two configurations.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from wamp_transport.config.auth_methods import ANONYMOUS, BY_WIRE_NAME, COOKIE
from wamp_transport.config.certificates import TlsFiles, read
from wamp_transport.config.dialects import resolve
from wamp_transport.config.endpoint import DEFAULT_ENDPOINT, OtherEndpoint, TcpEndpoint, UnixEndpoint
from wamp_transport.config.node import Node, RouterWorker
from wamp_transport.config.paths import OtherService, PathTree
from wamp_transport.config.realm import RealmSection, open_realm
from wamp_transport.config.report import Location, Problem, Report, path_text
from wamp_transport.config.section import Finding, Section
from wamp_transport.config.transport import (
    DEFAULT_MAX_CONNECTIONS,
    OtherTransport,
    WebOptions,
    WebSocketTransport,
    WebTransport,
)
from wamp_transport.config.webservices import StaticService
from wamp_transport.config.websocket import WebSocketSection, WebSocketService
from wamp_transport.router.options import AnonymousLogin, Dialect, RealmOptions, RouterOptions, ServiceOptions

UNOFFERED = "none"

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PathService:
    """A service at a path. Two versions of a configuration use the same ``key`` for the same transport and path.

    ``realms`` contains the realms that clients of the service may join; None means all. If the configuration has
    several router workers, these are the realms of the service's worker. ``type`` is the service's type, or
    ``none`` if the service is not supported. A request for an unsupported service gets a 404 response, and is not
    passed to the service of a parent path. ``config_path`` is the JSON path of the service in the configuration;
    comparisons ignore it.
    """

    key: str
    segments: tuple[str, ...]
    type: str
    settings: Section
    config_path: str = field(default="", compare=False)
    realms: frozenset[str] | None = None

    @property
    def path(self) -> str:
        """The URL path, such as ``/ws``. The root is ``/``."""
        return "/" + "/".join(self.segments)


@dataclass(frozen=True, slots=True)
class Transport:
    """An address to listen on, with a flat list of its services. ``endpoint`` is None if none is configured."""

    key: str
    endpoint: TcpEndpoint | UnixEndpoint | None
    paths: tuple[PathService, ...]
    options: WebOptions = field(default_factory=WebOptions)
    max_connections: int = DEFAULT_MAX_CONNECTIONS
    max_connections_per_address: int | None = None
    trusted_proxies: tuple[str, ...] = ()
    config_path: str = field(default="", compare=False)

    @property
    def listening(self) -> TcpEndpoint | UnixEndpoint:
        """The configured endpoint, or the default: TCP port 8080 of 127.0.0.1."""
        return self.endpoint or DEFAULT_ENDPOINT


@dataclass(frozen=True, slots=True)
class Configuration:
    """A valid configuration. Relative paths in it are relative to ``base_dir``.

    ``realm_places`` contains the JSON path of each realm.
    """

    source: str
    base_dir: Path
    realms: tuple[RealmSection, ...]
    transports: tuple[Transport, ...]
    report: Report = field(default_factory=Report, compare=False)
    realm_places: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def services(self) -> tuple[PathService, ...]:
        """The services of all transports."""
        return tuple(service for transport in self.transports for service in transport.paths)

    def resolve(self, path: str) -> Path:
        """Return a path in the configuration as an absolute path."""
        return Path(os.path.normpath(self.base_dir.absolute() / path))

    def tls_files(self, transport: Transport) -> TlsFiles | None:
        """Return the TLS files of a transport; None if it does not use TLS."""
        tls = getattr(transport.listening, "tls", None)
        return None if tls is None else TlsFiles.of(tls, self.resolve)


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between two configurations. A changed item is represented by its old and its new version."""

    transports_added: tuple[Transport, ...] = ()
    transports_removed: tuple[Transport, ...] = ()
    transports_changed: tuple[tuple[Transport, Transport], ...] = ()
    services_added: tuple[PathService, ...] = ()
    services_removed: tuple[PathService, ...] = ()
    services_changed: tuple[tuple[PathService, PathService], ...] = ()
    realms_added: tuple[RealmSection, ...] = ()
    realms_removed: tuple[RealmSection, ...] = ()
    realms_changed: tuple[tuple[RealmSection, RealmSection], ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)


def build(
    node: Node, source: str, base_dir: Path, dialect: Dialect = "specification"
) -> tuple[Configuration, list[Finding]]:
    """Return the configuration for a validated node, and findings about applied defaults and disabled workers.

    ``dialect`` is the dialect of each realm that does not name one.
    """
    findings: list[Finding] = []
    routers = [
        (("workers", index), worker)
        for index, worker in enumerate(node.workers)
        if isinstance(worker, RouterWorker) and not worker.options.disabled
    ]
    transports = [
        _confined(built, worker, len(routers))
        for location, worker in routers
        for index, section in enumerate(worker.transports)
        if (built := _transport(section, (*location, "transports", index), findings)) is not None
    ]
    realms = [realm for _, worker in routers for realm in worker.realms]
    given = any("realms" in worker.model_fields_set for _, worker in routers)
    if not given and any(service.type == "websocket" for one in transports for service in one.paths):
        realms.append(RealmSection.model_validate(_tuples(open_realm())))
        findings.append(
            Finding(
                (*routers[0][0], "realms"),
                "no realms are given: realm1 is created, whose role anonymous may do everything except with wamp. URIs",
                "give `realms` to define who may do what",
                "ignored",
            )
        )
    for index, worker in enumerate(node.workers):
        if isinstance(worker, RouterWorker) and worker.options.disabled:
            findings.append(Finding(("workers", index), "this worker is disabled and left out", level="ignored"))
    places = {
        realm.name: path_text((*location, "realms", index))
        for location, worker in routers
        for index, realm in enumerate(worker.realms)
    }
    resolved = tuple(resolve(realm, dialect) for realm in realms)
    configuration = Configuration(source, base_dir, resolved, tuple(transports), realm_places=places)
    return configuration, findings


def _confined(transport: Transport, worker: RouterWorker, workers: int) -> Transport:
    """Return the transport or, if there are several router workers, a copy restricted to the realms of its worker."""
    if workers == 1:
        return transport
    realms = frozenset(realm.name for realm in worker.realms)
    return replace(transport, paths=tuple(replace(service, realms=realms) for service in transport.paths))


def missing_directories(configuration: Configuration) -> Iterator[tuple[PathService, str]]:
    """Yield each static service whose directory does not exist, and the path of that directory."""
    for service in configuration.services:
        if isinstance(service.settings, StaticService) and service.settings.directory is not None:
            directory = configuration.resolve(service.settings.directory)
            if not os.path.isdir(directory):
                yield service, str(directory)


def hidden_pages(configuration: Configuration) -> Iterator[Problem]:
    """Yield a problem for each service at the root of a web transport, because it hides the pages of Django."""
    for transport in configuration.transports:
        for service in transport.paths:
            if not service.segments and service.config_path != transport.config_path:
                yield Problem(
                    service.config_path,
                    "this service gets all requests that match no other path of its port, so the pages of Django, the "
                    "admin among them, cannot be reached on this port",
                    "give the service another path, or serve Django on another port",
                    "ignored",
                )


def tls_findings(configuration: Configuration) -> Iterator[Problem]:
    """Yield the problems with the key and certificate files of TLS endpoints."""
    for transport in configuration.transports:
        files = configuration.tls_files(transport)
        for finding in read(files)[1] if files is not None else ():
            place = f"{transport.config_path}.endpoint.tls.{path_text(finding.location)}"
            yield Problem(place, finding.message, finding.hint, finding.level)


def router_options(configuration: Configuration) -> RouterOptions:
    """Build RouterOptions from a configuration."""
    return RouterOptions(realms={realm.name: _realm_options(realm) for realm in configuration.realms})


def service_options(path_service: PathService) -> ServiceOptions:
    """Build ServiceOptions from a service. If it is not a WebSocket service, the options allow no client to join."""
    settings = path_service.settings
    if not isinstance(settings, WebSocketSection):
        return ServiceOptions(key=path_service.key, realms=path_service.realms, path=path_service.path)
    return ServiceOptions(
        key=path_service.key,
        anonymous=anonymous_login(settings),
        realms=path_service.realms,
        hello_timeout=settings.hello_timeout / 1000,
        limits=settings.options.limits(),
        authmethods=asked_methods(settings),
        path=path_service.path,
    )


def anonymous_login(service: WebSocketSection) -> AnonymousLogin | None:
    """Return the options for anonymous clients that the router admits without asking an authenticator.

    Return None if anonymous clients cannot join, or if an authenticator decides whether they can. If no authentication
    method is configured, anonymous clients can join.
    """
    auth = service.auth
    if auth is None or not auth.model_fields_set:
        return AnonymousLogin()
    if auth.anonymous is None or auth.anonymous.type != "static":
        return None
    return AnonymousLogin(role=auth.anonymous.role, authid=auth.anonymous.authid)


def asked_methods(service: WebSocketSection) -> frozenset[str]:
    """Return the names, as in HELLO, of the methods for which the router asks an authenticator to decide."""
    auth = service.auth
    if auth is None:
        return frozenset()
    names = {*auth.methods(), *auth.django_methods()}
    # The router admits anonymous clients itself, unless a procedure or function decides about them.
    if auth.anonymous is not None and auth.anonymous.type == "static":
        names.remove(ANONYMOUS.name)
    if auth.cookie is not None and service.cookie is not None:
        names.add(COOKIE.name)
    return frozenset(wire_name for name in names for wire_name in BY_WIRE_NAME[name].wire_names)


def diff(old: Configuration, new: Configuration) -> Difference:
    """Return the changes that lead from ``old`` to ``new``.

    A transport counts as changed if its endpoint, options, limits or trusted proxies differ. Its services are compared
    separately.
    """
    transports = _compare({one.key: one for one in old.transports}, {one.key: one for one in new.transports})
    services = _compare({one.key: one for one in old.services}, {one.key: one for one in new.services})
    realms = _compare({one.name: one for one in old.realms}, {one.name: one for one in new.realms})
    return Difference(*transports, *services, *realms)


def _compare(
    old: Mapping[str, Item], new: Mapping[str, Item]
) -> tuple[tuple[Item, ...], tuple[Item, ...], tuple[tuple[Item, Item], ...]]:
    return (
        tuple(new[key] for key in new if key not in old),
        tuple(old[key] for key in old if key not in new),
        tuple((old[key], new[key]) for key in new if key in old and _content(old[key]) != _content(new[key])),
    )


def is_same_service(old: PathService, new: PathService) -> bool:
    """Return whether two versions of a service are equal, including secrets. The values 1 and true are not equal."""
    return old == new and _content(old) == _content(new)


def _content(item: object) -> object:
    """Return an item's content for comparison. Settings are returned as JSON text, in which 1 and true differ."""
    if isinstance(item, Transport):
        limits = item.max_connections, item.max_connections_per_address
        return item.listening, item.options, limits, item.trusted_proxies
    if isinstance(item, PathService):
        return item.type, item.settings.model_dump_json(), item.realms
    return item.model_dump_json() if isinstance(item, Section) else item


def _transport(
    section: WebTransport | WebSocketTransport | OtherTransport, location: Location, findings: list[Finding]
) -> Transport | None:
    if isinstance(section, OtherTransport):
        return None
    endpoint = section.endpoint
    if endpoint is None:
        findings.append(
            Finding(location, "no endpoint is given: listens on TCP port 8080 of 127.0.0.1", level="ignored")
        )
    elif isinstance(endpoint, OtherEndpoint):
        return None
    key = section.id or _endpoint_key(endpoint or DEFAULT_ENDPOINT)
    if isinstance(section, WebTransport):
        paths = tuple(_services(section.paths, key, (), (*location, "paths")))
        options = section.options
    else:
        service = _as_service(section)
        paths, options = (PathService(f"{key}/", (), "websocket", service, path_text(location)),), WebOptions()
    return Transport(
        key,
        endpoint,
        paths,
        options,
        section.max_connections,
        section.max_connections_per_address,
        section.trusted_proxies,
        path_text(location),
    )


def _services(
    paths: Mapping[str, Section], transport: str, above: tuple[str, ...], location: Location
) -> Iterator[PathService]:
    for name, settings in paths.items():
        segments = above if name == "/" else (*above, name)
        place = (*location, name)
        if isinstance(settings, PathTree):
            yield from _services(settings.paths, transport, segments, (*place, "paths"))
            continue
        kind = UNOFFERED if isinstance(settings, OtherService) else str(getattr(settings, "type", ""))
        yield PathService(f"{transport}/{'/'.join(segments)}", segments, kind, settings, path_text(place))


def _as_service(section: WebSocketTransport) -> WebSocketService:
    shared = {name: getattr(section, name) for name in WebSocketSection.model_fields}
    return WebSocketService.model_construct(type="websocket", **shared)


def _endpoint_key(endpoint: TcpEndpoint | UnixEndpoint) -> str:
    if isinstance(endpoint, UnixEndpoint):
        return f"unix:{endpoint.path}"
    interface = f"[{endpoint.interface}]" if ":" in endpoint.interface else endpoint.interface
    return f"tcp:{interface}:{endpoint.port}" if interface else f"tcp:{endpoint.port}"


def _realm_options(realm: RealmSection) -> RealmOptions:
    options = realm.options
    return RealmOptions(
        name=realm.name,
        roles={role.name: role.role_options() for role in realm.roles},
        loose_uris=options.uri_check == "loose",
        strict_request_ids=options.strict_request_ids,
        timeouts_in_seconds=options.timeouts_in_seconds,
        strict_progress=options.is_progress_strict,
        dialect=options.dialect or "specification",
        enable_meta_api=options.enable_meta_api,
        allow_disclose_me=options.allow_disclose_me,
        max_call_timeout=options.max_call_timeout / 1000,
        limits=options.limits(),
        max_retained=options.max_retained,
        max_retained_size=options.max_retained_size,
        max_retained_share=options.max_retained_share,
        max_retained_age=options.max_retained_age,
        max_history_size=options.max_history_size,
        max_testaments_size=options.max_testaments_size,
        max_session_testaments_size=options.max_session_testaments_size,
        history=realm.store.history_options() if realm.store is not None else (),
    )


def _tuples(value: object) -> object:
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
