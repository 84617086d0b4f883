"""The default dialect of realms: Crossbar's if the configuration is a file, and otherwise the specification's.

The help text of the realm option ``dialect`` describes the differences between the two dialects.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from wamp_transport.config.realm import RealmSection
from wamp_transport.config.schema_walk import SchemaMatch
from wamp_transport.config.section import Finding
from wamp_transport.router.options import Dialect

OF_FILES: Final[Dialect] = "crossbar"
"""The default dialect of realms in a file. A file can come from a Crossbar node, whose clients rely on this dialect."""


def resolve(realm: RealmSection, dialect: Dialect) -> RealmSection:
    """Return the realm or, if its options name no dialect, a copy whose options name ``dialect``."""
    if realm.options.dialect is not None:
        return realm
    return realm.model_copy(update={"options": realm.options.model_copy(update={"dialect": dialect})})


def dialect_findings(sections: Iterable[SchemaMatch], dialect: Dialect) -> Iterator[Finding]:
    """Yield a notice for each realm that uses Crossbar's dialect by default. ``dialect`` is the default dialect."""
    for found in sections:
        if found.section is RealmSection and dialect == OF_FILES and not _is_given(found.given):
            text = f'speaks the dialect "{dialect}", the default for realms in files'
            hint = 'set `options.dialect` to "crossbar" or "specification"'
            yield Finding((*found.location, "options", "dialect"), text, hint, "ignored")


def with_dialect(mapping: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """Return a copy of a valid configuration, with ``dialect`` as the dialect of each realm that names none.

    The copy names all dialects explicitly. Therefore, it has the same meaning in a file as in the database.
    """
    result: dict[str, Any] = copy.deepcopy(dict(mapping))
    for worker in result.get("workers", ()):
        for realm in worker.get("realms", ()) if worker.get("type") == "router" else ():
            if not _is_given(realm):
                realm["options"] = {**realm.get("options", {}), "dialect": dialect}
    return result


def _is_given(realm: Mapping[str, Any]) -> bool:
    options = realm.get("options")
    return isinstance(options, Mapping) and options.get("dialect") is not None
