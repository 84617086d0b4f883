"""Application payload: ``args`` and ``kwargs`` as they came, in the format of their sender.

The router forwards payload without rebuilding it, so it stays the bytes of one serialization until a receiver
with another one needs it. A message therefore travels together with the name of its payload's format.
"""

from sys import maxsize
from typing import Any, Final

from msgspec import Raw

ABSENT: Final = Raw(b"")
"""Stands for args or kwargs that a message does not have. Compared by identity."""


class _TooDeep:
    """Larger than any limit, so that whoever asks for the size looks again."""

    def __len__(self) -> int:
        return maxsize


TOO_DEEP: Final[Any] = _TooDeep()
"""Stands for the args of a message whose payload is nested deeper than its serializer can read. By identity, too."""

PYTHON: Final = "python"
"""The format of payload that is Python values (a list, a dict), not bytes: what the router itself says."""


def positional(*values: Any) -> Raw:
    """Python values as the ``args`` of a message whose payload format is :data:`PYTHON`."""
    return list(values)  # type: ignore[return-value]
