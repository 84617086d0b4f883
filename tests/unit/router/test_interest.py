import pytest

from wamp_transport.router.interest import RemoteInterest
from wamp_transport.router.relayed import InterestChange, RelayedInterest, RemoteShard

A, B = 1, 2
"""The bits of two nodes."""


@pytest.fixture
def interest():
    return RemoteInterest()


@pytest.fixture
def change(interest):
    def change(bit, *changes, **page):
        interest.update(bit, RelayedInterest("realm1", [InterestChange(*each) for each in changes], **page))

    return change


def shards(interest, topic):
    return {group.pattern: sorted(group.shards) for group in interest.shard_groups(topic)}


def shard(session_id):
    return RemoteShard(session_id, "joe", "all", "key")


def is_empty(interest):
    parts = (interest._in_use, interest._patterns, interest._shards, interest._unconfirmed)
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
        change(bit, ("add", "exact", "com.x"), ("add_shard", "exact", "com.x", shard(session_id)), is_first=True)
    interest.remove_member(A)
    assert interest.members_for("com.x") == B
    assert shards(interest, "com.x") == {("exact", "com.x"): [6]}
    interest.remove_member(B)
    assert is_empty(interest)


def test_pages_replace_what_was_known_when_the_last_one_arrives(interest, change):
    change(A, *(("add", "exact", name) for name in ("old", "both", "later")), ("add_shard", "exact", "old", shard(5)))
    change(A, ("add_shard", "exact", "both", shard(6)))
    change(B, ("add", "exact", "old"))
    change(A, ("add", "exact", "both"), ("add_shard", "exact", "both", shard(6)), is_first=True)
    assert interest.members_for("old") == A | B
    change(A, ("add", "exact", "between"))
    change(A, ("release", "exact", "later"), is_last=True)
    assert interest.members_for("old") == B
    assert [interest.members_for(topic) for topic in ("both", "between", "later")] == [A, A, A]
    assert not interest.is_in_use("exact", "later")
    assert shards(interest, "old") == {}
    assert shards(interest, "both") == {("exact", "both"): [6]}


def test_one_page_can_be_the_first_and_the_last(interest, change):
    change(A, ("add", "exact", "old"))
    change(A, is_first=True, is_last=True)
    assert is_empty(interest)
    change(A, is_last=True)
    assert is_empty(interest)
