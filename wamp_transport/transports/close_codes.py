"""WebSocket close codes and texts for WAMP reasons.

See RFC 6455, section 7.4, "Status Codes".
"""

from typing import Final

from ..wamp import errors

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
TOO_BIG: Final = 1009
INTERNAL_ERROR: Final = 1011

MAX_REASON_BYTES: Final = 123
"""The maximum size of the text in a close frame, in octets."""

CODES: Final = {
    errors.PROTOCOL_VIOLATION: PROTOCOL_ERROR,
    errors.PAYLOAD_SIZE_EXCEEDED: TOO_BIG,
    errors.INTERNAL_ERROR: INTERNAL_ERROR,
    errors.CLOSE_SYSTEM_SHUTDOWN: GOING_AWAY,
    errors.CLOSE_REALM: GOING_AWAY,
}


def close_code(reason: str) -> int:
    """Return the close code for a reason URI; 1000 (normal closure) if there is no specific code."""
    return CODES.get(reason, NORMAL)


def close_text(reason: str, message: str) -> str:
    """Return the text for a close frame: the reason and the message, cut to the maximum size."""
    text = f"{reason}: {message}" if message else reason
    return text.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode("utf-8", "ignore")
