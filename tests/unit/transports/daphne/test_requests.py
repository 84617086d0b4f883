"""HTTP requests of a transport: the server waits for clients that read slowly."""

from types import SimpleNamespace
from typing import Any

import pytest

from wamp_transport.transports.daphne.requests import TransportFactory, TransportRequest, transport_key


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
    request = TransportRequest(Channel(TransportFactory(server, "tcp:1")), False)
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
    assert transport_key(SimpleNamespace(wamp_transport_key="tcp:1")) == "tcp:1"
