"""Sockets that listen and those they accept, over the loop-back: counted exactly."""

import socket
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from wamp_transport.compat.twisted import DISCONNECTIONS_PER_TURN
from wamp_transport.config.endpoint import TcpEndpoint, UnixEndpoint
from wamp_transport.transports.connection_limits import ConnectionLimiter
from wamp_transport.transports.daphne import sockets
from wamp_transport.transports.daphne.server import report_bugs
from wamp_transport.transports.daphne.sockets import (
    FIRST_READ,
    MIN_READ,
    SLOW_READ_SECONDS,
    TcpPort,
    UnixPort,
    address_of,
    counted,
)
from wamp_transport.transports.listener import Listener
from wamp_transport.transports.proxies import TrustedProxies

FACTORY = Factory.forProtocol(Protocol)


def accept(port: Any, client: socket.socket, address: Any) -> Any:
    """The port's transport for one end of a pair of sockets, as an accept would make it."""
    protocol = Protocol()
    return port.transport(client, protocol, address, port, 0, port.reactor)


class Reactor(SimpleNamespace):
    """What a socket asks of a reactor that never runs."""

    def __init__(self) -> None:
        nothing = lambda *_: None  # noqa: E731
        super().__init__(addReader=nothing, removeReader=nothing, addWriter=nothing, removeWriter=nothing)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_connection_counts_from_the_accept_to_the_close(tmp_path: Path, kind: str) -> None:
    limiter = ConnectionLimiter(10)
    if kind == "tcp":
        listener = Listener(TcpEndpoint(type="tcp", port=1))
        port: Any = TcpPort(FACTORY, listener, limiter)
    else:
        listener = Listener(UnixEndpoint(type="unix", path="s"), tmp_path / "s")
        port = UnixPort(FACTORY, listener, limiter)
    port.reactor = Reactor()
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        made = accept(port, one, ("10.0.0.1", 5) if kind == "tcp" else "")
        assert limiter.count == 1
        assert limiter.by_address == ({"10.0.0.1": 1} if kind == "tcp" else {})
        for _ in range(2):
            made.connectionLost(Failure(ConnectionDone()))
        assert (limiter.count, limiter.by_address) == (0, {})


def test_client_of_a_proxy_counts_while_it_is_served() -> None:
    from twisted.internet.error import ConnectionDone
    from twisted.python.failure import Failure

    limiter = ConnectionLimiter(10, 1, TrustedProxies(["10.0.0.1"]))
    port = TcpPort(FACTORY, Listener(TcpEndpoint(type="tcp", port=1)), limiter)
    port.reactor = Reactor()
    pairs = [socket.socketpair() for _ in range(2)]
    first, second = (accept(port, one, ("10.0.0.1", 5)) for one, _ in pairs)
    assert first.begin_client("203.0.113.9") == ""
    assert "203.0.113.9" in second.begin_client("203.0.113.9")
    assert second.begin_client("203.0.113.10") == ""
    first.end_client()
    assert second.begin_client("203.0.113.9") == ""
    assert limiter.by_address == {"10.0.0.1": 2, "203.0.113.9": 1}
    assert "203.0.113.9" in first.begin_client("203.0.113.9")
    for made in (first, second):
        made.connectionLost(Failure(ConnectionDone()))
        assert made.begin_client("203.0.113.9") == ""  # gone: nothing is counted any more
    assert (limiter.count, limiter.by_address) == (0, {})
    for one, other in pairs:
        one.close()
        other.close()


def test_socket_is_found_below_what_wraps_it() -> None:
    port = TcpPort(FACTORY, Listener(TcpEndpoint(type="tcp", port=1)), ConnectionLimiter(10))
    port.reactor = Reactor()
    one, other = socket.socketpair()
    with one, other:
        made = accept(port, one, ("10.0.0.1", 5))
        assert counted(made) is made
        assert counted(SimpleNamespace(transport=made)) is made
        assert counted(SimpleNamespace()) is None


def test_options_of_the_socket_are_set() -> None:
    endpoint = TcpEndpoint(type="tcp", port=1, shared=True, user_timeout=4000)
    port = TcpPort(FACTORY, Listener(endpoint), ConnectionLimiter(10))
    with port.createInternetSocket() as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 1
    port.reactor = Reactor()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with socket.create_connection(listening.getsockname()):
            accepted, address = listening.accept()
            with accepted:
                accept(port, accepted, address)
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 4000


def test_address_of_a_unix_peer_is_none() -> None:
    assert address_of(SimpleNamespace(host="::1")) == "::1"
    assert address_of(SimpleNamespace(name=b"")) is None


class Recorder(Protocol):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.got = b""
        self.reason: Any = None
        self.fault: Exception | None = None

    def dataReceived(self, data: bytes) -> None:
        self.got += data
        if self.fault is not None:
            raise self.fault

    def connectionLost(self, reason: Any = None) -> None:
        self.reason = reason


class Loop:
    """Keeps who is to be called when there is something to read."""

    def __init__(self) -> None:
        self.readers: dict[int, Any] = {}
        self.soon: list[Any] = []

    def call_soon(self, callback: Any) -> None:
        self.soon.append(callback)

    def turn(self) -> None:
        """Run what has been scheduled until now."""
        callbacks, self.soon = self.soon, []
        for callback in callbacks:
            callback()

    def add_reader(self, descriptor: int, callback: Any) -> None:
        self.readers[descriptor] = callback


