"""Advanced Profile, "Authorization", by rules: the one that decides on a URI, and the patterns that are allowed."""

import pytest

from wamp_transport.router.options import AnonymousLogin, Permission, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.router.options import ServiceOptions as Service
from wamp_transport.testing.memory import MemoryNode, MemoryPeer

NOT_AUTHORIZED = "wamp.error.not_authorized"
RULES = (
    Permission("com.", "prefix", call=True, subscribe=True, register=True),
    Permission("com.secret.", "prefix"),
    Permission("com.secret.door", call=True),
    Permission("org..", "wildcard", subscribe=True),
    Permission("org.x.", "wildcard"),
    Permission("net.x", subscribe=True),
)
LIMITED = Service("limited", AnonymousLogin("limited"))


@pytest.fixture
def node() -> MemoryNode:
    roles = {"limited": RoleOptions("limited", RULES), "anonymous": RoleOptions("anonymous", allow_by_default=True)}
    return MemoryNode(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}))


@pytest.fixture
def limited(node: MemoryNode, serializer: str) -> MemoryPeer:
    """A client whose role has the rules."""
    return node.join("realm1", serializer, LIMITED)


@pytest.mark.parametrize(
    ("procedure", "is_allowed"),
    [
        ("com.x", True),
        ("com.secret.x", False),
        ("com.secret.door", True),
        ("com.secret.door.x", False),
        ("de.x", False),
    ],
)
def test_exact_comes_before_the_longest_prefix(limited: MemoryPeer, procedure: str, is_allowed: bool) -> None:
    answer = limited.request([48, 1, {}, procedure])
    assert answer[4] == ("wamp.error.no_such_procedure" if is_allowed else NOT_AUTHORIZED)


@pytest.mark.parametrize(("topic", "code"), [("org.a.b", 33), ("org.x.b", 8), ("org.a", 8), ("org.a.b.c", 8)])
def test_wildcard_with_more_components_spelled_out_comes_first(limited: MemoryPeer, topic: str, code: int) -> None:
    assert limited.request([32, 1, {}, topic])[0] == code


@pytest.mark.parametrize(
    ("match", "pattern", "code"),
    [
        ("prefix", "com.", 33),
        ("prefix", "com.a", 33),
        ("prefix", "com.secret.", 8),
        ("prefix", "co", 8),
        ("prefix", "org.a", 8),
        ("prefix", "net.x", 8),
        ("wildcard", "com..x", 33),
        ("wildcard", "org..", 33),
        ("wildcard", "org.a.", 33),
        ("wildcard", "org.x.", 8),
        ("wildcard", ".x", 8),
    ],
)
def test_pattern_needs_a_rule_that_covers_all_of_it(limited: MemoryPeer, match: str, pattern: str, code: int) -> None:
    answer = limited.request([32, 1, {"match": match}, pattern])
    assert answer[0] == code
    if code == 8:
        assert answer[4] == NOT_AUTHORIZED


def test_pattern_brings_no_event_that_a_narrower_rule_denies(node: MemoryNode, limited: MemoryPeer) -> None:
    publisher = node.join("realm1")
    assert limited.request([32, 1, {"match": "prefix"}, "com."])[0] == 33
    for request_id, topic in enumerate(("com.secret.x", "com.open"), 1):
        publisher.send([16, request_id, {}, topic])
    assert [event[3]["topic"] for event in limited.receive_all()] == ["com.open"]


def test_pattern_brings_no_call_that_a_narrower_rule_denies(node: MemoryNode, limited: MemoryPeer) -> None:
    caller = node.join("realm1")
    assert limited.request([64, 1, {"match": "prefix"}, "com."])[0] == 65
    assert caller.request([48, 1, {}, "com.secret.x"])[4] == "wamp.error.no_such_procedure"
    caller.send([48, 2, {}, "com.open"])
    assert [call[3]["procedure"] for call in limited.receive_all()] == ["com.open"]
