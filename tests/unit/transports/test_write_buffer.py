"""Bytes on their way to a peer: collected, sent in one piece, kept and bounded for a slow one."""

from typing import Any

import pytest

from wamp_transport.transports import write_buffer
from wamp_transport.transports.backpressure import Bounds, SlowConsumerMonitor
from wamp_transport.transports.read_gate import PauseReason, ReadGate
from wamp_transport.transports.write_buffer import WriteBuffer, unsent

FULL = 100


class Transport:
    """A Twisted transport as far as it matters here, over a socket that takes ``room`` bytes."""

    def __init__(self, room: int = 0) -> None:
        self.room = room
        self.sent: list[bytes] = []
        self.waiting: list[bytes] = []
        self.connected = True
        self.is_reading = True
        self.is_paused = False
        self.producer: Any = None

    @property
    def is_writing(self) -> bool:
        return bool(self.waiting)

    @property
    def unsent_bytes(self) -> int:
        return sum(map(len, self.waiting))

    def writeSomeData(self, data: bytes) -> int | Exception:
        if self.room < 0:
            return ConnectionError()
        taken, self.room = min(len(data), self.room), max(0, self.room - len(data))
        if taken:
            self.sent.append(data[:taken])
        return taken

    def write(self, data: bytes) -> None:
        self.waiting.append(data)
        if self.unsent_bytes > FULL:
            self.is_paused = True
            self.producer.pauseProducing()

    def drain(self) -> None:
        """The peer has read all."""
        self.sent += self.waiting
        self.waiting = []
        if self.is_paused:
            self.is_paused = False
            self.producer.resumeProducing()

    def pauseProducing(self) -> None:
        self.is_reading = False

    def resumeProducing(self) -> None:
        self.is_reading = True


class Peer:
    """A WriteBuffer with its transport; ``turn`` ends a turn of the loop."""

    def __init__(self, room: int = 0, *, writes_through: bool = False) -> None:
        self.transport = Transport(room)
        self.asked: list[WriteBuffer] = []
        self.overflows: list[int] = []
        self.timers = 0
        self.gate = ReadGate(self.transport)
        self.buffer = WriteBuffer(
            self.transport, self.gate, self.asked.append, self.make_monitor, writes_through=writes_through
        )
        self.transport.producer = self.buffer

    def make_monitor(self) -> SlowConsumerMonitor:
        return SlowConsumerMonitor(
            Bounds(200, 5.0, 1000, "close"), self.call_later, lambda is_congested: None, self.overflowed
        )

    def call_later(self, delay: float, callback: Any, /) -> Any:
        self.timers += 1
        return self

    def cancel(self) -> None:
        self.timers -= 1

    def overflowed(self, waiting: int) -> None:
        self.overflows.append(waiting)
        self.buffer.discard()

    def turn(self) -> None:
        asked, self.asked[:] = list(self.asked), []
        for each in asked:
            each.flush()


def test_frames_of_one_turn_go_out_in_one_piece() -> None:
    peer = Peer()
    for data in (b"a", b"b", b"c"):
        peer.buffer.write(data)
    assert len(peer.asked) == 1
    assert peer.transport.waiting == []
    peer.turn()
    peer.buffer.write(b"d")
    peer.turn()
    assert peer.transport.waiting == [b"abc", b"d"]


def test_flush_with_nothing_written_sends_nothing() -> None:
    peer = Peer()
    peer.buffer.flush_now()
    assert peer.transport.waiting == []


def test_empty_buffer_writes_straight_to_the_socket() -> None:
    peer = Peer(room=10, writes_through=True)
    peer.buffer.write(b"x" * 4)
    peer.turn()
    assert peer.transport.sent == [b"xxxx"]
    assert peer.transport.waiting == []


def test_what_the_socket_does_not_take_waits_in_the_transport() -> None:
    peer = Peer(room=3, writes_through=True)
    peer.buffer.write(b"abcde")
    peer.turn()
    assert peer.transport.sent == [b"abc"]
    assert peer.transport.waiting == [b"de"]
    peer.buffer.write(b"f")
    peer.turn()
    assert peer.transport.waiting == [b"de", b"f"]


def test_waiting_bytes_are_not_overtaken() -> None:
    peer = Peer(room=100, writes_through=True)
    peer.transport.waiting = [b"old"]
    peer.buffer.write(b"new")
    peer.turn()
    assert peer.transport.sent == []
    assert peer.transport.waiting[-1] == b"new"


@pytest.mark.parametrize(("room", "connected"), [(-1, True), (100, False)])
def test_broken_socket_is_left_to_the_transport(room: int, connected: bool) -> None:
    peer = Peer(room=room, writes_through=True)
    peer.transport.connected = connected
    peer.buffer.write(b"abc")
    peer.turn()
    assert peer.transport.waiting == [b"abc"]


def test_bytes_that_wait_are_counted_wherever_they_are() -> None:
    peer = Peer()
    assert peer.buffer.queued_bytes == 0
    peer.buffer.write(b"12345")
    assert peer.buffer.queued_bytes == 5
    peer.buffer.flush()
    peer.buffer.write(b"678")
    assert peer.buffer.queued_bytes == 8
    peer.transport.drain()
    assert peer.buffer.queued_bytes == 3


