"""Frames over real sockets: every kind and size, violations, closes, pings, slow readers."""

import json
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.sync.client import connect

from .servers import Process, assert_quiet, configuration, free_port, node, until, web, websocket
from .wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Wire, frame, joined, opened

pytestmark = pytest.mark.integration

GOODBYE, EVENT = 6, 36
READS_SLOWLY = "is closed, because the peer reads too slowly"
MIB = 1024 * 1024
SUBSCRIBE = b'[32,1,{},"com.topic"]'
HELLO_MSGPACK = b"\x93\x01\xa6realm1\x81\xa5roles\x81\xaasubscriber\x80"

PATHS = {
    "ws": {"type": "websocket"},
    "small": websocket(max_message_size=100_000),
    "narrow": websocket(max_frame_size=10_000),
    "drop": websocket(fail_by_drop=True),
    "echo": websocket(echo_close_codereason=True),
    "unmasked": websocket(require_masked_client_frames=False),
    "cut": websocket(auto_fragment_size=50),
    "mask": websocket(mask_server_frames=True),
    "ping": websocket(auto_ping_interval=1000, auto_ping_timeout=1000, auto_ping_size=40),
    "hasty": websocket(close_handshake_timeout=1000),
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server with a path for each option; at the end nothing has gone wrong in it."""
    number = free_port()
    with node(tmp_path_factory.mktemp("node"), configuration(web(number, PATHS)), number) as process:
        yield number
        assert process.stop() == 0
        assert_quiet(process.output)


def padded(size: int) -> bytes:
    """A SUBSCRIBE of just this size."""
    return SUBSCRIBE + b" " * (size - len(SUBSCRIBE))


@pytest.fixture
def wire(port: int) -> Iterator[Wire]:
    with joined(port) as wire:
        yield wire


# --- what arrives ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [125, 126, 127, 65535, 65536, MIB])
def test_message_of_any_size_is_answered(wire: Wire, size: int) -> None:
    wire.send(frame(TEXT, padded(size)))
    assert wire.message()[:2] == [33, 1]


def test_long_message_before_a_session_is_refused(port: int) -> None:
    with opened(port) as wire:
        wire.send(frame(TEXT, b'[1,"realm1",{"roles":{"caller":{}}}]'.ljust(70_000)))
        code, details, reason = wire.message()
        assert (code, reason) == (3, "wamp.error.protocol_violation")
        assert "65536" in details["message"]
        assert wire.closed().code == 1002


def test_15_mib_go_there_and_back(wire: Wire) -> None:
    wire.send_json([32, 1, {}, "com.large"])
    subscription = wire.message()[2]
    payload = "x" * (15 * MIB)
    wire.send_json([16, 2, {"exclude_me": False}, "com.large", [payload]])
    event = wire.message()
    assert event[:2] == [36, subscription]
    assert event[4] == [payload]


def test_fragments_with_control_frames_between_are_one_message(wire: Wire) -> None:
    wire.send(frame(TEXT, SUBSCRIBE[:5], fin=False), frame(PING, b"1"), frame(CONTINUATION, SUBSCRIBE[5:9], fin=False))
    wire.send(frame(PONG, b"unasked"), frame(PING, b"2"))
    wire.send(frame(CONTINUATION, SUBSCRIBE[9:], fin=False), frame(CONTINUATION, b""))
    assert [wire.frame().payload for _ in range(2)] == [b"1", b"2"]
    assert wire.message()[0] == 33


def test_frames_of_one_segment_are_answered_in_order(wire: Wire) -> None:
    wire.send(*(frame(TEXT, b'[32,%d,{},"com.topic%d"]' % (number, number)) for number in range(1, 101)))
    assert [wire.message()[1] for _ in range(100)] == list(range(1, 101))


def test_frame_split_at_every_byte_is_one_message(wire: Wire) -> None:
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for size in (20, 130):
        data = frame(TEXT, padded(max(size, len(SUBSCRIBE))))
        for position in range(1, len(data)):
            wire.send(data[:position])
            wire.send(data[position:] + frame(PING, b"%d" % position))
            assert wire.message()[0] == 33
            assert wire.frame().payload == b"%d" % position


def test_frame_sent_byte_by_byte_is_one_message(wire: Wire) -> None:
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = frame(TEXT, padded(200)) + frame(PING, b"end")
    for position in range(len(data)):
        wire.send(data[position : position + 1])
    assert wire.message()[0] == 33
    assert wire.frame().payload == b"end"


def test_ping_is_answered_in_its_place(wire: Wire) -> None:
    wire.send_json([32, 1, {}, "com.topic"])
    wire.message()
    parts = []
    for number in range(50):
        message = [16, number + 2, {"exclude_me": False}, "com.topic", [number]]
        parts += [frame(TEXT, json.dumps(message).encode()), frame(PING, b"%d" % number)]
    wire.send(*parts)
    for number in range(50):
        assert wire.message()[4] == [number]
        assert (pong := wire.frame()).opcode == PONG
        assert pong.payload == b"%d" % number


def test_unmasked_frame_is_taken_where_allowed(port: int) -> None:
    with joined(port, "/unmasked") as wire:
        wire.send(frame(TEXT, SUBSCRIBE, mask=None))
        assert wire.message()[0] == 33


def test_long_answer_is_cut_where_asked(port: int) -> None:
    with opened(port, "/cut") as wire:
        wire.send_json([1, "realm1", {"roles": {"caller": {}}}])
        first = wire.frame()
        assert (first.opcode, first.is_final, len(first.payload)) == (TEXT, False, 50)
        text = first.payload
        while not (part := wire.frame()).is_final:
            assert (part.opcode, len(part.payload)) == (CONTINUATION, 50)
            text += part.payload
        assert json.loads(text + part.payload)[0] == 2


def test_answers_are_masked_where_asked(port: int) -> None:
    with opened(port, "/mask") as wire:
        wire.send_json([1, "realm1", {"roles": {"caller": {}}}])
        welcome = wire.frame()
        assert welcome.is_masked
        assert welcome.message[0] == 2
        wire.send(frame(PING, b"x"))
        assert wire.frame() == (PONG, b"x", True, True)


@pytest.mark.parametrize("name", ["json", "msgpack", "cbor"])
def test_websockets_client_with_compression_offered_is_served(port: int, name: str) -> None:
    with connect(f"ws://127.0.0.1:{port}/ws", subprotocols=[f"wamp.2.{name}"]) as client:  # type: ignore[list-item]
        assert client.subprotocol == f"wamp.2.{name}"
        client.ping().wait(5)
        client.close(4001, "enough")
        assert client.protocol.close_rcvd is not None


# --- violations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (frame(TEXT, SUBSCRIBE, mask=None), 1002),
        (frame(TEXT, SUBSCRIBE, rsv=4), 1002),
        (frame(5, b"x"), 1002),
        (frame(12, b"x"), 1002),
        (frame(CONTINUATION, b"x"), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(TEXT, b'["\xff"]'), 1007),
        (frame(TEXT, b'["\xc3', fin=False) + frame(CONTINUATION, b'"]'), 1007),
        (frame(TEXT, b" " * (16 * MIB + 1)), 1009),
    ],
    ids=["unmasked", "rsv", "data opcode", "control opcode", "continuation", "long ping", "utf8", "cut", "too big"],
)
def test_violation_is_closed_with_its_code(wire: Wire, bad: bytes, code: int) -> None:
    wire.send(bad)
    wire.send(frame(TEXT, SUBSCRIBE))
    assert wire.closed().code == code


@pytest.mark.parametrize("path", ["/small", "/narrow"])
def test_limit_of_a_path_is_its_own(port: int, path: str) -> None:
    limit = {"/small": 100_000, "/narrow": 10_000}[path]
    with joined(port, path) as wire:
        wire.send(frame(TEXT, padded(limit)))
        assert wire.message()[0] == 33
        wire.send(frame(TEXT, padded(limit + 1)))
        assert wire.closed().code == 1009


def test_violation_drops_the_connection_where_asked(port: int) -> None:
    with joined(port, "/drop") as wire:
        wire.send(frame(TEXT, SUBSCRIBE, mask=None))
        assert wire.read_to_end() == b""


@pytest.mark.parametrize(("name", "bad"), [("json", frame(BINARY, SUBSCRIBE)), ("msgpack", frame(TEXT, b"x"))])
def test_wrong_kind_of_frame_is_aborted_and_closed(port: int, name: str, bad: bytes) -> None:
    with opened(port, subprotocol=f"wamp.2.{name}") as wire:
        wire.send(bad + frame(TEXT if name == "json" else BINARY, b"late"))
        abort = wire.frame()
        assert abort.opcode == (TEXT if name == "json" else BINARY)
        assert b"wamp.error.protocol_violation" in abort.payload
        closing = wire.closed()
        assert closing.code == 1002
        assert closing.payload[2:].startswith(b"wamp.error.protocol_violation")


# --- closing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "payload", "answer"),
    [
        ("/ws", b"", b"\x03\xe8"),
        ("/ws", b"\x0f\xa1bye", b"\x03\xe8"),
        ("/echo", b"\x0f\xa1bye", b"\x0f\xa1bye"),
    ],
)
def test_close_is_answered_at_once(port: int, path: str, payload: bytes, answer: bytes) -> None:
    with joined(port, path) as wire:
        wire.send(frame(CLOSE, payload), frame(TEXT, SUBSCRIBE))
        assert wire.frame().payload == answer
        assert wire.read_to_end() == b""


def test_session_ends_with_the_close_even_if_the_peer_does_not_read(port: int) -> None:
    with joined(port) as callee, joined(port) as caller:
        callee.send_json([64, 1, {}, "com.mine"])
        callee.message()
        callee.send(frame(TEXT, b"x", rsv=1))
        until(lambda: _error(caller) == "wamp.error.no_such_procedure", "the registration gone", seconds=5)


def _error(caller: Wire) -> str:
    caller.send_json([48, 1, {}, "com.mine"])
    answer = caller.message()
    return str(answer[4]) if answer[0] == 8 else ""


def test_peer_that_does_not_answer_a_close_is_dropped(port: int) -> None:
    with joined(port, "/hasty") as wire:
        wire.send_json([99])
        assert wire.message()[0] == 3
        assert wire.frame().code == 1002
        begun = time.monotonic()
        assert wire.read_to_end() == b""
        assert 0.9 < time.monotonic() - begun < 3


@pytest.mark.parametrize("end", ["reset", "half", "full"])
def test_lost_socket_ends_the_session(port: int, end: str) -> None:
    callee, caller = joined(port), joined(port)
    with callee, caller:
        callee.send_json([64, 1, {}, "com.mine"])
        callee.message()
        if end == "reset":
            callee.reset()
        elif end == "half":
            callee.socket.shutdown(socket.SHUT_WR)
        else:
            callee.socket.close()
        until(lambda: _error(caller) == "wamp.error.no_such_procedure", "the registration gone", seconds=5)


# --- pings -----------------------------------------------------------------------------------------------------------


def test_silent_peer_is_dropped_after_the_timeout_and_not_before(port: int) -> None:
    with joined(port, "/ping") as wire:
        ping = wire.frame()
        assert (ping.opcode, len(ping.payload)) == (PING, 40)
        begun = time.monotonic()
        assert wire.read_to_end() == b""
        assert 0.9 < time.monotonic() - begun < 3


def test_peer_that_answers_pings_is_kept(port: int) -> None:
    with joined(port, "/ping") as wire:
        for _ in range(2):
            ping = wire.frame()
            wire.send(frame(PONG, ping.payload))
        wire.send(frame(TEXT, SUBSCRIBE))
        assert wire.message()[0] == 33


def test_busy_peer_that_answers_no_pings_is_kept(port: int) -> None:
    with joined(port, "/ping") as wire:
        pings = 0
        while pings < 2:
            received = wire.frame()
            pings += received.opcode == PING
            assert received.opcode in (PING, TEXT)
            wire.send(frame(TEXT, SUBSCRIBE))


# --- slow readers ----------------------------------------------------------------------------------------------------


def memory(process: Process) -> int:
    """Resident memory of a process in bytes."""
    pages = Path(f"/proc/{process.process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


class Flood:
    """One publisher, one subscriber that reads and one that need not."""

    def __init__(self, port: int, stack: ExitStack) -> None:
        self.publisher = stack.enter_context(joined(port))
        self.quick = stack.enter_context(joined(port))
        self.slow = stack.enter_context(joined(port, receive_buffer=4096))
        for subscriber in (self.quick, self.slow):
            subscriber.send(frame(TEXT, SUBSCRIBE))
            subscriber.message()
        self.number = 0

    def publish(self, count: int, size: int = 64 * 1024) -> None:
        """Publish so many events; the quick subscriber gets each of them, in order."""
        for _ in range(count):
            self.number += 1
            self.publisher.send_json([16, self.number, {}, "com.topic", [self.number, "x" * size]])
            assert self.quick.message()[4][0] == self.number


@pytest.fixture
def flooded(tmp_path: Path) -> Iterator[tuple[Flood, Process]]:
    number = free_port()
    with node(tmp_path, configuration(web(number)), number) as process, ExitStack() as stack:
        yield Flood(number, stack), process
        stack.close()
        assert process.stop() == 0
        assert "Traceback" not in process.output


def test_slow_reader_beyond_the_limit_is_dropped_and_nobody_else(flooded: tuple[Flood, Process]) -> None:
    flood, process = flooded
    before = memory(process)
    flood.publish(700)
    assert memory(process) - before < 60 * MIB
    assert READS_SLOWLY in process.output
    numbers = []
    while (message := flood.slow.message())[0] == EVENT:
        numbers.append(message[4][0])
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) < 700
    assert message[0] == GOODBYE
    flood.publish(3)


def test_slow_reader_that_reads_again_in_time_gets_everything(flooded: tuple[Flood, Process]) -> None:
    flood, process = flooded
    flood.publish(200)
    assert select.select([flood.slow.socket], [], [], 5)[0]
    assert [flood.slow.message()[4][0] for _ in range(200)] == list(range(1, 201))
    flood.publish(1)
    assert flood.slow.message()[4][0] == 201
    flood.slow.send(frame(PING, b"here"))
    assert flood.slow.frame().payload == b"here"
    assert READS_SLOWLY not in process.output


def test_slow_reader_of_cut_messages_is_bounded_as_well(tmp_path: Path) -> None:
    number = free_port()
    paths = {"ws": {"type": "websocket"}, "cut": websocket(auto_fragment_size=50_000)}
    with node(tmp_path, configuration(web(number, paths)), number) as process, ExitStack() as stack:
        flood = Flood(number, stack)
        cut = stack.enter_context(joined(number, "/cut", receive_buffer=4096))
        cut.send(frame(TEXT, SUBSCRIBE))
        assert struct.pack("!B", cut.frame().opcode) == b"\x01"
        flood.publish(400)
        assert process.output.count(READS_SLOWLY) == 2
        assert process.stop() == 0


def test_flood_of_pings_to_a_peer_that_does_not_read_is_bounded(port: int) -> None:
    with joined(port, receive_buffer=4096) as wire:
        wire.socket.settimeout(2)
        with pytest.raises(TimeoutError):
            wire.send(frame(PING, b"x" * 125) * 200_000)
