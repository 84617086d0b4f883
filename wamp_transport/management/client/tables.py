"""Aligned tables that fit the terminal."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from wamp_transport.management.client.values import printable

COLUMN_GAP: Final = 2
MIN_COLUMN_WIDTH: Final = 8
"""The minimum width of a column that is shortened, in characters."""


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None, *, right: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the lines of a table. If it is wider than ``width`` characters, shorten its columns as far as possible.

    ``head`` is the header row. Columns whose header is in ``right`` are right-aligned.
    """
    cells = [[_one_line(cell) for cell in row] for row in (head, *rows)]
    widths = _fit_widths([max(len(row[column]) for row in cells) for column in range(len(head))], width)
    for row in cells:
        padded = (
            _cut(cell, room).rjust(room) if name in right else _cut(cell, room).ljust(room)
            for cell, room, name in zip(row, widths, head, strict=True)
        )
        yield (" " * COLUMN_GAP).join(padded).rstrip()


def width_of(stream: Any) -> int | None:
    """Return the width of the terminal to which ``stream`` writes; None for files and pipes."""
    return shutil.get_terminal_size().columns if is_terminal(stream) else None


def is_terminal(stream: Any) -> bool:
    """Return whether ``stream`` is a terminal."""
    return bool(getattr(stream, "isatty", lambda: False)())


def is_stderr_terminal() -> bool:
    """Return whether stderr is a terminal, which can show progress."""
    return is_terminal(sys.stderr)


def _one_line(text: str) -> str:
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _fit_widths(widths: list[int], width: int | None) -> list[int]:
    """Return the column widths. Shorten the widest columns until the table fits or no column can be shortened."""
    if width is None:
        return widths
    room = width - COLUMN_GAP * (len(widths) - 1)
    while sum(widths) > room and max(widths) > MIN_COLUMN_WIDTH:
        widest = max(range(len(widths)), key=lambda column: widths[column])
        widths[widest] -= 1
    return widths


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"
