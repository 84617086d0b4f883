"""Conversion of the configuration's rows to a config.json mapping in which each JSON path can be traced to its row."""

import copy
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from wamp_transport.config.report import ConfigError, Location, Problem, Report, path_text
from wamp_transport.models import (
    BRANCH,
    ROOT,
    ConfigurationRow,
    ConfigurationState,
    PermissionRule,
    Realm,
    Role,
    Transport,
    WebPath,
)
from wamp_transport.stores.columns import join_columns

Child = TypeVar("Child", Role, PermissionRule, WebPath)
Kind = TypeVar("Kind", bound=ConfigurationRow)


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of the configuration. They can include changes that are not stored yet.

    ``document`` contains the parts of an imported configuration that are not stored in rows.
    """

    document: dict[str, Any] | None = None
    realms: tuple[Realm, ...] = ()
    roles: tuple[Role, ...] = ()
    permissions: tuple[PermissionRule, ...] = ()
    transports: tuple[Transport, ...] = ()
    services: tuple[WebPath, ...] = ()
    base_dir: str = ""

    @classmethod
    def stored(cls) -> "Rows":
        """Return the rows in the database."""
        state = ConfigurationState.objects.filter(pk=ConfigurationState.ONLY).first()
        return cls(
            state.document if state else None,
            tuple(Realm.objects.order_by("pk")),
            tuple(Role.objects.order_by("pk")),
            tuple(PermissionRule.objects.order_by("pk")),
            tuple(Transport.objects.order_by("order", "pk")),
            tuple(WebPath.objects.order_by("pk")),
            state.base_dir if state else "",
        )

    def edited(self, changed: Iterable[ConfigurationRow] = (), removed: Iterable[ConfigurationRow] = ()) -> "Rows":
        """Return a copy in which some rows are replaced or removed. Nothing is stored.

        Rows in ``changed`` that have no primary key are added.
        """
        changed, removed = list(changed), list(removed)
        return replace(
            self,
            realms=_edited(self.realms, Realm, changed, removed),
            roles=_edited(self.roles, Role, changed, removed),
            permissions=_edited(self.permissions, PermissionRule, changed, removed),
            transports=tuple(sorted(_edited(self.transports, Transport, changed, removed), key=lambda row: row.order)),
            services=_edited(self.services, WebPath, changed, removed),
        )


@dataclass(frozen=True, slots=True)
class ConfigDocument:
    """The configuration as a config.json mapping. ``places`` maps the JSON path of each section to its row."""

    mapping: dict[str, Any]
    places: dict[str, ConfigurationRow] = field(default_factory=dict)

    def owner(self, path: str) -> tuple[ConfigurationRow | None, str]:
        """Return the row that a JSON path belongs to, and the rest of the path within that row.

        If the path belongs to no row, return None and the whole path.
        """
        for length in range(len(path), 0, -1):
            row = self.places.get(path[:length])
            if row is not None and (length == len(path) or path[length] in ".["):
                return row, path[length:].removeprefix(".")
        return None, path


def to_document(rows: Rows) -> ConfigDocument:
    """Return the rows as a configuration document, without disabled transports.

    Raises ConfigError if two services have the same path.
    """
    document: dict[str, Any] = copy.deepcopy(_document(rows))
    rendered = ConfigDocument(document)
    owners: dict[int, ConfigurationRow] = {}
    roles, permissions = _by_parent(rows.roles, "realm"), _by_parent(rows.permissions, "role")
    services = _by_parent(rows.services, "transport")
    for realm in rows.realms:
        mapping = join_columns(realm)
        below = [_role(role, permissions[_key(role)], owners) for role in roles[_key(realm)]]
        if below:
            mapping["roles"] = below
        _add(document, "realms", realm, mapping, owners)
    for transport in rows.transports:
        if not transport.enabled:
            continue
        mapping = {"type": transport.type, **join_columns(transport)}
        if transport.type == "web":
            mapping["paths"] = _paths(services[_key(transport)], owners)
        _add(document, "transports", transport, mapping, owners)
    rendered.places.update((path_text(location), row) for location, row in _places(document, owners))
    return rendered


def realm_mapping(realm: Realm) -> dict[str, Any]:
    """Return the mapping of a stored realm, with its roles and their permissions."""
    roles = tuple(Role.objects.filter(realm=realm).order_by("pk"))
    permissions = tuple(PermissionRule.objects.filter(role__realm=realm).order_by("pk"))
    document = to_document(Rows(realms=(realm,), roles=roles, permissions=permissions)).mapping
    mapping: dict[str, Any] = document["workers"][0]["realms"][0]
    return mapping


def transport_mapping(transport: Transport) -> dict[str, Any]:
    """Return the mapping of a stored transport, with its services, even if the transport is disabled.

    Raises ConfigError if two services share a path.
    """
    listed = copy.copy(transport)
    listed.enabled = True
    services = tuple(WebPath.objects.filter(transport=transport).order_by("pk"))
    document = to_document(Rows(transports=(listed,), services=services)).mapping
    mapping: dict[str, Any] = document["workers"][0]["transports"][0]
    return mapping


def _document(rows: Rows) -> dict[str, Any]:
    if rows.document is not None:
        return rows.document
    if not rows.realms and not rows.transports:
        return {"version": 2, "workers": []}
    return {"version": 2, "workers": [{"type": "router", "realms": [], "transports": []}]}


def _add(
    document: dict[str, Any], kind: str, row: Realm | Transport, mapping: dict[str, Any], owners: dict[int, Any]
) -> None:
    """Add a row's mapping to the list ``kind`` ("realms" or "transports") of the row's worker in the document.

    The row contains the index of the worker. If there is no router worker with this index, use the first router worker,
    and add one if there is none. In ``owners``, store the row under the ``id()`` of its mapping.
    """
    workers = document.setdefault("workers", [])
    routers = {index: worker for index, worker in enumerate(workers) if worker.get("type") == "router"}
    if not routers:
        workers.append({"type": "router"})
        routers = {len(workers) - 1: workers[-1]}
    worker = routers.get(-1 if row.worker is None else row.worker) or next(iter(routers.values()))
    worker.setdefault(kind, []).append(mapping)
    owners[id(mapping)] = row


def _role(role: Role, permissions: Sequence[PermissionRule], owners: dict[int, ConfigurationRow]) -> dict[str, Any]:
    mapping = join_columns(role)
    below = []
    for permission in permissions:
        below.append(join_columns(permission))
        owners[id(below[-1])] = permission
    if below:
        mapping["permissions"] = below
    owners[id(mapping)] = role
    return mapping


def _paths(services: Sequence[WebPath], owners: dict[int, ConfigurationRow]) -> dict[str, Any]:
    """Return the services of a transport, nested by the segments of their paths.

    Missing branches (services of type *path*) are added.
    """
    paths: dict[str, Any] = {}
    for service in services:
        mapping = {"type": service.type, **copy.deepcopy(service.settings)}
        if service.type == BRANCH:
            mapping["paths"] = {}
        owners[id(mapping)] = service
        *above, last = service.keys
        inside = paths
        for key in above:
            inside = _branch(inside, key)["paths"]
        if not _hang(inside, last, mapping, owners):
            fault = Problem("", f"transport {service.transport} has two services on {service.full_path}")
            raise ConfigError(Report("database", faults=(fault,)))
    return paths


def _branch(paths: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the service of type *path* at ``key``, which contains nested paths. Create it if it is missing.

    If there is already a service of another type at ``key``, move that service to the root path of the new one.
    """
    there: dict[str, Any] | None = paths.get(key)
    if there is None or there["type"] != BRANCH:
        paths[key] = {"type": BRANCH, "paths": {} if there is None else {ROOT: there}}
    branch: dict[str, Any] = paths[key]
    return branch


