"""Log the traffic of services with the option ``debug``: handshakes, frames without their payload, and disconnections.

Each service has a logger below ``wamp_transport.traffic``. For a handshake, only selected headers are logged. For a
frame, only its kind, length and flags are logged, and for a close frame also its code and reason. Message contents,
cookies, query strings and credentials are never logged.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from ..config.configuration import PathService
from .frames import COMPRESSED, FINAL, LENGTH_16, LENGTH_64, MASKED
from .logs import visible

TRAFFIC: Final = "wamp_transport.traffic"

SHOWN_HEADERS: Final = frozenset(
    {
        b"host",
        b"origin",
        b"user-agent",
        b"upgrade",
        b"connection",
        b"server",
        b"sec-websocket-version",
        b"sec-websocket-protocol",
        b"sec-websocket-extensions",
    }
)
"""Headers that are logged, because they contain no secrets."""

MAX_TEXT_BYTES: Final = 200
"""Maximum number of bytes of a peer's text that are logged. The rest is cut off."""

KINDS: Final = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
CLOSE: Final = 8
MAX_CLOSE_BYTES: Final = 125
"""Maximum payload of a close frame in octets."""


def traffic_logger(service: PathService) -> logging.Logger:
    """Return the logger of a service, named after its id or path.

    Its messages are shown even if logging is not configured.
    """
    name = getattr(service.settings, "id", None) or ".".join(service.segments) or "root"
    return visible(logging.getLogger(TRAFFIC)).getChild(name)


class Trace:
    """The log of one connection's traffic.

    The methods accept bytes in the pieces in which they are received or sent, so a frame can be split anywhere.
    """

    def __init__(self, logger: logging.Logger, peer: str) -> None:
        self._logger = logger
        self._peer = peer
        self._incoming = FrameHeads()
        self._outgoing = FrameHeads()

    def listen(self, protocol: Any) -> None:
        """Log the bytes that ``protocol`` receives from now on.

        A method of this ``protocol`` object is replaced, so that tracing does not slow down other connections.
        """
        receive = protocol.dataReceived

        def log_and_receive(data: bytes) -> None:
            self.received(data)
            receive(data)

        protocol.dataReceived = log_and_receive

    def asked(self, path: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Log the request of a handshake. ``path`` does not include the query."""
        self._logger.info("%s requests %s (%s)", self._peer, shown(path), shown_headers(headers))

    def answered(self, answer: bytes) -> None:
        """Log the HTTP response to the handshake."""
        first, *lines = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
        headers = (line.partition(b":")[::2] for line in lines)
        self._logger.info("%s is answered %s (%s)", self._peer, shown(first), shown_headers(headers))

    def received(self, data: bytes) -> None:
        """Parse bytes from the peer, and log the frames in them."""
        for brief in self._incoming.feed(data):
            self._logger.info("%s > %s", self._peer, brief)

    def traced(self, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """Return a function that logs frames and writes them with ``write``."""

        def log_and_write(frames: bytes) -> None:
            self.sent(frames)
            write(frames)

        return log_and_write

    def sent(self, data: bytes) -> None:
        """Parse bytes for the peer, and log the frames in them."""
        for brief in self._outgoing.feed(data):
            self._logger.info("%s < %s", self._peer, brief)

    def ended(self, was_clean: bool, code: int | None, reason: str | None) -> None:
        """Log that the socket was closed. ``was_clean`` is true after a close handshake."""
        how = "after a close" if was_clean else "without a close"
        self._logger.info("%s disconnected %s: %s %s", self._peer, how, code, shown((reason or "").encode()))


class FrameHeads:
    """A parser that describes the frames in a stream of bytes. It skips all payloads except those of close frames."""

    def __init__(self) -> None:
        self._head = b""
        self._unread_payload = 0

    def feed(self, data: bytes) -> Iterator[str]:
        """Parse received or sent bytes. Yield a description of each frame when its header is complete.

        A close frame is described only when its payload is complete as well.
        """
        while data:
            if self._unread_payload:
                count = min(self._unread_payload, len(data))
                self._unread_payload -= count
                data = data[count:]
                continue
            self._head += data
            begin, size = head_and_size(self._head)
            is_close = len(self._head) > 1 and self._head[0] & 0x0F == CLOSE and size <= MAX_CLOSE_BYTES
            if not begin or len(self._head) < begin + is_close * size:
                return
            head, data = self._head[:begin], self._head[begin:]
            self._head = b""
            self._unread_payload = size
            yield brief(head, size, data[:size] if is_close else b"")


def head_and_size(data: bytes) -> tuple[int, int]:
    """Return the sizes of the header and the payload of the frame at the start of ``data``.

    If the header is incomplete, return 0 as its size.
    """
    if len(data) < 2:
        return 0, 0
    size = data[1] & ~MASKED
    begin = 2
    if size in (LENGTH_16, LENGTH_64):
        begin = 4 if size == LENGTH_16 else 10
        size = int.from_bytes(data[2:begin], "big")
    begin += 4 * bool(data[1] & MASKED)
    return (begin if len(data) >= begin else 0), size


def brief(head: bytes, size: int, close: bytes) -> str:
    """Return a description of one frame, such as ``text 42 (final, masked)`` or ``close 8 (final): 1000 bye``."""
    flags = {
        "final": head[0] & FINAL,
        "compressed": head[0] & COMPRESSED,
        "reserved bits": head[0] & 0x30,
        "masked": head[1] & MASKED,
    }
    number = head[0] & 0x0F
    kind = KINDS.get(number, f"opcode {number}")
    text = f"{kind} {size} ({', '.join(name for name, is_set in flags.items() if is_set)})"
    if len(close) < 2:
        return text
    if head[1] & MASKED:
        close = bytes(octet ^ head[index % 4 - 4] for index, octet in enumerate(close))
    return f"{text}: {int.from_bytes(close[:2], 'big')} {shown(close[2:])}"


def shown_headers(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return headers on one line, without those that can contain secrets."""
    known = ((name.strip().lower(), value.strip()) for name, value in headers)
    return ", ".join(f"{name.decode()}: {shown(value)}" for name, value in known if name in SHOWN_HEADERS)


def shown(text: bytes) -> str:
    """Return a peer's text on one line: escaped, and cut off if it is long."""
    return repr(text[:MAX_TEXT_BYTES].decode("utf-8", "replace"))[1:-1] + ("..." if len(text) > MAX_TEXT_BYTES else "")