def test_slow_peer_is_held_back_and_not_read() -> None:
    peer = Peer()
    peer.buffer.write(b"x" * (FULL + 1))
    peer.turn()
    assert not peer.transport.is_reading
    peer.buffer.write(b"y")
    peer.turn()
    assert b"y" not in peer.transport.waiting


def test_slow_peer_that_reads_again_gets_all_in_order() -> None:
    peer = Peer()
    peer.buffer.write(b"x" * (FULL + 1))
    peer.turn()
    for data in (b"a", b"b"):
        peer.buffer.write(data)
        peer.turn()
    peer.transport.drain()
    peer.transport.drain()
    assert peer.transport.sent == [b"x" * (FULL + 1), b"ab"]
    assert peer.transport.is_reading
    assert peer.overflows == []


def test_slow_peer_that_is_slow_again_at_once_stays_unread() -> None:
    peer = Peer()
    peer.buffer.write(b"x" * (FULL + 1))
    peer.turn()
    peer.buffer.write(b"y" * (FULL + 1))
    peer.transport.drain()
    assert not peer.transport.is_reading
    peer.transport.drain()
    assert peer.transport.is_reading


def test_slow_peer_beyond_the_most_overflows_and_may_still_be_told_so() -> None:
    peer = Peer()
    peer.buffer.write(b"x" * 600)
    peer.turn()
    peer.buffer.write(b"y" * 400)
    assert peer.overflows == []
    peer.buffer.write(b"z")
    assert peer.overflows == [1001]
    peer.buffer.write(b"goodbye")
    peer.turn()
    assert peer.overflows == [1001]
    peer.transport.drain()
    peer.transport.drain()
    assert peer.transport.sent == [b"x" * 600, b"goodbye"]


def test_slow_peer_has_time_until_it_has_caught_up() -> None:
    peer = Peer()
    peer.buffer.write(b"x" * 150)
    peer.turn()
    peer.buffer.write(b"y" * 150)
    peer.turn()
    assert peer.timers == 1
    peer.transport.drain()
    assert not peer.transport.is_reading  # the second part fills its buffer again, but is no more than may wait
    assert peer.timers == 0
    peer.transport.drain()
    assert b"".join(peer.transport.sent) == b"x" * 150 + b"y" * 150


def test_stopped_peer_has_no_timer() -> None:
    peer = Peer()
    peer.buffer.write(b"x" * 300)
    peer.turn()
    peer.buffer.write(b"y")
    assert peer.timers == 1
    peer.buffer.stop()
    assert peer.timers == 0


def test_much_for_a_slow_peer_goes_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_buffer, "WRITE_CHUNK_BYTES", 10)
    peer = Peer()
    peer.buffer.write(b"x" * (FULL + 1))
    peer.turn()
    for data in (b"a" * 6, b"b" * 6, b"c" * 6):
        peer.buffer.write(data)
    peer.turn()
    peer.transport.drain()
    assert peer.transport.waiting == [b"a" * 6 + b"b" * 6, b"c" * 6]


def test_burst_to_a_quick_peer_does_not_overflow() -> None:
    peer = Peer()
    for _ in range(50):
        peer.buffer.write(b"x" * 100)
    peer.turn()
    peer.transport.drain()
    assert peer.overflows == []
    assert b"".join(peer.transport.sent) == b"x" * 5000


def test_flush_now_goes_past_the_hold() -> None:
    peer = Peer()
    peer.buffer.write(b"x" * (FULL + 1))
    peer.turn()
    peer.buffer.write(b"y")
    peer.buffer.flush_now()
    assert peer.transport.waiting[-1] == b"y"


def test_flushed_past_the_hold_still_counts() -> None:
    peer = Peer()
    for _ in range(3):
        peer.buffer.write(b"x" * 400)
        peer.buffer.flush_now()
    assert peer.overflows == [1200]


@pytest.mark.parametrize("end", ["stop", "stopProducing"])
def test_stopped_sends_nothing_more(end: str) -> None:
    peer = Peer()
    peer.buffer.write(b"a")
    getattr(peer.buffer, end)()
    peer.buffer.write(b"b")
    peer.turn()
    peer.buffer.flush_now()
    assert peer.transport.waiting == []


def test_stopped_while_slow_reads_again_when_the_buffer_is_empty() -> None:
    peer = Peer()
    peer.buffer.write(b"x" * (FULL + 1))
    peer.turn()
    peer.buffer.stop()
    peer.transport.drain()
    assert peer.transport.is_reading


def test_unsent_is_what_the_transport_has() -> None:
    transport = Transport()
    transport.waiting = [b"12345", b"67"]
    assert unsent(transport) == 7
    assert unsent(object()) == 0


def test_peer_is_read_when_it_keeps_up_and_may_be() -> None:
    peer = Peer()
    transport, tested = peer.transport, peer.buffer
    peer.gate.pause(PauseReason.TURN)
    assert not transport.is_reading
    tested.pauseProducing()
    tested.resumeProducing()
    assert not transport.is_reading
    tested.pauseProducing()
    peer.gate.resume(PauseReason.TURN)
    assert not transport.is_reading
    tested.resumeProducing()
    assert transport.is_reading