def _hang(paths: dict[str, Any], key: str, mapping: dict[str, Any], owners: dict[int, ConfigurationRow]) -> bool:
    """Add a service at ``key``. If there is already a service at this key, put one of them into the other's ``paths``.

    Return False if this is not possible, because both services would have the same path.
    """
    there = paths.get(key)
    if there is None:
        paths[key] = mapping
    elif mapping["type"] == BRANCH and id(there) not in owners:
        mapping["paths"] = there["paths"]
        paths[key] = mapping
    elif mapping["type"] == BRANCH and there["type"] != BRANCH:
        mapping["paths"] = {ROOT: there}
        paths[key] = mapping
    elif there["type"] == BRANCH and mapping["type"] != BRANCH and ROOT not in there["paths"]:
        there["paths"][ROOT] = mapping
    else:
        return False
    return True


def _places(
    value: Any, owners: dict[int, ConfigurationRow], location: Location = ()
) -> Iterator[tuple[Location, ConfigurationRow]]:
    """Yield the location and the row of each mapping that was created from a row."""
    if isinstance(value, dict):
        if id(value) in owners:
            yield location, owners[id(value)]
        for key, item in value.items():
            yield from _places(item, owners, (*location, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, owners, (*location, index))


def _by_parent(rows: Iterable[Child], name: str) -> defaultdict[int, list[Child]]:
    """Group the rows by their parent: by its primary key, or by a temporary number if it is not saved yet."""
    grouped: defaultdict[int, list[Child]] = defaultdict(list)
    for row in rows:
        primary: int | None = getattr(row, f"{name}_id")
        grouped[_key(getattr(row, name)) if primary is None else primary].append(row)
    return grouped


def _key(row: ConfigurationRow) -> int:
    """Return a row's primary key. For an unsaved row, return a number that cannot be a primary key."""
    return row.pk if row.pk is not None else -id(row)


def _edited(
    rows: Iterable[Kind], kind: type[Kind], changed: Iterable[ConfigurationRow], removed: Iterable[ConfigurationRow]
) -> tuple[Kind, ...]:
    gone = {row.pk for row in removed if isinstance(row, kind)}
    new = {_key(row): row for row in changed if isinstance(row, kind)}
    kept = [new.pop(row.pk, row) for row in rows if row.pk not in gone]
    return (*kept, *new.values())
