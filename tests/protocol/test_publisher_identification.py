"""Advanced Profile, "Publisher Identification"."""

import pytest

from wamp_transport.router.options import Permission, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.testing.memory import MemoryNode

from .codes import PUBLISH, SUBSCRIBE


@pytest.mark.parametrize("options", [{}, {"disclose_me": False}, {"disclose_me": None}])
def test_publisher_that_does_not_ask_is_not_disclosed(alice, bob, options):
    bob.request([SUBSCRIBE, 1, {}, "com.x"])
    alice.send([PUBLISH, 1, options, "com.x"])
    assert bob.receive()[3] == {}


def test_publisher_that_asks_is_disclosed(alice, bob):
    bob.request([SUBSCRIBE, 1, {}, "com.x"])
    bob.request([SUBSCRIBE, 2, {"match": "prefix"}, "com"])
    alice.send([PUBLISH, 1, {"disclose_me": True}, "com.x"])
    who = {
        "publisher": alice.session_id,
        "publisher_authid": alice.node.router.sessions[alice.session_id].authid,
        "publisher_authrole": "anonymous",
    }
    assert bob.receive()[3] == who
    assert bob.receive()[3] == {**who, "topic": "com.x"}


def test_publisher_is_disclosed_where_the_role_says_so(serializer):
    rule = Permission("com.", "prefix", publish=True, subscribe=True, disclose_publisher=True)
    roles = {"anonymous": RoleOptions("anonymous", (rule,), allow_by_default=True)}
    node = MemoryNode(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}))
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    for request_id, topic in enumerate(("com.x", "org.x"), 1):
        bob.request([SUBSCRIBE, request_id, {}, topic])
    for request_id, topic in enumerate(("com.x", "org.x"), 1):
        alice.send([PUBLISH, request_id, {"disclose_me": False}, topic])
    assert [event[3].get("publisher") for event in bob.receive_all()] == [alice.session_id, None]


def test_publisher_cannot_name_somebody_else(alice, bob):
    bob.request([SUBSCRIBE, 1, {}, "com.x"])
    forged = {
        "publisher": 1,
        "publisher_authid": "root",
        "forward_for": [{"session": 1, "authid": "a", "authrole": "b"}],
    }
    alice.send([PUBLISH, 1, forged, "com.x"])
    assert bob.receive()[3] == {}


def test_transaction_hash_and_encryption_are_passed_on(alice, bob):
    bob.request([SUBSCRIBE, 1, {}, "com.x"])
    options = {"transaction_hash": "0xab", "enc_algo": "x_mine", "enc_key": "k", "enc_serializer": "json"}
    alice.send([PUBLISH, 1, options, "com.x", [1]])
    assert bob.receive()[3:] == [options, [1]]
