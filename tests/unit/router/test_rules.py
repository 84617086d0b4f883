import pytest

from wamp_transport.router.options import Permission
from wamp_transport.router.rules import Rules

EXACT, SHORT, LONG = Permission("a.b.c"), Permission("a.", "prefix"), Permission("a.b", "prefix")
FRONT, MOST = Permission("a...", "wildcard"), Permission(".b.c.d", "wildcard")
ALL = Permission("", "prefix")


@pytest.mark.parametrize(
    ("uri", "match", "expected"),
    [
        ("a.b.c", "exact", [EXACT, LONG, SHORT, ALL]),
        ("a.bc", "exact", [LONG, SHORT, ALL]),
        ("a", "exact", [ALL]),
        ("a.b.c.d", "exact", [LONG, SHORT, ALL, MOST, FRONT]),
        ("x.b.c.d", "exact", [ALL, MOST]),
        ("a.b.c", "prefix", [LONG, SHORT, ALL]),
        ("a", "prefix", [ALL]),
        ("a.b..", "wildcard", [LONG, SHORT, ALL, FRONT]),
        ("a..c.", "wildcard", [SHORT, ALL, FRONT]),
        (".b.c.d", "wildcard", [ALL, MOST]),
        ("...d", "wildcard", [ALL]),
    ],
)
def test_rules_that_cover_are_in_order(uri, match, expected):
    rules = Rules([ALL, FRONT, SHORT, MOST, EXACT, LONG])
    assert rules.covering(uri, match) == expected
    if match == "exact":
        assert rules.deciding(uri) is expected[0]


def test_most_literal_wildcard_decides_where_no_prefix_does():
    assert Rules([FRONT, MOST]).deciding("a.b.c.d") is MOST
    assert Rules([FRONT, MOST]).deciding("a.x.c.d") is FRONT
    assert Rules([FRONT, MOST]).deciding("x") is None


def test_later_of_two_for_the_same_uris_counts():
    later = Permission("a.", "prefix", call=True)
    assert Rules([SHORT, later]).covering("a.b") == [later]


def test_equal_wildcards_follow_from_the_left():
    left, right = Permission("a.b.", "wildcard"), Permission("a..c", "wildcard")
    assert Rules([right, left]).covering("a.b.c") == [left, right]
