import pytest

from wamp_transport.router.interest import RemoteInterest
from wamp_transport.router.relayed import InterestChange, RemoteShard

A, B = 1, 2
"""The bits of two nodes."""


@pytest.fixture
def interest():
    return RemoteInterest()


@pytest.fixture
def change(interest):
    def change(bit, *changes):
        interest.update(bit, [InterestChange(*each) for each in changes])

    return change


def shards(interest, topic):
    return {group.pattern: sorted(group.shards) for group in interest.shard_groups(topic)}


def shard(session_id):
    return RemoteShard(session_id, "joe", "all", "key")


def is_empty(interest):
    parts = (interest._in_use, interest._patterns, interest._shards)
    return not any(parts) and not len(interest._index) and not len(interest._groups)


def test_topic_belongs_to_the_nodes_whose_patterns_match(interest, change):
    change(A, ("add", "exact", "com.x"), ("add", "prefix", "com."))
    change(B, ("add", "wildcard", "com."))
    assert interest.members_for("com.x") == A | B
    assert interest.members_for("com.x.y") == A
    assert interest.members_for("org.x") == 0


def test_two_nodes_share_a_pattern(interest, change):
    for bit in (A, B):
        change(bit, ("add", "exact", "com.x"))
    change(A, ("remove", "exact", "com.x"))
    assert interest.members_for("com.x") == B
    change(B, ("remove", "exact", "com.x"))
    assert is_empty(interest)


def test_released_pattern_still_gets_events_but_is_not_in_use(interest, change):
    change(A, ("add", "exact", "com.x"))
    assert interest.is_in_use("exact", "com.x")
    change(A, ("release", "exact", "com.x"))
    assert not interest.is_in_use("exact", "com.x")
    assert interest.members_for("com.x") == A
    change(A, ("add", "exact", "com.x"))
    assert interest.is_in_use("exact", "com.x")
    assert not interest.is_in_use("prefix", "com.x")


def test_pattern_stays_in_use_for_the_other_node(interest, change):
    for bit in (A, B):
        change(bit, ("add", "exact", "com.x"))
    change(A, ("release", "exact", "com.x"))
    assert interest.is_in_use("exact", "com.x")
    change(B, ("remove", "exact", "com.x"))
    assert not interest.is_in_use("exact", "com.x")


def test_unknown_pattern_can_be_removed(interest, change):
    change(A, ("remove", "exact", "com.x"), ("remove_shard", "exact", "com.x", shard(5)))
    assert is_empty(interest)


def test_shards_are_found_by_topic(interest, change):
    change(A, ("add_shard", "exact", "com.x", shard(5)), ("add_shard", "prefix", "com.", shard(5)))
    change(B, ("add_shard", "exact", "com.x", shard(6)))
    assert shards(interest, "com.x") == {("exact", "com.x"): [5, 6], ("prefix", "com."): [5]}
    change(A, ("remove_shard", "exact", "com.x", shard(5)))
    assert shards(interest, "com.x") == {("exact", "com.x"): [6], ("prefix", "com."): [5]}
    assert shards(interest, "com.y") == {("prefix", "com."): [5]}


def test_node_that_leaves_takes_its_interest_with_it(interest, change):
    for bit, session_id in ((A, 5), (B, 6)):
        change(bit, ("add", "exact", "com.x"), ("add_shard", "exact", "com.x", shard(session_id)))
    interest.remove_member(A)
    assert interest.members_for("com.x") == B
    assert shards(interest, "com.x") == {("exact", "com.x"): [6]}
    interest.remove_member(B)
    assert is_empty(interest)
