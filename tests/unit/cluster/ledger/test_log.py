import pytest

from wamp_transport.cluster.ledger.log import LogEntry, entry_id, make_mark, order, parse_entry


def test_entry_of_redis_is_parsed() -> None:
    entry = parse_entry(b"5-1", [b"prev", b"4-0 aa", b"mark", b"bb", b"r:x", b"", b"c:x", b"1 2 d"])
    assert entry == LogEntry("5-1 bb", "4-0 aa", [(b"r:x", b""), (b"c:x", b"1 2 d")])


def test_foreign_entry_is_refused() -> None:
    with pytest.raises(ValueError, match="does not begin with the fields prev and mark"):
        parse_entry(b"5-1", [b"r:x", b""])


def test_positions_are_ordered_as_numbers() -> None:
    positions = ["", "9-0 x", "9-2 a", "9-10 z", "10-0 b"]
    assert sorted(positions, key=order) == positions
    assert [entry_id(position) for position in positions[:2]] == ["0-0", "9-0"]


def test_marks_depend_on_content_and_history() -> None:
    marks = {make_mark(previous, 1, [(b"r:x", value)]) for previous in ("", "1-0 a") for value in (b"a", b"b")}
    assert len(marks) == 4
