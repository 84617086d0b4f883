"""Advanced Profile, "Subscription Revocation"."""

import pytest

from wamp_transport.router.options import Permission, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.testing.memory import MemoryNode

from .codes import (
    CALL,
    ERROR,
    EVENT,
    NOT_AUTHORIZED,
    PUBLISH,
    RESULT,
    SUBSCRIBE,
    SUBSCRIBED,
    UNSUBSCRIBE,
    UNSUBSCRIBED,
)

TOPIC = "com.example.topic"
INVALID_ARGUMENT = "wamp.error.invalid_argument"
ROLES = {"subscriber": {"features": {"subscription_revocation": True}}}


@pytest.fixture
def bob(node, serializer):
    """A subscriber that announced the feature."""
    peer = node.connect(serializer)
    peer.join("realm1", roles=ROLES)
    return peer


def subscribe(peer, topic=TOPIC, **options):
    return peer.request([SUBSCRIBE, 1, options, topic])[2]


def remove(peer, *args, **kwargs):
    return peer.request([CALL, 7, {}, "wamp.subscription.remove_subscriber", list(args), kwargs])


def test_revocation_has_request_zero_subscription_and_reason(alice, bob):
    subscription = subscribe(bob)
    assert remove(alice, subscription, bob.session_id, reason="com.example.no")[:3] == [RESULT, 7, {}]
    assert bob.receive_all() == [[UNSUBSCRIBED, 0, {"subscription": subscription, "reason": "com.example.no"}]]


def test_reason_may_come_by_position_and_has_a_default(alice, bob):
    subscription = subscribe(bob)
    remove(alice, subscription, bob.session_id, "com.example.no")
    assert bob.receive()[2]["reason"] == "com.example.no"
    assert subscribe(bob) == subscription
    remove(alice, subscription, bob.session_id)
    assert bob.receive()[2]["reason"].startswith("wamp.")


@pytest.mark.parametrize("features", [{}, {"subscription_revocation": False}, {"registration_revocation": True}])
def test_subscriber_without_the_feature_is_not_notified(node, serializer, alice, features):
    carol = node.connect(serializer)
    carol.join(
        "realm1",
        roles={"subscriber": {"features": features}, "publisher": {"features": ROLES["subscriber"]["features"]}},
    )
    subscription = subscribe(carol)
    remove(alice, subscription, carol.session_id)
    alice.send([PUBLISH, 1, {}, TOPIC])
    assert not carol.inbox
    assert carol.request([UNSUBSCRIBE, 2, subscription])[4] == "wamp.error.no_such_subscription"


def test_revoked_subscriber_gets_no_more_events_and_others_do(alice, bob, join):
    carol = join()
    subscription = subscribe(bob)
    subscribe(carol)
    other = subscribe(bob, "com.example.other")
    remove(alice, subscription, bob.session_id)
    bob.receive()
    alice.send([PUBLISH, 1, {}, TOPIC])
    assert not bob.inbox
    assert carol.receive()[0] == EVENT
    alice.send([PUBLISH, 1, {}, "com.example.other"])
    assert bob.receive()[:2] == [EVENT, other]
    assert bob.request([UNSUBSCRIBE, 2, subscription])[:5] == [
        ERROR, UNSUBSCRIBE, 2, {}, "wamp.error.no_such_subscription",
    ]  # fmt: skip


def test_revoked_subscriber_may_subscribe_again(alice, bob):
    subscription = subscribe(bob)
    remove(alice, subscription, bob.session_id)
    bob.receive()
    assert bob.request([SUBSCRIBE, 2, {}, TOPIC]) == [SUBSCRIBED, 2, subscription]
    alice.send([PUBLISH, 1, {}, TOPIC])
    assert bob.receive()[0] == EVENT


@pytest.mark.parametrize(("match", "pattern"), [("prefix", "com."), ("wildcard", "com..topic")])
def test_pattern_is_revoked_too(alice, bob, match, pattern):
    subscription = subscribe(bob, pattern, match=match)
    remove(alice, subscription, bob.session_id)
    assert bob.receive()[2]["subscription"] == subscription
    alice.send([PUBLISH, 1, {}, TOPIC])
    assert not bob.inbox


def test_revocation_is_published_like_any_unsubscribe(alice, bob, join):
    carol = join()
    carol.request([SUBSCRIBE, 1, {"match": "prefix"}, "wamp.subscription."])
    subscription = subscribe(bob)
    carol.receive_all()
    remove(alice, subscription, bob.session_id)
    assert [(event[3]["topic"], event[4]) for event in carol.receive_all()] == [
        ("wamp.subscription.on_unsubscribe", [bob.session_id, subscription]),
        ("wamp.subscription.on_delete", [bob.session_id, subscription]),
    ]


def test_session_may_take_its_own_subscription(alice):
    subscription = subscribe(alice)
    assert remove(alice, subscription, alice.session_id)[0] == RESULT
    assert alice.request([UNSUBSCRIBE, 2, subscription])[4] == "wamp.error.no_such_subscription"


def test_session_that_does_not_hold_it_is_an_error(alice, bob):
    subscription = subscribe(bob)
    for session_id in (alice.session_id, 12345):
        assert remove(alice, subscription, session_id)[4] == "wamp.error.no_such_session"
    assert remove(alice, 12345, bob.session_id)[4] == "wamp.error.no_such_subscription"
    assert not bob.inbox


@pytest.mark.parametrize(
    ("rest", "kwargs", "name"),
    [
        ([], {}, "session"),
        (["1"], {}, "session"),
        ([0], {}, "session"),
        ([1, 2], {}, "reason"),
        ([1], {"reason": []}, "reason"),
    ],
)
def test_argument_of_a_wrong_type_is_named(alice, bob, rest, kwargs, name):
    error = remove(alice, subscribe(bob), *rest, **kwargs)
    assert error[4] == INVALID_ARGUMENT
    assert name in error[5][0]
    assert not bob.inbox


def test_rule_on_the_procedure_closes_it(serializer):
    rules = (Permission("wamp.subscription.remove_subscriber"),)
    roles = {"anonymous": RoleOptions("anonymous", rules, allow_by_default=True)}
    node = MemoryNode(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}))
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    assert remove(alice, subscribe(bob), bob.session_id)[4] == NOT_AUTHORIZED
    alice.send([PUBLISH, 1, {}, TOPIC])
    assert bob.receive()[0] == EVENT


def test_client_may_not_send_unsubscribe_with_request_zero(alice):
    alice.send([UNSUBSCRIBE, 0, subscribe(alice)])
    assert alice.is_closed
