"""The protocol of a connection is chosen by its first bytes."""

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

from wamp_transport.config.endpoint import TcpEndpoint
from wamp_transport.config.transport import WebOptions
from wamp_transport.transports.daphne.protocol_detection import ProtocolDetector
from wamp_transport.transports.fast_handshake import UpgradeRequest
from wamp_transport.transports.listener import Listener

from .peers import REQUEST, Loop

TIMEOUT = 20


class Taker:
    """A protocol that notes what it gets."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.data = b""
        self.request: UpgradeRequest | None = None

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def begin(self, transport: Any, request: UpgradeRequest) -> None:
        self.transport, self.request = transport, request


class Factory:
    """What a connection asks of its factory and the server behind it."""

    key = "tcp:1"
    listener = Listener(TcpEndpoint.model_construct(type="tcp", port=1), options=WebOptions(max_request_head=1024))

    def __init__(self, *, has_service: bool = True) -> None:
        self.loop = Loop()
        self.server = self
        self.has_service = has_service
        self.http = Taker()
        self.websocket = Taker()

    def websocket_for(self, key: str, request: UpgradeRequest) -> Taker | None:
        assert key == self.key
        return self.websocket if self.has_service else None

    def build_http(self, address: Any, seconds: float) -> Taker:
        assert address == "address"
        assert 0 < seconds <= TIMEOUT
        return self.http


def detector(factory: Factory, transport: Any = None) -> ProtocolDetector:
    protocol = ProtocolDetector("address", TIMEOUT)  # type: ignore[arg-type]
    protocol.factory = factory
    protocol.makeConnection(StringTransport() if transport is None else transport)
    return protocol


def test_usual_handshake_goes_to_its_service() -> None:
    factory = Factory()
    protocol = detector(factory)
    transport: Any = protocol.transport
    protocol.dataReceived(REQUEST % b"")
    assert transport.protocol is factory.websocket
    assert factory.websocket.transport is transport
    assert factory.websocket.request is not None
    assert factory.websocket.request.path == b"/ws"
    assert transport.wamp_transport_factory is factory
    assert factory.http.transport is None
    assert factory.loop.timers == []


@pytest.mark.parametrize(
    ("data", "has_service"),
    [
        (REQUEST % b"", False),
        (b"G", True),
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (REQUEST % (b"x: %0999d\r\n" % 0), True),
        ((REQUEST % b"")[:-1], True),
    ],
)
def test_all_else_goes_to_the_http_server(data: bytes, has_service: bool) -> None:
    factory = Factory(has_service=has_service)
    protocol = detector(factory)
    transport: Any = protocol.transport
    protocol.dataReceived(data)
    assert transport.protocol is factory.http
    assert factory.http.transport is transport
    assert factory.http.data == data
    assert transport.wamp_transport_factory is factory
    assert factory.loop.timers == []


def test_wrapped_transport_is_handed_on_inside_its_wrapper() -> None:
    factory = Factory()
    protocol = ProtocolDetector("address", TIMEOUT)  # type: ignore[arg-type]
    protocol.factory = factory
    wrapper = ProtocolWrapper(WrappingFactory(SimpleNamespace()), protocol)  # type: ignore[arg-type]
    wrapper.makeConnection(StringTransport())
    protocol.dataReceived(b"GET ")
    assert wrapper.wrappedProtocol is factory.http  # type: ignore[comparison-overlap]


def test_silent_connection_is_dropped_in_the_end() -> None:
    factory = Factory()
    protocol = detector(factory)
    ((seconds, give_up),) = factory.loop.timers
    assert seconds == TIMEOUT
    give_up()
    transport: Any = protocol.transport
    assert transport.disconnected or transport.aborting


def test_lost_connection_leaves_no_timer() -> None:
    factory = Factory()
    protocol = detector(factory)
    protocol.connectionLost()
    assert factory.loop.timers == []


def test_tls_on_a_plain_port_is_closed_at_once() -> None:
    factory = Factory()
    protocol = detector(factory)
    transport: Any = protocol.transport
    protocol.dataReceived(b"\x16\x03\x01\x02\x00")
    assert transport.disconnecting
    assert factory.http.transport is None
    assert factory.loop.timers == []
