"""How a WAMP reason becomes a WebSocket close: its code and its text.

Section of RFC 6455: 7.4, "Status Codes".
"""

from typing import Final

from ..wamp import errors

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
TOO_BIG: Final = 1009
INTERNAL_ERROR: Final = 1011

REASON_SIZE: Final = 123
"""Octets that a close frame has for its reason."""

CODES: Final = {
    errors.PROTOCOL_VIOLATION: PROTOCOL_ERROR,
    errors.PAYLOAD_SIZE_EXCEEDED: TOO_BIG,
    errors.INTERNAL_ERROR: INTERNAL_ERROR,
    errors.CLOSE_SYSTEM_SHUTDOWN: GOING_AWAY,
    errors.CLOSE_REALM: GOING_AWAY,
}


def close_code(reason: str) -> int:
    """The close code for a reason URI; 1000 where none is more fitting."""
    return CODES.get(reason, NORMAL)


def close_text(reason: str, message: str) -> str:
    """The text of a close: the reason and the sentence for people, within what a frame can carry."""
    text = f"{reason}: {message}" if message else reason
    return text.encode("utf-8", "replace")[:REASON_SIZE].decode("utf-8", "ignore")
