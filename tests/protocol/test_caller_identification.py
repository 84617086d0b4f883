"""Advanced Profile, "Caller Identification"."""

import pytest

from wamp_transport.router.options import Permission, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.testing import MemoryNode

from .codes import CALL, ERROR, INVOCATION, REGISTER, RESULT, YIELD


@pytest.mark.parametrize("options", [{}, {"disclose_me": False}, {"disclose_me": None}])
def test_caller_that_does_not_ask_is_not_disclosed(alice, bob, options):
    bob.request([REGISTER, 1, {}, "com.x"])
    alice.send([CALL, 1, options, "com.x"])
    assert bob.receive()[3] == {}


@pytest.mark.parametrize(
    ("register", "call"),
    [({}, {"disclose_me": True}), ({"disclose_caller": True}, {}), ({"disclose_caller": True},) * 2],
)
def test_caller_is_disclosed_where_either_side_asks(alice, bob, node, register, call):
    bob.request([REGISTER, 1, register, "com.x"])
    alice.send([CALL, 1, call, "com.x"])
    assert bob.receive()[3] == {
        "caller": alice.session_id,
        "caller_authid": node.router.sessions[alice.session_id].authid,
        "caller_authrole": "anonymous",
    }


def test_caller_is_disclosed_where_the_role_says_so(serializer):
    rule = Permission("com.", "prefix", call=True, register=True, disclose_caller=True)
    roles = {"anonymous": RoleOptions("anonymous", (rule,), allow_by_default=True)}
    node = MemoryNode(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}))
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    for request_id, procedure in enumerate(("com.x", "org.x"), 1):
        bob.request([REGISTER, request_id, {}, procedure])
    for request_id, procedure in enumerate(("com.x", "org.x"), 1):
        alice.send([CALL, request_id, {}, procedure])
    assert [invocation[3].get("caller") for invocation in bob.receive_all()] == [alice.session_id, None]


def test_caller_cannot_name_somebody_else(alice, bob):
    bob.request([REGISTER, 1, {}, "com.x"])
    alice.send([CALL, 1, {"caller": 1, "caller_authid": "root", "caller_authrole": "admin"}, "com.x"])
    assert bob.receive()[3] == {}


def test_encryption_is_passed_on_both_ways(alice, bob):
    bob.request([REGISTER, 1, {}, "com.x"])
    options = {"enc_algo": "cryptobox", "enc_key": "k", "enc_serializer": "cbor"}
    alice.send([CALL, 1, options, "com.x", "opaque"])
    invocation = bob.receive()
    assert invocation[3:] == [options, "opaque"]
    bob.send([YIELD, invocation[1], options, "answer"])
    assert alice.receive() == [RESULT, 1, options, "answer"]
    alice.send([CALL, 2, {}, "com.x"])
    bob.send([ERROR, INVOCATION, bob.receive()[1], options, "com.example.error", "opaque"])
    assert alice.receive() == [ERROR, CALL, 2, options, "com.example.error", "opaque"]
