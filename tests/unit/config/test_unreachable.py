import pytest

from wamp_transport.config.unreachable import unreachable


def told(*patterns, allow=frozenset({"call"})):
    return {finding.location: finding.message for finding in unreachable(patterns, [allow] * len(patterns))}


@pytest.mark.parametrize(
    ("prefix", "wildcard"),
    [("", "a..c"), ("", "."), ("a", "a..c"), ("a.", "a..c"), ("a.b", "a.b.."), ("", ".b.")],
)
def test_wildcard_below_a_prefix_never_decides(prefix, wildcard):
    findings = told((wildcard, "wildcard"), None, (prefix, "prefix"))
    assert list(findings) == [("permissions", 0)]
    assert f'permissions[2] (prefix "{prefix}") covers all of it' in findings["permissions", 0]


@pytest.mark.parametrize(
    "patterns",
    [
        [("a.b", "prefix"), ("a..c", "wildcard")],
        [("b.", "prefix"), (".b", "wildcard")],
        [("a..", "wildcard"), ("a..c", "wildcard")],
        [("", "prefix"), ("a.", "prefix"), ("a.b", "exact")],
    ],
)
def test_rules_that_decide_somewhere_are_not_told(patterns):
    assert told(*patterns) == {}


def test_longest_prefix_is_named():
    assert "permissions[1]" in told(("", "prefix"), ("a.", "prefix"), ("a..c", "wildcard"))["permissions", 2]


def test_rights_that_nobody_has_are_told():
    everything = frozenset({"call", "register", "publish", "subscribe"})
    findings = told(("wamp.session.", "prefix"), ("wampum", "prefix"), ("", "prefix"), allow=everything)
    assert list(findings) == [("permissions", 0, "allow")]
    assert findings["permissions", 0, "allow"].startswith("publish and register has no effect")
