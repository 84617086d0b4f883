"""A WebSocket client of bytes: every frame as the test wants it, every answer as it came."""

import base64
import json
import os
import socket
import ssl
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

DEADLINE = 10.0


class Frame(NamedTuple):
    """A frame as it came."""

    opcode: int
    payload: bytes
    is_final: bool
    is_masked: bool

    @property
    def code(self) -> int:
        """The code of a close frame."""
        return int.from_bytes(self.payload[:2], "big")

    @property
    def message(self) -> Any:
        """The JSON value of a text frame."""
        return json.loads(self.payload)


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes | None = b"\x11\x22\x33\x44"
) -> bytes:
    """A frame as a client sends it; ``mask`` None makes it unmasked."""
    masked = 0x80 if mask is not None else 0
    size = len(payload)
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if size < 126:
        head += bytes([masked | size])
    elif size < 65536:
        head += struct.pack("!BH", masked | 126, size)
    else:
        head += struct.pack("!BQ", masked | 127, size)
    if mask is None:
        return head + payload
    repeated = mask * (size // 4 + 1)
    number = int.from_bytes(payload, "big") ^ int.from_bytes(repeated[:size], "big")
    return head + mask + number.to_bytes(size, "big")


class Wire:
    """A TCP or Unix connection, and what is read from it but not used yet."""

    def __init__(
        self, address: int | str, *, receive_buffer: int | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        try:
            self.socket.connect(address if isinstance(address, str) else ("127.0.0.1", address))
            if tls is not None:
                self.socket = tls.wrap_socket(self.socket, server_hostname="127.0.0.1")
        except OSError:
            self.socket.close()
            raise
        self.pending = b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def send(self, *parts: bytes) -> None:
        """Send all parts in one piece."""
        self.socket.sendall(b"".join(parts))

    def send_json(self, *messages: Any) -> None:
        """Send messages as text frames, in one piece."""
        self.send(*(frame(TEXT, json.dumps(message).encode()) for message in messages))

    def reset(self) -> None:
        """Close the connection the hard way."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def read(self, size: int) -> bytes:
        """Just so many bytes."""
        while len(self.pending) < size:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(self.pending)
            self.pending += data
        data, self.pending = self.pending[:size], self.pending[size:]
        return data

    def read_to_end(self) -> bytes:
        """Everything until the server closes; a reset is an end as well."""
        data = self.pending
        try:
            while part := self.socket.recv(65536):
                data += part
        except ConnectionError:
            pass
        self.pending = b""
        return data

    def head(self) -> str:
        """The head of an HTTP answer."""
        while b"\r\n\r\n" not in self.pending:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(self.pending)
            self.pending += data
        head, _, self.pending = self.pending.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    def frame(self) -> Frame:
        """The next frame."""
        first, second = self.read(2)
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(self.read(2), "big")
        elif size == 127:
            size = int.from_bytes(self.read(8), "big")
        mask = self.read(4) if second & 0x80 else b""
        payload = self.read(size)
        if mask:
            payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        return Frame(first & 0x0F, payload, bool(first & 0x80), bool(mask))

    def message(self) -> Any:
        """The next frame, which holds a JSON message."""
        received = self.frame()
        assert received.opcode == TEXT, received
        return received.message

    def closed(self) -> Frame:
        """The close frame that comes next; it is answered, and the server closes the socket."""
        received = self.frame()
        assert received.opcode == CLOSE, received
        with suppress(ConnectionError):  # a server that met two faults in one frame does not wait for the answer
            self.send(frame(CLOSE, received.payload[:2]))
        assert self.read_to_end() == b""
        return received

    def upgrade(
        self,
        path: str = "/ws",
        *,
        subprotocol: str | None = "wamp.2.json",
        headers: Iterable[str] = (),
        more: bytes = b"",
    ) -> str:
        """Ask for a WebSocket; the head of the answer. ``more`` is sent in one piece with the request."""
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: 127.0.0.1",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        ]
        if subprotocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
        self.send("\r\n".join([*lines, *headers, "", ""]).encode("latin-1"), more)
        return self.head()


def opened(address: int | str, path: str = "/ws", **options: Any) -> Wire:
    """An open WebSocket."""
    wire = Wire(address, receive_buffer=options.pop("receive_buffer", None), tls=options.pop("tls", None))
    try:
        head = wire.upgrade(path, **options)
        assert head.startswith("HTTP/1.1 101 "), head
    except BaseException:
        wire.socket.close()
        raise
    return wire


def joined(address: int | str, path: str = "/ws", realm: str = "realm1", **options: Any) -> Wire:
    """An open WebSocket with a WAMP session over JSON."""
    wire = opened(address, path, **options)
    roles: dict[str, Any] = {role: {} for role in ("publisher", "subscriber", "caller", "callee")}
    wire.send_json([1, realm, {"roles": roles}])
    welcome = wire.message()
    assert welcome[0] == 2, welcome
    return wire


def status(address: int | str, request: bytes) -> int:
    """The status of the answer to a request as it is given."""
    with Wire(address) as wire:
        wire.send(request)
        return int(wire.head().split()[1])


def seconds_of(action: Any) -> float:
    """How long a call takes."""
    begun = time.monotonic()
    action()
    return time.monotonic() - begun
