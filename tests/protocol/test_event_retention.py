"""Advanced Profile, "Event Retention"."""

import pytest

from wamp_transport.router.options import (
    AnonymousLogin,
    Permission,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.testing.memory import MemoryNode

from .codes import CALL, ERROR, EVENT, PUBLISH, PUBLISHED, RESULT, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE

TOPIC = "com.example.topic"
ADMIN = ServiceOptions("admin", AnonymousLogin("admin", "root"))


def node_with(*permissions, trustlevel=None, **options):
    roles = {
        "anonymous": RoleOptions("anonymous", permissions, allow_by_default=True, trustlevel=trustlevel),
        "admin": RoleOptions("admin", allow_by_default=True),
    }
    return MemoryNode(RouterOptions(realms={"realm1": RealmOptions("realm1", roles, **options)}))


@pytest.fixture
def node():
    return node_with()


@pytest.fixture
def admin(node, serializer):
    return node.join("realm1", serializer, ADMIN)


def retain(peer, *payload, topic=TOPIC, **options):
    published = peer.request([PUBLISH, 1, {"acknowledge": True, "retain": True, **options}, topic, *payload])
    assert published[0] == PUBLISHED, published
    return published[2]


def retained(peer, topic=TOPIC, **options):
    """The events that come with a subscription."""
    subscribed = peer.request([SUBSCRIBE, 9, {"get_retained": True, **options}, topic])
    assert subscribed[0] == SUBSCRIBED
    events = peer.receive_all()
    assert all(event[:2] == [EVENT, subscribed[2]] for event in events)
    assert all(event[3]["retained"] is True for event in events)
    return events


def firsts(events):
    return [event[4][0] for event in events]


def test_retained_event_comes_after_subscribed_and_keeps_its_publication_id(alice, bob):
    publication = retain(alice, [1], {"a": 2})
    subscription = bob.request([SUBSCRIBE, 1, {"get_retained": True}, TOPIC])[2]
    assert bob.receive_all() == [[EVENT, subscription, publication, {"retained": True}, [1], {"a": 2}]]


@pytest.mark.parametrize("value", [None, False])
def test_retained_event_does_not_come_unasked(alice, bob, value):
    retain(alice, [1])
    bob.request([SUBSCRIBE, 1, {"get_retained": value}, TOPIC])
    bob.request([SUBSCRIBE, 2, {}, TOPIC])
    assert not bob.inbox


def test_event_that_is_delivered_live_is_not_marked(alice, bob):
    bob.request([SUBSCRIBE, 1, {"get_retained": True}, TOPIC])
    assert not bob.inbox
    retain(alice, [1])
    assert bob.receive()[3] == {}


def test_latest_retained_event_replaces_the_one_before(alice, bob):
    for number in range(3):
        retain(alice, [number])
    assert firsts(retained(bob)) == [2]


def test_event_that_is_not_retained_leaves_the_retained_one(alice, bob):
    retain(alice, ["kept"])
    for value in (False, None):
        alice.request([PUBLISH, 2, {"acknowledge": True, "retain": value}, TOPIC, ["passing"]])
    assert firsts(retained(bob)) == ["kept"]


def test_retained_event_outlives_its_publisher_and_all_subscribers(alice, bob, join):
    retain(alice, ["kept"])
    alice.lose()
    subscription = retained(bob)[0][1]
    bob.request([UNSUBSCRIBE, 2, subscription])
    assert firsts(retained(bob)) == ["kept"]
    bob.lose()
    assert firsts(retained(join())) == ["kept"]


@pytest.mark.parametrize(
    ("match", "pattern", "expected"),
    [
        ("exact", "com.a.x", ["com.a.x"]),
        ("exact", "com.a", []),
        ("prefix", "com.a", ["com.a.x", "com.a.y", "com.ab.x"]),
        ("prefix", "org.", []),
        ("wildcard", "com..x", ["com.a.x", "com.ab.x"]),
        ("wildcard", "com.a.", ["com.a.x", "com.a.y"]),
        ("wildcard", ".", []),
    ],
)
def test_patterns_get_the_latest_of_each_topic_with_its_name(alice, bob, match, pattern, expected):
    for topic in ("com.a.x", "com.a.y", "com.ab.x"):
        retain(alice, ["older"], topic=topic)
        retain(alice, [topic], topic=topic)
    events = retained(bob, pattern, match=match)
    assert sorted(firsts(events)) == expected
    assert [event[3].get("topic") for event in events] == ([] if match == "exact" else firsts(events)) or [None] * len(
        events
    )


def test_retained_events_reach_every_serializer(alice, node):
    retain(alice, [1, "é", None], {"a": 1.5})
    for name in ("json", "msgpack", "cbor"):
        assert retained(node.join("realm1", name))[0][4:] == [[1, "é", None], {"a": 1.5}]


@pytest.mark.parametrize(
    ("lists", "anonymous_gets", "admin_gets"),
    [
        ({"eligible_authrole": ["admin"]}, False, True),
        ({"eligible_authid": ["root"]}, False, True),
        ({"exclude_authrole": ["admin"]}, True, False),
        ({"exclude_authid": ["root"]}, True, False),
        ({"eligible_authrole": []}, False, False),
        ({"eligible": []}, False, False),
        ({"exclude": []}, True, True),
        ({"eligible_authrole": ["admin", "anonymous"], "exclude_authid": ["root"]}, True, False),
    ],
)
def test_lists_hold_for_retained_events(alice, bob, admin, lists, anonymous_gets, admin_gets):
    retain(alice, ["x"], **lists)
    for match, pattern in (("exact", TOPIC), ("prefix", "com.")):
        assert bool(retained(bob, pattern, match=match)) is anonymous_gets
        admin.request([SUBSCRIBE, 1, {"match": match}, pattern])
        assert bool(retained(admin, pattern, match=match)) is admin_gets


def test_lists_of_session_ids_hold_for_retained_events(alice, bob, admin):
    retain(alice, ["x"], eligible=[admin.session_id])
    assert not retained(bob)
    assert firsts(retained(admin)) == ["x"]
    retain(alice, ["y"], topic="com.y", exclude=[admin.session_id])
    assert firsts(retained(bob, "com.y")) == ["y"]
    assert not retained(admin, "com.y")


def test_event_for_some_does_not_hide_the_one_for_all(alice, bob, admin):
    retain(alice, ["all"])
    retain(alice, ["some, older"], eligible_authrole=["admin"])
    retain(alice, ["some"], eligible_authrole=["admin"])
    assert firsts(retained(bob)) == ["all"]
    assert firsts(retained(admin)) == ["some"]
    retain(alice, ["all again"])
    admin.receive_all()
    assert firsts(retained(admin)) == ["all again"]


def test_publisher_gets_its_own_only_if_it_wanted_that(alice):
    retain(alice, ["x"])
    assert not retained(alice)
    alice.request([PUBLISH, 1, {"retain": True, "exclude_me": False}, TOPIC, ["y"]])
    assert firsts(retained(alice)) == ["y"]


def test_topic_that_may_not_be_subscribed_to_is_not_replayed_to_a_pattern(serializer):
    node = node_with(Permission("com.secret", publish=True))
    alice = node.join("realm1", serializer)
    retain(alice, ["secret"], topic="com.secret")
    retain(alice, ["open"], topic="com.open")
    assert firsts(retained(node.join("realm1", serializer), "com.", match="prefix")) == ["open"]


def test_details_of_the_publication_are_kept(serializer):
    node = node_with(trustlevel=3)
    alice = node.join("realm1", serializer)
    retain(alice, ["x"], disclose_me=True, transaction_hash="abc")
    details = retained(node.join("realm1", serializer))[0][3]
    authid = details.pop("publisher_authid")
    assert authid.startswith("anonymous-")
    assert details == {
        "retained": True,
        "trustlevel": 3,
        "transaction_hash": "abc",
        "publisher": alice.session_id,
        "publisher_authrole": "anonymous",
    }


def test_meta_events_come_before_the_retained_event(alice, bob):
    alice.request([SUBSCRIBE, 1, {"match": "prefix"}, "wamp.subscription."])
    retain(bob, ["x"])
    alice.request([SUBSCRIBE, 2, {"get_retained": True}, TOPIC])
    topics = [event[3].get("topic") for event in alice.receive_all()]
    assert topics == ["wamp.subscription.on_create", "wamp.subscription.on_subscribe", None]


def test_topic_beyond_the_limit_is_refused_and_those_before_stay(serializer):
    node = node_with(max_retained=2, max_retained_share=100)
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    retain(alice, [1], topic="com.a")
    retain(alice, [2], topic="com.b")
    error = alice.request([PUBLISH, 1, {"acknowledge": True, "retain": True}, "com.c"])
    assert error[:5] == [ERROR, PUBLISH, 1, {}, "wamp.error.quota_exceeded"]
    alice.send([PUBLISH, 1, {"retain": True}, "com.c"])
    assert not alice.inbox
    assert alice.request([PUBLISH, 1, {"acknowledge": True}, "com.c"])[0] == PUBLISHED
    retain(alice, [3], topic="com.a")
    assert sorted(firsts(retained(bob, "com.", match="prefix"))) == [2, 3]


def test_retained_event_that_is_cleared_no_longer_comes(alice, bob):
    retain(alice, ["x"])
    retain(alice, ["y"], topic="com.y")
    broker = alice.node.router.realms["realm1"].broker
    assert broker.clear_retained(TOPIC)
    assert not broker.clear_retained(TOPIC)
    alice.node.run_effects()
    assert not retained(bob)
    assert firsts(retained(bob, "com.y")) == ["y"]


@pytest.mark.parametrize(
    ("limit", "option"),
    [({"max_retained_size": 10_000}, "max_retained_size"), ({"max_retained_size": 16_000}, "max_retained_share")],
)
def test_bytes_beyond_the_limit_are_refused(serializer, limit, option):
    node = node_with(**limit)
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    retain(alice, ["x" * 3000], topic="com.a")
    retain(bob, ["x" * 3000], topic="com.b")
    large = [PUBLISH, 1, {"acknowledge": True, "retain": True}, "com.c", ["x" * 5000]]
    error = alice.request(large)
    assert error[:5] == [ERROR, PUBLISH, 1, {}, "wamp.error.quota_exceeded"]
    assert option in error[5][0]
    alice.send([PUBLISH, 1, {"retain": True}, "com.c", ["x" * 5000]])
    (refusal,) = node.silent_refusals
    assert refusal.error.error == "wamp.error.quota_exceeded"
    assert sorted(event[4][0][:1] for event in retained(bob, "com.", match="prefix", exclude_me=False)) == ["x"]


def test_retained_event_expires(serializer):
    node = node_with(max_retained_age=60)
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    retain(alice, [1])
    node.pass_time(60)
    assert firsts(retained(bob)) == [1]
    node.pass_time(1)
    assert not retained(bob)


def test_retained_event_is_cleared_by_a_call(alice, bob):
    retain(alice, ["x"])
    assert alice.request([CALL, 2, {}, "wamp.retained.clear", [TOPIC]]) == [RESULT, 2, {}, [True]]
    assert alice.request([CALL, 3, {}, "wamp.retained.clear", [TOPIC]]) == [RESULT, 3, {}, [False]]
    assert not retained(bob)


def test_clearing_needs_the_permission_to_publish(serializer):
    call_all = Permission("", "prefix", call=True, publish=True, subscribe=True)
    node = node_with(call_all, Permission(TOPIC, call=True, subscribe=True))
    alice, admin = node.join("realm1", serializer), node.join("realm1", serializer, ADMIN)
    retain(admin, ["x"])
    error = alice.request([CALL, 2, {}, "wamp.retained.clear", [TOPIC]])
    assert error[4] == "wamp.error.not_authorized"
    assert firsts(retained(alice)) == ["x"]
    assert alice.request([CALL, 3, {}, "wamp.retained.clear", ["x" * 2000]])[4] == "wamp.error.invalid_uri"
