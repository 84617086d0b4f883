"""A handshake has one outcome, whether it comes in one piece, which is read in one go, or in two, which is parsed."""

import asyncio
from typing import Any

import pytest
from daphne.ws_protocol import WebSocketFactory
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection

from wamp_transport.config.configuration import PathService
from wamp_transport.config.endpoint import TcpEndpoint
from wamp_transport.config.transport import WebOptions
from wamp_transport.config.websocket import WebSocketOptions, WebSocketService
from wamp_transport.transports.connection_limits import ConnectionLimiter
from wamp_transport.transports.consumer import acceptance, refuse
from wamp_transport.transports.daphne.requests import TransportFactory
from wamp_transport.transports.daphne.server import WampServer
from wamp_transport.transports.listener import Listener
from wamp_transport.transports.negotiation import HandshakeTerms, Refusal, negotiate
from wamp_transport.transports.origins import OriginPolicy

from ..effort import examples

SMALL_HEAD = 1024
PEER, HOST = IPv4Address("TCP", "10.0.0.1", 4000), IPv4Address("TCP", "10.0.0.2", 8080)

paths = st.sampled_from(
    [
        "/ws",
        "/",
        "/%77s",
        "/ws;x",
        "//other/ws",
        "/ws/%00",
        "/ws#x",
        "/%zz",
        "ws",
        "http://here/ws",
        "*",
        "/a:b@c",
        "/[x",
    ]
)
queries = st.sampled_from(["", "?", "?a=b%20c", "?a;b", "?redirect=http://evil", "?%ff", "?a=b?c", "?a#b"])
names = st.sampled_from(["X-A", "x-b", "X_C", "Cookie", "Authorization", "X!", "Content-Length", "Connection", "Host"])
texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
values = st.sampled_from(["", "a", " a ", "a,b", "a\tb", "=", '"', "x" * 600, "0", "%41", "\x7f", "\xe9"]) | texts

USUAL = {
    "Host": "here:8080",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "wamp.2.json",
}
VARIANTS = {
    "Host": ["here", "[::1]:80", "here:x", "a_b", "here:99999", "here:", "user@here", "h\xe9", "", "here:0", "[::1"],
    "Upgrade": ["WebSocket", "websocket, h2c", "h2c", "", "web socket"],
    "Connection": ["keep-alive, Upgrade", "upgrade", "close", "Upgrade, close", "", "Upgrade,"],
    "Sec-WebSocket-Version": ["8", "13 ", "013", "13,8", "0", "x", "", "+13"],
    "Sec-WebSocket-Key": ["dGhlIHNhbXBsZSBub25jZR==", "short", "=" * 24, "dGhlIHNhbXBsZSBub25jZQAA"],
    "Sec-WebSocket-Protocol": [
        "wamp.2.json, wamp.2.msgpack", "chat", "chat,wamp.2.json", "wamp.2.json,wamp.2.json", ",", "wamp.2.json,",
        "wamp.2%2ejson", "chat%2Cwamp.2.json", "WAMP.2.json", '"wamp.2.json"', "",
    ],
    "Origin": [
        "http://here:8080", "http://here", "null", "NULL", "file:///x", "https://other", "foo", "HTTP://here:8080",
        "http://here:70000", "http://here:0", "http://a b", "x-app://here", "http://", "http://here/", "http://u@here",
        "http://[::1]:8080", "http://here:8080, http://here:8080", "",
    ],
    "Sec-WebSocket-Origin": ["https://other", "http://here:8080"],
    "Sec-WebSocket-Extensions": ["permessage-deflate", "x; y=1", "permessage-deflate; bad", ";;", "=", ""],
    "X-Forwarded-For": ["1.2.3.4"],
    "Forwarded": ["for=1.2.3.4;host=there"],
    "Daphne-Root-Path": ["/x"],
}  # fmt: skip

