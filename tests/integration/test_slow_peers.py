"""WAMP peers that do not read, or hardly send: the others do not notice, and the server keeps its bounds."""

from collections.abc import Iterator
from typing import Any

import pytest

from .servers import Process, configuration, free_port, node, realm, until, web, websocket
from .test_slow_clients import resident
from .wire import CLOSE, TEXT, Frame, Wire, frame, joined, opened

pytestmark = pytest.mark.integration

GOODBYE, ERROR, PUBLISH, PUBLISHED, SUBSCRIBE, EVENT, CALL, REGISTER = 6, 8, 16, 17, 32, 36, 48, 64
LARGE = "x" * 100_000
MEBIBYTE = 1024 * 1024
CLOSED = "is closed, because the peer reads too slowly"

PATHS = {
    "ws": websocket(),
    "close": websocket(max_outgoing_size=4 * MEBIBYTE),
    "burst": websocket(outgoing_limit=100_000, outgoing_grace_period=1000),
    "drop": websocket(max_outgoing_size=MEBIBYTE, outgoing_policy="drop"),
    "dribble": websocket(message_timeout=1000),
    "silent": {"type": "websocket", "hello_timeout": 1000},
}


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Process]:
    everything = realm("realm1", call=True, register=True, publish=True, subscribe=True)
    settings = configuration(web(port, PATHS), realms=[everything])
    with node(tmp_path_factory.mktemp("slow"), settings, port) as process:
        yield process


def ask(wire: Wire, message: list[Any]) -> Any:
    wire.send_json(message)
    return wire.message()


class Publisher:
    """Publishes large events one by one, each numbered."""

    def __init__(self, port: int, topic: str) -> None:
        self.wire = joined(port)
        self.topic = topic
        self.count = 0

    def publish(self) -> None:
        self.count += 1
        number = self.count
        message = [PUBLISH, number, {"acknowledge": True}, self.topic, [number, LARGE]]
        assert ask(self.wire, message)[:2] == [PUBLISHED, number]

    def publish_until(self, process: Process, text: str) -> None:
        """Publish until the server says so; 100 MB at most."""
        while text not in process.output:
            assert self.count < 1000, f"{text!r} was never said"
            self.publish()


def frames_to_close(wire: Wire) -> list[Frame]:
    frames = [wire.frame()]
    while frames[-1].opcode != CLOSE:
        if frames[-1].message[0] == GOODBYE:
            wire.send_json([GOODBYE, {}, "wamp.close.goodbye_and_out"])
        frames.append(wire.frame())
    return frames


def test_stalled_reader_is_closed_and_the_others_miss_nothing(server: Process, port: int) -> None:
    before = resident(server.process.pid)
    publisher = Publisher(port, "com.example.close")
    with joined(port, "/close", receive_buffer=4096) as stalled, joined(port) as quick:
        for wire in (stalled, quick):
            ask(wire, [SUBSCRIBE, 1, {}, publisher.topic])
        while CLOSED not in server.output:
            assert publisher.count < 1000
            publisher.publish()
            assert quick.message()[4][0] == publisher.count
        assert resident(server.process.pid) - before < 16 * MEBIBYTE
        *events, goodbye, close = frames_to_close(stalled)
        assert [each.message[4][0] for each in events] == list(range(1, len(events) + 1))
        assert goodbye.message[0] == GOODBYE
        assert goodbye.message[2] == "wamp.error.slow_consumer"
        assert close.payload[2:].startswith(b"wamp.error.slow_consumer")
        publisher.publish()
        assert quick.message()[4][0] == publisher.count
    publisher.wire.socket.close()


def test_burst_alone_closes_nobody_but_a_peer_that_stays_behind_is_closed(server: Process, port: int) -> None:
    closed = server.output.count(CLOSED)
    publisher = Publisher(port, "com.example.burst")
    with joined(port, "/burst", receive_buffer=4096) as slow:
        ask(slow, [SUBSCRIBE, 1, {}, publisher.topic])
        for _ in range(40):
            publisher.publish()
        assert [slow.message()[4][0] for _ in range(40)] == list(range(1, 41))
        for _ in range(40):
            publisher.publish()
        until(lambda: server.output.count(CLOSED) > closed, "the peer is closed")
        assert frames_to_close(slow)[-2].message[2] == "wamp.error.slow_consumer"
    publisher.wire.socket.close()


def test_congested_peer_misses_events_and_calls_until_it_has_caught_up(server: Process, port: int) -> None:
    publisher = Publisher(port, "com.example.drop")
    with joined(port, "/drop", receive_buffer=4096) as stalled, joined(port) as caller:
        ask(stalled, [SUBSCRIBE, 1, {}, publisher.topic])
        ask(stalled, [REGISTER, 2, {}, "com.example.procedure"])
        publisher.publish_until(server, "is congested: ")
        publisher.publish()
        publisher.publish()
        answer = ask(caller, [CALL, 1, {}, "com.example.procedure"])
        assert answer[:3] == [ERROR, CALL, 1]
        assert answer[4] == "wamp.error.unavailable"
        last = publisher.count - 2  # the one that was too much is still delivered, those after it are not
        received = 0
        while received < last:
            message = stalled.message()
            assert message[0] == EVENT
            assert message[4][0] == received + 1
            received += 1
        server.wait_to_print("is no longer congested")
        publisher.publish()
        assert stalled.message()[4][0] == publisher.count
        caller.send_json([CALL, 2, {}, "com.example.procedure"])
        assert stalled.message()[0] == 68
    publisher.wire.socket.close()


def test_message_that_dribbles_in_is_not_waited_for(port: int, server: Process) -> None:
    with joined(port, "/dribble") as wire:
        wire.send(frame(TEXT, b'[48,1,{},"com.example"]')[:-1])
        abort = wire.message()
        assert abort[2] == "wamp.error.protocol_violation"
        assert "not complete within 1 seconds" in abort[1]["message"]
        wire.closed()


def test_client_that_never_says_hello_is_not_waited_for(port: int, server: Process) -> None:
    with opened(port, "/silent") as wire:
        abort = wire.message()
        assert abort[2] == "wamp.error.protocol_violation"
        assert "no session within 1 seconds" in abort[1]["message"]
        wire.closed()


def test_server_logs_no_bug(server: Process, port: int) -> None:
    with joined(port):
        assert "Traceback" not in server.output
