"""The entries of the ledger's log.

Redis gives each entry an id ``<milliseconds>-<number>``. Each entry also contains the id of the entry before it. A
reader whose last entry has another id has missed entries.
"""

from collections.abc import Sequence
from typing import NamedTuple

PREVIOUS = b"prev"


class LogEntry(NamedTuple):
    """An entry of the log.

    - ``previous``: the id of the entry before; empty for the first one
    - ``fields``: fields of the ledger's hashes with their new values; an empty value means that the field was removed
    """

    id: str
    previous: str
    fields: list[tuple[bytes, bytes]]


def parse_entry(entry_id: bytes, values: Sequence[bytes]) -> LogEntry:
    """Return an entry of the log from Redis. ``values`` alternates between fields and values."""
    fields = list(zip(values[::2], values[1::2], strict=True))
    if not fields or fields[0][0] != PREVIOUS:
        raise ValueError(f"the entry {entry_id!r} of the ledger's log does not begin with the field 'prev'")
    return LogEntry(entry_id.decode(), fields[0][1].decode(), fields[1:])


def parse_entry_id(entry_id: str) -> tuple[int, int]:
    """Return the id of an entry as two numbers, which sort in the order of the log. An empty id comes before all."""
    if not entry_id:
        return 0, 0
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)
