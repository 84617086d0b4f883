"""The sending window: what a batch contains, when the window is full, and what is resent."""

import msgspec
import pytest

from wamp_transport.cluster.messages import ACKNOWLEDGE_NOW, Reconcile, decode_batch, encode_message
from wamp_transport.cluster.window import LinkSizes, Window

MIB = 1024 * 1024


@pytest.fixture
def window() -> Window:
    window = Window("a", LinkSizes(batch_bytes=100, batch_messages=3))
    window.limit = 200
    return window


def fill(size: int) -> bytes:
    """Return a valid message of an unknown type with this many bytes."""
    data = msgspec.msgpack.encode([99, b"x" * (size - 4)])
    assert len(data) == size
    return data


def fields(data: bytes) -> tuple[int, int, int, int]:
    """Return number, acknowledgment, flags and number of messages."""
    received = decode_batch(data)
    batch = received.batch
    return batch.number, batch.acknowledged, batch.flags, len(batch.messages) + received.skipped


@pytest.mark.parametrize(("members", "limit"), [(1, 32 * MIB), (2, 16 * MIB), (32, MIB), (64, MIB)])
def test_the_limit_depends_on_the_number_of_members(members: int, limit: int) -> None:
    assert LinkSizes().window_limit(members) == limit


def test_messages_of_one_turn_are_one_batch(window: Window) -> None:
    assert [window.add(encode_message(Reconcile(token))) for token in (1, 2)] == [1, 1]
    (data,) = window.seal(7)
    batch = decode_batch(data).batch
    assert batch.messages == [Reconcile(1), Reconcile(2)]
    assert (batch.protocol, batch.sender, batch.number, batch.acknowledged, batch.flags) == (1, "a", 1, 7, 0)
    assert window.seal(7) == []
    assert window.add(encode_message(Reconcile(3))) == 2


def test_a_batch_has_a_maximum_number_of_messages(window: Window) -> None:
    assert [window.add(fill(5)) for _ in range(4)] == [1, 1, 1, 2]


def test_a_batch_has_a_maximum_size_and_larger_messages_go_alone(window: Window) -> None:
    assert [window.add(fill(size)) for size in (50, 50, 5, 150, 5, 5)] == [1, 1, 2, 3, 4, 4]


def test_only_the_last_batch_of_a_turn_has_the_new_acknowledgment(window: Window) -> None:
    window.add(fill(5))
    window.seal(1)
    for _ in range(7):
        window.add(fill(5))
    assert [fields(data)[:2] for data in window.seal(9)] == [(2, 1), (3, 1), (4, 9)]


def test_a_note_repeats_the_last_number(window: Window) -> None:
    assert fields(window.note(0)) == (0, 0, 0, 0)
    window.add(fill(5))
    window.seal(0)
    assert fields(window.note(3)) == (1, 3, 0, 0)
    assert window.unacknowledged() == window.unacknowledged()[:1]


def test_acknowledged_batches_are_removed(window: Window) -> None:
    for _ in range(3):
        window.add(fill(10))
        window.seal(0)
    assert window.size == 30
    assert window.acknowledge(2)
    assert window.size == 10
    assert [fields(data)[0] for data in window.unacknowledged()] == [3]
    assert not window.acknowledge(2)
    assert not window.acknowledge(1)
    assert window.acknowledge(3)
    assert window.is_empty


def test_acknowledgments_of_unsent_batches_are_ignored(window: Window) -> None:
    window.add(fill(5))
    window.seal(0)
    assert not window.acknowledge(2)
    assert window.acknowledged == 0
    assert not window.is_empty


def test_the_window_is_full_above_its_limit(window: Window) -> None:
    window.add(fill(100))
    window.add(fill(100))
    assert not window.is_full
    window.add(fill(5))
    assert window.is_full
    window.seal(0)
    assert window.is_full
    window.acknowledge(1)
    assert not window.is_full


def test_the_peer_is_hopeless_above_four_times_the_limit(window: Window) -> None:
    for _ in range(8):
        window.add(fill(100))
    assert not window.is_hopeless
    window.add(fill(5))
    assert window.is_hopeless


def test_messages_that_do_not_count_never_fill_the_window(window: Window) -> None:
    window.add(fill(250), is_counted=False)
    assert window.size == 0
    window.seal(0)
    window.acknowledge(1)
    assert window.size == 0


def test_a_message_counts_at_most_as_much_as_the_limit(window: Window) -> None:
    window.add(fill(250))
    assert window.size == 200
    window.seal(0)
    window.add(fill(5))
    window.acknowledge(1)
    assert window.size == 5


def test_a_blocked_window_is_full(window: Window) -> None:
    window.is_blocked = True
    assert window.is_full


def test_urgent_messages_request_an_acknowledgment(window: Window) -> None:
    window.add(fill(5))
    window.add(fill(5), is_urgent=True)
    window.add(fill(95))
    assert [fields(data)[2] for data in window.seal(0)] == [ACKNOWLEDGE_NOW, 0]


def test_each_half_window_requests_an_acknowledgment(window: Window) -> None:
    flags = []
    for _ in range(6):
        window.add(fill(40))
        flags += [fields(data)[2] for data in window.seal(0)]
    assert flags == [0, 0, ACKNOWLEDGE_NOW, 0, 0, ACKNOWLEDGE_NOW]


def test_giving_up_empties_the_window_and_the_numbers_go_on(window: Window) -> None:
    window.add_event(fill(5))
    window.add_event(fill(5))
    window.seal(0)
    window.add_event(fill(5))
    window.add(fill(5))
    assert window.give_up() == (2, 3)
    assert (window.size, window.number, window.is_empty) == (0, 2, True)
    assert window.add(fill(5)) == 3
