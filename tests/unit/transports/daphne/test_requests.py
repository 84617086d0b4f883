"""HTTP requests of a transport: the server waits for clients that read slowly."""

import logging
from dataclasses import replace
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.web.http_headers import Headers

from wamp_transport.config.endpoint import TcpEndpoint
from wamp_transport.config.transport import WebOptions
from wamp_transport.transports.connection_limits import ConnectionLimiter
from wamp_transport.transports.daphne.protocol_detection import ProtocolDetector
from wamp_transport.transports.daphne.requests import (
    TransportFactory,
    TransportRequest,
    tokens,
    transport_key,
    upgrade_fault,
)
from wamp_transport.transports.daphne.sockets import CountedConnection
from wamp_transport.transports.listener import Listener

LISTENER = Listener(TcpEndpoint(type="tcp", port=1), trusted_proxies=("10.0.0.1",))


class Channel:
    """What a request needs of Twisted's channel; it is not ours."""

    def __init__(self, factory: Any) -> None:
        self.factory = factory
        self.producers: list[Any] = []
        self.written: list[bytes] = []
        self.transport = SimpleNamespace(getPeer=lambda: None, getHost=lambda: None)
        self._networkProducer = SimpleNamespace(pauseProducing=lambda: None, resumeProducing=lambda: None)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producers.append(producer)

    def unregisterProducer(self) -> None:
        self.producers.pop()

    def getPeer(self) -> None:
        return None

    def getHost(self) -> None:
        return None

    def writeHeaders(self, *args: Any) -> None:
        self.written.append(b"")

    def writeSequence(self, parts: Any) -> None:
        self.written.extend(parts)

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def requestDone(self, request: Any) -> None:
        pass


@pytest.fixture
def request_() -> TransportRequest:
    server = SimpleNamespace(
        protocol_connected=lambda protocol: None,
        protocol_disconnected=lambda protocol: None,
        server_name="",
        log_action=lambda *arguments: None,
    )
    request = TransportRequest(Channel(TransportFactory(server, "tcp:1", LISTENER, ConnectionLimiter(1))), False)
    request.method, request.uri, request.path, request.clientproto = b"GET", b"/", b"/", b"HTTP/1.1"
    return request


START = {"type": "http.response.start", "status": 200, "headers": []}


def test_answer_in_one_piece_is_not_watched(request_: TransportRequest) -> None:
    request_.handle_reply(START)
    request_.handle_reply({"type": "http.response.body", "body": b"x"})
    assert request_.writable.is_set()
    assert request_.finished


def test_answer_in_pieces_is_watched_until_it_is_complete(request_: TransportRequest) -> None:
    request_.handle_reply(START)
    request_.handle_reply({"type": "http.response.body", "body": b"x", "more_body": True})
    assert request_.channel.producers == [request_]
    channel = request_.channel
    request_.handle_reply({"type": "http.response.body", "body": b"y"})
    assert channel.producers == []


def test_slow_client_is_waited_for_until_it_catches_up(request_: TransportRequest) -> None:
    request_.pauseProducing()
    assert not request_.writable.is_set()
    request_.resumeProducing()
    assert request_.writable.is_set()


def test_lost_client_is_waited_for_no_more(request_: TransportRequest) -> None:
    request_.pauseProducing()
    request_.path = b""
    request_.connectionLost(None)
    assert request_.writable.is_set()


def test_socket_that_nobody_marked_has_no_transport_key() -> None:
    assert transport_key(object()) == ""
    factory = SimpleNamespace(key="tcp:1")
    assert transport_key(SimpleNamespace(wamp_transport_factory=factory)) == "tcp:1"


# --- who asks, and what is added -------------------------------------------------------------------------------------


def identified(request: TransportRequest, **changes: Any) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", b"1.2.3.4"), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "scheme": "http", "client": ["10.0.0.1", 5], "headers": headers, "root_path": "/told"}
    scope |= changes
    request.server.root_path = "/own"
    request.identify(scope)
    return scope


def test_trusted_proxy_tells_who_asks(request_: TransportRequest) -> None:
    scope = identified(request_)
    assert (scope["client"], scope["scheme"], scope["root_path"]) == (["1.2.3.4", 0], "https", "/told")
    assert scope["wamp_transport"] == "tcp:1"


def test_anyone_else_tells_nothing(request_: TransportRequest) -> None:
    scope = identified(request_, client=["6.6.6.6", 5])
    assert (scope["client"], scope["scheme"], scope["root_path"]) == (["6.6.6.6", 5], "http", "/own")


@pytest.mark.parametrize(
    ("hsts", "scheme", "given", "expected"),
    [
        (True, "https", [], [b"max-age=7"]),
        (True, "http", [], []),
        (False, "https", [], []),
        (True, "https", [(b"Strict-Transport-Security", b"max-age=9")], [b"max-age=9"]),
    ],
)
def test_browsers_are_told_to_come_back_by_tls(
    request_: TransportRequest, hsts: bool, scheme: str, given: list[Any], expected: list[bytes]
) -> None:
    request_.channel.factory.configure(replace(LISTENER, options=WebOptions(hsts=hsts, hsts_max_age=7)))
    identified(request_, scheme=scheme, client=["6.6.6.6", 5])
    request_.handle_reply({**START, "headers": given})
    found = request_.responseHeaders.getRawHeaders(b"strict-transport-security", [])
    assert found == expected


