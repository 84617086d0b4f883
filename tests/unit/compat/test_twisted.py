"""Names for what Twisted's sockets have in their buffers."""

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Port, Server

from wamp_transport.compat.twisted import DirectSocket, loop_of


class Accepted(DirectSocket, Server):
    """An accepted socket."""


class Reactor(SimpleNamespace):
    """A reactor that never runs."""

    def __init__(self) -> None:
        nothing = lambda *_: None  # noqa: E731
        super().__init__(addReader=nothing, removeReader=nothing, addWriter=nothing, removeWriter=nothing)


class Producer:
    """Notes whether bytes wait when it is paused."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.seen: list[bool] = []

    def pauseProducing(self) -> None:
        self.seen.append(self.transport.is_writing)

    def resumeProducing(self) -> None:
        self.seen.append(self.transport.is_writing)

    def stopProducing(self) -> None:
        pass


@pytest.fixture
def pair() -> Iterator[tuple[Any, socket.socket]]:
    reactor: Any = Reactor()
    port = Port(0, Factory.forProtocol(Protocol), reactor=reactor)
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        yield Accepted(one, Protocol(), ("127.0.0.1", 1), port, 0, reactor), other


def test_unsent_bytes_are_those_of_both_buffers(pair: tuple[Any, socket.socket]) -> None:
    made, _ = pair
    assert (made.is_writing, made.unsent_bytes) == (False, 0)
    size = 8 * 1024 * 1024
    made.write(bytes(size))
    assert (made.is_writing, made.unsent_bytes) == (True, size)
    made.doWrite()
    left = made.unsent_bytes
    assert made.is_writing
    assert 0 < left < size
    made.write(b"more")
    assert made.unsent_bytes == left + 4


def test_nothing_waits_after_all_is_written(pair: tuple[Any, socket.socket]) -> None:
    made, other = pair
    made.write(b"abc")
    made.doWrite()
    assert other.recv(10) == b"abc"
    assert (made.is_writing, made.unsent_bytes) == (False, 0)


def test_producer_that_is_paused_or_resumed_sees_whether_bytes_wait(pair: tuple[Any, socket.socket]) -> None:
    made, other = pair
    producer = Producer(made)
    made.registerProducer(producer, True)
    made.bufferSize = 10
    made.write(bytes(11))
    made.doWrite()
    assert producer.seen == [True, False]
    assert len(other.recv(20)) == 11


def test_loop_of_a_reactor_is_found() -> None:
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor

    reactor: Any = AsyncioSelectorReactor.__new__(AsyncioSelectorReactor)
    reactor._asyncioEventloop = loop = object()
    assert loop_of(reactor) is loop
