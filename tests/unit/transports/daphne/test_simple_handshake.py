"""A usual request, which no parser of Daphne's and Autobahn's sees, leads to the same as with them."""

import logging
from typing import Any

import pytest

from tests.integration.wire import TEXT, frame
from wamp_transport.config.endpoint import TcpEndpoint
from wamp_transport.config.transport import WebOptions
from wamp_transport.config.websocket import WebSocketOptions
from wamp_transport.transports.connection_limits import ConnectionLimiter
from wamp_transport.transports.daphne.requests import TransportFactory
from wamp_transport.transports.listener import Listener

from .peers import REQUEST, Peer, Recorder

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
