"""Advanced Profile, "Call Trust Levels"."""

from dataclasses import replace

import pytest

from wamp_transport.router.options import AnonymousLogin, RealmOptions, RoleOptions, RouterOptions, ServiceOptions
from wamp_transport.testing.memory import MemoryNode

from .codes import CALL, REGISTER

LEVELS = {"low": 0, "high": 5, "none": None}


@pytest.fixture
def options():
    """A realm with a role for each trust level."""
    roles = {name: RoleOptions(name, allow_by_default=True, trustlevel=level) for name, level in LEVELS.items()}
    return RouterOptions(realms={"realm1": RealmOptions("realm1", roles)})


@pytest.fixture
def node(options):
    return MemoryNode(options)


def joined_as(node, serializer, role):
    """A peer with this role."""
    return node.join("realm1", serializer, ServiceOptions(role, AnonymousLogin(role)))


@pytest.mark.parametrize("role", LEVELS)
@pytest.mark.parametrize("match", ["exact", "prefix"])
def test_invocation_has_the_trust_level_of_the_callers_role(node, serializer, role, match):
    callee, caller = joined_as(node, serializer, "none"), joined_as(node, serializer, role)
    callee.request([REGISTER, 1, {"match": match}, "com.x"])
    caller.send([CALL, 1, {}, "com.x"])
    details = callee.receive()[3]
    assert details.get("trustlevel") == LEVELS[role]
    assert ("trustlevel" in details) == (LEVELS[role] is not None)


@pytest.mark.parametrize("call", [{}, {"timeout": 500}])
def test_caller_cannot_choose_its_trust_level(node, serializer, call):
    callee, caller = joined_as(node, serializer, "none"), joined_as(node, serializer, "low")
    callee.request([REGISTER, 1, {}, "com.x"])
    caller.send([CALL, 1, {**call, "trustlevel": 9}, "com.x"])
    assert callee.receive()[3]["trustlevel"] == 0


def test_new_trust_level_holds_for_sessions_that_are_there(node, serializer, options):
    callee, caller = joined_as(node, serializer, "none"), joined_as(node, serializer, "low")
    callee.request([REGISTER, 1, {}, "com.x"])
    realm = options.realms["realm1"]
    roles = {**realm.roles, "low": replace(realm.roles["low"], trustlevel=3)}
    node.configure(replace(options, realms={"realm1": replace(realm, roles=roles)}))
    caller.send([CALL, 1, {}, "com.x"])
    assert callee.receive()[3] == {"trustlevel": 3}
