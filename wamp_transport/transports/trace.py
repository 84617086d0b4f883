"""What a service with ``debug`` on tells of each of its connections: handshake, frames in brief, the end.

Every service has a logger of its own below ``wamp_transport.traffic``. No payload, no cookie, no query string and no
credentials: headers are shown only where they are listed here, frames by kind, length and flags.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from ..config.configuration import PathService
from .frames import COMPRESSED, FINAL, LENGTH_16, LENGTH_64, MASKED
from .logs import visible

TRAFFIC: Final = "wamp_transport.traffic"

SHOWN: Final = frozenset(
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
"""Headers that hold nothing secret."""

LONGEST_TEXT: Final = 200
"""Characters of what a peer says that are shown."""

KINDS: Final = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
CLOSE: Final = 8
SMALL: Final = 125


def traffic_logger(service: PathService) -> logging.Logger:
    """The logger of a service, named by its id or its path. It shows what it is told unless logging is set up else."""
    name = getattr(service.settings, "id", None) or ".".join(service.segments) or "root"
    return visible(logging.getLogger(TRAFFIC)).getChild(name)


class Trace:
    """Tells of one connection. Bytes are given as they come and go; they may be cut anywhere."""

    def __init__(self, logger: logging.Logger, peer: str) -> None:
        self._logger = logger
        self._peer = peer
        self._incoming = FrameHeads()
        self._outgoing = FrameHeads()

    def listen(self, protocol: Any) -> None:
        """Hear what the protocol receives from now on. One that is not traced does not notice that others are."""
        receive = protocol.dataReceived

        def hear_and_receive(data: bytes) -> None:
            self.received(data)
            receive(data)

        protocol.dataReceived = hear_and_receive

    def asked(self, path: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """A client asks for a WebSocket. ``path`` has no query."""
        self._logger.info("%s asks for %s (%s)", self._peer, shown(path), shown_headers(headers))

    def answered(self, answer: bytes) -> None:
        """An HTTP answer goes out."""
        first, *lines = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
        headers = (line.partition(b":")[::2] for line in lines)
        self._logger.info("%s is answered %s (%s)", self._peer, shown(first), shown_headers(headers))

    def received(self, data: bytes) -> None:
        """Bytes of frames came in."""
        for brief in self._incoming.feed(data):
            self._logger.info("%s > %s", self._peer, brief)

    def traced(self, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """Return a function that logs frames and writes them with ``write``."""

        def trace_and_write(frames: bytes) -> None:
            self.sent(frames)
            write(frames)

        return trace_and_write

    def sent(self, data: bytes) -> None:
        """Bytes of frames are written."""
        for brief in self._outgoing.feed(data):
            self._logger.info("%s < %s", self._peer, brief)

    def ended(self, was_clean: bool, code: int | None, reason: str | None) -> None:
        """The socket is closed."""
        how = "after a close" if was_clean else "without a close"
        self._logger.info("%s has gone %s: %s %s", self._peer, how, code, shown((reason or "").encode()))


class FrameHeads:
    """Finds the frames in a stream of bytes and says in brief what each is. Payload is passed over, but a close's."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    def feed(self, data: bytes) -> Iterator[str]:
        """The frames that begin in ``data``, once their heads are complete."""
        while data:
            if self._left:
                passed = min(self._left, len(data))
                self._left -= passed
                data = data[passed:]
                continue
            self._head += data
            begin, size = head_and_size(self._head)
            is_close = len(self._head) > 1 and self._head[0] & 0x0F == CLOSE and size <= SMALL
            if not begin or len(self._head) < begin + is_close * size:
                return
            head, data = self._head[:begin], self._head[begin:]
            self._head = b""
            self._left = size
            yield brief(head, size, data[:size] if is_close else b"")


def head_and_size(data: bytes) -> tuple[int, int]:
    """Octets of the head of the frame that ``data`` begins with, 0 while it is not all there, and of its payload."""
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
    """One frame, such as ``text 42 (final, masked)`` or ``close 8 (final): 1000 bye``."""
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
    """Headers without those that may hold secrets."""
    known = ((name.strip().lower(), value.strip()) for name, value in headers)
    return ", ".join(f"{name.decode()}: {shown(value)}" for name, value in known if name in SHOWN)


def shown(text: bytes) -> str:
    """What somebody else wrote, on one line and not too long."""
    return repr(text[:LONGEST_TEXT].decode("utf-8", "replace"))[1:-1] + ("..." if len(text) > LONGEST_TEXT else "")
