"""Which hooks of the project run at this moment, and for how long: what is to be told when they do not return."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from time import monotonic
from typing import Final

_numbers: Final = count()
_running: dict[int, tuple[str, float]] = {}
"""The name of each, and since when."""


@contextmanager
def running(name: str) -> Iterator[None]:
    """The hook ``name`` of the settings is called within."""
    number = next(_numbers)
    _running[number] = name, monotonic()
    try:
        yield
    finally:
        del _running[number]


def those_running() -> list[str]:
    """Each in words, the longest first."""
    now = monotonic()
    return [f"{name} for {now - since:.0f} s" for name, since in list(_running.values())]
