"""Tables for people: aligned, and as wide as the terminal at most."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from wamp_transport.management.client.values import shown

GAP: Final = 2
NARROWEST: Final = 8
"""Characters that a column keeps."""


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None, *, right: Sequence[str] = ()
) -> Iterator[str]:
    """The lines. ``width`` None: as wide as need be. The columns in ``right`` are aligned there, as numbers are."""
    cells = [[_one_line(cell) for cell in row] for row in (head, *rows)]
    widths = _fitting([max(len(row[column]) for row in cells) for column in range(len(head))], width)
    for row in cells:
        padded = (
            _cut(cell, room).rjust(room) if name in right else _cut(cell, room).ljust(room)
            for cell, room, name in zip(row, widths, head, strict=True)
        )
        yield (" " * GAP).join(padded).rstrip()


def width_of(stream: Any) -> int | None:
    """How wide what is written there may be: the terminal's columns; None for files and pipes."""
    return shutil.get_terminal_size().columns if is_terminal(stream) else None


def is_terminal(stream: Any) -> bool:
    """Whether somebody looks at what is written there."""
    return bool(getattr(stream, "isatty", lambda: False)())


def is_stderr_terminal() -> bool:
    """Whether there is a terminal for what is neither result nor error, such as progress."""
    return is_terminal(sys.stderr)


def _one_line(text: str) -> str:
    return shown(text).replace("\n", "\\n").replace("\t", "\\t")


def _fitting(widths: list[int], width: int | None) -> list[int]:
    """The widest columns give way first."""
    if width is None:
        return widths
    room = width - GAP * (len(widths) - 1)
    while sum(widths) > room and max(widths) > NARROWEST:
        widest = max(range(len(widths)), key=lambda column: widths[column])
        widths[widest] -= 1
    return widths


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"
