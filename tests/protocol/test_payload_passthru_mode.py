"""Advanced Profile, "Payload Passthru Mode": publish and subscribe."""

from base64 import b64encode

import pytest

from wamp_transport.router.options import HistoryOptions, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.testing.memory import MemoryNode

from .codes import CALL, EVENT, PUBLISH, PUBLISHED, RESULT, SUBSCRIBE
from .test_sessions import assert_aborted

TOPIC = "com.example.topic"
FEATURE = {"features": {"payload_passthru_mode": True}}
CIPHERTEXT = bytes(range(256))
ENCRYPTED = {
    "ppt_scheme": "wamp",
    "ppt_serializer": "cbor",
    "ppt_cipher": "xsalsa20poly1305",
    "ppt_keyid": "GTtQ37XGJO2O4R8Dvx4AUo8pe61D9evIWpKGQAPdOh0=",
}


def binary(peer, data=CIPHERTEXT):
    """Bytes as the peer's serializer has them."""
    return "\0" + b64encode(data).decode() if peer.serializer == "json" else data


@pytest.fixture
def node():
    roles = {"anonymous": RoleOptions("anonymous", allow_by_default=True)}
    realm = RealmOptions("realm1", roles, history=(HistoryOptions(TOPIC),))
    return MemoryNode(RouterOptions(realms={"realm1": realm}))


@pytest.fixture
def alice(node, serializer):
    """A publisher that announced the feature."""
    peer = node.connect(serializer)
    peer.join("realm1", roles={"publisher": FEATURE, "subscriber": FEATURE, "caller": {}})
    return peer


@pytest.mark.parametrize(
    "options",
    [
        ENCRYPTED,
        {"ppt_scheme": "mqtt"},
        {"ppt_scheme": "mqtt", "ppt_serializer": "native"},
        {"ppt_scheme": "mqtt", "ppt_serializer": "json"},
        {"ppt_scheme": "x_mine", "ppt_serializer": "x_own", "ppt_cipher": "x_rot13", "ppt_keyid": "é"},
    ],
)
def test_attributes_and_payload_reach_the_subscriber_unchanged(alice, bob, options):
    subscription = bob.request([SUBSCRIBE, 1, {}, TOPIC])[2]
    published = alice.request([PUBLISH, 1, {"acknowledge": True, **options}, TOPIC, [binary(alice)]])
    assert published[0] == PUBLISHED
    assert bob.receive() == [EVENT, subscription, published[2], options, [binary(bob)]]


def test_payload_reaches_every_serializer(alice, node):
    subscribers = [node.join("realm1", name) for name in ("json", "msgpack", "cbor")]
    for subscriber in subscribers:
        subscriber.request([SUBSCRIBE, 1, {}, TOPIC])
    alice.send([PUBLISH, 1, ENCRYPTED, TOPIC, [binary(alice)]])
    for subscriber in subscribers:
        assert subscriber.receive()[3:] == [ENCRYPTED, [binary(subscriber)]]


def test_payload_is_not_looked_into(alice, bob):
    bob.request([SUBSCRIBE, 1, {}, TOPIC])
    alice.send(
        [
            PUBLISH,
            1,
            {"ppt_scheme": "wamp", "ppt_serializer": "cbor"},
            TOPIC,
            [binary(alice, b"\xff no cbor")],
            {"a": 1},
        ]
    )
    assert bob.receive()[4:] == [[binary(bob, b"\xff no cbor")], {"a": 1}]


def test_patterns_get_the_attributes_too(alice, bob):
    bob.request([SUBSCRIBE, 1, {"match": "prefix"}, "com."])
    alice.send([PUBLISH, 1, ENCRYPTED, TOPIC, [binary(alice)]])
    assert bob.receive()[3] == {**ENCRYPTED, "topic": TOPIC}


@pytest.mark.parametrize(
    "roles",
    [
        {"publisher": {}},
        {"publisher": {"features": {"payload_passthru_mode": False}}},
        {"publisher": {"features": {"payload_transparency": True}}},
        {"publisher": {}, "subscriber": FEATURE, "caller": FEATURE, "callee": FEATURE},
        {"subscriber": FEATURE},
    ],
)
@pytest.mark.parametrize("acknowledge", [True, False])
def test_publisher_that_did_not_announce_it_breaks_the_protocol(node, bob, serializer, roles, acknowledge):
    bob.request([SUBSCRIBE, 1, {}, TOPIC])
    mallory = node.connect(serializer)
    mallory.join("realm1", roles=roles)
    mallory.send([PUBLISH, 1, {"acknowledge": acknowledge, **ENCRYPTED}, TOPIC, [binary(mallory)]])
    text = assert_aborted(mallory)
    assert "PUBLISH" in text
    assert "payload_passthru_mode" in text
    assert not bob.inbox


def test_subscriber_that_did_not_announce_it_gets_the_event(node, alice, serializer):
    subscriber = node.connect(serializer)
    subscriber.join("realm1", roles={"subscriber": {}})
    subscriber.request([SUBSCRIBE, 1, {}, TOPIC])
    alice.send([PUBLISH, 1, ENCRYPTED, TOPIC, [binary(alice)]])
    assert subscriber.receive()[3] == ENCRYPTED


def test_attributes_are_kept_with_retained_events(alice, bob):
    alice.send([PUBLISH, 1, {"retain": True, **ENCRYPTED}, TOPIC, [binary(alice)]])
    bob.request([SUBSCRIBE, 1, {"get_retained": True}, TOPIC])
    assert bob.receive()[3:] == [{**ENCRYPTED, "retained": True}, [binary(bob)]]


def test_attributes_are_kept_with_past_events(alice, bob):
    alice.send([PUBLISH, 1, ENCRYPTED, TOPIC, [binary(alice)]])
    subscription = bob.request([SUBSCRIBE, 1, {}, TOPIC])[2]
    result = bob.request([CALL, 2, {}, "wamp.subscription.get_events", [subscription]])
    assert result[0] == RESULT
    (event,) = result[3][0]
    assert event["details"] == ENCRYPTED
    assert event["args"] == [binary(bob)]


def test_attributes_are_kept_with_testaments(alice, bob):
    bob.request([SUBSCRIBE, 1, {}, TOPIC])
    options = {"publish_options": ENCRYPTED}
    assert alice.request([CALL, 1, {}, "wamp.session.add_testament", [TOPIC, [binary(alice)]], options])[0] == RESULT
    alice.lose()
    event = bob.receive()
    assert event[3:5] == [ENCRYPTED, [binary(bob)]]


@pytest.mark.parametrize("name", ENCRYPTED)
@pytest.mark.parametrize("value", [1, [], {}, True])
def test_attribute_of_a_wrong_type_is_a_violation(alice, name, value):
    alice.send([PUBLISH, 1, {**ENCRYPTED, name: value}, TOPIC, [binary(alice)]])
    assert name in assert_aborted(alice)
