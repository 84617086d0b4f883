"""The server's WebSocket protocol: the short path and Autobahn's parser are one to client and router."""

import gc
import struct
import weakref
import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, frame
from wamp_transport.config.websocket import WebSocketOptions
from wamp_transport.transports.daphne.options import CLOSE_TIMEOUT_SECONDS, stop_pings
from wamp_transport.transports.daphne.protocol import max_compressed_size
from wamp_transport.transports.frame_reader import FRAMES_PER_TURN

from ....effort import examples
from .peers import REQUEST, Peer, Recorder

# --- the short path against Autobahn's parser ------------------------------------------------------------------------

ODD_MASK = b"\x00\xff\x80\x7f"


def both(*pieces: bytes, binary: bool = False, **options: Any) -> tuple[Any, ...]:
    """What comes of the same bytes on the short path; by Autobahn alone it must be the same."""
    outcomes = [
        Peer(WebSocketOptions(**options), short=short).open(binary=binary, answer=b"\x81\x02ok").send(*pieces).outcome()
        for short in (True, False)
    ]
    assert outcomes[0] == outcomes[1]
    return outcomes[0]


OK = Frame(TEXT, b"ok", True, False)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 128 * 1024, 128 * 1024 + 1, 1024 * 1024])
def test_whole_message_of_any_size_arrives(size: int, binary: bool) -> None:
    payload = b"x" * size
    data = frame(BINARY if binary else TEXT, payload)
    messages, violations, lost, sent, dropped = both(data, binary=binary)
    assert (messages, violations, lost, sent, dropped) == ([payload], [], False, [OK], False)


@pytest.mark.parametrize("size", [1, 16384, 65536])
def test_message_in_many_reads_arrives(size: int) -> None:
    payload = bytes(range(256)) * (3 if size == 1 else 1200)
    data = frame(BINARY, payload, mask=ODD_MASK)
    messages, *_ = both(*(data[at : at + size] for at in range(0, len(data), size)), binary=True)
    assert messages == [payload]


@pytest.mark.parametrize("size", [700, 1000, 9000, 40_000])
def test_long_text_in_pieces_arrives_with_what_follows(size: int) -> None:
    long = "aé".encode() * 20_000
    data = frame(TEXT, b"first") + frame(TEXT, long, mask=ODD_MASK) + frame(TEXT, b"then") + frame(TEXT, long)
    messages, *_ = both(*(data[at : at + size] for at in range(0, len(data), size)))
    assert messages == [b"first", long, b"then", long]


def test_bad_text_in_a_long_frame_is_refused_before_its_end() -> None:
    bad = frame(TEXT, b"x" * 20_000 + b"\xff" + b"x" * 80_000)
    peer = Peer(WebSocketOptions()).open().send(*(bad[at : at + 1000] for at in range(0, 50_000, 1000)))
    assert peer.frames()[0].code == 1007


def test_long_frame_in_small_pieces_is_looked_at_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    data, peer, looks = frame(TEXT, b"x" * 100_000), Peer(WebSocketOptions()).open(), []
    peer.send(data[:10_000])
    take = peer.protocol.consumeData
    monkeypatch.setattr(peer.protocol, "consumeData", lambda: (looks.append(1), take()))
    peer.send(*(data[at : at + 100] for at in range(10_000, len(data), 100)))
    assert peer.connection.messages == [b"x" * 100_000]
    assert len(looks) <= 5


def test_close_amid_a_long_frame_is_answered_after_it() -> None:
    data = frame(BINARY, b"x" * 100_000)
    peer = Peer(WebSocketOptions()).open(binary=True).send(data[:50_000], data[50_000:60_000])
    peer.protocol.direct.close("wamp.close.normal", "")
    peer.send(data[60_000:])
    assert not peer.is_dropped
    peer.send(frame(8, b"\x03\xe8"))
    assert peer.is_dropped


