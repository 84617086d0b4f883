"""The server: what it passes to Daphne, and what it tells of Twisted."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from autobahn.websocket.protocol import WebSocketProtocol
from daphne.ws_protocol import WebSocketFactory
from twisted.internet import reactor
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger
from twisted.python.failure import Failure

from wamp_transport.config.websocket import WebSocketOptions
from wamp_transport.transports.daphne.protocol import WampWebSocketProtocol
from wamp_transport.transports.daphne.server import CHECK_SECONDS, CHECKS_PER_TURN, WampServer, report_bugs
from wamp_transport.transports.fast_handshake import parse_simple_upgrade

from .peers import REQUEST, service_with


@pytest.mark.expects_errors("Unhandled error")
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
    server = WampServer(None, lambda key, path, root_path: None, _nothing, _nothing, root_path="/x")
    assert (server.root_path, server.server_name, server.endpoints) == ("/x", "", [])


def test_servers_that_follow_each_other_add_nothing_to_the_loop() -> None:
    def made() -> Any:
        WampServer(None, lambda key, path, root_path: None, _nothing, _nothing)
        return reactor._asyncioEventloop._selector.select  # type: ignore[attr-defined]

    assert made() is made()


def test_usual_handshake_is_for_services_that_need_no_more_parsed() -> None:
    found = {
        b"/ws": service_with(WebSocketOptions(max_message_size=7)),
        b"/old": service_with(WebSocketOptions(enable_rfc6455=False)),
        b"/deflate": service_with(WebSocketOptions.model_validate({"compression": {"deflate": {}}})),
        b"/debug": service_with(WebSocketOptions(), debug=True),
    }
    server = WampServer(
        None, lambda key, path, root_path: found.get(path) if key == "tcp:1" else None, _nothing, _nothing
    )
    server.ws_factory, server.connections = WebSocketFactory(server, server=""), {}

    def protocol(path: bytes, header: bytes = b"", key: str = "tcp:1") -> WampWebSocketProtocol | None:
        request = parse_simple_upgrade((REQUEST % header).replace(b"/ws", path))
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


def test_usual_handshake_begins_with_all_that_autobahn_sets() -> None:
    service = service_with(WebSocketOptions(open_handshake_timeout=0))
    server = WampServer(None, lambda key, path, root_path: service, _nothing, _nothing)
    server.ws_factory, server.connections = WebSocketFactory(server, server=""), {}
    request = parse_simple_upgrade(REQUEST % b"")
    assert request is not None
    one, other = server.websocket_for("", request), server.websocket_for("", request)
    assert one is not None and other is not None  # noqa: PT018 - types
    thorough = type(one)()
    names = set(vars(thorough))
    WebSocketProtocol._connectionMade(thorough)
    names = set(vars(thorough)) - names
    assert {"state", "data", "autoPingPending", "utf8validator", "send_queue", "trafficStats"} < names
    for name in sorted(names):
        value, expected = getattr(one, name), getattr(thorough, name)
        assert type(value) is type(expected), name
        if isinstance(value, int | float | bytes | None):
            assert value == expected, name
        else:
            assert value is getattr(one, name) is not getattr(other, name), name


class Asked:
    """A connection with an application; ``failures`` are those of the application that it was told."""

    def __init__(self, bug: Exception | None = None) -> None:
        self.failures: list[BaseException] = []
        self.bug = bug
        self.looks = 0

    def identify(self, scope: dict[str, Any]) -> None: ...

    def handle_exception(self, failure: BaseException) -> None:
        self.failures.append(failure)
        if self.bug is not None:
            raise self.bug

    def check_timeouts(self) -> None:
        self.looks += 1


class Application:
    """One that ends when it is told to."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def server(application: Application) -> Iterator[WampServer]:
    made = WampServer(
        application, lambda key, path, root_path: None, _nothing, _nothing, application_close_timeout=0.01
    )
    made.loop = asyncio.new_event_loop()
    made.connections = {}
    with asyncio.Runner(loop_factory=lambda: made.loop):
        yield made


def _begun(server: WampServer, asked: Asked) -> None:
    server.protocol_connected(asked)
    server.create_application(asked, {"type": "http"})


@pytest.mark.parametrize("is_gone_first", [False, True])
def test_connection_is_forgotten_when_it_and_its_application_have_ended(
    server: WampServer, application: Application, is_gone_first: bool
) -> None:
    async def live() -> None:
        asked = Asked()
        _begun(server, asked)
        steps = [lambda: server.protocol_disconnected(asked), application.may_end.set]
        for step in steps if is_gone_first else reversed(steps):
            await _settle()
            assert asked in server.connections
            step()
        await _settle()
        assert server.connections == {}
        server.protocol_disconnected(asked)  # may be told twice
        assert asked.failures == []

    server.loop.run_until_complete(live())


@pytest.mark.expects_errors("application")
@pytest.mark.parametrize("bug", [None, KeyError("answering")])
def test_failure_of_an_application_is_logged_and_told_to_its_connection(
    server: WampServer, application: Application, caplog: pytest.LogCaptureFixture, bug: Exception | None
) -> None:
    async def live() -> None:
        asked = Asked(bug)
        application.failure = LookupError("mine")
        _begun(server, asked)
        application.may_end.set()
        await _settle()
        assert asked.failures == [application.failure]
        assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [application.failure] + (
            [] if bug is None else [bug]
        )

    server.loop.run_until_complete(live())


def test_application_that_outlives_its_connection_is_canceled(
    server: WampServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def live() -> None:
        asked = Asked()
        _begun(server, asked)
        await _settle()
        task = server.connections[asked]["application_instance"]
        server.protocol_disconnected(asked)
        await asyncio.wait({task}, timeout=10)
        assert task.cancelled()
        await _settle()
        assert server.connections == {}
        assert "did not end in time" in caplog.text

    server.loop.run_until_complete(live())


def test_others_have_their_turn_while_timeouts_of_many_are_looked_at(
    server: WampServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[tuple[float, Any]] = []
    monkeypatch.setattr(reactor, "callLater", lambda seconds, function: again.append((seconds, function)))

    async def live() -> None:
        everyone = [Asked() for _ in range(2 * CHECKS_PER_TURN + 1)]
        for asked in everyone:
            server.protocol_connected(asked)
        server.timeout_checker()
        assert sum(asked.looks for asked in everyone) == CHECKS_PER_TURN
        gone = next(asked for asked in everyone if not asked.looks)
        server.protocol_disconnected(gone)
        await _settle()
        assert [asked for asked in everyone if asked.looks != 1] == [gone]
        assert again == [(CHECK_SECONDS, server.timeout_checker)]

    server.loop.run_until_complete(live())


@pytest.mark.expects_errors("Cannot check the timeouts of a connection")
def test_connections_are_looked_at_whatever_one_of_them_does(
    server: WampServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    again: list[Any] = []
    monkeypatch.setattr(reactor, "callLater", lambda seconds, function: again.append(function))

    async def live() -> None:
        bad, waiting, good = Asked(), Asked(), Asked()
        monkeypatch.setattr(bad, "check_timeouts", lambda: 1 / 0)
        for asked in (bad, waiting, good):
            server.protocol_connected(asked)
        server.create_application(waiting, {})
        server.protocol_disconnected(waiting)  # its application has not ended yet
        server.timeout_checker()
        assert (waiting.looks, good.looks) == (0, 1)

    with caplog.at_level(logging.ERROR):
        server.loop.run_until_complete(live())
    assert again == [server.timeout_checker]
    assert len(caplog.records) == 1
