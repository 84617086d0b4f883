"""The configuration in the database. It is read as one mapping, validated like a file, and replaced as a whole.

All functions are synchronous. Mappings have the format of a config.json of version 2. After :func:`replace`,
:func:`to_mapping` returns an equal mapping, except that it contains hashes and derived keys instead of secrets.
"""

import copy
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, router, transaction

from wamp_transport.config.configuration import Configuration
from wamp_transport.config.reader import read_mapping
from wamp_transport.config.report import ConfigError, Location, Problem, Report, path_text
from wamp_transport.models import (
    BRANCH,
    ConfigurationRow,
    ConfigurationState,
    PermissionRule,
    Realm,
    Role,
    Transport,
    WebPath,
    path_of,
    touch,
)
from wamp_transport.stores.columns import split_columns
from wamp_transport.stores.config_document import Rows, to_document
from wamp_transport.stores.connections import NoDatabase, require_database

SOURCE = "database"

Result = TypeVar("Result")


READ_ATTEMPTS = 5
"""The maximum number of attempts to read the rows while they are being changed."""


class ConfigurationChanging(DatabaseError):
    """Raised if the rows have changed during each attempt to read them. Try again later."""

    def __init__(self) -> None:
        super().__init__(f"the configuration was changed during each of {READ_ATTEMPTS} attempts to read it")


class NotMigrated(DatabaseError):
    """Raised if the tables do not exist yet."""

    def __init__(self) -> None:
        super().__init__("the tables of wamp_transport do not exist yet; run `manage.py migrate`")


def is_migrated() -> bool:
    """Return whether the tables exist. Raises DatabaseError if the database cannot be queried."""
    using = router.db_for_read(ConfigurationState) or DEFAULT_DB_ALIAS
    return ConfigurationState._meta.db_table in connections[using].introspection.table_names()


def revision() -> int:
    """Return the revision, a number that increases with every change of the configuration.

    The revision is 0 if nothing has ever been configured, or if there is no database or no table. Reading it takes one
    cheap query.
    """
    try:
        with _tables():
            states = ConfigurationState.objects.filter(pk=ConfigurationState.ONLY)
            return states.values_list("revision", flat=True).first() or 0
    except (NotMigrated, NoDatabase):
        return 0


def is_empty() -> bool:
    """Return whether the stored configuration contains neither transports nor realms.

    The result is True if there is no database or there are no tables. Raises ConfigurationChanging if the rows keep
    changing.
    """
    try:
        return _read(lambda: not Transport.objects.exists() and not Realm.objects.exists())
    except (NotMigrated, NoDatabase):
        return True


def to_mapping() -> dict[str, Any]:
    """Return the stored configuration as a config.json mapping, without disabled transports.

    Raises ConfigError if two services have the same path, NoDatabase or NotMigrated if there is no database or there
    are no tables, and ConfigurationChanging if the rows keep changing.
    """
    return to_document(_read(Rows.stored)).mapping


def load(base_dir: str | os.PathLike[str]) -> Configuration:
    """Load the configuration from the database.

    Relative paths are relative to the directory of the imported file or, if no file was imported, to ``base_dir``.
    Raises ConfigError with all errors in the configuration, NoDatabase or NotMigrated if there is no database or there
    are no tables, and ConfigurationChanging if the rows keep changing.
    """
    rows = _read(Rows.stored)
    return read_mapping(to_document(rows).mapping, rows.base_dir or base_dir, source=SOURCE)


def replace(
    mapping: Mapping[str, Any], base_dir: str | os.PathLike[str] | None = None, *, source: str = "import"
) -> Configuration:
    """Replace the whole stored configuration, including disabled transports, with ``mapping`` in one transaction.

    The mapping is validated first. ``source`` is the name of the mapping in reports. Relative paths in the mapping are
    relative to ``base_dir`` or, if ``base_dir`` is None, to the directory that is passed to :func:`load`. Return the
    new configuration.

    Raises NoDatabase or NotMigrated if there is no database or there are no tables. Raises ConfigError, without
    changing anything, if the mapping is invalid or cannot be stored.
    """
    configuration = read_mapping(mapping, base_dir or ".", source=source)
    rows = list(_rows_of(mapping))
    faults = [*_unstorable(mapping), *(fault for row, location in rows for fault in _too_large(row, location))]
    if faults:
        raise ConfigError(Report(source, faults=tuple(faults)))
    for row, _ in rows:
        row.seal()  # slow, so do this before the transaction blocks other writers
    with _tables(), transaction.atomic():
        ConfigurationState.objects.select_for_update().filter(pk=ConfigurationState.ONLY).first()
        for kind in (Realm, Transport):
            kind.objects.all().delete()
        for row, _ in rows:
            row.save()
        touch()
        ConfigurationState.objects.filter(pk=ConfigurationState.ONLY).update(
            document=_document_of(mapping), base_dir="" if base_dir is None else os.path.abspath(base_dir)
        )
    return configuration


