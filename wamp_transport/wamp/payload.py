"""Application payload: ``args`` and ``kwargs`` as they came, in the format of their sender.

The router forwards payload without rebuilding it, so it stays the bytes of one serialization until a receiver
with another one needs it. A message therefore travels together with the name of its payload's format.
"""

from sys import maxsize
from typing import Any, Final, TypeVar

from msgspec import Raw

D = TypeVar("D")

PASSTHRU_ATTRIBUTES: Final = (
    "enc_algo", "enc_key", "enc_serializer", "ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid",
)  # fmt: skip
"""Options and details that describe a payload which the router passes through: ``ppt_*`` of the specification
(Advanced Profile, "Payload Passthru Mode"), and Autobahn's older ``enc_*``."""

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


def uses_passthru(options: Any) -> bool:
    """Return whether the options or details of a message announce a payload in passthru mode."""
    return options.ppt_scheme is not None


def copy_passthru_attributes(options: Any, details: D) -> D:
    """Copy the attributes that describe the payload from ``options`` to ``details``, and return ``details``."""
    for name in PASSTHRU_ATTRIBUTES:
        value = getattr(options, name)
        if value is not None:
            setattr(details, name, value)
    return details
