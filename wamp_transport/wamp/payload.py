"""Application payload: ``args`` and ``kwargs`` as received, in the format of their sender.

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
"""Marks args or kwargs that are absent from a message. Compare it by identity."""


class InvalidPayload:
    """Stands for the args of a message whose payload cannot be accepted: the request fails, and the session goes on.

    ``reason`` is for people. The size is larger than any limit, so size checks fail and look at the payload itself.
    """

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __len__(self) -> int:
        return maxsize


TOO_DEEP: Final[Any] = InvalidPayload("nested too deeply")
"""Marks the args of a message whose payload is nested too deeply for its serializer. Compare it by identity."""

PYTHON: Final = "python"
"""The format of payload that consists of Python values (a list, a dict) instead of bytes, as the router sends it."""


def positional(*values: Any) -> Raw:
    """Return Python values as the ``args`` of a message with the payload format :data:`PYTHON`."""
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
