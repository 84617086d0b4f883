"""The entries of the ledger's log and their positions.

Redis gives each entry an id ``<milliseconds>-<number>``. The *position* of an entry is its id and a mark, which is a
digest of its content. An older copy of the ledger can assign an id again, but not the same position.

Each entry contains the position of the entry before it. A reader whose last entry has another position has missed
entries.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha1
from itertools import chain
from typing import NamedTuple

PREVIOUS = b"prev"
MARK = b"mark"
MARK_LENGTH = 8


class LogEntry(NamedTuple):
    """An entry of the log.

    - ``previous``: the position of the entry before; empty for the first one
    - ``fields``: fields of the ledger's hashes with their new values; an empty value means that the field was removed
    """

    position: str
    previous: str
    fields: list[tuple[bytes, bytes]]


def parse_entry(entry_id: bytes, values: Sequence[bytes]) -> LogEntry:
    """Return an entry of the log. ``values`` alternates between fields and values.

    Raises ValueError if the entry does not begin with the fields ``prev`` and ``mark``, or if a value is missing.
    """
    fields = list(zip(values[::2], values[1::2], strict=True))
    if [field for field, _ in fields[:2]] != [PREVIOUS, MARK]:
        raise ValueError(f"the entry {entry_id!r} of the ledger's log does not begin with the fields prev and mark")
    (_, previous), (_, mark) = fields[:2]
    return LogEntry(f"{entry_id.decode()} {mark.decode()}", previous.decode(), fields[2:])


def make_mark(previous: str, now: int, fields: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the mark of an entry, as the scripts compute it."""
    content = previous.encode() + b"%d" % now + b" ".join(chain.from_iterable(fields))
    return sha1(content, usedforsecurity=False).hexdigest()[:MARK_LENGTH]


def entry_id(position: str) -> str:
    """Return the id of the entry at a position, from which XREAD continues. For an empty position, return 0-0."""
    return position.partition(" ")[0] or "0-0"


def order(position: str) -> tuple[int, int]:
    """Return the sort key of a position. Positions sorted by this key are in the order of the log."""
    milliseconds, _, number = entry_id(position).partition("-")
    return int(milliseconds), int(number)
