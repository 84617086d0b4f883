"""Autobahn's parser for the frames that the short path leaves to it, and how much it may keep of what comes."""

from typing import Any, Final

from .handshake import HandshakeProtocol

MOST_CONTROL: Final = 125
"""Octets that a control frame may have; RFC 6455, section 5.5."""


class ParsingProtocol(HandshakeProtocol):
    """A WebSocket that keeps nothing which no limit counts."""

    maxMessagePayloadSize: int

    def onMessageFrameBegin(self, length: int) -> None:
        """A frame of a message begins. One that is compressed may be a little longer on the wire than it really is."""
        most = self.maxMessagePayloadSize
        if self.is_message_compressed and most:
            self.maxMessagePayloadSize = longest_compressed(most)
        super().onMessageFrameBegin(length)
        self.maxMessagePayloadSize = most

    def onFrameData(self, payload: bytes) -> bool | None:
        """A piece of a frame. Autobahn would keep all of a control frame that is too long, and refused for it."""
        begun: Any = self.current_frame
        if begun.opcode > 7 and begun.length > MOST_CONTROL:
            return None
        return super().onFrameData(payload)  # type: ignore[no-any-return]

    def onMessageFrame(self, payload: list[bytes]) -> None:
        """A frame of a message. Empty ones leave nothing behind."""
        super().onMessageFrame([piece for piece in payload if piece])


def longest_compressed(size: int) -> int:
    """Octets that a message of ``size`` may have when it is compressed, however badly that works."""
    return size + size // 8 + 64