def _read(read: Callable[[], Result]) -> Result:
    """Call ``read``, which can use several queries, and ensure that its result contains rows of only one revision.

    Every change of the configuration increments the revision in the same transaction. If the revision is the same
    before and after the queries, all rows belong to this revision. Otherwise, call ``read`` again. Without this check,
    a node could read a realm from before an import and its roles from after the import. Raises ConfigurationChanging
    if the revision changes during each of READ_ATTEMPTS attempts.
    """
    for _ in range(READ_ATTEMPTS):
        before = revision()
        with _tables():
            found = read()
        if revision() == before:
            return found
    raise ConfigurationChanging


@contextmanager
def _tables() -> Iterator[None]:
    """Context manager: convert errors about missing tables to NotMigrated.

    Raises NoDatabase if there is no database.
    """
    require_database()
    try:
        yield
    except NotMigrated:
        raise
    except DatabaseError:
        if is_migrated():
            raise
        raise NotMigrated from None


def _document_of(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a mapping that is not stored in rows."""
    document = copy.deepcopy(dict(mapping))
    for worker in document.get("workers", ()):
        if worker["type"] == "router":
            worker.update({kind: [] for kind in ("realms", "transports") if kind in worker})
    return document


def _rows_of(mapping: Mapping[str, Any]) -> Iterator[tuple[ConfigurationRow, Location]]:
    """Yield unsaved rows for a mapping, parents first."""
    for index, worker in enumerate(mapping.get("workers", ())):
        if worker["type"] != "router":
            continue
        for position, realm in enumerate(worker.get("realms", ())):
            yield from _realm_rows(realm, index, ("workers", index, "realms", position))
        for position, transport in enumerate(worker.get("transports", ())):
            yield from _transport_rows(transport, index, ("workers", index, "transports", position))


def _realm_rows(
    mapping: Mapping[str, Any], worker: int, location: Location
) -> Iterator[tuple[ConfigurationRow, Location]]:
    realm = Realm(worker=worker)
    split_columns(_emptied(mapping, "roles"), realm)
    yield realm, location
    for index, given in enumerate(mapping.get("roles", ())):
        role = Role(realm=realm)
        place = (*location, "roles", index)
        split_columns(_emptied(given, "permissions"), role)
        yield role, place
        for position, entry in enumerate(given.get("permissions") or ()):
            permission = PermissionRule(role=role)
            split_columns(entry, permission)
            yield permission, (*place, "permissions", position)


def _transport_rows(
    mapping: Mapping[str, Any], worker: int, location: Location
) -> Iterator[tuple[ConfigurationRow, Location]]:
    transport = Transport(worker=worker, type=mapping["type"])
    left_out = ("type", "paths") if transport.type == "web" else ("type",)
    split_columns({key: value for key, value in mapping.items() if key not in left_out}, transport)
    yield transport, location
    if transport.type == "web":
        yield from _service_rows(mapping["paths"], transport, (), (*location, "paths"))


def _service_rows(
    paths: Mapping[str, Any], transport: Transport, above: tuple[str, ...], location: Location
) -> Iterator[tuple[ConfigurationRow, Location]]:
    """Yield a row for each service.

    A service of type *path* needs a row only if it is empty or has attributes other than ``paths``.
    """
    for key, mapping in paths.items():
        keys, place = (*above, key), (*location, key)
        is_branch = mapping["type"] == BRANCH
        settings = {
            name: value for name, value in mapping.items() if name != "type" and not (is_branch and name == "paths")
        }
        if not is_branch or settings or not mapping["paths"]:
            nesting = " ".join(keys)
            row = WebPath(transport=transport, type=mapping["type"], path=path_of(nesting), nesting=nesting)
            row.settings = copy.deepcopy(settings)
            yield row, place
        if is_branch:
            yield from _service_rows(mapping["paths"], transport, keys, (*place, "paths"))


def _emptied(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a copy of the mapping in which the list at ``key`` is empty, because the items are stored as rows.

    If the value is null instead of a list, it stays null.
    """
    return {name: [] if name == key and value is not None else value for name, value in mapping.items()}


def _too_large(row: ConfigurationRow, location: Location) -> Iterator[Problem]:
    """Yield a problem if values of the row do not fit their columns. The problem lists all of them."""
    try:
        row.clean_fields(exclude={"realm", "role", "transport"})
    except ValidationError as error:
        yield Problem(path_text(location), f"cannot be stored in the database: {'; '.join(error.messages)}")


def _unstorable(mapping: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each key or text with the character U+0000.

    Some databases cannot store it, so it is always refused.
    """
    for location, text in _texts(mapping):
        if "\x00" in text:
            yield Problem(path_text(location), "the character U+0000 cannot be stored in the database")


def _texts(value: Any, location: Location = ()) -> Iterator[tuple[Location, str]]:
    if isinstance(value, str):
        yield location, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield location, key
            yield from _texts(item, (*location, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(item, (*location, index))
