"""Advanced Profile, "Sharded Subscription"."""

import pytest

from .codes import ERROR, EVENT, PUBLISH, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE
from .test_sessions import assert_aborted

TOPIC = "com.example.sensor"
RESOURCES = [f"sn{number}" for number in range(60)]


def subscribe(peer, nkey=None, topic=TOPIC, **options):
    answer = peer.request([SUBSCRIBE, 1, {"nkey": nkey, **options}, topic])
    assert answer[0] == SUBSCRIBED
    return answer[2]


def publish(peer, rkey, topic=TOPIC, **options):
    peer.send([PUBLISH, 1, {"rkey": rkey, **options}, topic, [rkey]])


def got(peer):
    return [event[4][0] for event in peer.receive_all()]


@pytest.fixture
def shards(join):
    """Three subscribers, each with a node key of its own."""
    peers = [join() for _ in range(3)]
    assert len({subscribe(peer, f"node{number}") for number, peer in enumerate(peers)}) == 1
    return peers


def spread(alice, shards, **options):
    """The resources that each shard got; each one came once."""
    for resource in RESOURCES:
        publish(alice, resource, **options)
    received = [got(peer) for peer in shards]
    assert sorted(resource for each in received for resource in each) == sorted(RESOURCES)
    return received


def test_each_resource_belongs_to_one_shard_and_all_have_some(alice, shards):
    first = spread(alice, shards)
    assert all(first)
    assert spread(alice, shards) == first


def test_place_of_a_resource_does_not_depend_on_who_subscribed_when(alice, shards, join):
    before = spread(alice, shards)
    for peer in shards:
        peer.lose()
    peers = [join() for _ in range(3)]
    for number in (2, 0, 1):
        subscribe(peers[number], f"node{number}")
    assert spread(alice, peers) == before


def test_shard_that_leaves_gives_its_resources_to_the_others_and_those_keep_theirs(alice, shards):
    before = spread(alice, shards)
    shards[0].lose()
    after = spread(alice, shards[1:])
    for own, now in zip(before[1:], after, strict=True):
        assert set(own) < set(now)


def test_shard_that_unsubscribes_gets_no_more(alice, shards):
    assert shards[0].request([UNSUBSCRIBE, 2, subscribe(shards[0])])[0] == UNSUBSCRIBE + 1
    spread(alice, shards[1:])
    assert not shards[0].inbox


def test_shard_of_a_session_in_cleanup_gets_no_events(alice, shards, node):
    node.runs_cleanup = False
    shards[0].lose()
    spread(alice, shards[1:])
    node.run_cleanup()
    spread(alice, shards[1:])


def test_event_without_a_resource_key_reaches_all(alice, shards):
    publish(alice, None)
    assert [len(got(peer)) for peer in shards] == [1, 1, 1]


def test_subscriber_without_a_node_key_gets_everything(alice, bob, shards):
    subscribe(bob)
    spread(alice, shards)
    assert got(bob) == RESOURCES


def test_resource_key_without_any_node_key_changes_nothing(alice, bob, join):
    carol = join()
    subscribe(bob)
    subscribe(carol)
    publish(alice, "sn1")
    assert got(bob) == got(carol) == ["sn1"]


def test_lists_are_applied_before_the_shard_is_chosen(alice, shards):
    spread(alice, shards[:2], eligible=[peer.session_id for peer in shards[:2]])
    assert not shards[2].inbox
    spread(alice, shards[1:], exclude=[shards[0].session_id])
    assert not shards[0].inbox
    publish(alice, "sn1", eligible=[])
    assert not any(peer.inbox for peer in shards)


def test_publisher_is_no_shard_of_its_own_events(alice, shards):
    spread(shards[0], shards[1:])
    assert not shards[0].inbox
    spread(shards[0], shards, exclude_me=False)


def test_each_subscription_has_shards_of_its_own(alice, shards, bob):
    subscribe(bob, "node0", "com.example.", match="prefix")
    spread(alice, shards)
    assert got(bob) == RESOURCES


@pytest.mark.parametrize(("match", "pattern"), [("prefix", "com."), ("wildcard", "com..sensor")])
def test_patterns_are_sharded(alice, bob, join, match, pattern):
    carol = join()
    subscribe(bob, "node1", pattern, match=match)
    subscribe(carol, "node2", pattern, match=match)
    assert all(spread(alice, [bob, carol]))


def test_event_does_not_contain_keys(alice, bob):
    subscribe(bob, "node1")
    publish(alice, "sn1")
    event = bob.receive()
    assert event[0] == EVENT
    assert event[3] == {}


def test_key_of_excessive_length_is_refused(alice):
    assert alice.request([SUBSCRIBE, 1, {"nkey": "x" * 255}, TOPIC])[0] == SUBSCRIBED
    error = alice.request([SUBSCRIBE, 2, {"nkey": "x" * 256}, TOPIC])
    assert error[:5] == [ERROR, SUBSCRIBE, 2, {}, "wamp.error.invalid_argument"]


@pytest.mark.parametrize("value", [1, [], {}, True])
def test_key_of_a_wrong_type_is_a_violation(alice, bob, value):
    alice.send([SUBSCRIBE, 1, {"nkey": value}, TOPIC])
    assert "nkey" in assert_aborted(alice)
    publish(bob, value)
    assert "rkey" in assert_aborted(bob)
