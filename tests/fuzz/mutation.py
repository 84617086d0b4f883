"""Bytes made from other bytes: bits flipped, pieces cut, doubled, exchanged, and numbers at the edge put in."""

from collections.abc import Callable, Sequence
from random import Random

EDGES = [
    b"\x00", b"\xff", b"\x7f", b"\x80", b"\xc0", b"\xc1", b"\xf6", b"\xf7", b"\xd8\x1c", b"\xdf\xff\xff\xff\xff",
    b"\xc2\x49\x01" + b"\x00" * 8, b"\xc1\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00", b"\xd8\x1e\x82\x01\x00",
    b"\xd8\x23\x61(",
    b"1e400", b"\\u0000", b"null", b"-1", b"0", b"9007199254740993", b"[]", b"{}", b"[[", b'"\\ud800"',
]  # fmt: skip

Change = Callable[[Random, bytearray, Sequence[bytes]], None]


def mutated(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """``data`` after up to six changes; ``others`` is where foreign pieces come from."""
    changed = bytearray(data)
    for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3, 6))):
        random.choice(CHANGES)(random, changed, others)
    return bytes(changed)


def _place(random: Random, data: bytearray) -> int:
    """Rather further back: behind the head of a message is its payload."""
    return max(random.randrange(len(data) + 1), random.randrange(len(data) + 1))


def _set_byte(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    if data:
        data[_place(random, data) - 1] = random.randrange(256)


def _flip_bit(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    if data:
        data[_place(random, data) - 1] ^= 1 << random.randrange(8)


def _cut(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    begin = _place(random, data)
    del data[begin : begin + random.randrange(1, 9)]


def _truncate(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    del data[_place(random, data) :]


def _double(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    begin = _place(random, data)
    piece = data[begin : begin + random.randrange(1, 17)]
    data[begin:begin] = piece * random.choice((1, 1, 2, 50))


def _insert_edge(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    begin = _place(random, data)
    data[begin : begin + random.choice((0, 1, 4))] = random.choice(EDGES)


def _splice(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    other = random.choice(others)
    begin = random.randrange(len(other) + 1)
    at = _place(random, data)
    data[at : at + random.choice((0, 4, 1000))] = other[begin : begin + random.randrange(1, 64)]


CHANGES: list[Change] = [_set_byte, _flip_bit, _cut, _truncate, _double, _insert_edge, _insert_edge, _splice]
