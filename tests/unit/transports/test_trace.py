"""What is told of a connection: handshake, frames in brief, the end; nothing secret, nothing without ``debug``."""

import logging
import struct
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.integration.wire import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame
from wamp_transport.config.configuration import PathService
from wamp_transport.config.websocket import WebSocketOptions, WebSocketService
from wamp_transport.transports.trace import TRAFFIC, FrameHeads, Trace, traffic_logger

from .daphne.peers import REQUEST, Peer


@pytest.fixture(autouse=True)
def traffic() -> Iterator[logging.Logger]:
    """The logger of all traffic, as if nobody had set it up."""
    logger = logging.getLogger(TRAFFIC)
    before = logger.level, logger.handlers[:]
    logger.setLevel(logging.NOTSET)
    yield logger
    logger.level, logger.handlers[:] = before


def service(*segments: str, id: str | None = None) -> PathService:
    return PathService("web/x", segments, "websocket", WebSocketService(type="websocket", id=id))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (service("ws"), f"{TRAFFIC}.ws"),
        (service("a", "b"), f"{TRAFFIC}.a.b"),
        (service(), f"{TRAFFIC}.root"),
        (service("ws", id="devices"), f"{TRAFFIC}.devices"),
    ],
)
def test_service_has_a_logger_of_its_own(given: PathService, name: str) -> None:
    logger = traffic_logger(given)
    assert logger.name == name
    assert logger.isEnabledFor(logging.INFO)


def test_logging_that_is_set_up_is_left_alone(traffic: logging.Logger) -> None:
    traffic.setLevel(logging.ERROR)
    assert not traffic_logger(service("ws")).isEnabledFor(logging.INFO)


def test_traffic_is_shown_where_no_logging_is_set_up(
    traffic: logging.Logger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(traffic, "propagate", False)
    for _ in range(2):
        trace = Trace(traffic_logger(service("ws")), "tcp4:127.0.0.1:5")
    trace.received(frame(TEXT, b"x"))
    time, _, text = capsys.readouterr().err.partition(",")
    assert datetime.fromisoformat(time)
    assert text[4:] == "tcp4:127.0.0.1:5 > text 1 (final, masked)\n"


STREAM = [
    (frame(TEXT, b"secret"), "text 6 (final, masked)"),
    (frame(BINARY, b"x" * 200, fin=False), "binary 200 (masked)"),
    (frame(CONTINUATION, b"x" * 70000, rsv=4, mask=None), "continuation 70000 (final, compressed)"),
    (frame(PING), "ping 0 (final, masked)"),
    (frame(11, b"x", rsv=3), "opcode 11 1 (final, reserved bits, masked)"),
    (frame(CLOSE, struct.pack("!H", 4001) + b"so\nlong"), "close 9 (final, masked): 4001 so\\nlong"),
    (frame(CLOSE, struct.pack("!H", 1000), mask=None), "close 2 (final): 1000 "),
    (frame(CLOSE, b"x"), "close 1 (final, masked)"),
    (frame(CLOSE), "close 0 (final, masked)"),
    (frame(CLOSE, b"x" * 126), "close 126 (final, masked)"),
]


@pytest.mark.parametrize("size", [1, 3, 1000, 1_000_000])
def test_frames_are_found_wherever_the_stream_is_cut(size: int) -> None:
    data = b"".join(each for each, _ in STREAM)
    heads = FrameHeads()
    found = [brief for at in range(0, len(data), size) for brief in heads.feed(data[at : at + size])]
    assert found == [brief for _, brief in STREAM]


SECRETS = b"Cookie: session=s3cret\r\nAuthorization: Basic s3cret\r\nX-Token: s3cret\r\n"


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert {record.levelno for record in caplog.records} <= {logging.INFO}
    return [record.message.partition(" ")[2] for record in caplog.records]


def test_connection_tells_its_handshake_its_frames_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    peer = Peer(debug=True)
    early = frame(TEXT, b"s3cret early")
    peer.ask((REQUEST % SECRETS).replace(b"/ws", b"/ws?token=s3cret") + early)
    peer.open(answer=b"\x81\x02ok").send(frame(TEXT, b"s3cret") + frame(PING, b"s3cret"), frame(CLOSE, b"\x03\xe8bye"))
    peer.frames()
    peer.lose()
    lines = told(caplog)
    assert lines[0].startswith("requests /ws (host: here, upgrade: websocket")
    assert lines[1:] == [
        "> text 12 (final, masked)",
        "is answered HTTP/1.1 101 Switching Protocols (upgrade: WebSocket, connection: Upgrade, "
        "sec-websocket-protocol: wamp.2.json)",
        "< text 2 (final)",
        "> text 6 (final, masked)",
        "> ping 6 (final, masked)",
        "< text 2 (final)",
        "< pong 6 (final)",
        "> close 5 (final, masked): 1000 bye",
        "< close 2 (final): 1000 ",
        "disconnected after a close: 1000 bye",
    ]
    assert "s3cret" not in caplog.text


def test_refused_and_lost_connections_are_told(caplog: pytest.LogCaptureFixture) -> None:
    Peer(debug=True).ask((REQUEST % b"").replace(b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: x"))
    assert "is answered HTTP/1.1 400 Bad Request" in told(caplog)[-1]
    peer = Peer(debug=True).open()
    peer.lose()
    assert "disconnected without a close: 1006" in told(caplog)[-1]


def test_frames_that_are_made_for_one_connection_are_told(caplog: pytest.LogCaptureFixture) -> None:
    peer = Peer(WebSocketOptions(auto_fragment_size=3), debug=True).open()
    peer.direct.write(b"12345")
    assert told(caplog)[-2:] == ["< text 3 ()", "< continuation 2 (final)"]


def test_nothing_is_told_without_debug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, TRAFFIC):
        peer = Peer().open().send(frame(TEXT, b"x"))
        peer.lose()
    assert caplog.records == []
    assert "dataReceived" not in vars(peer.protocol)
