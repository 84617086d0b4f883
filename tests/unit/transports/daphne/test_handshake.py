"""The opening handshake under Daphne: what is asked, what is answered, what is left behind."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration.wire import BINARY, TEXT, Frame, frame
from wamp_transport.config.websocket import WebSocketOptions
from wamp_transport.transports.daphne.options import MAX_WHOLE_FRAME_BYTES
from wamp_transport.transports.proxies import TrustedProxies

from .peers import REQUEST, Peer


def test_options_are_found_by_the_path_as_it_was_sent() -> None:
    peer = Peer()
    peer.transport.wamp_transport_factory = SimpleNamespace(key="tcp:1", proxies=TrustedProxies())
    peer.ask((REQUEST % b"").replace(b"/ws", b"/%77s;a=b?c=d"))
    assert peer.server.asked == [("tcp:1", b"/%77s;a=b")]
    assert peer.protocol.target == b"/%77s;a=b"


@pytest.mark.parametrize(
    ("header", "proxies", "root_path"),
    [
        (b"", [], "/own"),
        (b"", ["192.168.1.1"], "/own"),
        (b"Daphne-Root-Path: /told\r\n", [], "/own"),
        (b"Daphne-Root-Path: /told\r\n", ["10.0.0.1"], "/own"),
        (b"daphne-root-path: /t%6fld \r\n", ["192.168.1.1"], "/told"),
        (b"Daphne-Root-Path:\r\n", ["192.168.1.1"], ""),
    ],
)
def test_options_are_found_below_the_root_path_that_a_trusted_proxy_sends(
    header: bytes, proxies: list[str], root_path: str
) -> None:
    peer = Peer()
    peer.server.root_path = "/own"
    peer.transport.wamp_transport_factory = SimpleNamespace(key="tcp:1", proxies=TrustedProxies(proxies))
    peer.ask(REQUEST % header)
    assert peer.server.root_paths == [root_path]
    assert peer.protocol.mount_path == root_path


def test_refusal_of_the_application_is_a_whole_http_answer() -> None:
    peer = Peer()
    peer.ask()
    head = {"type": "websocket.http.response.start", "status": 401, "headers": [(b"www-authenticate", b"Basic")]}
    peer.protocol.handle_reply(head)
    peer.protocol.handle_reply({"type": "websocket.http.response.body", "body": b"not ", "more_body": True})
    assert peer.sent() == b""
    peer.protocol.handle_reply({"type": "websocket.http.response.body", "body": b"you"})
    answer = peer.sent()
    assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"www-authenticate: Basic\r\n" in answer
    assert b"Content-Length: 7\r\n" in answer
    assert answer.endswith(b"\r\n\r\nnot you")
    assert peer.is_dropped
    peer.lose()
    assert peer.server.connections == set()
    assert "rejected" in peer.server.actions


@pytest.mark.parametrize(
    "header",
    [
        b"Sec-WebSocket-Extensions: permessage-deflate; foo=1\r\n",
        b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8\r\n",
        b'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x; y; z="1"\r\n',
    ],
)
def test_strange_extension_is_not_taken(header: bytes) -> None:
    peer = Peer()
    peer.ask(REQUEST % header)
    peer.protocol.handle_reply({"type": "websocket.accept", "subprotocol": "wamp.2.json"})
    answer = peer.sent()
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"Extensions" not in answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ((REQUEST % b"").replace(b"GET", b"POST"), 405),
        ((REQUEST % b"").replace(b"Version: 13", b"Version: 7"), 426),
        ((REQUEST % b"").replace(b"Version: 13", b"Version: x"), 400),
        ((REQUEST % b"").replace(b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: x"), 400),
        ((REQUEST % b"").replace(b"wamp.2.json", b"wamp.2.json, wamp.2.json"), 400),
        ((REQUEST % b"").replace(b"wamp.2.json", b"wamp\xe9"), 400),
        ((REQUEST % b"Origin: nothing\r\n"), 400),
        ((REQUEST % b"").replace(b"/ws", b"/ws#x"), 400),
        ((REQUEST % b"").replace(b"Host: here", b"Host: here:x"), 400),
        ((REQUEST % b"").replace(b"Connection: Upgrade", b"Connection: close"), 400),
    ],
)
def test_bad_request_gets_its_status_and_leaves_nothing_behind(request_: bytes, status: int) -> None:
    peer = Peer()
    answer = peer.ask(request_)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Length: " in answer
    assert peer.is_dropped
    peer.lose()
    assert peer.server.connections == set()
    assert peer.server.actions == []


@pytest.mark.parametrize(("version", "option"), [(b"13", "enable_rfc6455"), (b"8", "enable_hybi10")])
def test_version_switched_off_is_refused_naming_the_other(version: bytes, option: str) -> None:
    request = (REQUEST % b"").replace(b"Version: 13", b"Version: " + version)
    assert Peer().ask(request) == b""
    answer = Peer(WebSocketOptions(**{option: False})).ask(request)
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b"Upgrade: websocket\r\n" in answer
    assert f"Sec-WebSocket-Version: {21 - int(version)}".encode() in answer


def test_frames_before_the_answer_wait_for_it() -> None:
    peer = Peer()
    peer.ask()
    peer.send(frame(TEXT, b"early\r\n\r\nGET / HTTP/1.1\r\n\r\n"))
    assert peer.sent() == b""
    peer.open()
    assert peer.connection.messages == [b"early\r\n\r\nGET / HTTP/1.1\r\n\r\n"]


def test_flood_before_the_answer_is_not_read() -> None:
    peer = Peer()
    peer.ask()
    peer.transport.registerProducer(peer, True)
    peer.send(b"x" * (MAX_WHOLE_FRAME_BYTES + 1))
    assert peer.transport.producerState == "paused"
    peer.protocol.handle_reply({"type": "websocket.accept", "subprotocol": None})
    assert peer.transport.producerState == "producing"


# --- other consumers than ours ---------------------------------------------------------------------------------------


def plain_peer() -> Peer:
    peer = Peer()
    peer.server.options = None
    peer.ask()
    peer.protocol.handle_reply({"type": "websocket.accept", "subprotocol": "wamp.2.json"})
    peer.sent()
    return peer


def test_other_consumer_gets_messages_as_from_daphne() -> None:
    peer = plain_peer()
    peer.send(frame(TEXT, b"hello"))
    queue = peer.protocol.application_queue
    assert queue.get_nowait() == {"type": "websocket.connect"}
    assert queue.get_nowait() == {"type": "websocket.receive", "text": "hello"}
    peer.protocol.handle_reply({"type": "websocket.send", "text": "back"})
    assert peer.frames() == [Frame(TEXT, b"back", True, False)]
    peer.protocol.check_timeouts()


@pytest.mark.parametrize(("key", "value", "opcode"), [("text", "", TEXT), ("bytes", b"", BINARY)])
def test_empty_message_is_a_message(key: str, value: Any, opcode: int) -> None:
    peer = plain_peer()
    peer.protocol.handle_reply({"type": "websocket.send", key: value})
    assert peer.frames() == [Frame(opcode, b"", True, False)]


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 4000])
def test_close_of_other_consumers_has_its_code_and_reason(code: int) -> None:
    peer = plain_peer()
    peer.protocol.handle_reply({"type": "websocket.close", "code": code, "reason": "why"})
    assert [(each.code, each.payload[2:]) for each in peer.frames()] == [(code, b"why")]
    peer.lose()


def test_rejection_without_a_status_is_403() -> None:
    peer = Peer()
    peer.ask()
    peer.protocol.handle_reply({"type": "websocket.close"})
    assert peer.sent().startswith(b"HTTP/1.1 403 ")
