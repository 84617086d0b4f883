"""Advanced Profile, "Publication Trust Levels"."""

import pytest

from wamp_transport.router.options import AnonymousLogin, RealmOptions, RoleOptions, RouterOptions, ServiceOptions
from wamp_transport.testing.memory import MemoryNode

from .codes import CALL, EVENT, PUBLISH, SUBSCRIBE

TOPIC = "com.example.topic"
LEVELS = {"anonymous": None, "lowest": 0, "high": 7}
SERVICES = {role: ServiceOptions(role, AnonymousLogin(role)) for role in LEVELS}


def options_with(**levels):
    roles = {name: RoleOptions(name, allow_by_default=True, trustlevel=level) for name, level in levels.items()}
    return RouterOptions(realms={"realm1": RealmOptions("realm1", roles)})


@pytest.fixture
def node():
    return MemoryNode(options_with(**LEVELS))


def details(peer):
    event = peer.receive()
    assert event[0] == EVENT
    assert not peer.inbox
    return event[3]


@pytest.mark.parametrize(
    ("role", "expected"),
    [("anonymous", {}), ("lowest", {"trustlevel": 0}), ("high", {"trustlevel": 7})],
)
def test_event_has_the_level_of_its_publishers_role(node, alice, serializer, role, expected):
    alice.request([SUBSCRIBE, 1, {}, TOPIC])
    publisher = node.join("realm1", serializer, SERVICES[role])
    publisher.send([PUBLISH, 1, {}, TOPIC])
    assert details(alice) == expected


def test_subscribers_own_level_does_not_count(node, bob, serializer):
    subscriber = node.join("realm1", serializer, SERVICES["high"])
    subscriber.request([SUBSCRIBE, 1, {}, TOPIC])
    bob.send([PUBLISH, 1, {}, TOPIC])
    assert details(subscriber) == {}


def test_trust_level_is_sent_to_patterns_with_other_details(node, alice, serializer):
    alice.request([SUBSCRIBE, 1, {"match": "prefix"}, "com."])
    publisher = node.join("realm1", serializer, SERVICES["high"])
    publisher.send([PUBLISH, 1, {"disclose_me": True}, TOPIC])
    told = details(alice)
    assert (told["trustlevel"], told["topic"], told["publisher"]) == (7, TOPIC, publisher.session_id)


def test_publisher_cannot_claim_a_level(alice, bob):
    alice.request([SUBSCRIBE, 1, {}, TOPIC])
    bob.send([PUBLISH, 1, {"trustlevel": 9}, TOPIC])
    assert details(alice) == {}


def test_meta_event_has_no_level(node, alice, serializer):
    alice.request([SUBSCRIBE, 1, {}, "wamp.session.on_join"])
    node.join("realm1", serializer, SERVICES["high"])
    assert details(alice) == {}


def test_testament_has_the_level_of_who_left_it(node, alice, serializer):
    alice.request([SUBSCRIBE, 1, {}, TOPIC])
    publisher = node.join("realm1", serializer, SERVICES["high"])
    publisher.request([CALL, 1, {}, "wamp.session.add_testament", [TOPIC]])
    publisher.lose()
    assert details(alice) == {"trustlevel": 7}


def test_changed_level_holds_for_running_sessions_and_not_for_past_events(node, alice, serializer):
    publisher = node.join("realm1", serializer, SERVICES["high"])
    publisher.send([PUBLISH, 1, {"retain": True}, TOPIC])
    node.configure(options_with(anonymous=None, lowest=None, high=3))
    alice.request([SUBSCRIBE, 1, {"get_retained": True}, TOPIC])
    assert details(alice) == {"trustlevel": 7, "retained": True}
    publisher.send([PUBLISH, 2, {}, TOPIC])
    assert details(alice) == {"trustlevel": 3}
