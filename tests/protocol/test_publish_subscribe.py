"""Basic Profile, "Publish and Subscribe"."""

import pytest

from .codes import (
    CALL,
    ERROR,
    EVENT,
    EVENT_RECEIVED,
    NO_SUCH_PROCEDURE,
    PUBLISH,
    PUBLISHED,
    SUBSCRIBE,
    SUBSCRIBED,
    UNSUBSCRIBE,
    UNSUBSCRIBED,
)

TOPIC = "com.example.topic"


def test_event_reaches_every_subscriber_with_one_publication_id(alice, bob, join):
    carol = join()
    subscription = bob.request([SUBSCRIBE, 1, {}, TOPIC])[2]
    assert carol.request([SUBSCRIBE, 5, {}, TOPIC]) == [SUBSCRIBED, 5, subscription]
    published = alice.request([PUBLISH, 1, {"acknowledge": True}, TOPIC, [1, "two"], {"three": 3}])
    event = [EVENT, subscription, published[2], {}, [1, "two"], {"three": 3}]
    assert published[:2] == [PUBLISHED, 1]
    assert bob.receive() == event
    assert carol.receive() == event
    assert not alice.inbox


def test_publication_without_acknowledge_is_not_answered(alice, bob):
    bob.request([SUBSCRIBE, 1, {}, TOPIC])
    for options in ({}, {"acknowledge": False}, {"acknowledge": None}):
        alice.send([PUBLISH, 1, options, TOPIC])
        assert not alice.inbox
        assert bob.receive()[0] == EVENT


def test_publication_without_subscribers_is_acknowledged(alice):
    assert alice.request([PUBLISH, 1, {"acknowledge": True}, TOPIC])[:2] == [PUBLISHED, 1]


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ([], []),
        ([[]], [[]]),
        ([[], {}], [[], {}]),
        ([[1]], [[1]]),
        ([None], []),
        ([None, None], []),
        ([[1], None], [[1]]),
        ([[], {"a": 1}], [[], {"a": 1}]),
        ([None, {"a": 1}], [[], {"a": 1}]),
    ],
)
def test_payload_keeps_its_form(alice, bob, sent, received):
    bob.request([SUBSCRIBE, 1, {}, TOPIC])
    alice.send([PUBLISH, 1, {}, TOPIC, *sent])
    assert bob.receive()[4:] == received


def test_subscribing_twice_is_one_subscription(alice, bob):
    first = bob.request([SUBSCRIBE, 1, {}, TOPIC])
    assert bob.request([SUBSCRIBE, 2, {}, TOPIC]) == [SUBSCRIBED, 2, first[2]]
    alice.send([PUBLISH, 1, {}, TOPIC])
    assert len(bob.receive_all()) == 1
    assert bob.request([UNSUBSCRIBE, 3, first[2]]) == [UNSUBSCRIBED, 3]
    alice.send([PUBLISH, 1, {}, TOPIC])
    assert not bob.inbox


def test_unsubscribed_session_gets_no_more_events_and_others_do(alice, bob, join):
    carol = join()
    subscription = bob.request([SUBSCRIBE, 1, {}, TOPIC])[2]
    carol.request([SUBSCRIBE, 1, {}, TOPIC])
    assert bob.request([UNSUBSCRIBE, 2, subscription, {}]) == [UNSUBSCRIBED, 2]
    alice.send([PUBLISH, 1, {}, TOPIC])
    assert not bob.inbox
    assert carol.receive()[0] == EVENT


def test_unsubscribe_of_another_subscription_is_an_error(alice, bob):
    subscription = bob.request([SUBSCRIBE, 1, {}, TOPIC])[2]
    for request_id, each in enumerate([subscription, 12345], 1):
        error = alice.request([UNSUBSCRIBE, request_id, each])
        assert error[:5] == [ERROR, UNSUBSCRIBE, request_id, {}, "wamp.error.no_such_subscription"]
    bob.request([UNSUBSCRIBE, 2, subscription])
    assert bob.request([UNSUBSCRIBE, 3, subscription])[4] == "wamp.error.no_such_subscription"


def test_events_of_one_publisher_keep_their_order(alice, bob):
    bob.request([SUBSCRIBE, 1, {}, TOPIC])
    bob.request([SUBSCRIBE, 2, {}, "com.example.other"])
    for number in range(20):
        alice.send([PUBLISH, number + 1, {}, TOPIC if number % 3 else "com.example.other", [number]])
    assert [event[4][0] for event in bob.receive_all()] == list(range(20))


def test_published_comes_before_the_publishers_own_event(alice):
    alice.request([SUBSCRIBE, 1, {}, TOPIC])
    alice.send([PUBLISH, 2, {"acknowledge": True, "exclude_me": False}, TOPIC])
    assert [message[0] for message in alice.receive_all()] == [PUBLISHED, EVENT]


def test_realms_are_apart(node, alice, serializer):
    other = node.join("realm2", serializer)
    other.request([SUBSCRIBE, 1, {}, TOPIC])
    other.request([SUBSCRIBE, 2, {"match": "prefix"}, ""])
    other.receive_all()  # the meta events of its own realm
    alice.send([PUBLISH, 1, {}, TOPIC])
    assert not other.inbox
    assert alice.request([CALL, 2, {}, "com.example.procedure"])[4] == NO_SUCH_PROCEDURE


def test_events_reach_every_serializer(alice, node):
    subscribers = [node.join("realm1", name) for name in ("json", "msgpack", "cbor")]
    for subscriber in subscribers:
        subscriber.request([SUBSCRIBE, 1, {}, TOPIC])
    alice.send([PUBLISH, 1, {}, TOPIC, ["é", 1.5, None, True], {"deep": {"list": [1, [2]]}}])
    for subscriber in subscribers:
        assert subscriber.receive()[4:] == [["é", 1.5, None, True], {"deep": {"list": [1, [2]]}}]


def test_event_received_is_taken_without_effect(alice):
    alice.send([EVENT_RECEIVED, 5])
    assert not alice.inbox
    assert not alice.is_closed
