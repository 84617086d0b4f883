"""Payload that the router does not look into: ``ppt_*``, and Autobahn's older ``enc_*``.

Section of the specification: Advanced Profile, "Payload Passthru Mode".
"""

from typing import Any, Final, TypeVar

from ..wamp.errors import ProtocolViolation
from .records import Session

FEATURE: Final = "payload_passthru_mode"
MIRRORED: Final = (
    "enc_algo", "enc_key", "enc_serializer", "ppt_scheme", "ppt_serializer", "ppt_cipher", "ppt_keyid",
)  # fmt: skip

D = TypeVar("D")


def uses_passthru(options: Any) -> bool:
    """Whether a message's options or details say that its payload is passed through."""
    return options.ppt_scheme is not None


def check_announced(session: Session, role: str, options: Any, name: str) -> None:
    """Raises ProtocolViolation where ``ppt_*`` is used by a peer that did not announce it for ``role``."""
    if options.ppt_scheme is not None and not session.has(role, FEATURE):
        raise ProtocolViolation(f"{name} uses ppt_scheme without the feature {FEATURE} announced for {role}")


def mirrored(options: Any, details: D) -> D:
    """``details`` with what ``options`` say about the payload."""
    for name in MIRRORED:
        value = getattr(options, name)
        if value is not None:
            setattr(details, name, value)
    return details
