"""What ``manage.py wamp register --call`` is given in tests."""

from collections.abc import Iterator
from threading import Event


def area(width: int, height: int) -> int:
    """Checked parameters."""
    return width * height


def count(to: int) -> Iterator[object]:
    """Progressive results, without an end below zero."""
    if to < 0:
        yield to
        Event().wait(60)
    yield from range(to)
    return "end"
