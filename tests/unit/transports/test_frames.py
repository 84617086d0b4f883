"""Frames as octets: what is built, and where the payload of a frame in a buffer lies."""

import pytest

from wamp_transport.transports.frames import (
    BINARY,
    COMPRESSED,
    TEXT,
    MessageFramer,
    binary_frame,
    message_frames,
    random_mask,
    text_frame,
    whole_masked_frame,
    zero_mask,
)

MASK = b"abcd"


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65535, b"\x81\x7e\xff\xff"),
        (65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_payload_of_any_size_gets_the_shortest_head(size: int, head: bytes) -> None:
    assert text_frame(b"x" * size) == head + b"x" * size
    assert binary_frame(b"x" * size) == b"\x82" + head[1:] + b"x" * size


@pytest.mark.parametrize("first", [TEXT, BINARY, TEXT | COMPRESSED])
@pytest.mark.parametrize(
    ("size", "begin"), [(0, 6), (1, 6), (125, 6), (126, 8), (127, 8), (65535, 8), (65536, 14), (70000, 14)]
)
def test_masked_frame_tells_where_its_payload_is(first: int, size: int, begin: int) -> None:
    frame = message_frames(first, b"x" * size, make_mask=lambda: MASK)
    assert whole_masked_frame(frame, 0) == (begin, begin + size)
    assert whole_masked_frame(b"---" + frame, 3) == (3 + begin, 3 + begin + size)
    assert frame[begin - 4 : begin] == MASK


@pytest.mark.parametrize("size", [0, 10, 126, 65536])
def test_frame_cut_off_in_its_head_is_not_taken(size: int) -> None:
    frame = message_frames(TEXT, b"x" * size, make_mask=lambda: MASK)
    begin, end = whole_masked_frame(frame, 0) or (0, 0)
    assert all(whole_masked_frame(frame[:cut], 0) is None for cut in range(begin))
    assert all(whole_masked_frame(frame[:cut], 0) == (begin, end) for cut in range(begin, min(end, begin + 20)))


@pytest.mark.parametrize(
    "frame",
    [
        b"\x01\x81abcdx",  # not final
        b"\x80\x81abcdx",  # continuation
        b"\xa1\x81abcdx",  # extension bit of nobody
        b"\x41\x81abcdx",  # compressed, not final
        b"\x88\x80abcd",  # close
        b"\x89\x81abcdx",  # ping
        b"\x81\x05hello",  # not masked
        b"\x81\x7e\x00\x7e" + b"x" * 126,  # not masked, 16 bits
        b"\x81\xfe\x00\x7dabcd" + b"x" * 125,  # more octets of length than needed
        b"\x81\xff\x00\x00\x00\x00\x00\x00\xff\xffabcd",
    ],
)
def test_other_frame_is_left_alone(frame: bytes) -> None:
    assert whole_masked_frame(frame, 0) is None


def test_length_beyond_all_bounds_is_told_as_it_is() -> None:
    assert whole_masked_frame(b"\x82\xff" + b"\xff" * 8 + MASK, 0) == (14, 14 + 2**64 - 1)


def test_message_larger_than_the_fragment_size_is_cut() -> None:
    assert message_frames(TEXT, b"abcde", size=2) == b"\x01\x02ab" + b"\x00\x02cd" + b"\x80\x01e"
    assert message_frames(BINARY, b"abcd", size=2) == b"\x02\x02ab" + b"\x80\x02cd"


@pytest.mark.parametrize("payload", [b"", b"ab"])
def test_message_within_the_fragment_size_is_one_frame(payload: bytes) -> None:
    assert message_frames(TEXT, payload, size=2) == text_frame(payload)
    assert message_frames(BINARY, payload) == binary_frame(payload)


def test_each_fragment_gets_its_own_mask() -> None:
    masks = iter([b"\x01\x01\x01\x01", b"\x02\x02\x02\x02"])
    frames = message_frames(TEXT, b"aab", size=2, make_mask=lambda: next(masks))
    assert frames == b"\x01\x82\x01\x01\x01\x01" + b"``" + b"\x80\x81\x02\x02\x02\x02" + b"`"


def test_framer_compresses_cuts_and_masks_in_this_order() -> None:
    written: list[bytes] = []
    MessageFramer(written.append, TEXT, compress=bytes.upper, max_payload=2, make_mask=zero_mask).write(b"abc")
    assert written == [b"\x41\x82\0\0\0\0AB" + b"\x80\x81\0\0\0\0C"]


def test_framer_without_options_writes_one_plain_frame() -> None:
    written: list[bytes] = []
    MessageFramer(written.append, BINARY).write(b"abc")
    assert written == [binary_frame(b"abc")]


def test_masks_have_four_octets() -> None:
    assert (len(random_mask()), zero_mask()) == (4, bytes(4))
    assert random_mask() != random_mask()