def test_several_frames_in_one_read_arrive_in_order() -> None:
    messages, _, _, sent, _ = both(frame(TEXT, b"a") + frame(TEXT, b"b") + frame(TEXT, "é".encode()))
    assert messages == [b"a", b"b", "é".encode()]
    assert sent == [OK] * 3


STREAM = b"".join(
    [
        frame(TEXT, b"first"),
        frame(PING, b"one"),
        frame(TEXT, "frag é".encode()[:6], fin=False),
        frame(PING, b""),
        frame(CONTINUATION, "frag é".encode()[6:], fin=False),
        frame(PONG, b"unasked"),
        frame(CONTINUATION, b""),
        frame(TEXT, b""),
        frame(TEXT, b"x" * 130),
        frame(PING, b"two"),
        frame(TEXT, b"last"),
        frame(CLOSE, struct.pack("!H", 1000)),
    ]
)
EXPECTED = [b"first", "frag é".encode(), b"", b"x" * 130, b"last"]


@pytest.mark.long
def test_stream_split_anywhere_means_the_same() -> None:
    for position in range(len(STREAM) + 1):
        messages, violations, lost, sent, dropped = both(STREAM[:position], STREAM[position:])
        assert (messages, violations, lost, dropped) == (EXPECTED, [], True, True), position
        assert [each.payload for each in sent if each.opcode == PONG] == [b"one", b"", b"two"], position
        assert sent[-1] == Frame(CLOSE, b"\x03\xe8", True, False), position


def test_stream_in_single_bytes_means_the_same() -> None:
    messages, *_ = both(*(STREAM[at : at + 1] for at in range(len(STREAM))))
    assert messages == EXPECTED


def violation(*pieces: bytes, **options: Any) -> Frame:
    """The close frame that a violation gets, after one good message; nothing that follows counts."""
    messages, violations, lost, sent, _ = both(frame(TEXT, b"good"), *pieces, frame(TEXT, b"late"), **options)
    assert (messages, violations, lost) == ([b"good"], [], True)
    assert [each.opcode for each in sent] == [TEXT, CLOSE]
    return sent[1]


@pytest.mark.parametrize(
    "bad",
    [
        frame(TEXT, b"hello", mask=None),
        frame(TEXT, b"hello", rsv=1),
        frame(TEXT, b"hello", rsv=4),
        frame(3, b"hello"),
        frame(11, b"hello"),
        frame(CONTINUATION, b"hello"),
        frame(PING, b"x" * 126),
        frame(PING, b"x", fin=False),
        frame(CLOSE, b"x"),
        frame(CLOSE, struct.pack("!H", 999)),
        b"\x81\xfe\x00\x05\x00\x00\x00\x00hello",
        frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
    ],
    ids=repr,
)
def test_violation_is_closed_with_1002(bad: bytes) -> None:
    assert violation(bad).code == 1002


@pytest.mark.parametrize(
    "bad",
    [
        frame(TEXT, b"\xff\xfe"),
        frame(TEXT, b"cut \xc3"),
        frame(TEXT, b"\xed\xa0\x80"),
        frame(TEXT, b"\xc3", fin=False) + frame(CONTINUATION, b"x"),
        frame(CLOSE, struct.pack("!H", 1000) + b"\xff"),
    ],
    ids=repr,
)
def test_text_that_is_not_utf8_is_closed_with_1007(bad: bytes) -> None:
    assert violation(bad).code == 1007


def test_bad_text_is_closed_before_the_frame_is_whole() -> None:
    peer = Peer().open().send(frame(TEXT, b"\xff" + b"x" * 1000)[:20])
    assert [each.code for each in peer.frames()] == [1007]


def test_character_cut_by_a_read_is_no_bad_text() -> None:
    data = frame(TEXT, "ééé".encode())
    messages, *_ = both(data[:9], data[9:])
    assert messages == ["ééé".encode()]


