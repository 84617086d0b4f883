"""The configuration in the database: read as one mapping, checked like a file, replaced as a whole.

Everything here is synchronous. The mapping is that of a config.json of version 2, without loss: what was imported
comes out again, but for secrets, of which hashes and derived keys are kept.
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
    PathService,
    Permission,
    Realm,
    Role,
    Transport,
    path_of,
    touch,
)
from wamp_transport.stores.columns import take_apart
from wamp_transport.stores.rendering import Rows, render

SOURCE = "database"

Result = TypeVar("Result")


READ_ATTEMPTS = 5
"""How often the rows are read before a reader gives up because they change all the time."""


class ConfigurationChanging(DatabaseError):
    """The rows were changed during each attempt to read them. Reading them again later helps."""

    def __init__(self) -> None:
        super().__init__(f"the configuration was changed during each of {READ_ATTEMPTS} attempts to read it")


class NotMigrated(DatabaseError):
    """The tables are not there yet."""

    def __init__(self) -> None:
        super().__init__("the tables of wamp_transport do not exist yet; run `manage.py migrate`")


def is_migrated() -> bool:
    """Whether the tables are there. Raises DatabaseError where the database cannot be asked."""
    using = router.db_for_read(ConfigurationState) or DEFAULT_DB_ALIAS
    return ConfigurationState._meta.db_table in connections[using].introspection.table_names()


def revision() -> int:
    """The generation: a number that is another one after every change. One cheap query.

    0 where nothing was ever configured, be it because the tables are empty or because they are not there.
    """
    try:
        with _tables():
            states = ConfigurationState.objects.filter(pk=ConfigurationState.ONLY)
            return states.values_list("generation", flat=True).first() or 0
    except NotMigrated:
        return 0


def is_empty() -> bool:
    """Whether the database configures nothing: no transport and no realm, or no tables to hold any."""
    try:
        return _read(lambda: not Transport.objects.exists() and not Realm.objects.exists())
    except NotMigrated:
        return True


def to_mapping() -> dict[str, Any]:
    """All enabled rows as the mapping of a config.json.

    Raises NotMigrated, and ConfigError where two rows exclude each other.
    """
    return render(_read(Rows.stored)).mapping


def load(base_dir: str | os.PathLike[str]) -> Configuration:
    """The configuration in the database.

    Relative paths in it start from the directory of the file that was imported; without one from ``base_dir``.
    Raises ConfigError with all faults, NotMigrated where there are no tables, ConfigurationChanging.
    """
    rows = _read(Rows.stored)
    return read_mapping(render(rows).mapping, rows.base_dir or base_dir, source=SOURCE)


def replace(
    mapping: Mapping[str, Any], base_dir: str | os.PathLike[str] | None = None, *, source: str = "import"
) -> Configuration:
    """Put ``mapping`` in the place of everything that is stored, in one transaction; disabled transports go as well.

    It is checked first, and reported under the name ``source``. Relative paths in it start from ``base_dir``, for
    good; None leaves that to whoever loads it. Returns the configuration that it amounts to. Raises ConfigError, with
    nothing changed, and NotMigrated.
    """
    configuration = read_mapping(mapping, base_dir or ".", source=source)
    rows = list(_rows_of(mapping))
    faults = [*_unstorable(mapping), *(fault for row, location in rows for fault in _too_large(row, location))]
    if faults:
        raise ConfigError(Report(source, faults=tuple(faults)))
    for row, _ in rows:
        row.seal()  # slow, and so before anybody waits for the transaction
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
    """Return what ``read`` finds in one state of the configuration, although it needs several queries.

    Every change counts the generation up in the same transaction, so what is read between two equal generations is of
    one state. Without this, a node could take a realm from before an import, and its roles from after it. Raises
    ConfigurationChanging.
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
    """Tells a table that is not there from other trouble with the database."""
    try:
        yield
    except NotMigrated:
        raise
    except DatabaseError:
        if is_migrated():
            raise
        raise NotMigrated from None


def _document_of(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """What of a mapping has no rows."""
    document = copy.deepcopy(dict(mapping))
    for worker in document.get("workers", ()):
        if worker["type"] == "router":
            worker.update({kind: [] for kind in ("realms", "transports") if kind in worker})
    return document


def _rows_of(mapping: Mapping[str, Any]) -> Iterator[tuple[ConfigurationRow, Location]]:
    """The rows that a mapping comes to, parents first, none stored yet."""
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
    take_apart(_emptied(mapping, "roles"), realm)
    yield realm, location
    for index, given in enumerate(mapping.get("roles", ())):
        role = Role(realm=realm)
        place = (*location, "roles", index)
        take_apart(_emptied(given, "permissions"), role)
        yield role, place
        for position, entry in enumerate(given.get("permissions") or ()):
            permission = Permission(role=role)
            take_apart(entry, permission)
            yield permission, (*place, "permissions", position)


def _transport_rows(
    mapping: Mapping[str, Any], worker: int, location: Location
) -> Iterator[tuple[ConfigurationRow, Location]]:
    transport = Transport(worker=worker, type=mapping["type"])
    left_out = ("type", "paths") if transport.type == "web" else ("type",)
    take_apart({key: value for key, value in mapping.items() if key not in left_out}, transport)
    yield transport, location
    if transport.type == "web":
        yield from _service_rows(mapping["paths"], transport, (), (*location, "paths"))


def _service_rows(
    paths: Mapping[str, Any], transport: Transport, above: tuple[str, ...], location: Location
) -> Iterator[tuple[ConfigurationRow, Location]]:
    """A row for each service; a branch has one where it says or holds more than its services tell."""
    for key, mapping in paths.items():
        keys, place = (*above, key), (*location, key)
        is_branch = mapping["type"] == BRANCH
        settings = {
            name: value for name, value in mapping.items() if name != "type" and not (is_branch and name == "paths")
        }
        if not is_branch or settings or not mapping["paths"]:
            nesting = " ".join(keys)
            row = PathService(transport=transport, type=mapping["type"], path=path_of(nesting), nesting=nesting)
            row.settings = copy.deepcopy(settings)
            yield row, place
        if is_branch:
            yield from _service_rows(mapping["paths"], transport, keys, (*place, "paths"))


def _emptied(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The mapping with an empty list in the place of the one whose items become rows; null stays null."""
    return {name: [] if name == key and value is not None else value for name, value in mapping.items()}


def _too_large(row: ConfigurationRow, location: Location) -> Iterator[Problem]:
    """What the columns cannot hold."""
    try:
        row.clean_fields(exclude={"realm", "role", "transport"})
    except ValidationError as error:
        yield Problem(path_text(location), f"cannot be stored in the database: {'; '.join(error.messages)}")


def _unstorable(mapping: Mapping[str, Any]) -> Iterator[Problem]:
    """Not every database can hold the character U+0000; none of ours gets it."""
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