class LoopReactor(Reactor):
    """One over such a loop, as Daphne installs it."""

    def __init__(self) -> None:
        super().__init__()
        self._asyncioEventloop = Loop()
        self._readers: dict[Any, int] = {}
        self._disconnectSelectable = lambda made, reason, is_read: made.connectionLost(Failure(reason))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Any, Recorder, socket.socket]]:
    """An accepted connection, its protocol, and the peer's end."""
    port: Any = UnixPort(FACTORY, Listener(UnixEndpoint(type="unix", path="s"), tmp_path / "s"), ConnectionLimiter(10))
    port.reactor = LoopReactor()
    one, other = socket.socketpair()
    with one, other:
        protocol = Recorder()
        made = port.transport(one, protocol, "", port, 0, port.reactor)
        made.startReading()
        yield made, protocol, other


def readers(made: Any) -> dict[int, Any]:
    return cast(dict[int, Any], made.reactor._asyncioEventloop.readers)


def turn(made: Any) -> None:
    made.reactor._asyncioEventloop.turn()


def test_loop_calls_the_connection_itself(pair: tuple[Any, Recorder, socket.socket]) -> None:
    made, protocol, other = pair
    (read,) = readers(made).values()
    read()  # nothing there: the loop may be wrong
    other.send(b"abc")
    read()
    assert protocol.got == b"abc"
    assert protocol.reason is None


def test_reading_goes_on_after_a_pause(pair: tuple[Any, Recorder, socket.socket]) -> None:
    made, _, _ = pair
    readers(made).clear()
    made.startReading()
    assert readers(made) == {}
    made.stopReading()
    made.startReading()
    assert len(readers(made)) == 1


def test_end_of_what_a_peer_sends_ends_the_connection(pair: tuple[Any, Recorder, socket.socket]) -> None:
    made, protocol, other = pair
    (read,) = readers(made).values()
    other.close()
    read()
    assert protocol.reason.check(ConnectionDone)


def disconnected(count: int, tmp_path: Path) -> tuple[Any, list[Recorder]]:
    """Let ``count`` peers disconnect in one turn. The last connection, and the protocols of all."""
    port: Any = UnixPort(FACTORY, Listener(UnixEndpoint(type="unix", path="s"), tmp_path / "s"), ConnectionLimiter(99))
    port.reactor = LoopReactor()
    protocols = [Recorder() for _ in range(count)]
    for protocol in protocols:
        one, other = socket.socketpair()
        made = port.transport(one, protocol, "", port, 0, port.reactor)
        made.startReading()
        other.close()
    for read in list(readers(made).values()):
        read()
    return made, protocols


def test_many_connections_end_in_several_turns(tmp_path: Path) -> None:
    made, protocols = disconnected(2 * DISCONNECTIONS_PER_TURN + 1, tmp_path)
    ended = []
    for _ in range(3):
        ended.append(sum(protocol.reason is not None for protocol in protocols))
        turn(made)
    assert ended == [DISCONNECTIONS_PER_TURN, 2 * DISCONNECTIONS_PER_TURN, len(protocols)]
    turn(made)
    assert made.reactor._asyncioEventloop.soon == []


def test_connection_that_a_failed_write_has_ended_ends_once(tmp_path: Path) -> None:
    last, protocols = disconnected(DISCONNECTIONS_PER_TURN + 1, tmp_path)
    last.connectionLost(Failure(ConnectionLost()))
    turn(last)
    assert protocols[-1].reason.check(ConnectionLost)


def test_socket_that_fails_ends_the_connection(pair: tuple[Any, Recorder, socket.socket]) -> None:
    made, protocol, _ = pair
    (read,) = readers(made).values()
    made.socket.close()
    assert isinstance(made.writeSomeData(b"x"), ConnectionLost)
    read()
    assert protocol.reason.check(ConnectionLost)


@pytest.mark.expects_errors("Unhandled error", "a bug")
def test_bug_of_the_protocol_is_logged_and_ends_the_connection(pair: tuple[Any, Recorder, socket.socket]) -> None:
    made, protocol, other = pair

    def observe(event: Mapping[str, Any]) -> None:
        report_bugs(event)

    protocol.fault = LookupError("a bug")
    (read,) = readers(made).values()
    other.send(b"abc")
    globalLogPublisher.addObserver(observe)
    try:
        read()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert protocol.reason.check(LookupError)


def test_socket_takes_what_it_has_room_for(pair: tuple[Any, Recorder, socket.socket]) -> None:
    made, _, other = pair
    assert made.writeSomeData(b"abc") == 3
    assert other.recv(10) == b"abc"
    much = bytes(16 * 1024 * 1024)
    assert 0 < made.writeSomeData(much) < len(much)
    assert made.writeSomeData(b"more") == 0


def test_more_is_read_at_a_time_while_the_peer_fills_that(
    pair: tuple[Any, Recorder, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "monotonic", lambda: 0.0)  # however busy this machine is
    made, protocol, other = pair
    (read,) = readers(made).values()
    other.setblocking(False)
    other.send(bytes(4 * FIRST_READ))
    read()
    assert (len(protocol.got), made.bufferSize) == (FIRST_READ, 2 * FIRST_READ)
    read()
    assert (len(protocol.got), made.bufferSize) == (3 * FIRST_READ, 4 * FIRST_READ)
    read()
    assert (len(protocol.got), made.bufferSize) == (4 * FIRST_READ, 4 * FIRST_READ)


def test_less_is_read_at_a_time_where_that_takes_long(
    pair: tuple[Any, Recorder, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _, other = pair
    (read,) = readers(made).values()
    # A clock that goes on by so much each time it is looked at.
    monkeypatch.setattr(sockets, "monotonic", count(step=2 * SLOW_READ_SECONDS).__next__)
    sizes = []
    for _ in range(4):
        other.send(bytes(FIRST_READ))
        read()
        sizes.append(made.bufferSize)
    assert sizes == [FIRST_READ // 2, MIN_READ, MIN_READ, MIN_READ]