def test_access_is_logged_without_the_query_where_that_is_wanted(
    request_: TransportRequest, caplog: pytest.LogCaptureFixture
) -> None:
    request_.channel.factory.configure(replace(LISTENER, options=WebOptions(access_log=True)))
    request_.uri = b"/a\x1bb?secret=1"
    identified(request_)
    request_.handle_reply(START)
    with caplog.at_level(logging.INFO, "wamp_transport.access"):
        request_.handle_reply({"type": "http.response.body", "body": b"xyz"})
    (record,) = caplog.records
    assert record.getMessage().startswith('1.2.3.4 "GET /a\\x1bb" 200 3 ')


@pytest.mark.parametrize(("status", "name"), [(426, b"Upgrade Required"), (404, b"Not Found"), (799, b"")])
def test_status_has_its_name(request_: TransportRequest, status: int, name: bytes) -> None:
    request_.setResponseCode(status)
    assert (request_.code, request_.code_message) == (status, name)


def test_connection_too_many_is_not_taken() -> None:
    factory = TransportFactory(SimpleNamespace(), "tcp:1", replace(LISTENER, max_connections=1), ConnectionLimiter(9))
    address = SimpleNamespace(host="10.0.0.1")
    assert isinstance(factory.buildProtocol(address), ProtocolDetector)
    factory.limiter.acquire("10.0.0.1")
    assert factory.buildProtocol(address) is None


class Socket(CountedConnection):
    """An accepted socket as far as it is counted."""

    def __init__(self, limiter: ConnectionLimiter, address: str | None) -> None:
        self.limiter, self.address, self.proxied_client = limiter, address, None


def asking(connection: Socket, *values: bytes) -> Any:
    """A channel with a request that has these X-Forwarded-For headers."""
    headers = Headers({b"X-Forwarded-For": list(values)})
    return SimpleNamespace(transport=connection, requests=[SimpleNamespace(requestHeaders=headers)])


def test_client_that_a_trusted_proxy_tells_is_counted() -> None:
    listener = replace(LISTENER, max_connections_per_address=1)
    factory = TransportFactory(SimpleNamespace(), "tcp:1", listener, ConnectionLimiter(9))
    proxy = asking(Socket(factory.limiter, "10.0.0.1"), b"9.9.9.9", b"203.0.113.9")
    assert factory.client_refusal(proxy) == ""
    assert factory.limiter.by_address == {"203.0.113.9": 1}
    again = asking(Socket(factory.limiter, "10.0.0.1"), b"1.1.1.1, 203.0.113.9")
    assert "203.0.113.9" in factory.client_refusal(again)


@pytest.mark.parametrize(("address", "values"), [("6.6.6.6", [b"203.0.113.9"]), ("10.0.0.1", []), (None, [b"1.1.1.1"])])
def test_nobody_is_counted_for_what_is_not_trusted_or_not_told(address: str | None, values: list[bytes]) -> None:
    factory = TransportFactory(
        SimpleNamespace(), "tcp:1", replace(LISTENER, max_connections_per_address=1), ConnectionLimiter(9)
    )
    assert factory.client_refusal(asking(Socket(factory.limiter, address), *values)) == ""
    assert factory.limiter.by_address == {}


def test_body_over_the_limit_is_refused_by_its_size(request_: TransportRequest) -> None:
    refused: list[int] = []
    request_.channel.exceeds = lambda size: size > 3
    request_.channel.refuse_body = lambda: refused.append(1)
    request_.gotLength(None)
    request_.handleContentChunk(b"abc")
    assert refused == []
    request_.handleContentChunk(b"d")
    assert refused == [1]
    request_.content.seek(0)
    assert request_.content.read() == b"abc"
    request_.content.close()


@pytest.mark.parametrize(
    ("protocol", "version", "body", "status"),
    [
        (b"HTTP/1.1", [b"13"], b"", 0),
        (b"HTTP/1.1", [b" 8 "], b"", 0),
        (b"HTTP/1.1", [], b"", 0),  # Autobahn tells of these
        (b"HTTP/1.1", [b"13", b"13"], b"", 0),
        (b"HTTP/1.0", [b"13"], b"", 505),
        (b"HTTP/1.1", [b"+13"], b"", 400),
        (b"HTTP/1.1", [b"013"], b"", 400),
        (b"HTTP/1.1", [b"13, 8"], b"", 400),
        (b"HTTP/1.1", [b"9" * 5000], b"", 400),
        (b"HTTP/1.1", [b"13"], b"x", 400),
    ],
)
def test_request_for_a_websocket_is_one(protocol: bytes, version: list[bytes], body: bytes, status: int) -> None:
    headers = Headers({b"Sec-WebSocket-Version": version})
    assert upgrade_fault(protocol, headers, BytesIO(body))[0] == status


def test_tokens_of_all_lines_are_one_list() -> None:
    assert tokens([b"h2c, WebSocket", b" x "]) == [b"h2c", b"websocket", b"x"]
