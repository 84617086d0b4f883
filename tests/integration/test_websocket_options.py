"""Options of a service whose effect shows on the wire; drops at every stage; what a service tells of its traffic."""

import json
import re
import signal
import sqlite3
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from .servers import (
    ROOT,
    Process,
    assert_quiet,
    configuration,
    free_port,
    migrate,
    node,
    running,
    until,
    web,
    websocket,
    write_config,
)
from .wire import BINARY, CLOSE, PING, PONG, TEXT, Wire, frame, joined, opened

pytestmark = pytest.mark.integration

HELLO = b'[1,"realm1",{"roles":{"caller":{},"callee":{},"publisher":{},"subscriber":{}}}]'
REQUEST = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\nSec-WebSocket-Protocol: wamp.2.json\r\n\r\n"
)
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"

PATHS = {
    "ws": {"type": "websocket"},
    "version": websocket(show_server_version=True),
    "browsers": websocket(allow_missing_origin=False),
    "unchecked": websocket(validate_utf8=False),
    "bare": websocket(apply_mask=False),
    "patient": websocket(auto_ping_interval=1000, auto_ping_timeout=1000, auto_ping_restart_on_any_traffic=False),
    "zip": websocket(compression={"deflate": {}}),
    "told": {"type": "websocket", "id": "told", "debug": True, "options": {"compression": {"deflate": {}}}},
    "shown": {"type": "websocket", "url": "ws://wamp.example.com/shown"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Process]]:
    number = free_port()
    with node(tmp_path_factory.mktemp("node"), configuration(web(number, PATHS)), number) as process:
        yield number, process
        assert process.stop() == 0
        assert_quiet(process.output)


@pytest.fixture
def port(server: tuple[int, Process]) -> int:
    return server[0]


@pytest.mark.parametrize("headers", [[], [DEFLATE]])
def test_version_is_shown_only_where_asked(port: int, headers: list[str]) -> None:
    def head(path: str) -> str:
        with Wire(port) as wire:
            return wire.upgrade(path, headers=headers)

    assert "\r\nServer: wampnode/" in head("/version")
    assert "Server:" not in head("/ws")


@pytest.mark.parametrize(("headers", "expected"), [([], "403"), (["Origin: http://a.example.com"], "101")])
def test_client_without_origin_is_refused_where_only_browsers_may_come(
    port: int, headers: list[str], expected: str
) -> None:
    with Wire(port) as wire:
        assert wire.upgrade("/browsers", headers=headers).split()[1] == expected


def test_bad_text_is_left_to_the_router_where_nobody_checks_it(port: int) -> None:
    with joined(port, "/unchecked") as wire:
        wire.send(frame(TEXT, b'["\xff"]'))
        assert wire.message()[:1] == [3]
        assert wire.closed().code == 1002


def test_payload_is_taken_as_it_is_where_no_mask_is_applied(port: int) -> None:
    with opened(port, "/bare") as wire:
        # Masked says the frame, and has a mask; its payload is not.
        wire.send(bytes([0x81, 0x80 | len(HELLO)]) + b"mask" + HELLO)
        assert wire.message()[0] == 2


def test_traffic_is_no_pong_where_it_shall_not_be(port: int) -> None:
    with joined(port, "/patient") as wire:
        while wire.frame().opcode != PING:
            pass
        until(lambda: is_dropped(wire), "the busy peer dropped", seconds=5)


def is_dropped(wire: Wire) -> bool:
    """Whether the server has closed the socket; it is told something, so that it has no lack of traffic."""
    try:
        wire.send_json([48, 1, {}, "com.nothing"])
        wire.frame()
    except (EOFError, ConnectionError):
        return True
    return False


def test_status_page_shows_the_url_of_the_configuration_in_the_form_asked_for(port: int) -> None:
    def page(accept: str) -> str:
        with Wire(port) as wire:
            wire.send(f"GET /shown HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\nConnection: close\r\n\r\n".encode())
            assert wire.head().split()[1] == "200"
            return wire.read_to_end().decode()

    assert page("text/html").startswith("<!doctype html>")
    assert json.loads(page("application/json"))["url"] == "ws://wamp.example.com/shown"
    assert all("ws://wamp.example.com/shown" in page(accept) for accept in ("text/html", "text/plain"))


