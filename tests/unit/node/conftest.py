"""A node on a real event loop that never waits: time is moved by hand."""

import asyncio
from collections.abc import Iterator

import pytest

from wamp_transport.node.connection import MessageEncoder
from wamp_transport.node.node import Node
from wamp_transport.router.options import AnonymousLogin, RealmOptions, RoleOptions, RouterOptions, ServiceOptions
from wamp_transport.serializers.registry import SERIALIZERS

OPEN = ServiceOptions("open", AnonymousLogin())
ROLES = {"anonymous": RoleOptions("anonymous", allow_by_default=True)}


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still until a test moves it."""

    now = 1000.0

    def time(self) -> float:
        return self.now


class Recorder:
    """A transport that remembers."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed: list[tuple[str, str]] = []
        self.pauses: list[bool] = []
        self.queued_bytes = 0
        self.outgoing_limit = 1024 * 1024

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self, reason: str, message: str) -> None:
        self.closed.append((reason, message))

    def pause(self) -> None:
        self.pauses.append(True)

    def resume(self) -> None:
        self.pauses.append(False)


@pytest.fixture
def loop() -> Iterator[Loop]:
    """The loop that owns the node."""
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def options() -> RouterOptions:
    """One realm in which everything is allowed."""
    return RouterOptions(realms={"realm1": RealmOptions("realm1", ROLES)}, goodbye_timeout=5)


@pytest.fixture
def node(options, loop) -> Node:
    """A running node."""
    return Node(options, loop)


@pytest.fixture
def encoder() -> MessageEncoder:
    """JSON, unframed."""
    return MessageEncoder(SERIALIZERS["json"])


@pytest.fixture
def connect(node, encoder):
    """Opens a connection; what it was sent is at its ``link``."""
    return lambda encoder=encoder: node.connect(OPEN, encoder, Recorder())


@pytest.fixture
def join(connect):
    """Opens a connection with a session."""

    def join(*arguments):
        connection = connect(*arguments)
        data = {"json": b'[1,"realm1",{"roles":{"caller":{}}}]',
                "msgpack": b"\x93\x01\xa6realm1\x81\xa5roles\x81\xa6caller\x80"}  # fmt: skip
        connection.receive(data[connection.encoder.serializer.name])
        connection.transport.written.clear()
        return connection

    return join
