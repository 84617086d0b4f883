"""Basic Profile, "Security Model" (authorization by the router): rules by exact URI, prefix and wildcard."""

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

from .codes import (
    CALL,
    ERROR,
    EVENT,
    GOODBYE,
    INVOCATION,
    NO_SUCH_PROCEDURE,
    NOT_AUTHORIZED,
    PUBLISH,
    REGISTER,
    REGISTERED,
    SUBSCRIBE,
    UNREGISTER,
)

BACKEND = ServiceOptions("backend", AnonymousLogin("backend"))
REQUESTS = {
    "call": [CALL, 1, {}],
    "register": [REGISTER, 1, {}],
    "publish": [PUBLISH, 1, {"acknowledge": True}],
    "subscribe": [SUBSCRIBE, 1, {}],
}


def node_with(*permissions, allow_by_default=False):
    roles = {
        "anonymous": RoleOptions("anonymous", permissions, allow_by_default),
        "backend": RoleOptions("backend", allow_by_default=True),
    }
    return MemoryNode(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}))


def may(peer, action, uri, **options):
    code, request_id, default = REQUESTS[action]
    answer = peer.request([code, request_id, {**default, **options}, uri])
    if action == "register" and answer[0] == REGISTERED:
        peer.request([UNREGISTER, 2, answer[2]])
    return not (answer[0] == ERROR and answer[4] == NOT_AUTHORIZED)


@pytest.mark.parametrize("action", REQUESTS)
def test_permission_allows_just_its_action(serializer, action):
    alice = node_with(Permission("com.x", "exact", **{action: True})).join("realm1", serializer)
    assert {each for each in REQUESTS if may(alice, each, "com.x")} == {action}
    assert not any(may(alice, each, "com.y") for each in REQUESTS)


@pytest.mark.parametrize("action", REQUESTS)
def test_exact_rules_come_before_prefix_rules_before_wildcard_rules(serializer, action):
    yes = {action: True}
    alice = node_with(
        Permission("com.a.secret", "exact"),
        Permission("com.a.", "prefix", **yes),
        Permission("com.a.b.", "prefix"),
        Permission("com..open", "wildcard", **yes),
        Permission("com.a.b.c.open", "exact", **yes),
    ).join("realm1", serializer)
    expected = {
        "com.a.x": True, "com.a.secret": False, "com.a.secret.x": True, "com.a.b.x": False, "com.a.b": True,
        "com.z.open": True, "com.z.shut": False, "com.z.y.open": False, "com.a.b.c.open": True, "org": False,
    }  # fmt: skip
    assert {uri: may(alice, action, uri) for uri in expected} == expected


def test_role_that_allows_by_default_is_narrowed_by_rules(serializer):
    alice = node_with(Permission("com.shut", "prefix"), allow_by_default=True).join("realm1", serializer)
    assert may(alice, "subscribe", "com.open")
    assert not may(alice, "subscribe", "com.shut.x")


def test_unacknowledged_publication_that_is_not_allowed_is_dropped_silently(serializer):
    node = node_with()
    alice = node.join("realm1", serializer)
    bob = node.join("realm1", serializer, BACKEND)
    bob.request([SUBSCRIBE, 1, {}, "com.x"])
    alice.send([PUBLISH, 1, {}, "com.x"])
    assert not alice.inbox
    assert not bob.inbox
    assert not alice.is_closed


def test_pattern_needs_a_rule_that_covers_it(serializer):
    alice = node_with(
        Permission("com.a.", "prefix", subscribe=True),
        Permission("com..topic", "wildcard", subscribe=True),
        Permission("org.x", "exact", subscribe=True),
    ).join("realm1", serializer)
    assert may(alice, "subscribe", "com.a.", match="prefix")
    assert may(alice, "subscribe", "com.a.b", match="prefix")
    assert not may(alice, "subscribe", "com.", match="prefix")
    assert not may(alice, "subscribe", "", match="prefix")
    assert may(alice, "subscribe", "com..topic", match="wildcard")
    assert may(alice, "subscribe", "com.a..", match="wildcard")
    assert not may(alice, "subscribe", "..topic", match="wildcard")
    assert not may(alice, "subscribe", "org.x", match="prefix")


def test_pattern_subscriber_never_receives_a_topic_it_may_not_subscribe_to(serializer):
    node = node_with(Permission("com.", "prefix", subscribe=True), Permission("com.secret", "exact"))
    alice = node.join("realm1", serializer)
    bob = node.join("realm1", serializer, BACKEND)
    alice.request([SUBSCRIBE, 1, {"match": "prefix"}, "com."])
    alice.request([SUBSCRIBE, 1, {"match": "prefix"}, "com.se"])
    bob.send([PUBLISH, 1, {}, "com.secret", ["secret"]])
    assert not alice.inbox
    bob.send([PUBLISH, 1, {}, "com.open"])
    assert alice.receive()[0] == EVENT


def test_pattern_callee_never_serves_a_procedure_it_may_not_register(serializer):
    node = node_with(Permission("com.", "prefix", register=True), Permission("com.secret", "exact"))
    alice = node.join("realm1", serializer)
    bob = node.join("realm1", serializer, BACKEND)
    alice.request([REGISTER, 1, {"match": "prefix"}, "com."])
    assert bob.request([CALL, 1, {}, "com.secret", ["secret"]])[4] == NO_SUCH_PROCEDURE
    assert not alice.inbox


def test_pattern_callee_that_may_not_serve_does_not_stand_before_one_that_may(serializer):
    node = node_with(Permission("com.s", "prefix", register=True), Permission("com.secret", "exact"))
    alice = node.join("realm1", serializer)
    bob = node.join("realm1", serializer, BACKEND)
    alice.request([REGISTER, 1, {"match": "prefix"}, "com.s"])
    bob.request([REGISTER, 1, {"match": "prefix"}, "com."])
    assert bob.request([CALL, 1, {}, "com.secret"])[0] == INVOCATION
    assert not alice.inbox


def test_changed_permissions_hold_for_running_sessions(serializer):
    node = node_with(Permission("com.x", "exact", subscribe=True, publish=True))
    alice = node.join("realm1", serializer)
    assert may(alice, "publish", "com.x")
    roles = {"anonymous": RoleOptions("anonymous"), "backend": RoleOptions("backend", allow_by_default=True)}
    node.configure(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}))
    assert not may(alice, "publish", "com.x")
    assert not alice.is_closed


def test_role_that_is_removed_ends_its_sessions(serializer):
    node = node_with()
    alice = node.join("realm1", serializer)
    bob = node.join("realm1", serializer, BACKEND)
    roles = {"backend": RoleOptions("backend", allow_by_default=True)}
    node.configure(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}))
    assert alice.receive()[::2] == [GOODBYE, "wamp.error.no_such_role"]
    assert not bob.inbox