def test_bad_text_without_validation_is_a_violation_of_wamp() -> None:
    messages, violations, _, _, _ = both(frame(TEXT, b"\xff"), validate_utf8=False)
    assert (messages, violations) == ([], ["text that is not valid UTF-8"])


@pytest.mark.parametrize("binary", [False, True])
def test_message_of_the_wrong_kind_is_a_violation_of_wamp(binary: bool) -> None:
    messages, violations, lost, _, _ = both(frame(TEXT if binary else BINARY, b"x"), binary=binary)
    assert (messages, lost, len(violations)) == ([], False, 1)


@pytest.mark.parametrize(
    ("options", "size"),
    [({"max_message_size": 1000}, 1000), ({"max_frame_size": 1000}, 1000), ({"max_message_size": 200_000}, 200_000)],
)
def test_size_limit_is_the_last_size_allowed(options: dict[str, int], size: int) -> None:
    assert both(frame(TEXT, b"x" * size), **options)[0] == [b"x" * size]
    assert violation(frame(TEXT, b"x" * (size + 1)), **options).code == 1009


def test_message_limit_counts_all_fragments() -> None:
    data = frame(TEXT, b"x" * 600, fin=False) + frame(CONTINUATION, b"x" * 401)
    assert violation(data, max_message_size=1000).code == 1009


def test_length_beyond_all_bounds_is_refused_without_waiting() -> None:
    assert violation(b"\x81\xff" + b"\x7f" + b"\xff" * 7 + b"mask").code == 1009
    assert violation(b"\x81\xff" + b"\xff" * 8 + b"mask").code == 1002


def test_violation_drops_at_once_where_asked() -> None:
    messages, _, _, sent, dropped = both(frame(TEXT, b"x", mask=None), fail_by_drop=True)
    assert (messages, sent, dropped) == ([], [], True)


def test_unmasked_frames_are_taken_where_allowed() -> None:
    messages, *_ = both(frame(TEXT, b"hello", mask=None), require_masked_client_frames=False)
    assert messages == [b"hello"]


