"""Compression: which offers are taken, and what a compressor and a decompressor do with good and bad data."""

import os
import random
import zlib
from typing import Any

import pytest
from autobahn.exception import PayloadCorruptError, PayloadExceededError
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame
from wamp_transport.config.compression import Deflate
from wamp_transport.config.websocket import WebSocketOptions
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.transports.daphne.deflate import NAME, DeflateParameters, PerMessageDeflate, agree
from wamp_transport.transports.encoders import PLAIN_ENCODERS, WEBSOCKET_ENCODERS, compressed_encoder

from .peers import REQUEST, Peer

# --- negotiation -----------------------------------------------------------------------------------------------------


def offer(text: str) -> list[tuple[str, dict[str, list[Any]]]]:
    """Offers as Autobahn parses them."""
    return Peer().protocol._parseExtensionsHeader(text)  # type: ignore[no-any-return]


def answer(text: str, **settings: Any) -> str | None:
    terms = agree(offer(text), Deflate(**settings))
    return None if terms is None else terms.answer.removeprefix(NAME).removeprefix("; ")


@pytest.mark.parametrize(
    ("offered", "settings", "expected"),
    [
        ("permessage-deflate", {}, ""),
        ("permessage-deflate; client_max_window_bits", {}, ""),
        ("permessage-deflate; client_max_window_bits=8", {}, ""),
        ("permessage-deflate; server_no_context_takeover", {}, "server_no_context_takeover"),
        ("permessage-deflate; client_no_context_takeover", {}, "client_no_context_takeover"),
        ("permessage-deflate", {"request_no_context_takeover": True}, "client_no_context_takeover"),
        (
            "permessage-deflate; server_no_context_takeover",
            {"no_context_takeover": False},
            "server_no_context_takeover",
        ),
        ("permessage-deflate", {"no_context_takeover": True}, ""),
        ("permessage-deflate; server_max_window_bits=10", {}, "server_max_window_bits=10"),
        ('permessage-deflate; server_max_window_bits="10"', {}, "server_max_window_bits=10"),
        ("permessage-deflate; server_max_window_bits=10", {"max_window_bits": 15}, "server_max_window_bits=10"),
        ("permessage-deflate; server_max_window_bits=14", {"max_window_bits": 9}, "server_max_window_bits=9"),
        (
            "permessage-deflate; client_max_window_bits",
            {"request_max_window_bits": 12},
            "client_max_window_bits=12",
        ),
        (
            "permessage-deflate; client_max_window_bits=10",
            {"request_max_window_bits": 12},
            "client_max_window_bits=10",
        ),
        ("permessage-deflate", {"request_max_window_bits": 12}, None),
        ("permessage-deflate; server_max_window_bits=8", {}, None),
        ("permessage-deflate; server_max_window_bits=16", {}, None),
        ("permessage-deflate; server_max_window_bits=010", {}, None),
        ("permessage-deflate; server_max_window_bits=+9", {}, None),
        ("permessage-deflate; server_max_window_bits", {}, None),
        ("permessage-deflate; server_max_window_bits=10; server_max_window_bits=11", {}, None),
        ("permessage-deflate; server_no_context_takeover=1", {}, None),
        ("permessage-deflate; client_no_context_takeover; client_no_context_takeover", {}, None),
        ("permessage-deflate; client_max_window_bits=7", {}, None),
        ("permessage-deflate; client_max_window_bits=many", {}, None),
        ("permessage-deflate; mux", {}, None),
        ("permessage-bzip2", {}, None),
        ("x-webkit-deflate-frame", {}, None),
        ("", {}, None),
        (";;,=,", {}, None),
        ("permessage-deflate; mux, permessage-deflate; server_max_window_bits=9", {}, "server_max_window_bits=9"),
        (
            "permessage-deflate, permessage-deflate; client_max_window_bits",
            {"request_max_window_bits": 9},
            "client_max_window_bits=9",
        ),
    ],
)
def test_first_offer_that_can_be_met_is_taken(offered: str, settings: dict[str, Any], expected: str | None) -> None:
    assert answer(offered, **settings) == expected


