"""What the meta API of a router tells of many things, and how it is written."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.core.management.base import BaseCommand

from wamp_transport.management.client.tables import is_stderr_terminal, table, width_of
from wamp_transport.management.client.values import as_json, format_inline, shown
from wamp_transport.node.session import Session
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import ApplicationError

CONCURRENT_CALLS: Final = 100
"""Calls that are sent before their results are awaited."""
GONE: Final = frozenset({errors.NO_SUCH_SESSION, errors.NO_SUCH_REGISTRATION, errors.NO_SUCH_SUBSCRIPTION})


async def details_of_all(session: Session, procedure: str, ids: Sequence[int]) -> list[dict[str, Any]]:
    """What ``procedure`` tells of each; what has gone meanwhile is left out."""
    return [dict(one) for one in await call_for_each(session, procedure, ids) if one is not None]


async def call_for_each(session: Session, procedure: str, ids: Sequence[int]) -> list[Any]:
    """The answer of ``procedure`` for each, None for what has gone meanwhile."""
    told: list[Any] = []
    tell = progress("asked", len(ids))
    for start in range(0, len(ids), CONCURRENT_CALLS):
        told += await asyncio.gather(*(_answer(session, procedure, id) for id in ids[start : start + CONCURRENT_CALLS]))
        tell(len(told))
    return told


async def _answer(session: Session, procedure: str, id: int) -> Any:
    try:
        return (await session.call(procedure, [id])).value
    except ApplicationError as fault:
        if fault.uri in GONE:
            return None
        raise


def progress(what: str, total: int, least: int = 2 * CONCURRENT_CALLS) -> Callable[[int], None]:
    """What tells on a terminal how much of a long work is done; silent elsewhere, and for short work."""
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
    """A table, or on a terminal what to say where there is nothing."""
    if not rows:
        command.stderr.write(nothing)
        return
    for line in table(head, rows, width_of(command.stdout), right=right):
        command.stdout.write(line)


def write_details(command: BaseCommand, details: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """All of one thing: a line for each attribute, those of an attribute's own beneath it."""
    if options["json"]:
        command.stdout.write(as_json(details, is_indented=True))
        return
    for line in _lines(details, ""):
        command.stdout.write(line)


def _lines(details: Mapping[str, Any], margin: str) -> list[str]:
    lines: list[str] = []
    for name, one in details.items():
        if isinstance(one, Mapping) and one:
            lines += [f"{margin}{shown(str(name))}:", *_lines(one, margin + "  ")]
        else:
            lines.append(f"{margin}{shown(str(name))}: {'-' if one is None else format_inline(one)}")
    return lines
