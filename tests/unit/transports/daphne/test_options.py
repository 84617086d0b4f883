"""WebSocket options: set before the handshake is answered, and changed on open connections."""

import re
import struct
from pathlib import Path

import pytest

from tests.integration.wire import PING, PONG, TEXT, frame
from wamp_transport.config.websocket import WebSocketOptions
from wamp_transport.transports.daphne.options import APPLIED, APPLIED_ONCE, APPLIED_SECONDS, LONGEST_CLOSE

from .peers import Peer


def test_handshake_has_the_time_that_its_option_gives() -> None:
    none = Peer(WebSocketOptions(open_handshake_timeout=0))
    none.ask()
    assert none.protocol.openHandshakeTimeoutCall is None
    some = Peer(WebSocketOptions(open_handshake_timeout=5000))
    some.ask()
    assert some.protocol.openHandshakeTimeoutCall is not None
    some.lose()


@pytest.mark.parametrize("error", [None, OSError])
def test_socket_is_tuned_where_it_can_be(error: type[OSError] | None) -> None:
    peer = Peer(WebSocketOptions(tcp_nodelay=False))
    given: list[bool] = []

    def set_no_delay(enabled: bool) -> None:
        given.append(enabled)
        if error is not None:
            raise error

    peer.transport.socket = None
    peer.transport.setTcpNoDelay = set_no_delay
    peer.transport.setTcpKeepAlive = given.append
    peer.ask()
    assert given == ([False] if error else [False, True])


@pytest.mark.parametrize(("option", "seconds"), [(0, LONGEST_CLOSE), (2000, 2.0)])
def test_closing_handshake_has_a_limit(option: int, seconds: float) -> None:
    peer = Peer(WebSocketOptions(close_handshake_timeout=option)).open()
    assert peer.protocol.closeHandshakeTimeout == seconds


# --- pings -----------------------------------------------------------------------------------------------------------


def test_any_traffic_counts_as_pong() -> None:
    peer = Peer(WebSocketOptions(auto_ping_interval=5000, auto_ping_timeout=5000, auto_ping_size=20)).open()
    peer.protocol._sendAutoPing()
    (ping,) = peer.frames()
    assert (ping.opcode, len(ping.payload)) == (PING, 20)
    assert peer.protocol.autoPingTimeoutCall is not None
    peer.send(frame(TEXT, b"x"))
    assert peer.protocol.autoPingTimeoutCall is None
    peer.lose()


def test_traffic_does_not_count_as_pong_where_switched_off() -> None:
    options = WebSocketOptions(auto_ping_interval=5000, auto_ping_timeout=5000, auto_ping_restart_on_any_traffic=False)
    peer = Peer(options).open()
    peer.protocol._sendAutoPing()
    (ping,) = peer.frames()
    peer.send(frame(TEXT, b"x"))
    assert peer.protocol.autoPingTimeoutCall is not None
    peer.send(frame(PONG, ping.payload))
    assert peer.protocol.autoPingTimeoutCall is None
    peer.lose()


def test_limits_of_daphne_are_not_for_wamp(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer().open()
    peer.protocol.socket_opened -= 1_000_000
    peer.protocol.last_ping -= 1_000_000
    peer.protocol.check_timeouts()
    assert peer.sent() == b""


# --- changed options -------------------------------------------------------------------------------------------------


def test_changed_limit_reaches_an_open_connection() -> None:
    peer = Peer(WebSocketOptions(max_message_size=0, auto_fragment_size=0)).open()
    peer.protocol.refresh(WebSocketOptions(max_message_size=10, close_handshake_timeout=2000, auto_fragment_size=3))
    assert peer.protocol.closeHandshakeTimeout == 2
    peer.protocol.write(b"\x81\x05whole")
    peer.send(frame(TEXT, b"x" * 10), frame(TEXT, b"x" * 11))
    assert peer.connection.messages == [b"x" * 10]
    assert [each.payload[:2] for each in peer.frames()] == [b"wh", struct.pack("!H", 1009)]


def test_changed_limit_reaches_a_connection_whose_handshake_is_not_answered_yet() -> None:
    peer = Peer(WebSocketOptions(max_message_size=0))
    peer.ask()
    peer.protocol.refresh(WebSocketOptions(max_message_size=10, auto_ping_interval=5000))
    assert (peer.protocol.maxMessagePayloadSize, peer.protocol.largest_short_frame) == (10, 10)
    assert peer.protocol.autoPingPendingCall is None  # pings begin when it is open
    peer.lose()


def test_changed_pings_reach_an_open_connection() -> None:
    peer = Peer().open()
    peer.protocol.refresh(WebSocketOptions(auto_ping_interval=5000))
    first = peer.protocol.autoPingPendingCall
    assert first is not None
    peer.protocol.refresh(WebSocketOptions(auto_ping_interval=6000))
    assert peer.protocol.autoPingPendingCall not in (None, first)
    peer.protocol.refresh(WebSocketOptions(auto_ping_interval=0))
    assert peer.protocol.autoPingPendingCall is None


def test_changed_pings_leave_a_ping_on_its_way_alone() -> None:
    peer = Peer(WebSocketOptions(auto_ping_interval=5000, auto_ping_timeout=5000)).open()
    peer.protocol.autoPingPendingCall.cancel()
    peer.protocol._sendAutoPing()
    peer.protocol.refresh(WebSocketOptions(auto_ping_interval=6000))
    assert peer.protocol.autoPingPendingCall is None
    (ping,) = peer.frames()
    peer.send(frame(PONG, ping.payload))
    assert peer.protocol.autoPingPendingCall is not None
    peer.lose()


def test_page_says_of_every_option_what_its_change_does() -> None:
    page = (Path(__file__).parents[4] / "docs" / "live-changes.md").read_text()
    rows = [row.split("|")[1:3] for row in page.splitlines() if row.startswith("| `")]
    told = {option: effect for names, effect in rows for option in re.findall(r"`(\w+)`", names)}
    assert sorted(told) == sorted(WebSocketOptions.model_fields)
    assert sum(len(re.findall(r"`\w+`", names)) for names, _ in rows) == len(told)
    assert all("never" not in told[option] for option in {*APPLIED, *APPLIED_SECONDS, "close_handshake_timeout"})
    assert all("never" in told[option] for option in APPLIED_ONCE)


@pytest.mark.parametrize("options", [None, WebSocketOptions()])
def test_options_gone_or_unchanged_change_nothing(options: WebSocketOptions | None) -> None:
    peer = Peer(WebSocketOptions()).open()
    before = dict(vars(peer.protocol))
    peer.protocol.refresh(options)
    assert vars(peer.protocol) == before


@pytest.mark.parametrize("is_usual", [True, False])
def test_handshake_that_takes_too_long_is_dropped(is_usual: bool) -> None:
    options = WebSocketOptions(open_handshake_timeout=5000)
    peer = Peer.usual(options) if is_usual else Peer(options)
    if not is_usual:
        peer.factory._batched_timer = peer.server.loop
        peer.ask()
    (drop,) = [function for seconds, function in peer.server.loop.timers if seconds == 5]
    drop()
    assert peer.is_dropped


def test_ping_without_an_answer_drops_in_the_end() -> None:
    peer = Peer.usual(WebSocketOptions(auto_ping_interval=3000, auto_ping_timeout=2000)).open()
    (ping,) = [function for seconds, function in peer.server.loop.timers if seconds == 3]
    ping()
    (drop,) = [function for seconds, function in peer.server.loop.timers if seconds == 2]
    drop()
    assert peer.is_dropped
