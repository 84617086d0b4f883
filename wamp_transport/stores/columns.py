"""Conversion between a section of the configuration and a database row.

Some keys are stored in separate columns, the rest in one JSON column. The conversion is lossless. In most columns,
null or an empty text means that the configuration does not contain the key. If the configuration contains the key with
such a value, the key is stored in the JSON column instead.
"""

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wamp_transport.models import PermissionRule, Realm, Role, Transport


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and the keys that lead to its value in the configuration.

    Null means that the configuration does not contain the key, and so does an empty text, unless ``is_always_given`` is
    true. ``to_column`` converts a value for the column, and ``to_mapping`` converts it back.
    """

    name: str
    keys: tuple[str, ...]
    is_always_given: bool = False
    to_column: Callable[[Any], Any] = _same
    to_mapping: Callable[[Any], Any] = _same


def _port(text: str) -> int | str:
    """Return a port as a number, or as text if it is the name of an environment variable."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else text


REALM = (Column("name", ("name",)),)
ROLE = (Column("name", ("name",)), Column("allow_by_default", ("allow-by-default",)))
PERMISSION = (
    Column("uri", ("uri",), is_always_given=True),
    Column("match", ("match",)),
    Column("allow_call", ("allow", "call")),
    Column("allow_register", ("allow", "register")),
    Column("allow_publish", ("allow", "publish")),
    Column("allow_subscribe", ("allow", "subscribe")),
    Column("disclose_caller", ("disclose", "caller")),
    Column("disclose_publisher", ("disclose", "publisher")),
    Column("cache", ("cache",)),
)
TRANSPORT = (
    Column("endpoint_type", ("endpoint", "type")),
    Column("port", ("endpoint", "port"), to_column=str, to_mapping=_port),
    Column("interface", ("endpoint", "interface")),
    Column("socket_path", ("endpoint", "path")),
    Column("backlog", ("endpoint", "backlog")),
)

Row = Realm | Role | PermissionRule | Transport


def columns_of(row: Row) -> tuple[Column, ...]:
    """Return the columns of a row. A transport of an unsupported type has none: its endpoint can have any form."""
    if isinstance(row, Transport):
        return TRANSPORT if row.type in ("web", "websocket") else ()
    return {Realm: REALM, Role: ROLE, PermissionRule: PERMISSION}[type(row)]


def split_columns(mapping: Mapping[str, Any], row: Row) -> None:
    """Fill the columns of a row, including the JSON column ``settings``, from a validated mapping."""
    rest: dict[str, Any] = copy.deepcopy(dict(mapping))
    for column in columns_of(row):
        *above, key = column.keys
        inner: Any = rest
        for step in above:
            inner = inner.get(step) if isinstance(inner, dict) else None
        value = inner.get(key) if isinstance(inner, dict) else None
        if value is not None and (value != "" or column.is_always_given):
            setattr(row, column.name, column.to_column(inner.pop(key)))
    row.settings = rest


def join_columns(row: Row) -> dict[str, Any]:
    """Return the section of the configuration that a row stores, without the sections of its child rows."""
    mapping: dict[str, Any] = {}
    rest = copy.deepcopy(row.settings)
    for column in columns_of(row):
        value = getattr(row, column.name)
        if value is None or (value == "" and not column.is_always_given):
            continue
        *above, key = column.keys
        inner = mapping
        for step in above:
            inner = inner.setdefault(step, {})
        inner[key] = column.to_mapping(value)
    return _merged(mapping, rest)


def _merged(first: dict[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    """Merge ``rest`` into ``first`` and return ``first``. Existing values are kept."""
    for key, value in rest.items():
        if key not in first:
            first[key] = value
        elif isinstance(first[key], dict) and isinstance(value, dict):
            _merged(first[key], value)
    return first