def test_terms_are_the_narrower_of_both_wishes() -> None:
    asked = "permessage-deflate; server_max_window_bits=11; client_max_window_bits=12; client_no_context_takeover"
    settings = Deflate(max_window_bits=13, no_context_takeover=True, request_max_window_bits=14, memory_level=5)
    terms = agree(offer(asked), settings)
    assert terms is not None
    assert (terms.our_window, terms.our_reset, terms.their_window, terms.their_reset) == (11, True, 12, True)
    assert terms.memory_level == 5


def test_window_of_8_bits_is_9_as_zlib_takes_it() -> None:
    terms = agree(offer("permessage-deflate; client_max_window_bits=8"), Deflate())
    assert terms is not None
    assert terms.their_window == 9


# --- messages --------------------------------------------------------------------------------------------------------

TRAILER = b"\x00\x00\xff\xff"


def extension(**terms: Any) -> PerMessageDeflate:
    defaults = {"our_window": 15, "our_reset": False, "their_window": 15, "their_reset": False, "memory_level": 8}
    return PerMessageDeflate(DeflateParameters(**(defaults | terms), answer=""))


def inflated(receiver: PerMessageDeflate, *pieces: bytes, limit: int | None = None) -> bytes:
    """One message, in pieces as they are read, within a limit for the whole."""
    receiver.start_decompress_message()
    payload = b""
    for piece in pieces:
        room = None if limit is None else limit - len(payload)
        payload += receiver.decompress_message_data(piece, max_output_len=room)
    receiver.end_decompress_message()
    return payload


def same(window: int, reset: bool, level: int) -> tuple[PerMessageDeflate, PerMessageDeflate]:
    sender = extension(our_window=window, our_reset=reset, memory_level=level)
    return sender, extension(their_window=window, their_reset=reset)


@given(st.lists(st.binary(max_size=300)), st.integers(9, 15), st.booleans(), st.integers(1, 9))
def test_what_one_side_compresses_the_other_reads(messages: list[bytes], window: int, reset: bool, level: int) -> None:
    sender, receiver = same(window, reset, level)
    assert [inflated(receiver, sender.compress(message)) for message in messages] == messages


def test_window_is_kept_between_messages_unless_it_is_reset() -> None:
    text = os.urandom(200)
    keeping, resetting = extension(), extension(our_reset=True)
    keeping.compress(text)
    resetting.compress(text)
    assert len(keeping.compress(text)) < 50
    assert len(resetting.compress(text)) > 200


@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_limit_is_the_last_size_allowed(size: int) -> None:
    for payload in (b"x" * size, os.urandom(size)):
        data = extension().compress(payload)
        half = len(data) // 2
        assert inflated(extension(), data[:half], data[half:], limit=size) == payload
        with pytest.raises(PayloadExceededError):
            inflated(extension(), data, limit=size - 1)


def test_bomb_is_not_inflated() -> None:
    bomb = extension().compress(b"\0" * 50_000_000)
    assert len(bomb) < 60_000
    receiver = extension()
    receiver.start_decompress_message()
    with pytest.raises(PayloadExceededError):
        receiver.decompress_message_data(bomb, max_output_len=1000)
    assert len(receiver._decompressor.unconsumed_tail) > len(bomb) // 2


def test_no_room_left_is_no_limit_of_zero() -> None:
    with pytest.raises(PayloadExceededError):
        inflated(extension(), extension().compress(b"x"), limit=-5)


def final(payload: bytes) -> bytes:
    """A message that ends with a last block, as section 7.2.3.4 shows one."""
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(payload) + compressor.flush(zlib.Z_FINISH)


def test_message_with_a_last_block_is_read_and_the_next_as_well() -> None:
    receiver = extension()
    assert inflated(receiver, final(b"one") + b"\x00") == b"one"
    assert inflated(receiver, final(b"two"), b"\x00") == b"two"
    assert inflated(receiver, extension().compress(b"three")) == b"three"


