"""Validation of edits in the admin. An edit must not cause new errors anywhere in the configuration."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import connections, router

from wamp_transport.bootstrap.sources import base_directory
from wamp_transport.config.configuration import Configuration
from wamp_transport.config.reader import read_mapping
from wamp_transport.config.report import ConfigError, Problem, Report
from wamp_transport.models import ConfigurationRow, ConfigurationState
from wamp_transport.stores.config_document import ConfigDocument, Rows, to_document


@dataclass(frozen=True, slots=True)
class LocatedProblem:
    """A problem, the row that it belongs to, and the JSON path of the problem within this row.

    If the problem does not belong to a single row, the row is None, and the path starts at the configuration's root.
    """

    row: ConfigurationRow | None
    path: str
    problem: Problem

    @property
    def identity(self) -> tuple[object, ...]:
        """A value that identifies the problem, even if its location in the configuration changes."""
        return type(self.row), self.row and self.row.pk, self.path, self.problem.message


def faults_caused(
    changed: Iterable[ConfigurationRow], removed: Iterable[ConfigurationRow] = ()
) -> list[LocatedProblem]:
    """Return the errors that saving the ``changed`` rows and deleting the ``removed`` rows would cause.

    Errors that the stored configuration already has are not returned. Inside a transaction, other edits are blocked
    until it ends.
    """
    _wait_for_other_edits()
    stored = Rows.stored()
    after = list(_problems(stored.edited(changed, removed), "fault"))
    before = {each.identity for each in _problems(stored, "fault")} if after else set()
    return [each for each in after if each.identity not in before]


def notices_on(rows: Iterable[ConfigurationRow]) -> list[LocatedProblem]:
    """Check the stored configuration, and return the notices that concern these rows."""
    wanted = {(type(row), row.pk) for row in rows}
    return [
        each for each in _problems(Rows.stored(), "ignored") if (type(each.row), each.row and each.row.pk) in wanted
    ]


def stored_report() -> Report:
    """Check the stored configuration, and return the report of all its problems."""
    return _report(Rows.stored())[1]


def configuration_of(rows: Rows) -> Configuration | None:
    """Return the configuration that these rows contain; None if it has errors."""
    try:
        return read_mapping(to_document(rows).mapping, rows.base_dir or base_directory(), source="database")
    except ConfigError:
        return None


def is_without_realms() -> bool:
    """Return whether the stored configuration offers WAMP but has no realm to join."""
    configuration = configuration_of(Rows.stored())
    if configuration is None:
        return False
    return not configuration.realms and any(service.type == "websocket" for service in configuration.services)


def _problems(rows: Rows, level: str) -> Iterator[LocatedProblem]:
    document, report = _report(rows)
    for problem in report.faults if level == "fault" else report.notices:
        yield LocatedProblem(*(document.owner(problem.path) if document else (None, problem.path)), problem)


def _report(rows: Rows) -> tuple[ConfigDocument | None, Report]:
    document = None
    try:
        document = to_document(rows)
        return document, read_mapping(document.mapping, rows.base_dir or base_directory(), source="database").report
    except ConfigError as error:
        return document, error.report


def _wait_for_other_edits() -> None:
    """Block other edits until the open transaction ends. If none is open, do nothing.

    Two edits that are valid separately can be invalid together.
    """
    using = router.db_for_write(ConfigurationState)
    if connections[using].in_atomic_block:
        ConfigurationState.objects.using(using).select_for_update().filter(pk=ConfigurationState.ONLY).first()
