"""Handshakes over real sockets: subprotocols, origins, versions, paths, bad requests, and that nothing stays behind."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .servers import (
    ROOT,
    Process,
    assert_quiet,
    configuration,
    free_port,
    node,
    running,
    until,
    web,
    websocket,
    write_config,
)
from .wire import CLOSE, TEXT, Wire, frame, joined, opened, status

pytestmark = pytest.mark.integration

PATHS = {
    "ws": {"type": "websocket"},
    "json": {"type": "websocket", "serializers": ["json"]},
    "lax": websocket(require_websocket_subprotocol=False),
    "origins": websocket(allowed_origins=["https://example.com", "http://*.example.com:*"], allow_null_origin=False),
    "same": websocket(allowed_origins=["same-origin"]),
    "port": websocket(external_port=443),
    "old": websocket(enable_rfc6455=False),
    "new": websocket(enable_hybi10=False),
    "quiet": websocket(enable_webstatus=False),
    "files": {"type": "static", "directory": "../files"},
    "deep": {"type": "path", "paths": {"ws": {"type": "websocket"}}},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Process]]:
    directory = tmp_path_factory.mktemp("node")
    (directory / "files").mkdir()
    (directory / "files" / "page.txt").write_text("a page")
    number = free_port()
    with node(directory, configuration(web(number, PATHS)), number) as process:
        yield number, process
        assert process.stop() == 0
        assert_quiet(process.output)


@pytest.fixture
def port(server: tuple[int, Process]) -> int:
    return server[0]


def answer(port: int, path: str = "/ws", **options: object) -> str:
    with Wire(port) as wire:
        return wire.upgrade(path, **options)  # type: ignore[arg-type]


def code(head: str) -> int:
    return int(head.split()[1])


def chosen(head: str) -> str | None:
    names = [line.partition(": ")[2] for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Protocol")]
    return names[0] if names else None


# --- subprotocols ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ("wamp.2.json", "wamp.2.json"),
        ("wamp.2.msgpack,wamp.2.json", "wamp.2.msgpack"),
        ("wamp.2.json, wamp.2.msgpack", "wamp.2.json"),
        ("soap, wamp.1, wamp.2.cbor", "wamp.2.cbor"),
    ],
)
def test_first_known_subprotocol_is_taken(port: int, offered: str, taken: str) -> None:
    head = answer(port, subprotocol=offered)
    assert (code(head), chosen(head)) == (101, taken)


def test_subprotocols_of_several_header_lines_are_one_list(port: int) -> None:
    lines = ["Sec-WebSocket-Protocol: soap", "Sec-WebSocket-Protocol: wamp.2.msgpack"]
    assert chosen(answer(port, subprotocol=None, headers=lines)) == "wamp.2.msgpack"


@pytest.mark.parametrize(
    "offered", [None, "soap", "wamp.2.jso", "WAMP.2.JSON", "wamp%2E2.json", "wamp.2.json,wamp.2.json"]
)
def test_no_known_subprotocol_is_refused(port: int, offered: str | None) -> None:
    assert code(answer(port, subprotocol=offered)) == 400


def test_subprotocol_of_a_serializer_switched_off_is_refused(port: int) -> None:
    assert code(answer(port, "/json", subprotocol="wamp.2.msgpack")) == 400


@pytest.mark.parametrize("offered", [None, "soap"])
def test_json_is_spoken_where_no_subprotocol_is_required(port: int, offered: str | None) -> None:
    with joined(port, "/lax", subprotocol=offered):
        assert chosen(answer(port, "/lax", subprotocol=offered)) is None


# --- origin, port, version -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "origin", "expected"),
    [
        ("/ws", "http://anything.at", 101),
        ("/ws", "null", 101),
        ("/ws", "nothing", 400),
        ("/origins", "https://example.com", 101),
        ("/origins", "https://example.com:443", 101),
        ("/origins", "HTTPS://EXAMPLE.com", 101),
        ("/origins", "http://a.example.com:81", 101),
        ("/origins", "https://example.com:8443", 403),
        ("/origins", "http://example.com", 403),
        ("/origins", "https://example.com.evil.net", 403),
        ("/origins", "null", 403),
        ("/origins", "file:///page", 403),
        ("/same", "http://127.0.0.1", 101),
        ("/same", "http://example.com", 403),
    ],
)
def test_origin_is_judged_by_the_service(port: int, path: str, origin: str, expected: int) -> None:
    assert code(answer(port, path, headers=[f"Origin: {origin}"])) == expected


def test_two_origins_are_refused(port: int) -> None:
    lines = ["Origin: https://example.com", "Origin: http://evil.net"]
    assert code(answer(port, "/origins", headers=lines)) == 403


REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\n"
    "Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n"
)


def request(path: str = "/ws", host: str = "127.0.0.1", version: str = "13") -> bytes:
    return REQUEST.format(path=path, host=host, version=version).encode("latin-1")


@pytest.mark.parametrize(("host", "expected"), [("a", 101), ("a:443", 101), ("a:8080", 400), ("[::1]:80", 400)])
def test_port_of_the_host_is_the_external_one(port: int, host: str, expected: int) -> None:
    assert status(port, request("/port", host)) == expected


@pytest.mark.parametrize(
    ("path", "version", "expected"),
    [
        ("/ws", "13", 101),
        ("/ws", "8", 101),
        ("/old", "13", 426),
        ("/old", "8", 101),
        ("/new", "8", 426),
        ("/new", "13", 101),
        ("/ws", "7", 426),
        ("/ws", "14", 426),
    ],
)
def test_version_is_one_that_is_switched_on(port: int, path: str, version: str, expected: int) -> None:
    assert status(port, request(path, version=version)) == expected


# --- bad requests ----------------------------------------------------------------------------------------------------

GOOD = request()


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (GOOD.replace(b"GET", b"POST"), 405),
        (GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"), 505),
        (GOOD.replace(b"Host: 127.0.0.1\r\n", b""), 400),
        (GOOD.replace(b"127.0.0.1", b"127.0.0.1:x"), 400),
        (GOOD.replace(b"127.0.0.1", b"127.0.0.1:99999"), 400),
        (GOOD.replace(b"127.0.0.1", b"me@127.0.0.1"), 400),
        (GOOD.replace(b"127.0.0.1", b"127.0.0.1 a"), 400),
        (GOOD.replace(b"127.0.0.1", b"127.0.0.1\r\nHost: 127.0.0.1"), 400),
        (GOOD.replace(b"127.0.0.1", b"my_service:80"), 101),
        (GOOD.replace(b"Upgrade: websocket", b"Upgrade: h2c, WebSocket"), 101),
        (GOOD.replace(b"Upgrade: websocket", b"Upgrade: h2c\r\nUpgrade: websocket"), 101),
        (GOOD.replace(b"Connection: Upgrade", b"Connection: keep-alive\r\nConnection: UPGRADE"), 101),
        (GOOD.replace(b"Connection: Upgrade", b"Connection: close"), 400),
        (GOOD.replace(b"Host", b"Content-Length: 5\r\nHost") + b"hello", 400),
        (GOOD.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost") + b"5\r\nhello\r\n0\r\n\r\n", 400),
        (GOOD.replace(b"Host", b"Content-Length: 0\r\nHost"), 101),
        (GOOD.replace(b"Version: 13", b"Version: +13"), 400),
        (GOOD.replace(b"Version: 13", b"Version: 013"), 400),
        (GOOD.replace(b"Version: 13", b"Version: 13, 8"), 400),
        (GOOD.replace(b"Host", b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nHost"), 400),
        (GOOD.replace(b"Host", b"X: a\rY: b\r\nHost"), 400),
        (GOOD.replace(b"Host", b"X: a\0b\r\nHost"), 400),
        (GOOD.replace(b"/ws", b"/ws /x"), 400),
        (GOOD.replace(b"Host", b"X: 1\r\n" * 150 + b"Host"), 101),
        (GOOD.replace(b"Host", b"X: 1\r\n" * 10_000 + b"Host"), 431),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (GOOD.replace(b"Connection: Upgrade\r\n", b""), 400),
        (GOOD.replace(b"Sec-WebSocket-Version: 13\r\n", b""), 400),
        (GOOD.replace(b"Version: 13", b"Version: many"), 400),
        (GOOD.replace(b"Version: 13", b"Version: 13\r\nSec-WebSocket-Version: 13"), 400),
        (GOOD.replace(b"Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\n", b""), 400),
        (GOOD.replace(b"MTIz", b"****"), 400),
        (GOOD.replace(b"MTIz", b""), 400),
        (GOOD.replace(b"wamp.2.json", b"wamp\xff"), 400),
        (GOOD.replace(b"/ws", b"/ws#fragment"), 400),
        (GOOD.replace(b"/ws", b"/ws\xff"), 400),
        (GOOD.replace(b"Host", b"X_Y: \xff\r\nHost"), 101),
        (GOOD.replace(b"Host", b"Origin: http://[::1\r\nHost"), 400),
        (GOOD.replace(b"Host", b"Origin: http://a:99999\r\nHost"), 400),
        (GOOD.replace(b"Host", b"Sec-WebSocket-Extensions: permessage-deflate; what=1; =\r\nHost"), 101),
        (GOOD.replace(b"Host", b"Sec-WebSocket-Extensions: ;;,=,\r\nHost"), 101),
        (GOOD.replace(b"/ws", b"http://127.0.0.1/ws"), 101),
        (GOOD.replace(b"/ws", b"//[/ws"), 400),
        (GOOD.replace(b"/ws", b"/%00/ws"), 404),
        (GOOD.replace(b"/ws", b"*"), 404),
    ],
    ids=repr,
)
def test_bad_request_gets_a_status(port: int, bad: bytes, expected: int) -> None:
    assert status(port, bad) == expected


def test_refusal_says_why(port: int) -> None:
    with Wire(port) as wire:
        head = wire.upgrade(subprotocol="soap")
        assert "Content-Type: text/plain" in head or "content-type: text/plain" in head
        body = wire.read_to_end().decode()
        assert "wamp.2.json" in body
        assert "'soap'" in body
        assert f"Content-Length: {len(body)}" in head


def test_frames_sent_with_the_request_are_not_lost(port: int) -> None:
    with Wire(port) as wire:
        hello = b'[1,"realm1",{"roles":{"caller":{}}}]'
        assert code(wire.upgrade(more=frame(TEXT, hello) + frame(TEXT, b'[6,{},"wamp.close.normal"]'))) == 101
        assert [wire.message()[0] for _ in range(2)] == [2, 6]


# --- paths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/ws", "/ws/", "/ws/x", "/ws/a/b?c=d", "/%77s", "/ws?x", "/deep/ws", "/deep/ws/x", "/ws/;x"]
)
def test_path_of_a_service_reaches_it(port: int, path: str) -> None:
    assert code(answer(port, path)) == 101


@pytest.mark.parametrize(
    "path", ["/wsx", "/", "/deep", "/deep/x", "/WS", "//ws", "/ws;a=b", "/files", "/files/page.txt", "/admin/"]
)
def test_other_path_has_no_websocket(port: int, path: str) -> None:
    assert code(answer(port, path)) == 404


def body(port: int, path: str, accept: str = "*/*") -> tuple[int, str, str]:
    with Wire(port) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\nConnection: close\r\n\r\n".encode())
        head = wire.head()
        return code(head), head, wire.read_to_end().decode()


@pytest.mark.parametrize("path", ["/ws", "/ws/x", "/deep/ws"])
def test_plain_request_to_a_service_shows_what_it_is_for(port: int, path: str) -> None:
    number, head, text = body(port, path, "text/html")
    assert (number, "text/html" in head, "wamp.2.json" in text) == (200, True, True)


def test_plain_request_is_told_to_upgrade_where_the_page_is_off(port: int) -> None:
    number, head, _ = body(port, "/quiet")
    assert number == 426
    assert "upgrade: websocket" in head.lower()


def test_static_files_and_django_are_beside_it(port: int) -> None:
    assert body(port, "/files/page.txt")[2] == "a page"
    assert body(port, "/files/missing.txt")[0] == 404
    assert "/admin/login/" in body(port, "/admin/")[1]
    assert body(port, "/nothing")[0] == 404


# --- nothing stays behind --------------------------------------------------------------------------------------------

COUNTING = """
import gc, signal, sys
sys.argv[0] = "manage.py"
from wamp_transport.transports import daphne
made = []
make = daphne.WampServer.__init__
daphne.WampServer.__init__ = lambda self, *args, **options: made.append(self) or make(self, *args, **options)