@pytest.mark.parametrize(
    "pieces",
    [(b"\xff",), (b"garbage",), (final(b"one") + final(b"two"),), (b"\x00\x05\x00\xfa\xff",)],
    ids=["no block", "garbage", "after the end", "block cut off"],
)
def test_data_that_is_none_is_refused(pieces: tuple[bytes, ...]) -> None:
    with pytest.raises(PayloadCorruptError):
        inflated(extension(), *pieces)


# --- on a connection -------------------------------------------------------------------------------------------------


def compressing(offered: bytes = b"permessage-deflate", *, short: bool = True, **settings: Any) -> Peer:
    """A peer whose handshake is waiting to be answered."""
    deflate = {key: settings.pop(key) for key in list(settings) if key in Deflate.model_fields}
    peer = Peer(WebSocketOptions.model_validate({"compression": {"deflate": deflate}, **settings}), short=short)
    peer.ask(REQUEST % (b"Sec-WebSocket-Extensions: " + offered + b"\r\n"))
    return peer


def small(payload: bytes, sender: PerMessageDeflate | None = None, **options: Any) -> bytes:
    return frame(TEXT, (sender or extension()).compress(payload), rsv=4, **options)


@pytest.mark.parametrize(
    "offered", [b"permessage-deflate; foo=1", b"permessage-deflate; server_max_window_bits=8", b"other", b"=;,\xff"]
)
def test_offer_that_cannot_be_met_is_declined_and_the_handshake_goes_on(offered: bytes) -> None:
    peer = compressing(offered)
    peer.protocol.handle_reply({"type": "websocket.accept", "subprotocol": "wamp.2.json"})
    head = peer.sent()
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"Extensions" not in head


@pytest.mark.parametrize(
    ("offered", "settings"),
    [
        (b"permessage-deflate; server_no_context_takeover", {"no_context_takeover": False}),
        (b"permessage-deflate; server_max_window_bits=9", {"max_window_bits": 15}),
    ],
)
def test_settings_wider_than_the_offer_do_not_hang(offered: bytes, settings: dict[str, Any]) -> None:
    peer = compressing(offered, **settings)
    peer.protocol.handle_reply({"type": "websocket.accept", "subprotocol": "wamp.2.json"})
    assert b"Sec-WebSocket-Extensions: " + offered + b"\r\n" in peer.sent()


@pytest.mark.parametrize("short", [True, False])
def test_compressed_and_plain_messages_arrive_in_order(short: bool) -> None:
    peer = compressing(short=short).open()
    sender = extension()
    peer.send(small(b"one", sender) + frame(TEXT, b"two") + small(b"one", sender) + frame(PING) + frame(TEXT, b"four"))
    assert peer.connection.messages == [b"one", b"two", b"one", b"four"]
    assert [each.opcode for each in peer.frames()] == [PONG]


def test_bad_text_in_a_compressed_message_without_validation_is_a_violation_of_wamp() -> None:
    for short in (True, False):
        peer = compressing(validate_utf8=False, short=short).open()
        peer.send(small(b"\xff\xfe"))
        assert peer.connection.messages == []
        assert peer.connection.violations == ["text that is not valid UTF-8"]


def test_fragments_of_a_compressed_message_are_one() -> None:
    data = extension().compress(b"hello " * 100)
    peer = compressing().open()
    peer.send(
        frame(TEXT, data[:3], rsv=4, fin=False) + frame(CONTINUATION, data[3:7], fin=False),
        frame(CONTINUATION, data[7:]),
    )
    assert peer.connection.messages == [b"hello " * 100]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (small(b"\xff\xfe"), 1007),
        (frame(TEXT, b"\xff\xff\xff", rsv=4), 1007),
        (frame(PING, b"x", rsv=4), 1002),
        (frame(TEXT, b"x", rsv=2), 1002),
        (frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"x", rsv=4), 1002),
        (small(b"x" * 1001), 1009),
    ],
    ids=["utf8", "garbage", "ping", "other bit", "continuation", "too long"],
)
@pytest.mark.parametrize("short", [True, False])
def test_violation_is_closed_with_its_code(bad: bytes, code: int, short: bool) -> None:
    peer = compressing(max_message_size=1000, short=short).open().send(small(b"x" * 1000), bad, frame(TEXT, b"late"))
    assert peer.connection.messages == [b"x" * 1000]
    assert [each.code for each in peer.frames() if each.opcode == CLOSE] == [code]


