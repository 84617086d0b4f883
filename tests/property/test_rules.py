"""Random rules: the index decides as one that looks at all rules in turn, and for patterns as their URIs say."""

import itertools

from hypothesis import example, given, settings
from hypothesis import strategies as st

from wamp_transport.router.options import ACTIONS, Permission, RealmOptions, RoleOptions
from wamp_transport.router.permissions import Role
from wamp_transport.router.rules import Rules
from wamp_transport.wamp.uris import is_uri

from .naive import rights
from .strategies import patterns, uris

flags = st.fixed_dictionaries({action: st.booleans() for action in ACTIONS})
rules = st.lists(
    st.tuples(patterns, flags).map(lambda drawn: Permission(drawn[0][1], drawn[0][0], **drawn[1])), max_size=8
)
asked = uris.map(lambda uri: ("exact", uri)) | patterns


def rule_of(permissions, match, uri):
    realm = RealmOptions("realm1", {"role": RoleOptions("role", tuple(permissions))})
    return rights.rule_for(realm, "role", uri, match)


@settings(max_examples=400, deadline=None)
@given(permissions=rules, question=asked, action=st.sampled_from(ACTIONS), allow=st.booleans())
@example([Permission("a.", "prefix", call=True), Permission("a.b")], ("exact", "a.b.c"), "call", False)
@example([Permission("a..c", "wildcard", call=True), Permission("a..d", "wildcard")], ("exact", "a.b.c"), "call", False)
@example([Permission(".b", "wildcard", call=True)], ("exact", "a.b"), "call", False)
@example([Permission("a.", "prefix"), Permission("a..c", "wildcard", call=True)], ("exact", "a.b.c"), "call", False)
@example(
    [Permission("a...", "wildcard", call=True), Permission(".b.c.d", "wildcard")], ("exact", "a.b.c.d"), "call", False
)
def test_decision_is_that_of_a_look_at_all_rules(permissions, question, action, allow):
    match, uri = question
    role = Role(RoleOptions("role", tuple(permissions), allow), loose_uris=False)
    realm = RealmOptions("realm1", {"role": RoleOptions("role", tuple(permissions), allow)})
    for _ in range(2):  # the second time it is remembered
        decision = role.decide(action, uri, match)
        assert decision.is_valid is is_uri(uri, match)
        assert decision.allowed is (decision.is_valid and getattr(rights.rule_for(realm, "role", uri, match), action))


@settings(max_examples=200, deadline=None)
@given(permissions=rules, question=asked)
def test_beaten_rules_decide_when_those_before_them_are_gone(permissions, question):
    match, uri = question
    left = list({(rule.match, rule.uri): rule for rule in permissions}.values())
    covering = Rules(left).covering(uri, match)
    for rule in covering:
        assert rule_of(left, match, uri) == rule
        left.remove(rule)
    assert Rules(left).covering(uri, match) == []


@settings(max_examples=200, deadline=None)
@given(outer=patterns, inner=patterns.filter(lambda pattern: pattern[0] != "exact"))
def test_pattern_is_covered_just_where_all_its_uris_are(outer, inner):
    match, uri = inner
    is_covered = bool(Rules([Permission(outer[1], outer[0])]).covering(uri, match))
    if match == "prefix":
        samples = [uri + "zz", uri + "zz.zz", uri + "zz.zz.zz.zz"]
    else:
        choices = [[component] if component else ["a", "zz"] for component in uri.split(".")]
        samples = [".".join(parts) for parts in itertools.product(*choices)]
    if outer[0] == "exact":
        assert not is_covered
    elif is_covered:
        assert all(rights.covers(*outer, sample) for sample in samples)
    else:
        assert not all(rights.covers(*outer, sample) for sample in samples)