def test_mask_is_not_applied_where_switched_off() -> None:
    messages, *_ = both(frame(BINARY, b"\0\0\0\0"), apply_mask=False, binary=True)
    assert messages == [b"\x11\x22\x33\x44"]


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Some frames, good and bad, cut at any places."""
    some = st.builds(
        frame,
        st.sampled_from([0, 1, 1, 1, 1, 1, 2, 3, 8, 9, 9, 10]),
        st.one_of(st.binary(max_size=140), st.text(max_size=40).map(str.encode), st.just(b"close")),
        fin=st.sampled_from([True, True, True, False]),
        rsv=st.sampled_from([0, 0, 0, 0, 0, 0, 4]),
        mask=st.sampled_from([b"\x11\x22\x33\x44", ODD_MASK, b"\0\0\0\0", None]),
    )
    data = b"".join(draw(st.lists(some, max_size=8))) + draw(st.binary(max_size=8))
    cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=6))})
    return [data[begin:end] for begin, end in pairwise(cuts)]


@pytest.mark.long
@settings(max_examples=examples(60), deadline=None)
@given(streams(), st.booleans(), st.booleans())
def test_any_stream_means_the_same_on_both_paths(pieces: list[bytes], binary: bool, masked: bool) -> None:
    both(*pieces, binary=binary, require_masked_client_frames=masked, max_message_size=200)


# --- order and the end -----------------------------------------------------------------------------------------------


def test_pong_goes_after_what_was_written_before() -> None:
    peer = Peer().open(answer=b"\x81\x02ok").send(frame(TEXT, b"a") + frame(PING, b"p") + frame(TEXT, b"b"))
    assert [each.opcode for each in peer.frames()] == [TEXT, PONG, TEXT]


def test_close_goes_after_what_was_written_before() -> None:
    peer = Peer().open(answer=b"\x81\x02ok").send(frame(TEXT, b"a") + frame(TEXT, b"close") + frame(TEXT, b"b"))
    sent = peer.frames()
    assert [each.opcode for each in sent] == [TEXT, CLOSE]
    assert sent[1].payload == b"\x03\xe8wamp.close.normal: as asked"
    assert peer.connection.losses == 0


def test_close_is_said_once() -> None:
    peer = Peer().open().send(frame(TEXT, b"close"))
    peer.protocol.direct.close("wamp.close.normal", "again")
    assert len(peer.frames()) == 1


def test_written_after_the_close_goes_nowhere() -> None:
    peer = Peer().open().send(frame(TEXT, b"close"))
    peer.frames()
    peer.protocol.direct.write(b"\x81\x00")
    assert peer.sent() == b""


def test_answer_to_our_close_drops_the_socket() -> None:
    peer = Peer().open().send(frame(TEXT, b"close"), frame(CLOSE, b"\x03\xe8"))
    assert peer.is_dropped


@pytest.mark.parametrize(
    ("bad", "code"), [(b"\x03\xe7", 1002), (b"\x03\xed", 1002), (b"\x03", 1002), (b"\x03\xe8\xff", 1007)]
)
def test_close_that_is_none_is_told_so_before_the_socket_closes(bad: bytes, code: int) -> None:
    peer = Peer().open().send(frame(CLOSE, bad))
    assert [each.code for each in peer.frames()] == [code]
    assert not peer.transport.disconnected
    assert peer.connection.losses == 1


def test_answer_to_our_close_closes_the_socket_without_a_reset() -> None:
    peer = Peer().open().send(frame(TEXT, b"close"), frame(CLOSE, b"\x03\xe8"))
    assert (peer.is_dropped, peer.transport.disconnected) == (True, False)
    peer = Peer(WebSocketOptions(fail_by_drop=True)).open().send(frame(CLOSE, b"\x03"))
    assert peer.transport.disconnected


def test_close_of_the_peer_ends_the_session_before_the_socket_closes() -> None:
    peer = Peer().open().send(frame(CLOSE))
    assert peer.connection.losses == 1
    assert [each.code for each in peer.frames()] == [1000]


def test_close_is_echoed_where_asked() -> None:
    peer = Peer(WebSocketOptions(echo_close_codereason=True)).open().send(frame(CLOSE, b"\x0f\xa0bye"))
    assert [each.payload for each in peer.frames()] == [b"\x0f\xa0bye"]


def test_peer_that_does_not_read_its_close_is_dropped_in_the_end() -> None:
    peer = Peer().open().send(frame(CLOSE))
    ((seconds, function),) = peer.server.loop.timers
    assert (seconds, function) == (CLOSE_TIMEOUT_SECONDS, peer.transport.abortConnection)
    peer.lose()
    assert peer.server.loop.timers == []


@pytest.mark.parametrize("data", [frame(TEXT, b"close") + frame(CLOSE, b"\x03\xe8"), frame(CLOSE)], ids=["ours", "its"])
def test_peer_that_closes_and_reads_nothing_is_dropped_in_the_end(data: bytes) -> None:
    peer = Peer().open().send(data)
    assert [timer for timer in peer.server.loop.timers if timer[0]] == [
        (CLOSE_TIMEOUT_SECONDS, peer.transport.abortConnection)
    ]


def test_refused_client_that_reads_nothing_is_dropped_in_the_end() -> None:
    peer = Peer.usual()
    peer.protocol.handle_reply({"type": "websocket.close"})
    assert peer.is_dropped
    assert peer.server.loop.timers == [(CLOSE_TIMEOUT_SECONDS, peer.transport.abortConnection)]
    peer.lose()
    peer.protocol.dropConnection()
    assert peer.server.loop.timers == []


def test_lost_socket_leaves_nothing_behind() -> None:
    peer = Peer(WebSocketOptions(auto_ping_interval=5000)).open()
    peer.lose()
    assert peer.server.connections == set()
    assert peer.connection.losses == 1
    assert peer.protocol.application_queue is None


def test_peer_that_goes_instead_of_answering_a_close_leaves_no_timer() -> None:
    peer = Peer(WebSocketOptions(close_handshake_timeout=3_600_000)).open()
    peer.protocol.direct.close("wamp.close.normal", "")
    assert peer.protocol.closeHandshakeTimeoutCall is not None
    peer.lose()
    assert peer.protocol.closeHandshakeTimeoutCall is None


# --- messages that take their time -----------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [frame(TEXT, b"hello")[:-1], frame(TEXT, b"hello", fin=False), b"\x81"])
def test_message_that_is_not_whole_in_time_is_a_violation(begun: bytes) -> None:
    peer = Peer(WebSocketOptions(message_timeout=5000)).open().send(begun)
    peer.protocol.check_timeouts()
    peer.server.loop.now += 5.0
    peer.protocol.check_timeouts()
    assert peer.connection.violations == []
    peer.server.loop.now += 0.1
    peer.protocol.check_timeouts()
    assert peer.connection.violations == ["a message was not complete within 5 seconds"]


@pytest.mark.parametrize("short", [True, False])
def test_messages_that_come_whole_begin_the_time_anew(short: bool) -> None:
    peer = Peer(WebSocketOptions(message_timeout=5000), short=short).open()
    whole = frame(TEXT, b"hello")
    peer.send(whole[:-1])
    for _ in range(5):
        peer.protocol.check_timeouts()
        peer.server.loop.now += 4.0
        peer.send(whole[-1:] + whole[:-1])  # there is always a part of one
    peer.protocol.check_timeouts()
    assert peer.connection.violations == []
    assert len(peer.connection.messages) == 5
    peer.send(whole[-1:])
    peer.protocol.check_timeouts()
    peer.server.loop.now += 100.0
    peer.protocol.check_timeouts()
    assert peer.connection.violations == []


@pytest.mark.parametrize(
    ("stop", "go_on"),
    [
        (lambda peer: peer.protocol.direct.pause(), lambda peer: peer.protocol.direct.resume()),
        (
            lambda peer: peer.transport.producer.pauseProducing(),
            lambda peer: peer.transport.producer.resumeProducing(),
        ),
    ],
    ids=["flood", "slow reader"],
)
def test_time_does_not_run_while_the_peer_is_not_read(stop: Any, go_on: Any) -> None:
    peer = Peer(WebSocketOptions(message_timeout=5000)).open().send(frame(TEXT, b"hello")[:-1])
    stop(peer)
    for _ in range(3):
        peer.protocol.check_timeouts()
        peer.server.loop.now += 100.0
    go_on(peer)
    peer.protocol.check_timeouts()
    assert peer.connection.violations == []
    peer.server.loop.now += 5.1
    peer.protocol.check_timeouts()
    assert len(peer.connection.violations) == 1


def test_connection_lives_longer_than_a_day_without_a_ping() -> None:
    peer = Peer().open()
    peer.protocol.socket_opened = peer.protocol.last_ping = 0.0
    peer.protocol.check_timeouts()
    assert (peer.sent(), peer.is_dropped) == (b"", False)


def test_connection_whose_handshake_is_not_answered_yet_has_no_message_to_wait_for() -> None:
    parsed = Peer()
    parsed.ask()
    for peer in (Peer.usual(), parsed):
        peer.protocol.direct.attach(Recorder(peer.protocol), is_binary=False)  # type: ignore[arg-type]
        peer.protocol.check_timeouts()
        peer.server.loop.now += 1000.0
        peer.protocol.check_timeouts()
        assert not peer.is_dropped


def test_messages_may_take_any_time_without_a_limit() -> None:
    peer = Peer(WebSocketOptions(message_timeout=0)).open().send(b"\x81")
    for _ in range(3):
        peer.protocol.check_timeouts()
        peer.server.loop.now += 10_000.0
    assert peer.connection.violations == []


# --- a peer that is not to be read -----------------------------------------------------------------------------------


def test_messages_of_one_read_are_settled_together() -> None:
    peer = Peer().open()
    peer.send(frame(TEXT, b"a") + frame(TEXT, b"b") + frame(TEXT, b"c")[:4])
    peer.send(frame(TEXT, b"c")[4:])
    assert peer.connection.messages == [b"a", b"b", b"c"]
    assert [count for count in peer.connection.settled if count] == [2, 3]


@pytest.mark.parametrize("short", [False, True])
def test_paused_peer_is_read_no_further(short: bool) -> None:
    peer = Peer(WebSocketOptions(auto_ping_interval=10000, auto_ping_timeout=5000), short=short).open()
    protocol = peer.protocol
    peer.connection.on_message = protocol.direct.pause
    peer.send(frame(TEXT, b"a") + frame(TEXT, b"b"), frame(TEXT, b"c"))
    assert peer.connection.messages == [b"a"]
    assert peer.transport.producerState != "producing"
    assert protocol.autoPingPendingCall is None
    for expected in (b"b", b"c"):
        protocol.direct.resume()
        (_, read_on) = peer.server.loop.timers.pop()
        read_on()
        assert peer.connection.messages[-1] == expected
    protocol.direct.resume()
    protocol.direct.resume()
    assert peer.transport.producerState == "producing"
    assert protocol.autoPingPendingCall is not None
    stop_pings(protocol)


def test_peer_that_is_closed_while_it_is_not_read_pings_no_more() -> None:
    peer = Peer(WebSocketOptions(auto_ping_interval=10000)).open()
    peer.protocol.direct.pause()
    peer.protocol.direct.close("wamp.close.normal", "")
    peer.protocol.direct.resume()
    assert peer.protocol.autoPingPendingCall is None


# --- a peer that floods ----------------------------------------------------------------------------------------------


def turns(peer: Peer) -> int:
    """Let the loop come round until nobody wants a turn; how often it did."""
    timers = peer.server.loop.timers
    count = 0
    while soon := [one for one in timers if one[0] == 0]:
        timers.remove(soon[0])
        soon[0][1]()
        count += 1
    return count


@pytest.mark.parametrize("short", [False, True])
def test_flood_of_messages_is_taken_in_turns_and_in_order(short: bool) -> None:
    peer = Peer(short=short).open()
    messages = [b"%d" % number for number in range(3 * FRAMES_PER_TURN + 5)]
    peer.send(b"".join(frame(TEXT, message) for message in messages))
    assert peer.connection.messages == messages[: FRAMES_PER_TURN if short else FRAMES_PER_TURN // 2]
    assert peer.transport.producerState != "producing"
    peer.protocol.check_timeouts()  # what waits here is no message that does not come
    assert peer.protocol.direct.reader.incomplete_since == 0
    assert turns(peer) == (3 if short else 6)
    assert peer.connection.messages == messages
    assert peer.transport.producerState == "producing"


@pytest.mark.parametrize(
    "flood",
    [
        frame(PING, b"x") * 400,
        frame(TEXT, b"", fin=False) + frame(CONTINUATION, b"", fin=False) * 399,
        frame(BINARY, b"x", rsv=1) + frame(TEXT, b"x") * 399,
    ],
    ids=["pings", "fragments", "after a violation"],
)
def test_flood_of_other_frames_is_taken_in_turns(flood: bytes) -> None:
    peer = Peer().open()
    peer.send(flood)
    assert 0 < len(peer.protocol.data) < len(flood)
    assert turns(peer) == 2 * 400 // FRAMES_PER_TURN
    assert peer.protocol.data == b""
    assert len([one for one in peer.frames() if one.opcode == PONG]) in (0, 400)


def test_flood_of_messages_with_pings_in_between_has_no_longer_turns() -> None:
    peer = Peer().open()
    group = frame(TEXT, b"x") * (FRAMES_PER_TURN - 1) + frame(PING, b"p")
    peer.send(group * 4)
    assert len(peer.connection.messages) <= FRAMES_PER_TURN
    turns(peer)
    assert len(peer.connection.messages) == 4 * (FRAMES_PER_TURN - 1)


@pytest.mark.parametrize("is_whole", [True, False])
def test_message_that_is_large_when_inflated_takes_a_turn_of_its_own(is_whole: bool) -> None:
    compressor = zlib.compressobj(wbits=-15)
    data = (compressor.compress(b"x" * 1_000_000) + compressor.flush(zlib.Z_FULL_FLUSH))[:-4]
    pieces = frame(TEXT, data, rsv=4), frame(TEXT, data[:9], rsv=4, fin=False) + frame(CONTINUATION, data[9:])
    peer = Peer(WebSocketOptions.model_validate({"compression": {"deflate": {}}}))
    peer.ask(REQUEST % b"Sec-WebSocket-Extensions: permessage-deflate\r\n")
    peer.open().send(pieces[not is_whole] * 5)
    assert len(peer.connection.messages) == 1
    assert turns(peer) == 4
    assert [len(message) for message in peer.connection.messages] == [1_000_000] * 5


def test_peer_paused_in_its_turn_waits_for_both() -> None:
    peer = Peer().open()
    peer.send(frame(TEXT, b"x") * (FRAMES_PER_TURN + 1))
    peer.protocol.direct.pause()
    peer.protocol.direct.resume()
    assert peer.transport.producerState != "producing"
    peer.protocol.direct.pause()
    turns(peer)
    assert len(peer.connection.messages) == FRAMES_PER_TURN
    assert peer.transport.producerState != "producing"
    peer.protocol.direct.resume()
    turns(peer)
    assert len(peer.connection.messages) == FRAMES_PER_TURN + 1
    assert peer.transport.producerState == "producing"


def test_peer_lost_in_its_turn_is_not_read_on() -> None:
    peer = Peer().open()
    peer.send(frame(TEXT, b"x") * (FRAMES_PER_TURN + 1))
    peer.lose()
    turns(peer)
    assert len(peer.connection.messages) == FRAMES_PER_TURN
    assert peer.transport.producerState != "producing"


@pytest.mark.parametrize("begin", [Peer, Peer.usual])
def test_peer_that_has_gone_leaves_nothing_for_the_collector(begin: Any) -> None:
    gc.collect()
    gc.disable()
    try:
        peer = begin().open(answer=b"\x81\x02ok").send(frame(TEXT, b"x"))
        peer.sent()
        peer.lose()
        peer.server.loop.cancel()
        kept = weakref.ref(peer.protocol)
        peer.direct.write(b"\x81\x04late")
        assert peer.sent() == b""
        del peer
        assert kept() is None
    finally:
        gc.enable()


# --- what Autobahn's parser keeps of frames ---------------------------------------------------------------------------


def test_control_frame_that_is_too_long_is_refused_and_not_kept() -> None:
    peer = Peer().open().send(b"\x89\xff" + struct.pack("!Q", 2**40) + b"mask")
    assert peer.frames()[0].code == 1002
    peer.send(*[b"x" * 1000] * 10)
    assert len(b"".join(peer.protocol.control_frame_data)) + len(peer.protocol.data) <= 1000


def test_empty_fragments_leave_nothing_behind() -> None:
    peer = Peer().open().send(frame(TEXT, b"a", fin=False), *[frame(CONTINUATION, fin=False)] * 100)
    assert peer.protocol.message_data == [b"a"]
    peer.send(frame(CONTINUATION, b"b"))
    assert peer.connection.messages == [b"ab"]


@pytest.mark.parametrize("size", [0, 1, 1000, 100_000])
def test_compressed_message_has_room_to_be_a_little_longer(size: int) -> None:
    assert size < max_compressed_size(size) <= size * 9 / 8 + 64
