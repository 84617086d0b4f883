"""Functions that call the meta API for many IDs, and print the results as tables or details."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.core.management.base import BaseCommand

from wamp_transport.management.client.tables import is_stderr_terminal, table, width_of
from wamp_transport.management.client.values import as_json, format_inline, printable
from wamp_transport.node.session import Session
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import ApplicationError

CONCURRENT_CALLS: Final = 100
"""The maximum number of calls that wait for their results at the same time."""
GONE_ERRORS: Final = frozenset({errors.NO_SUCH_SESSION, errors.NO_SUCH_REGISTRATION, errors.NO_SUCH_SUBSCRIPTION})


async def details_of_all(session: Session, procedure: str, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Call ``procedure`` for each ID and return the details. IDs that no longer exist are left out."""
    return [dict(one) for one in await call_for_each(session, procedure, ids) if one is not None]


async def call_for_each(session: Session, procedure: str, ids: Sequence[int]) -> list[Any]:
    """Call ``procedure`` for each ID and return the results. The result is None for an ID that no longer exists."""
    results: list[Any] = []
    tell = progress("asked", len(ids))
    for start in range(0, len(ids), CONCURRENT_CALLS):
        results += await asyncio.gather(
            *(_answer(session, procedure, id) for id in ids[start : start + CONCURRENT_CALLS])
        )
        tell(len(results))
    return results


async def _answer(session: Session, procedure: str, id: int) -> Any:
    try:
        return (await session.call(procedure, [id])).value
    except ApplicationError as fault:
        if fault.uri in GONE_ERRORS:
            return None
        raise


def progress(what: str, total: int, least: int = 2 * CONCURRENT_CALLS) -> Callable[[int], None]:
    """Return a function that writes the number of completed items to stderr.

    The function writes nothing if ``total`` is less than ``least``, or if stderr is not a terminal.
    """
    if total < least or not is_stderr_terminal():
        return lambda done: None

    def tell(done: int) -> None:
        end = "\r\x1b[K" if done >= total else ""
        sys.stderr.write(f"\r{done} of {total} {what}{end}")
        sys.stderr.flush()

    return tell


def write_table(
    command: BaseCommand, head: Sequence[str], rows: Sequence[Sequence[str]], nothing: str, right: Sequence[str] = ()
) -> None:
    """Write a table with the header row ``head``. If there are no rows, write ``nothing`` to stderr.

    ``right`` contains the headers of right-aligned columns.
    """
    if not rows:
        command.stderr.write(nothing)
        return
    for line in table(head, rows, width_of(command.stdout), right=right):
        command.stdout.write(line)


def write_details(command: BaseCommand, details: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Write one item, with a line for each attribute and nested attributes indented.

    If the option ``json`` is set, write it as JSON instead.
    """
    if options["json"]:
        command.stdout.write(as_json(details, is_indented=True))
        return
    for line in _lines(details, ""):
        command.stdout.write(line)


def _lines(details: Mapping[str, Any], margin: str) -> list[str]:
    lines: list[str] = []
    for name, one in details.items():
        if isinstance(one, Mapping) and one:
            lines += [f"{margin}{printable(str(name))}:", *_lines(one, margin + "  ")]
        else:
            lines.append(f"{margin}{printable(str(name))}: {'-' if one is None else format_inline(one)}")
    return lines
