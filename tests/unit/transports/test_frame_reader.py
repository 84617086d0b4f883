"""Bytes become messages, or are left to somebody who knows the whole protocol."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.wire import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame
from wamp_transport.transports.frame_reader import (
    FRAMES_PER_TURN,
    LARGE_FRAME_BYTES,
    LARGE_MESSAGE_BYTES,
    FrameReader,
    NextStep,
    is_utf8,
)

NO_LIMIT = 2**62


class Reader(FrameReader):
    """A reader that keeps its messages."""

    __slots__ = ("messages",)

    def __init__(self, *, is_binary: bool = False, inflated: dict[bytes, bytes | None] | None = None) -> None:
        self.messages: list[bytes] = []
        inflate = None if inflated is None else inflated.__getitem__
        super().__init__(self.messages.append, is_binary=is_binary, inflate=inflate)


@pytest.mark.parametrize("is_binary", [False, True])
def test_messages_of_one_read_are_delivered_in_order(is_binary: bool) -> None:
    reader, opcode = Reader(is_binary=is_binary), BINARY if is_binary else TEXT
    assert reader.read(b"".join(frame(opcode, each) for each in (b"a", b"", b"x" * 70_000)), NO_LIMIT) == b""
    assert reader.messages == [b"a", b"", b"x" * 70_000]


def test_nothing_read_leaves_nothing() -> None:
    reader = Reader()
    assert reader.read(b"", NO_LIMIT) == b""
    assert reader.messages == []


@pytest.mark.parametrize(
    "other",
    [
        frame(PING, b"p"),
        frame(CLOSE),
        frame(TEXT, b"part", fin=False),
        frame(CONTINUATION, b"part"),
        frame(BINARY, b"another kind"),
        frame(TEXT, b"unmasked", mask=None),
        frame(TEXT, b"extension", rsv=4),
        frame(TEXT, b"\xff"),
        frame(TEXT, b"\xff not whole")[:-1],
        frame(TEXT, b"x" * 101),
        b"\x81\xfe\x00\x05" + bytes(4) + b"hello",
        b"\x81",
        b"\x81\xfe\x00",
    ],
    ids=repr,
)
def test_other_frames_are_left_to_the_fallback_with_all_that_follows(other: bytes) -> None:
    reader = Reader()
    later = frame(TEXT, b"later") if len(other) > 5 else b""
    assert reader.read(frame(TEXT, b"first") + other + later, 100) == other + later
    assert reader.next_step is NextStep.FALLBACK
    assert reader.messages == [b"first"]


def test_reader_without_a_limit_above_zero_takes_nothing() -> None:
    reader = Reader()
    assert reader.read(frame(TEXT, b""), -1) == frame(TEXT, b"")
    assert reader.next_step is NextStep.FALLBACK


def test_frame_that_is_not_whole_is_waited_for() -> None:
    reader, data = Reader(), frame(TEXT, "aé".encode())
    assert reader.read(data + data[:-1], NO_LIMIT) == data[:-1]
    assert reader.next_step is NextStep.WAIT
    assert reader.awaited_bytes == 0
    assert reader.read(data, NO_LIMIT) == b""
    assert len(reader.messages) == 2


@pytest.mark.long
@given(st.lists(st.text(max_size=300).map(str.encode), max_size=6), st.data())
def test_stream_cut_anywhere_means_the_same(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frame(TEXT, each) for each in messages)
    cuts = sorted({0, len(stream), *data.draw(st.lists(st.integers(0, len(stream)), max_size=8))})
    reader, rest = Reader(), b""
    for begin, end in pairwise(cuts):
        rest = reader.read(rest + stream[begin:end], NO_LIMIT)
    assert (reader.messages, rest) == (messages, b"")


def test_turn_is_over_after_a_number_of_frames() -> None:
    reader = Reader()
    rest = reader.read(frame(TEXT, b"x") * (FRAMES_PER_TURN + 1), NO_LIMIT)
    assert (rest, reader.next_step) == (frame(TEXT, b"x"), NextStep.YIELD)
    assert len(reader.messages) == FRAMES_PER_TURN


def test_frames_of_a_turn_are_counted_over_several_calls() -> None:
    reader = Reader()
    reader.read(frame(TEXT, b"x") * (FRAMES_PER_TURN - 1), NO_LIMIT)
    assert reader.frames_left == 1
    assert reader.read(frame(TEXT, b"x") * 2, NO_LIMIT) == frame(TEXT, b"x")
    assert reader.next_step is NextStep.YIELD
    reader.frames_left = FRAMES_PER_TURN
    assert reader.read(frame(TEXT, b"x"), NO_LIMIT) == b""


def test_interrupted_reader_returns_after_the_message() -> None:
    reader: FrameReader
    messages: list[bytes] = []

    def deliver(message: bytes) -> None:
        messages.append(message)
        reader.interrupt()

    reader = FrameReader(deliver, is_binary=False)
    rest = reader.read(frame(TEXT, b"a") + frame(TEXT, b"b"), NO_LIMIT)
    assert (messages, rest, reader.next_step) == ([b"a"], frame(TEXT, b"b"), NextStep.STOP)
    assert reader.read(rest, NO_LIMIT) == b""
    assert messages == [b"a", b"b"]


def test_compressed_message_is_inflated_and_not_looked_at_before() -> None:
    reader = Reader(inflated={b"\xff": b"a", b"": b"b"})
    assert reader.read(frame(TEXT, b"\xff", rsv=4) + frame(TEXT, b"plain") + frame(TEXT, b"", rsv=4), NO_LIMIT) == b""
    assert reader.messages == [b"a", b"plain", b"b"]


def test_compressed_message_that_was_refused_is_not_delivered() -> None:
    reader = Reader(inflated={b"bad": None})
    assert reader.read(frame(TEXT, b"bad", rsv=4), NO_LIMIT) == b""
    assert reader.messages == []


@pytest.mark.parametrize(
    ("size", "step"), [(LARGE_MESSAGE_BYTES, NextStep.FALLBACK), (LARGE_MESSAGE_BYTES + 1, NextStep.YIELD)]
)
def test_large_inflated_message_ends_the_turn(size: int, step: NextStep) -> None:
    reader = Reader(inflated={b"z": b"x" * size})
    assert reader.read(frame(TEXT, b"z", rsv=4) + b"\x81", NO_LIMIT) == b"\x81"
    assert reader.next_step is step


def test_whole_message_resets_the_time_and_a_part_does_not() -> None:
    reader, data = Reader(), frame(TEXT, b"abc")
    reader.incomplete_since = 5.0
    reader.read(data[:-1], NO_LIMIT)
    assert reader.incomplete_since == 5.0
    reader.read(data + data[:-1], NO_LIMIT)
    assert reader.incomplete_since == 0.0


def test_large_frame_is_read_when_it_is_whole_or_twice_as_much_of_it_is_there() -> None:
    reader, data = Reader(is_binary=True), frame(BINARY, b"x" * (8 * LARGE_FRAME_BYTES))
    rest = reader.read(data[:LARGE_FRAME_BYTES], NO_LIMIT)
    assert reader.awaited_bytes == LARGE_FRAME_BYTES
    assert not reader.collect(data[LARGE_FRAME_BYTES : 2 * LARGE_FRAME_BYTES - 1])
    assert reader.collect(data[2 * LARGE_FRAME_BYTES - 1 : 2 * LARGE_FRAME_BYTES])
    rest = reader.take_collected(rest)
    assert (rest, reader.awaited_bytes) == (data[: 2 * LARGE_FRAME_BYTES], 0)
    rest = reader.read(data[:-1], NO_LIMIT)
    assert reader.awaited_bytes == 1
    assert reader.collect(data[-1:] + frame(BINARY, b"more"))
    assert reader.read(reader.take_collected(rest), NO_LIMIT) == b""
    assert reader.messages == [b"x" * (8 * LARGE_FRAME_BYTES), b"more"]


def test_bad_text_in_a_large_frame_is_left_to_the_fallback_before_its_end() -> None:
    reader = Reader()
    bad = frame(TEXT, b"x" * LARGE_FRAME_BYTES + b"\xff" + b"x" * LARGE_FRAME_BYTES)[:-1]
    assert reader.read(bad, NO_LIMIT) == bad
    assert (reader.next_step, reader.awaited_bytes) == (NextStep.FALLBACK, 0)


@pytest.mark.parametrize(
    ("payload", "whole", "partial"),
    [(b"abc", True, True), ("é".encode(), True, True), (b"\xc3", False, True), (b"\xff", False, False)],
)
def test_utf8_may_be_cut_off_where_it_is_not_all_there(payload: bytes, whole: bool, partial: bool) -> None:
    assert is_utf8(payload) is whole
    assert is_utf8(payload, is_all=False) is partial