options = st.builds(
    WebSocketOptions,
    allowed_origins=st.sampled_from([("*",), ("http://here:8080",), ("same-origin",), ()]),
    allow_null_origin=st.booleans(),
    allow_missing_origin=st.booleans(),
    external_port=st.sampled_from([None, 8080]),
    enable_hybi10=st.booleans(),
    show_server_version=st.booleans(),
    require_websocket_subprotocol=st.booleans(),
    compression=st.sampled_from([None, {"deflate": {}}]).map(
        lambda value: WebSocketOptions.model_validate({"compression": value}).compression
    ),
)
web_options = st.sampled_from([WebOptions(), WebOptions(max_request_head=SMALL_HEAD)])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request that is a usual one but for some of its parts."""
    fields = dict(USUAL)
    for name in draw(st.lists(st.sampled_from(list(VARIANTS)), max_size=3, unique=True)):
        choice = draw(st.none() | st.sampled_from(VARIANTS[name]))
        if choice is None:
            fields.pop(name, None)
        else:
            fields[name] = choice
    lines = list(fields.items()) + draw(st.lists(st.tuples(names, values), max_size=3))
    lines += [(f"x-{number}", "") for number in range(draw(st.sampled_from([0, 0, 0, 250])))]
    head = f"GET {draw(paths)}{draw(queries)} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines)
    return head.encode("latin-1") + b"\r\n"


class Socket(StringTransportWithDisconnection):  # type: ignore[misc]
    """A transport that, like a socket, does not mind when there is no producer to unregister."""

    def unregisterProducer(self) -> None:
        self.producer = None

    def abortConnection(self) -> None:
        self.loseConnection()


class Attempt:
    """One connection on which a request is sent, in the pieces given; the scope and the answer that come of it."""

    def __init__(self, websocket: WebSocketOptions, web: WebOptions) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.terms = HandshakeTerms(
            ("json", "msgpack"),
            OriginPolicy(
                websocket.allowed_origins,
                allow_null=websocket.allow_null_origin,
                allow_missing=websocket.allow_missing_origin,
            ),
            websocket.external_port,
            websocket.require_websocket_subprotocol,
        )
        section = WebSocketService(type="websocket", options=websocket)
        self.service = PathService("web/ws", (), "websocket", section)
        self.server = WampServer(self.application, lambda key, path, root: self.service, self.nothing, self.nothing)
        self.server.connections = {}
        self.server.ws_factory = WebSocketFactory(self.server, server="")
        self.server.ws_factory.protocol = self.server.websocket_protocol
        self.listener = Listener(TcpEndpoint.model_construct(type="tcp", port=8080), options=web)

    async def nothing(self, *_: Any) -> None:
        """The server is never started."""

    async def application(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """What the consumer does until the handshake is answered."""
        self.scopes.append(scope)
        outcome = negotiate(scope, self.terms) if scope["type"] == "websocket" else Refusal(404, "no WebSocket")
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        elif isinstance(outcome, Refusal):
            await refuse(scope, send, outcome)
        else:
            await send(acceptance(outcome, scope))

    async def send(self, *pieces: bytes) -> tuple[Any, ...]:
        """Everything that client and application can tell of the handshake."""
        self.server.loop = asyncio.get_running_loop()
        self.server.ws_factory._batched_timer = self.server.loop
        factory = TransportFactory(self.server, "tcp:8080", self.listener, ConnectionLimiter(10))
        factory.reactor = Clock()
        transport: Any = Socket(hostAddress=HOST, peerAddress=PEER)
        transport.protocol = factory.buildProtocol(PEER)
        transport.protocol.makeConnection(transport)
        for piece in pieces:
            if transport.connected:
                transport.protocol.dataReceived(piece)
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks)
        return answer_of(transport.value()), transport.connected, [told(scope) for scope in self.scopes]


def answer_of(data: bytes) -> tuple[Any, ...]:
    """Status, headers (but the time) in any order, body."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = sorted((line.partition(b":")[0].lower(), line.partition(b":")[2].strip()) for line in lines)
    return first, [header for header in headers if header[0] != b"date"], body


def told(scope: dict[str, Any]) -> dict[str, Any]:
    """A scope without what belongs to the connection."""
    return {**scope, "headers": sorted(scope["headers"]), "extensions": sorted(scope.get("extensions", ()))}


def outcome(request: bytes, websocket: WebSocketOptions, web: WebOptions, *, cut: int) -> tuple[Any, ...]:
    """What comes of a request that is sent in two pieces, or in one for 0."""
    pieces = [request[:cut], request[cut:]] if cut else [request]
    return asyncio.run(Attempt(websocket, web).send(*pieces))


def usual(path: str = "/ws", *others: str) -> bytes:
    """A usual request with further header lines."""
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {text}" for name, text in USUAL.items()), *others]
    return "\r\n".join([*lines, "", ""]).encode()


PLAIN, SMALL = WebSocketOptions(), WebOptions(max_request_head=SMALL_HEAD)


@pytest.mark.long
@settings(max_examples=examples(30), deadline=None)
@example(usual("/ws;x"), PLAIN, WebOptions(), 1)
@example(usual("//other/ws"), PLAIN, WebOptions(), 1)
@example(usual().replace(b"Upgrade: websocket", b"Upgrade: WebSocket"), PLAIN, WebOptions(), 1)
@example(usual("/ws", *(f"x-{number}:" for number in range(250))), PLAIN, WebOptions(), 1)
@example(usual("/ws", "x: " + "y" * SMALL_HEAD), PLAIN, SMALL, 1)
@given(request=requests(), websocket=options, web=web_options, cut=st.integers(1, 40))
def test_handshake_read_in_one_go_and_parsed_have_one_outcome(
    request: bytes, websocket: WebSocketOptions, web: WebOptions, cut: int
) -> None:
    assert outcome(request, websocket, web, cut=0) == outcome(request, websocket, web, cut=cut)