# --- drops -----------------------------------------------------------------------------------------------------------


def nothing(port: int) -> Wire:
    return Wire(port)


def half_a_request(port: int) -> Wire:
    wire = Wire(port)
    wire.send(b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: webs")
    return wire


def a_request_not_answered_yet(port: int) -> Wire:
    wire = Wire(port)
    wire.send(REQUEST)
    return wire


def a_refusal(port: int) -> Wire:
    wire = Wire(port)
    assert wire.upgrade(subprotocol="soap").split()[1] == "400"
    return wire


def half_a_frame(port: int) -> Wire:
    wire = opened(port)
    wire.send(frame(TEXT, HELLO)[:30])
    return wire


def half_a_large_frame(port: int) -> Wire:
    wire = joined(port)
    wire.send(frame(TEXT, b"x" * 300_000)[:200_000])
    return wire


def half_a_message(port: int) -> Wire:
    wire = opened(port)
    wire.send(frame(TEXT, HELLO[:9], fin=False))
    return wire


def half_a_compressed_message(port: int) -> Wire:
    wire = opened(port, "/zip", headers=[DEFLATE])
    wire.send(frame(TEXT, zlib.compress(HELLO, wbits=-15)[:20], rsv=4, fin=False))
    return wire


def a_hello_not_answered_yet(port: int) -> Wire:
    wire = opened(port)
    wire.send(frame(TEXT, HELLO))
    return wire


def a_call_to_itself(port: int) -> Wire:
    wire = joined(port)
    wire.send_json([64, 1, {}, "com.mine"], [32, 2, {}, "com.topic"], [48, 3, {}, "com.mine"])
    assert [wire.message()[0] for _ in range(3)] == [65, 33, 68]
    return wire


def an_event_not_read(port: int) -> Wire:
    wire = joined(port, receive_buffer=4096)
    wire.send_json([32, 1, {}, "com.large"])
    wire.message()
    wire.send_json([16, 2, {"exclude_me": False}, "com.large", ["x" * 1_000_000]])
    wire.read(1)
    return wire


def a_ping_not_answered(port: int) -> Wire:
    wire = joined(port, "/patient")
    assert wire.frame().opcode == PING
    return wire


def a_close_not_answered(port: int) -> Wire:
    wire = joined(port)
    wire.send_json([99])
    assert [wire.frame().opcode for _ in range(2)] == [TEXT, CLOSE]
    return wire


def a_close_just_sent(port: int) -> Wire:
    wire = joined(port)
    wire.send(frame(CLOSE, b"\x03\xe8"), frame(TEXT, b"[")[:4])
    return wire


def a_goodbye(port: int) -> Wire:
    wire = joined(port)
    wire.send_json([6, {}, "wamp.close.close_realm"])
    assert wire.message()[0] == 6
    return wire


STAGES: list[Callable[[int], Wire]] = [
    nothing, half_a_request, a_request_not_answered_yet, a_refusal, half_a_frame, half_a_large_frame, half_a_message,
    half_a_compressed_message, a_hello_not_answered_yet, a_call_to_itself, an_event_not_read, a_ping_not_answered,
    a_close_not_answered, a_close_just_sent, a_goodbye,
]  # fmt: skip


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
@pytest.mark.parametrize("is_reset", [True, False])
def test_drop_at_any_stage_is_no_error(
    server: tuple[int, Process], stage: Callable[[int], Wire], is_reset: bool
) -> None:
    port, process = server
    wire = stage(port)
    if is_reset:
        wire.reset()
    else:
        wire.socket.close()
    with joined(port) as other:  # the server lives, and has handled what came before
        other.send(frame(PING, b"here"))
        assert other.frame().opcode == PONG
    assert_quiet(process.output)


# --- debug -----------------------------------------------------------------------------------------------------------


def test_service_with_debug_tells_of_its_traffic_and_no_other(server: tuple[int, Process]) -> None:
    port, process = server
    with joined(port, "/ws", headers=["User-Agent: silent"]):
        pass
    secret = "s3cret"
    with opened(port, "/told?token=" + secret, headers=[f"Cookie: a={secret}", "User-Agent: talker", DEFLATE]) as wire:
        wire.send(frame(TEXT, HELLO.replace(b"caller", secret.encode())), frame(BINARY, b"x"))
        assert wire.read(1) == b"\xc1"
        until(lambda: "< close" in process.output, "the close told")
    until(lambda: " disconnected without a close: 1006" in process.output, "the end told")
    output = process.output
    assert "requests /told (host: 127.0.0.1" in output
    assert "user-agent: talker" in output
    assert "HTTP/1.1 101 Switching Protocols" in output
    assert "sec-websocket-extensions: permessage-deflate" in output
    assert f"> text {len(HELLO)} (final, masked)" in output
    assert "(final, compressed)" in output
    assert "1002 wamp.error.protocol_violation" in output
    assert "silent" not in output
    assert secret not in output


# --- the time for a handshake, and the socket ------------------------------------------------------------------------


def test_handshake_that_is_not_answered_in_time_is_dropped(tmp_path: Path) -> None:
    database = tmp_path / "db.sqlite3"
    migrate(database)
    kept = {"type": "websocket", "cookie": {}}  # its new visitors are written down before the handshake is answered
    paths = {"hasty": {**kept, "options": {"open_handshake_timeout": 1000}}, "patient": kept}
    port = free_port()
    with node(tmp_path, configuration(web(port, paths)), port) as process:
        with closing(sqlite3.connect(database, isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            for headers in (b"", b"X-Unusual: \xc3\xa9\r\n"):  # read in one go, and by the HTTP server
                with Wire(port) as patient, Wire(port) as hasty:
                    patient.send(REQUEST.replace(b"/ws", b"/patient").replace(b"Host", headers + b"Host"))
                    hasty.send(REQUEST.replace(b"/ws", b"/hasty").replace(b"Host", headers + b"Host"))
                    begun = time.monotonic()
                    assert hasty.read_to_end() == b""
                    assert 0.9 <= time.monotonic() - begun < 5
                    lock.execute("ROLLBACK")
                    assert patient.head().startswith("HTTP/1.1 101 ")
                    lock.execute("BEGIN IMMEDIATE")
        with Wire(port) as wire:
            assert wire.upgrade("/hasty").startswith("HTTP/1.1 101 ")
        assert process.stop() == 0
        assert_quiet(process.output)


TELLING = """
import signal, socket, sys
sys.argv[0] = "manage.py"
from wamp_transport.transports import daphne
made = []
make = daphne.WampServer.__init__
daphne.WampServer.__init__ = lambda self, *args, **options: made.append(self) or make(self, *args, **options)

def tell(*_):
    for one in made[0].connections:
        if hasattr(one, "target"):  # a WebSocket, not the request that has asked for it
            value = one.transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            print("no delay", one.target.decode(), value)
    print("told", flush=True)

signal.signal(signal.SIGUSR1, tell)
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""


def test_small_packets_are_sent_at_once_or_collected_as_the_option_says(tmp_path: Path) -> None:
    port = free_port()
    write_config(
        tmp_path, configuration(web(port, {"at-once": {"type": "websocket"}, "later": websocket(tcp_nodelay=False)}))
    )
    command = [sys.executable, "-c", TELLING, "runnode", "--config", str(tmp_path)]
    with running(command, tmp_path, cwd=ROOT, WAMPNODE_DATABASE=str(tmp_path / "db")) as process:
        process.wait_for(port)
        unusual = ["X-Unusual: \xe9"]
        with ExitStack() as stack:
            for path in ("/at-once", "/later"):  # each read in one go, and by the HTTP server
                stack.enter_context(joined(port, path))
                stack.enter_context(joined(port, f"{path}/2", headers=unusual))
            process.process.send_signal(signal.SIGUSR1)
            output = process.wait_to_print("told")
    told = dict(re.findall(r"no delay (\S+) (\d+)", output))
    assert {path: int(value) > 0 for path, value in told.items()} == {
        "/at-once": True, "/at-once/2": True, "/later": False, "/later/2": False,
    }  # fmt: skip
