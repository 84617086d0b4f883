"""Incomplete messages: those before a session are short, and those of all peers together stay below a limit."""

import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.wire import BINARY, CONTINUATION, TEXT, frame
from wamp_transport.config.compression import Compression, Deflate
from wamp_transport.config.websocket import WebSocketOptions
from wamp_transport.transports.unfinished_messages import UnfinishedMessages

from ....effort import examples
from .peers import REQUEST, Peer

LONG = b"x" * 100_000
WHOLE = frame(TEXT, LONG)


def fragments(size: int, count: int) -> bytes:
    """The first ``count`` fragments of a message."""
    return frame(TEXT, b"x" * size, fin=False) + frame(CONTINUATION, b"x" * size, fin=False) * (count - 1)


def group(count: int, limit: int) -> list[Peer]:
    """Peers of one server."""
    unfinished, peers = UnfinishedMessages(limit), [Peer().open() for _ in range(count)]
    for peer in peers:
        peer.server.unfinished_messages = unfinished
    return peers


def run_soon(peer: Peer) -> None:
    timers = peer.server.loop.timers
    while soon := [one for one in timers if one[0] == 0]:
        timers.remove(soon[0])
        soon[0][1]()


def kept(peer: Peer) -> int:
    """The octets of a message that the protocol keeps."""
    protocol: Any = peer.protocol
    pieces = [protocol.data, *(protocol.frame_data or ()), *(protocol.message_data or ())]
    return sum(map(len, pieces)) + sum(map(len, protocol.direct.reader._pieces))


@pytest.mark.parametrize(
    "data",
    [WHOLE[:80_000], fragments(1000, 80), fragments(1, 2000), frame(TEXT, LONG, fin=False)],
    ids=["frame", "fragments", "tiny", "one"],
)
def test_long_message_before_a_session_is_refused_before_its_end(data: bytes) -> None:
    peer = Peer().open()
    peer.connection.is_joining = True
    peer.send(*(data[at : at + 4096] for at in range(0, len(data), 4096)))
    run_soon(peer)
    (violation,) = peer.connection.violations
    assert "65536 bytes" in violation
    assert peer.is_dropped
    assert (kept(peer), peer.server.unfinished_messages.total) == (0, 0)


def test_message_of_the_permitted_size_opens_a_session() -> None:
    hello = b"x" * 65_000
    peer = Peer().open()
    peer.connection.is_joining = True
    data = frame(TEXT, hello) + frame(TEXT, hello)
    peer.send(*(data[at : at + 4096] for at in range(0, len(data), 4096)))
    run_soon(peer)
    assert (peer.connection.messages, peer.connection.violations) == ([hello, hello], [])


@pytest.mark.parametrize("data", [WHOLE[:-1], fragments(1000, 99)], ids=["frame", "fragments"])
def test_oldest_of_too_many_messages_is_given_up(data: bytes) -> None:
    first, second, third = group(3, limit=250_000)
    first.send(data[:20_000])
    for peer in (second, third, first):
        peer.send(*(data[at : at + 4096] for at in range(20_000 if peer is first else 0, len(data), 4096)))
        run_soon(first)
    assert [peer.is_dropped for peer in (first, second, third)] == [True, False, False]
    assert first.frames()[-1].code == 1009
    assert (first.connection.losses, kept(first)) == (1, 0)
    rest = data[-1:] if data == WHOLE[:-1] else frame(CONTINUATION, b"x" * 1000)
    for peer in (second, third):
        peer.send(rest)
        assert len(peer.connection.messages) == 1
    assert second.server.unfinished_messages.total == 0


def test_client_that_sends_a_message_instead_of_its_close_frame_is_dropped() -> None:
    (peer,) = group(1, limit=50_000)
    peer.send(frame(TEXT, b"close"), fragments(1000, 60))
    run_soon(peer)
    assert peer.is_dropped
    assert (kept(peer), peer.server.unfinished_messages.total) == (0, 0)


def test_inflated_size_counts() -> None:
    peer = Peer(WebSocketOptions(compression=Compression(deflate=Deflate())))
    peer.ask(REQUEST % b"Sec-WebSocket-Extensions: permessage-deflate\r\n")
    peer.open()
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = deflate.compress(b"x" * 500_000) + deflate.flush(zlib.Z_SYNC_FLUSH)
    peer.send(frame(TEXT, data, rsv=4, fin=False))
    assert peer.server.unfinished_messages.total >= 500_000


def test_lost_connection_is_no_longer_counted() -> None:
    for data in (WHOLE[:50_000], fragments(1000, 50)):
        peer = Peer().open().send(data)
        assert peer.server.unfinished_messages.total >= 50_000
        peer.lose()
        assert peer.server.unfinished_messages.total == 0


@given(
    st.lists(st.tuples(st.sampled_from([10, 9_000, 70_000]), st.integers(1, 5)), min_size=1, max_size=5),
    st.lists(st.integers(1, 100_000), max_size=8),
)
@settings(max_examples=examples(30), deadline=None)
def test_nothing_is_counted_after_complete_messages(messages: list[tuple[int, int]], cuts: list[int]) -> None:
    peer, data = Peer().open(binary=True), b""
    for size, count in messages:
        for number in range(count):
            data += frame(CONTINUATION if number else BINARY, b"x" * size, fin=number == count - 1)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    peer.send(*(data[begin:end] for begin, end in pairwise(places)))
    run_soon(peer)
    assert [len(each) for each in peer.connection.messages] == [size * count for size, count in messages]
    assert peer.server.unfinished_messages.total == 0
