"""What the bytes are thrown at, and what may come of it."""

import asyncio
import contextlib
import logging
from typing import Any

from tests.property.leftovers import leftovers
from wamp_transport.node.connection import Connection, MessageEncoder
from wamp_transport.node.node import Node
from wamp_transport.node.paced_output import MAX_QUEUED_BYTES
from wamp_transport.router.options import (
    AnonymousLogin,
    HistoryOptions,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.serializers.registry import SERIALIZERS, values_of
from wamp_transport.testing import wire_codecs
from wamp_transport.wamp.errors import PayloadError, ProtocolViolation
from wamp_transport.wamp.payload import ABSENT

from .corpus import HELLO

OPEN = ServiceOptions("open", AnonymousLogin())
ROLES = {"anonymous": RoleOptions("anonymous", allow_by_default=True)}


def as_received(name: str, data: bytes) -> bytes:
    """What reaches a serializer: the transport has seen that text is UTF-8."""
    return data if SERIALIZERS[name].is_binary else data.decode("utf-8", "replace").encode()


def decode(name: str, data: bytes) -> str:
    """Bytes are a message or a violation; a message can be said to everybody or is refused as a payload."""
    data = as_received(name, data)
    try:
        message: Any = SERIALIZERS[name].decode(data)
    except ProtocolViolation:
        return "violation"
    for target in SERIALIZERS.values():
        try:
            said = target.encode(message, name)
        except PayloadError:
            continue
        try:
            target.decode(said)
        except ProtocolViolation as fault:
            # Decoders differ in how deep they go. What is too deep for one must say so, and nothing else.
            if "nest" not in str(fault):
                raise
    for part in ("args", "kwargs"):
        raw = getattr(message, part, ABSENT)
        if raw is not ABSENT:
            with contextlib.suppress(PayloadError):
                values_of(name, raw)
    return type(message).__name__


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock is moved by hand."""

    now = 0.0

    def time(self) -> float:
        return self.now


class MemoryLink:
    """A transport whose other end reads everything and forgets it, but not while ``is_full``."""

    outgoing_limit = 4 * MAX_QUEUED_BYTES

    def __init__(self) -> None:
        self.is_closed = False
        self.is_full = False
        self.written = 0

    @property
    def queued_bytes(self) -> int:
        return MAX_QUEUED_BYTES if self.is_full else 0

    def write(self, data: bytes) -> None:
        self.written += 1

    def close(self, reason: str, message: str) -> None:
        self.is_closed = True

    def pause(self) -> None:
        """Bytes are given to the connection whether it is paused or not."""

    def resume(self) -> None:
        """See ``pause``."""


class LoggedBug(AssertionError):
    """The node has logged an error: a bug of ours."""


class RaisingHandler(logging.Handler):
    """Remembers the first error that is logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.record: logging.LogRecord | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.record = self.record or record


class Connections:
    """A node with a connection of every serializer; ``receive`` gives one of them bytes."""

    def __init__(self) -> None:
        realm = RealmOptions("realm1", ROLES, history=(HistoryOptions("a.", "prefix"),))
        self.loop = Loop()
        self.node = Node(RouterOptions(realms={"realm1": realm}), self.loop)
        self.encoders = [MessageEncoder(serializer) for serializer in (*SERIALIZERS.values(), *SERIALIZERS.values())]
        self.links: list[MemoryLink] = [MemoryLink() for _ in self.encoders]
        self.connections: list[Connection] = [self._connect(number) for number in range(len(self.encoders))]
        self.handler = RaisingHandler()
        logging.getLogger("wamp_transport").addHandler(self.handler)

    def __enter__(self) -> "Connections":
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("wamp_transport").removeHandler(self.handler)
        self.loop.close()

    def receive(self, number: int, data: bytes) -> None:
        """Bytes for one connection, opened anew and with a session if it was closed."""
        connection = self.connections[number]
        if connection.is_closed or self.links[number].is_closed:
            connection.lost()
            self.links[number] = MemoryLink()
            connection = self.connections[number] = self._connect(number)
        connection.receive(as_received(connection.encoder.serializer.name, data))
        self.check()

    def stop_reading(self, number: int) -> None:
        """The other end of a connection reads nothing until time passes: large answers wait for it."""
        self.links[number].is_full = True

    def pass_time(self, seconds: float) -> None:
        """Let what is due come due, and what is left to do be done."""
        for link in self.links:
            link.is_full = False
        self.loop.now += seconds
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        self.check()

    def check(self) -> None:
        """Raises LoggedBug."""
        record = self.handler.record
        if record is not None:
            fault = record.exc_info[1] if record.exc_info else None
            raise LoggedBug(record.getMessage()) from fault

    def end(self) -> None:
        """All go; nothing is left of them."""
        for connection in self.connections:
            connection.lost()
        self.pass_time(1)
        while self.node.router.has_cleanup:
            self.pass_time(1)
        self.pass_time(10_000_000)
        assert not self.node._paced_output._ready
        assert not self.node._paced_output._is_scheduled
        self.node.configure(RouterOptions(realms={"realm1": RealmOptions("realm1", ROLES)}))
        left = leftovers(self.node.router)
        assert left == [], left

    def _connect(self, number: int) -> Connection:
        encoder = self.encoders[number]
        connection = self.node.connect(OPEN, encoder, self.links[number])
        connection.receive(wire_codecs.dump(encoder.serializer.name, HELLO))
        return connection
