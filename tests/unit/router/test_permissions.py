import pytest

from wamp_transport.router import permissions
from wamp_transport.router.options import ACTIONS, Permission, RoleOptions
from wamp_transport.router.permissions import Role, refusal

EVERYTHING = dict.fromkeys(ACTIONS, True)


def role(*rules, allow_by_default=False, loose=False):
    return Role(RoleOptions("role", rules, allow_by_default), loose_uris=loose)


@pytest.mark.parametrize("action", ACTIONS)
def test_rule_allows_its_action_alone(action):
    tested = role(Permission("com.x", **{action: True}))
    assert [each for each in ACTIONS if tested.decide(each, "com.x").allowed] == [action]


@pytest.mark.parametrize("allow", [False, True])
def test_default_decides_where_no_rule_covers(allow):
    tested = role(Permission("com.x"), allow_by_default=allow)
    assert tested.decide("call", "com.y").allowed is allow
    assert not tested.decide("call", "com.x").allowed


def test_decisions_are_remembered_by_action():
    tested = role(allow_by_default=True)
    for action, remembered in zip(
        ACTIONS, (tested.calls, tested.registers, tested.publications, tested.subscribes), strict=True
    ):
        decision = tested.decide(action, "com.x")
        assert remembered == {"com.x": decision}
        assert tested.decide(action, "com.x") is decision


def test_memory_of_decisions_ends_somewhere(monkeypatch):
    monkeypatch.setattr(permissions, "REMEMBERED", 3)
    tested = role(allow_by_default=True)
    for number in range(10):
        assert tested.decide("call", f"com.x{number}").allowed
        assert len(tested.calls) <= 3


@pytest.mark.parametrize("uri", ["com." + "x" * 252, "no uri " + "x" * 300])
def test_decisions_on_long_uris_are_not_remembered(uri):
    tested = role(allow_by_default=True)
    tested.decide("publish", uri)
    assert not tested.publications
    tested.decide("publish", uri[:255])
    assert len(tested.publications) == 1


def test_decisions_on_patterns_are_not_remembered():
    tested = role(allow_by_default=True)
    tested.decide("subscribe", "com.", "prefix")
    assert not tested.subscribes


@pytest.mark.parametrize(
    ("uri", "strict", "loose"), [("com.x", True, True), ("com.X", False, True), ("a b", False, False)]
)
def test_invalid_uri_is_not_allowed(uri, strict, loose):
    for is_loose, valid in ((False, strict), (True, loose)):
        decision = role(allow_by_default=True, loose=is_loose).decide("call", uri)
        assert (decision.allowed, decision.is_valid) == (valid, valid)


def test_disclosure_is_for_its_action_alone():
    tested = role(Permission("com.x", disclose_caller=True, **EVERYTHING))
    assert [tested.decide(action, "com.x").disclose for action in ACTIONS] == [True, False, False, False]
    tested = role(Permission("com.x", disclose_publisher=True, **EVERYTHING))
    assert [tested.decide(action, "com.x").disclose for action in ACTIONS] == [False, False, True, False]


@pytest.mark.parametrize(
    ("match", "pattern", "allowed"),
    [
        ("prefix", "com.", True),
        ("prefix", "com.x", True),
        ("prefix", "com", False),
        ("wildcard", "com..", True),
        ("wildcard", "org..x", True),
        ("wildcard", "org..y", False),
        ("prefix", "net.x", False),
    ],
)
def test_pattern_is_decided_by_the_same_rule_or_one_that_covers_it(match, pattern, allowed):
    tested = role(
        Permission("com.", "prefix", subscribe=True),
        Permission("org..x", "wildcard", subscribe=True),
        Permission("net.x", "exact", subscribe=True),
    )
    assert tested.decide("subscribe", pattern, match).allowed is allowed


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("a b", "wamp.error.invalid_uri"),
        ("com.shut", "wamp.error.not_authorized"),
        ("wamp.x", "wamp.error.invalid_uri"),
    ],
)
def test_refusal_says_why(uri, expected):
    decision = role(Permission("com.shut"), allow_by_default=True).decide("publish", uri)
    error = refusal(decision, "publish", uri)
    assert error.uri == expected
    assert repr(uri) in str(error)
