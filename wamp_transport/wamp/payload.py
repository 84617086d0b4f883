"""Application payload: ``args`` and ``kwargs`` as received, in the format of their sender.

The router forwards payload without rebuilding it, so it stays the bytes of one serialization until a receiver
with another one needs it. A message therefore travels together with the name of its payload's format.
"""

from sys import maxsize
from typing import Any, Final

from msgspec import Raw

ABSENT: Final = Raw(b"")
"""Marks args or kwargs that are absent from a message. Compare it by identity."""


class _TooDeep:
    """A size larger than any limit, which makes size checks fail and look at the payload itself."""

    def __len__(self) -> int:
        return maxsize


TOO_DEEP: Final[Any] = _TooDeep()
"""Marks the args of a message whose payload is nested too deeply for its serializer. Compare it by identity."""

PYTHON: Final = "python"
"""The format of payload that consists of Python values (a list, a dict) instead of bytes, as the router sends it."""


def positional(*values: Any) -> Raw:
    """Return Python values as the ``args`` of a message with the payload format :data:`PYTHON`."""
    return list(values)  # type: ignore[return-value]
