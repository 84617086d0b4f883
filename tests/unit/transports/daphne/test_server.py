"""The server: what it passes to Daphne, and what it tells of Twisted."""

import logging
from typing import Any

import pytest
from daphne.ws_protocol import WebSocketFactory
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger
from twisted.python.failure import Failure

from wamp_transport.config.websocket import WebSocketOptions
from wamp_transport.transports.daphne.protocol import WampWebSocketProtocol
from wamp_transport.transports.daphne.server import WampServer, report_bugs
from wamp_transport.transports.upgrade import ordinary_upgrade

from .peers import REQUEST, service_with


def test_exception_in_a_callback_of_twisted_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    log = Logger(observer=report_bugs)
    log.info("nothing")
    log.critical("no exception")
    with caplog.at_level(logging.ERROR):
        for error in (ZeroDivisionError("ours"), ReactorNotRunning("stopping already")):
            log.failure("while testing", Failure(error))
    (record,) = caplog.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)


async def _nothing(*_: Any) -> None: ...


def test_server_passes_its_options_to_daphne() -> None:
    server = WampServer(None, lambda key, path: None, _nothing, _nothing, root_path="/x")
    assert (server.root_path, server.server_name, server.endpoints) == ("/x", "", [])


def test_usual_handshake_is_for_services_that_need_no_more_parsed() -> None:
    found = {
        b"/ws": service_with(WebSocketOptions(max_message_size=7)),
        b"/old": service_with(WebSocketOptions(enable_rfc6455=False)),
        b"/deflate": service_with(WebSocketOptions.model_validate({"compression": {"deflate": {}}})),
        b"/debug": service_with(WebSocketOptions(), debug=True),
    }
    server = WampServer(None, lambda key, path: found.get(path) if key == "tcp:1" else None, _nothing, _nothing)
    server.ws_factory, server.connections = WebSocketFactory(server, server=""), {}

    def protocol(path: bytes, header: bytes = b"", key: str = "tcp:1") -> WampWebSocketProtocol | None:
        request = ordinary_upgrade((REQUEST % header).replace(b"/ws", path))
        assert request is not None
        return server.websocket_for(key, request)

    served = protocol(b"/ws")
    assert served is not None
    assert (served.maxMessagePayloadSize, served.factory) == (7, server.ws_factory)
    assert type(protocol(b"/ws")) is type(served)
    assert protocol(b"/other") is None
    assert protocol(b"/ws", key="tcp:2") is None
    assert protocol(b"/old") is None
    assert protocol(b"/debug") is None
    assert protocol(b"/deflate") is not None
    assert protocol(b"/deflate", b"Sec-WebSocket-Extensions: permessage-deflate\r\n") is None
    found[b"/ws"] = service_with(WebSocketOptions(max_message_size=8))
    server.refresh()
    changed = protocol(b"/ws")
    assert changed is not None
    assert changed.maxMessagePayloadSize == 8