def count(*_):
    from wamp_transport.bootstrap.runtime import current_runtime
    node = current_runtime().started.node
    gc.collect()
    alive = sum(isinstance(one, daphne.WampServer.websocket_protocol) for one in gc.get_objects())
    print("counts", len(made[0].connections), len(node.connections), len(node.router.sessions), alive, flush=True)

signal.signal(signal.SIGUSR1, count)
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""


def test_270_connects_and_drops_leave_nothing_behind(tmp_path: Path) -> None:
    number = free_port()
    write_config(tmp_path, configuration(web(number, PATHS | {"files": {"type": "json", "value": 1}})))
    command = [sys.executable, "-c", COUNTING, "runnode", "--config", str(tmp_path)]
    environment = {"DJANGO_SETTINGS_MODULE": "wampnode.settings", "WAMPNODE_DATABASE": str(tmp_path / "db")}
    with running(command, tmp_path, cwd=ROOT, **environment) as process:
        process.wait_for(number)
        for index in range(270):
            kind = index % 9
            wire = Wire(number) if kind < 3 else opened(number) if kind < 5 else joined(number)
            if kind == 1:
                wire.send(GOOD[:40])
            elif kind == 2:
                assert code(wire.upgrade("/origins", headers=["Origin: http://evil.net"])) == 403
            elif kind == 3:
                wire.send(frame(TEXT, b"x" * 100)[:50])
            elif kind == 5:
                wire.send(frame(CLOSE, b""))
            elif kind == 6:
                wire.send_json([32, 1, {}, "com.topic"], [64, 2, {}, f"com.procedure{index}"])
            elif kind == 8:
                wire.send_json([99])
                assert [wire.frame().opcode for _ in range(2)] == [TEXT, CLOSE]
            if kind in (0, 4, 7):
                wire.reset()
            else:
                wire.socket.close()

        def counts() -> str:
            seen = process.output.count("counts")
            process.process.send_signal(signal.SIGUSR1)
            until(lambda: process.output.count("counts") > seen, "counts printed")
            return process.output.split("counts")[-1].strip()

        until(lambda: counts() == "0 0 0 0", "all gone", seconds=10)
        assert process.stop() == 0
        assert_quiet(process.output)
