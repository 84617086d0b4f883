"""Which announcements are known to all other nodes that count."""

import pytest

from wamp_transport.node.known_interest import KnownInterest


@pytest.fixture
def interest() -> KnownInterest:
    """Two peers to which announcements 1 and 2 were sent, in batches with different numbers."""
    interest = KnownInterest()
    for peer, first in (("a", 10), ("b", 20)):
        interest.add(peer)
        interest.on_sent(peer, first, 1)
        interest.on_sent(peer, first + 1, 2)
    return interest


def test_without_peers_everything_is_known():
    assert KnownInterest().known(7) == 7


def test_all_peers_must_acknowledge(interest):
    interest.on_acknowledged("a", 11, is_caught_up=True)
    assert interest.known(2) == 0
    interest.on_acknowledged("b", 20, is_caught_up=False)
    assert interest.known(2) == 1
    interest.on_acknowledged("b", 21, is_caught_up=True)
    assert interest.known(2) == 2


def test_announcements_in_one_batch_are_known_together(interest):
    for number in (3, 4, 5):
        interest.on_sent("a", 12, number)
    interest.remove("b")
    interest.on_acknowledged("a", 12, is_caught_up=True)
    assert interest.known(5) == 5


def test_snapshot_contains_the_announcements_before_it():
    interest = KnownInterest()
    interest.add("a")
    interest.on_sent("a", 3, 8)  # a snapshot after the announcement 8
    interest.on_sent("a", 4, 7)  # announcement 7 was still in the outbox
    interest.on_acknowledged("a", 4, is_caught_up=True)
    assert interest.known(8) == 8


def test_silent_peers_do_not_count(interest):
    interest.on_acknowledged("a", 11, is_caught_up=True)
    interest.set_silent("b", True)
    assert interest.known(2) == 2
    interest.set_silent("b", False)
    assert interest.known(2) == 0


def test_late_peer_counts_again_when_it_has_caught_up(interest):
    interest.on_acknowledged("a", 11, is_caught_up=True)
    assert interest.on_missed(1) == ["b"]
    assert interest.on_missed(2) == []
    assert interest.known(2) == 2
    interest.on_acknowledged("b", 20, is_caught_up=False)
    assert interest.known(2) == 2
    interest.on_sent("b", 22, 3)
    interest.on_acknowledged("b", 21, is_caught_up=False)
    assert interest.known(3) == 2
    interest.on_acknowledged("b", 22, is_caught_up=True)
    interest.on_sent("a", 12, 3)
    interest.on_acknowledged("a", 12, is_caught_up=True)
    interest.on_sent("a", 13, 4)
    interest.on_acknowledged("a", 13, is_caught_up=True)
    assert interest.known(4) == 3


def test_unknown_and_removed_peers_are_ignored(interest):
    interest.remove("a")
    interest.remove("a")
    interest.on_sent("a", 12, 3)
    interest.on_acknowledged("a", 12, is_caught_up=True)
    interest.set_silent("a", True)
    interest.on_acknowledged("b", 21, is_caught_up=True)
    assert interest.known(2) == 2
