"""Advanced Profile, "Caller Identification"."""

from dataclasses import replace

import pytest

from wamp_transport.router.options import Permission, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.testing.memory import MemoryNode, anonymous_options

from .codes import CALL, ERROR, REGISTER


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
        "caller_authid": alice.node.router.sessions[alice.session_id].authid,
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


def forbidding(serializer):
    """Callee and caller in a realm that does not allow `disclose_me`."""
    options = anonymous_options("realm1")
    realm = replace(options.realms["realm1"], allow_disclose_me=False)
    node = MemoryNode(replace(options, realms={"realm1": realm}))
    callee, caller = node.join("realm1", serializer), node.join("realm1", serializer)
    callee.request([REGISTER, 1, {}, "com.x"])
    return callee, caller


def test_caller_that_may_not_disclose_itself_is_refused(serializer):
    callee, caller = forbidding(serializer)
    error = caller.request([CALL, 1, {"disclose_me": True}, "com.x"])
    assert error[:5] == [ERROR, CALL, 1, {}, "wamp.error.option_disallowed.disclose_me"]
    assert not callee.inbox
    caller.send([CALL, 2, {"disclose_me": False}, "com.x"])
    assert callee.receive()[3] == {}


def test_callee_that_asked_for_disclosure_gets_it_even_there(serializer):
    callee, caller = forbidding(serializer)
    callee.request([REGISTER, 2, {"disclose_caller": True}, "com.y"])
    caller.send([CALL, 1, {}, "com.y"])
    assert callee.receive()[3]["caller"] == caller.session_id


@pytest.mark.parametrize("match", ["prefix", "wildcard"])
def test_invocation_of_a_pattern_discloses_the_caller_too(alice, bob, match):
    bob.request([REGISTER, 1, {"match": match, "disclose_caller": True}, "com.x"])
    alice.send([CALL, 1, {}, "com.x"])
    details = bob.receive()[3]
    assert (details["procedure"], details["caller"]) == ("com.x", alice.session_id)


def test_only_the_callee_that_asked_gets_the_caller(alice, bob, join):
    callee = join()
    bob.request([REGISTER, 1, {"invoke": "roundrobin", "disclose_caller": True}, "com.x"])
    callee.request([REGISTER, 1, {"invoke": "roundrobin"}, "com.x"])
    for request_id in (1, 2):
        alice.send([CALL, request_id, {}, "com.x"])
    assert bob.receive()[3]["caller"] == alice.session_id
    assert callee.receive()[3] == {}
