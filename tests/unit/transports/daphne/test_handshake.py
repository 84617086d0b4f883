"""The opening handshake under Daphne: what is asked, what is answered, what is left behind."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration.wire import BINARY, TEXT, Frame, frame
from wamp_transport.config.endpoint import TcpEndpoint
from wamp_transport.config.transport import WebOptions
from wamp_transport.config.websocket import WebSocketOptions
from wamp_transport.transports.connection_limits import ConnectionLimiter
from wamp_transport.transports.daphne.options import MAX_WHOLE_FRAME_BYTES
from wamp_transport.transports.daphne.requests import TransportFactory
from wamp_transport.transports.listener import Listener

from .peers import REQUEST, Peer, Recorder


def test_options_are_found_by_the_path_as_it_was_sent() -> None:
    peer = Peer()
    peer.transport.wamp_transport_factory = SimpleNamespace(key="tcp:1")
    peer.ask((REQUEST % b"").replace(b"/ws", b"/%77s;a=b?c=d"))
    assert peer.server.asked == [("tcp:1", b"/%77s;a=b")]
    assert peer.protocol.target == b"/%77s;a=b"


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


# --- usual requests, parsed by nobody ---------------------------------------------------------------------------------

ACCEPT = {"type": "websocket.accept", "subprotocol": "wamp.2.json"}
WAYS = {
    "parsed": lambda options=None, request=REQUEST % b"": asked(options, request),
    "usual": Peer.usual,
}


def asked(options: WebSocketOptions | None, request: bytes) -> Peer:
    peer = Peer(options)
    peer.factory._batched_timer = peer.server.loop
    peer.protocol._raw_query_string = request.split(b" ")[1].partition(b"?")[2]  # Daphne's HTTP server sets it
    peer.ask(request)
    return peer


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> Any:
    return WAYS[request.param]


def test_scope_says_the_same_either_way() -> None:
    request = (REQUEST % b"X: y\r\nOrigin: http://here\r\n").replace(b"/ws", b"/%77s?a=b%20c")
    scopes = []
    for way in WAYS.values():
        peer = way(request=request)
        (scope,) = peer.server.scopes
        scopes.append({**scope, "headers": sorted(scope["headers"]), "target": peer.protocol.target})
        for name in ("subprotocols", "path", "raw_path"):  # WampServer sets those
            scopes[-1].pop(name, None)
    assert scopes[0] == scopes[1]


@pytest.mark.parametrize("shows", [True, False])
def test_accepted_connection_is_open_and_serves_what_came_with_the_request(way: Any, shows: bool) -> None:
    peer = way(WebSocketOptions(show_server_version=shows), REQUEST % b"" + frame(TEXT, b"hello"))
    peer.connection = Recorder(peer.protocol)
    peer.protocol.direct.attach(peer.connection, is_binary=False)
    assert peer.connection.messages == []
    peer.protocol.handle_reply(ACCEPT)
    answer = peer.sent()
    assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"\r\nSec-WebSocket-Protocol: wamp.2.json\r\n" in answer
    assert b"\r\nSec-WebSocket-Accept: +I6SyLIaWoDVyDga6eYd6AAeTAo=\r\n" in answer
    assert (b"Server: wampnode/" in answer) is shows
    assert peer.connection.messages == [b"hello"]
    peer.send(frame(TEXT, b"more"))
    assert peer.connection.messages == [b"hello", b"more"]
    peer.lose()
    assert peer.connection.losses == 1
    assert peer.server.connections == set()


def test_refusal_and_rejection_and_failure_are_whole_answers(way: Any) -> None:
    replies = {
        401: lambda protocol: [
            protocol.handle_reply({"type": "websocket.http.response.start", "status": 401, "headers": []}),
            protocol.handle_reply({"type": "websocket.http.response.body", "body": b"no"}),
        ],
        403: lambda protocol: protocol.handle_reply({"type": "websocket.close"}),
        500: lambda protocol: protocol.handle_exception(ValueError("secret")),
    }
    for status, reply in replies.items():
        peer = way()
        reply(peer.protocol)
        answer = peer.sent()
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b"Content-Length: " in answer
        assert b"secret" not in answer
        assert peer.is_dropped
        peer.lose()
        assert peer.server.connections == set()


@pytest.mark.parametrize(("logs", "status"), [(True, 101), (True, 403), (False, 101)])
def test_handshake_is_in_the_access_log_where_that_is_wanted(
    way: Any, logs: bool, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Listener(TcpEndpoint.model_construct(type="tcp", port=1), options=WebOptions(access_log=logs))
    peer = way(request=(REQUEST % b"").replace(b"/ws", b"/ws?secret"))
    factory = TransportFactory(peer.server, "tcp:1", listener, ConnectionLimiter(1))
    peer.transport.wamp_transport_factory = factory
    with caplog.at_level(logging.INFO, "wamp_transport.access"):
        peer.protocol.handle_reply(ACCEPT if status == 101 else {"type": "websocket.close"})
    lines = [record.getMessage().split('"') for record in caplog.records if record.name == "wamp_transport.access"]
    assert [(client, asked) for client, asked, _ in lines] == [("192.168.1.1 ", "GET /ws")] * logs
    assert all(rest.startswith(f" {status} ") for _, _, rest in lines)


def test_options_reach_a_usual_connection() -> None:
    options = WebSocketOptions(max_message_size=1000, auto_ping_interval=5000, open_handshake_timeout=2000)
    peer = Peer.usual(options)
    assert [seconds for seconds, _ in peer.server.loop.timers] == [2.0]
    peer.open()
    assert [seconds for seconds, _ in peer.server.loop.timers] == [5.0]
    peer.send(frame(TEXT, b"x" * 1001))
    (closed,) = peer.frames()
    assert closed.payload[:2] == (1009).to_bytes(2, "big")


def test_usual_handshake_that_takes_too_long_is_dropped() -> None:
    peer = Peer.usual(WebSocketOptions(open_handshake_timeout=2000))
    ((_, give_up),) = peer.server.loop.timers
    give_up()
    assert peer.transport.disconnected or peer.transport.aborting