@pytest.mark.parametrize("level", [1, 9])
@pytest.mark.parametrize("size", [1000, 70_000])
def test_message_of_the_largest_size_is_taken_though_it_is_longer_on_the_wire(size: int, level: int) -> None:
    payload = random.Random(1).randbytes(size)
    data = extension(memory_level=level).compress(payload)
    assert len(data) > size
    peer = compressing(max_message_size=size).open(binary=True)
    peer.send(frame(BINARY, data, rsv=4), frame(BINARY, data + data, rsv=4))
    assert peer.connection.messages == [payload]
    assert [each.code for each in peer.frames()] == [1009]


@pytest.mark.parametrize("short", [True, False])
def test_bomb_is_closed_in_pieces_as_well(short: bool) -> None:
    data = extension().compress(b"\0" * 1_000_000)
    for size in (1, 100, len(data)):
        peer = compressing(max_message_size=100_000, short=short).open(binary=False)
        head = frame(TEXT, data, rsv=4)
        peer.send(*(head[at : at + size] for at in range(0, len(head), size)))
        assert peer.connection.messages == []
        assert [each.code for each in peer.frames() if each.opcode == CLOSE] == [1009]


@pytest.mark.parametrize("bad", [small(b"\0" * 9999), frame(TEXT, b"\xff", rsv=4), frame(TEXT, b"\x00\x05\x00", rsv=4)])
@pytest.mark.parametrize("is_one_read", [True, False])
@pytest.mark.parametrize("short", [True, False])
def test_close_of_the_peer_is_found_after_data_that_failed(bad: bytes, is_one_read: bool, short: bool) -> None:
    closing = frame(CONTINUATION, b"more") + frame(CLOSE, b"\x03\xe8")
    peer = compressing(max_message_size=1000, short=short).open()
    peer.send(*([bad + closing] if is_one_read else [bad[:8], bad[8:], closing]))
    assert [each.opcode for each in peer.frames()] == [CLOSE]
    assert peer.is_dropped


def received(peer: Peer, receiver: PerMessageDeflate) -> list[bytes]:
    """The messages sent since the last time, each one frame."""
    data, messages = peer.sent(), []
    while data:
        assert (data[0], data[1] < 126) == (0xC1, True)
        messages.append(inflated(receiver, data[2 : 2 + data[1]]))
        data = data[2 + data[1] :]
    return messages


def test_answers_are_compressed_with_a_window_of_their_own() -> None:
    peer = compressing().open()
    assert peer.protocol.direct.encoder(SERIALIZERS["json"]) is PLAIN_ENCODERS["json"]
    for _ in range(2):
        peer.protocol.direct.write(b"hello hello hello")
    assert received(peer, extension()) == [b"hello hello hello"] * 2


def test_frames_are_the_same_for_all_where_windows_are_reset() -> None:
    peer = compressing(no_context_takeover=True, memory_level=5, max_window_bits=10).open()
    encoder = peer.protocol.direct.encoder(SERIALIZERS["json"])
    assert encoder is compressed_encoder("json", 10, 5)
    peer.protocol.direct.write(b"as it is")
    assert peer.sent() == b"as it is"
    assert Peer().open().protocol.direct.encoder(SERIALIZERS["json"]) is WEBSOCKET_ENCODERS["json"]


def test_compressed_answers_are_cut_and_masked_where_asked() -> None:
    peer = compressing(auto_fragment_size=4, mask_server_frames=True, no_context_takeover=True).open()
    peer.protocol.direct.write(b"some text to be compressed")
    frames = peer.frames()
    assert len(frames) > 2
    assert all(each.is_masked and len(each.payload) <= 4 for each in frames)
    assert inflated(extension(), *(each.payload for each in frames)) == b"some text to be compressed"
