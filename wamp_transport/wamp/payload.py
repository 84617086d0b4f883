"""Application payload: ``args`` and ``kwargs`` as received, in the sender's serialization format.

The router forwards payload unchanged, and converts it only for receivers with another serialization. Therefore, the
name of the payload's format is passed along with each message.
"""

from sys import maxsize
from typing import Any, Final, TypeVar

from msgspec import Raw

D = TypeVar("D")

PASSTHRU_ATTRIBUTES: Final = (
    "enc_algo", "enc_key", "enc_serializer", "ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid",
)  # fmt: skip
"""Options and details that describe a payload that the router passes through unchanged: ``ppt_*`` of the specification
(Advanced Profile, "Payload Passthru Mode"), and Autobahn's older ``enc_*``.
"""

ABSENT: Final = Raw(b"")
"""The value of args or kwargs that are absent from a message. Compare it by identity."""


class InvalidPayload:
    """A substitute for the args of a message whose payload is invalid. The request fails, but the session continues.

    ``reason`` is a human-readable description. ``len()`` returns a number that is greater than any limit. Therefore,
    the message is always checked against the limits, and this check refuses the request.
    """

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __len__(self) -> int:
        return maxsize


TOO_DEEP: Final[Any] = InvalidPayload("nested too deeply")
"""Marks the args of a message whose payload is nested too deeply for its serializer. Compare it by identity."""

PYTHON: Final = "python"
"""The format of payload that consists of Python values (a list, a dict) instead of bytes, as in messages that the
router itself creates.
"""


def positional(*values: Any) -> Raw:
    """Return Python values as the ``args`` of a message with the payload format :data:`PYTHON`."""
    return list(values)  # type: ignore[return-value]


def uses_passthru(options: Any) -> bool:
    """Return whether options or details announce a payload in passthru mode."""
    return options.ppt_scheme is not None


def copy_passthru_attributes(options: Any, details: D) -> D:
    """Copy the attributes for passthru mode from ``options`` to ``details``, and return ``details``."""
    for name in PASSTHRU_ATTRIBUTES:
        value = getattr(options, name)
        if value is not None:
            setattr(details, name, value)
    return details
