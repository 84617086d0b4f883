"""Random rules: the index decides as one that looks at all rules in turn, and for patterns as their URIs say.

And no sequence of edits leaves a session with a right that it has lost.
"""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wamp_transport.router.options import (
    ACTIONS,
    AnonymousLogin,
    Permission,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.router.permissions import Role, Rules
from wamp_transport.testing.memory import MemoryNode
from wamp_transport.wamp.uris import is_uri

from ..effort import examples
from .naive import rights
from .strategies import patterns, uris

pytestmark = pytest.mark.long

flags = st.fixed_dictionaries({action: st.booleans() for action in ACTIONS})
rules = st.lists(
    st.tuples(patterns, flags).map(lambda drawn: Permission(drawn[0][1], drawn[0][0], **drawn[1])), max_size=8
)
asked = uris.map(lambda uri: ("exact", uri)) | patterns


def rule_of(permissions, match, uri):
    realm = RealmOptions("realm1", {"role": RoleOptions("role", tuple(permissions))})
    return rights.rule_for(realm, "role", uri, match)


@settings(max_examples=examples(80), deadline=None)
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


@settings(max_examples=examples(40), deadline=None)
@given(permissions=rules, question=asked)
def test_beaten_rules_decide_when_those_before_them_are_gone(permissions, question):
    match, uri = question
    left = list({(rule.match, rule.uri): rule for rule in permissions}.values())
    covering = Rules(left).find_all(uri, match)
    for rule in covering:
        assert rule_of(left, match, uri) == rule
        left.remove(rule)
    assert Rules(left).find_all(uri, match) == []


@settings(max_examples=examples(40), deadline=None)
@given(outer=patterns, inner=patterns.filter(lambda pattern: pattern[0] != "exact"))
def test_pattern_is_covered_just_where_all_its_uris_are(outer, inner):
    match, uri = inner
    is_covered = bool(Rules([Permission(outer[1], outer[0])]).find_all(uri, match))
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


MEMBER = ServiceOptions("member", AnonymousLogin("role"))
WATCHER = ServiceOptions("watcher", AnonymousLogin("watcher"))


class Edited:
    """A router whose rules change, a session of the role in question, and one that may do everything."""

    def __init__(self, permissions):
        self.node = MemoryNode(self.options(permissions))
        self.member = self.node.join("realm1", service=MEMBER)
        self.watcher = self.node.join("realm1", service=WATCHER)
        self.last = 0

    def options(self, permissions):
        watcher = RoleOptions("watcher", allow_by_default=True)
        self.realm = RealmOptions("realm1", {"role": RoleOptions("role", tuple(permissions)), "watcher": watcher})
        return RouterOptions(realms={"realm1": self.realm})

    def edit(self, permissions):
        self.node.configure(self.options(permissions))
        for peer in (self.member, self.watcher):
            peer.receive_all()  # events about what was revoked

    def may(self, action, match, uri):
        return is_uri(uri, match, loose=True) and getattr(rights.rule_for(self.realm, "role", uri, match), action)

    def asks(self, peer, *message):
        """What both get for a request."""
        self.last += 1
        peer.send([message[0], self.last, *message[1:]])
        return self.member.receive_all(), self.watcher.receive_all()

    def check_what_is_held(self):
        realm = self.node.router.realms["realm1"]
        for subscription in realm.broker.subscriptions.values():
            if self.member.session_id in subscription.subscribers:
                assert self.may("subscribe", subscription.match, subscription.topic)
        for registration in realm.dealer.registrations.values():
            if self.member.session_id in registration.callees:
                assert self.may("register", registration.match, registration.procedure)

    def check_what_happens(self, uri):
        events, _ = self.asks(self.watcher, 16, {"acknowledge": True}, uri)
        assert self.may("subscribe", "exact", uri) or not [each for each in events if each[0] == 36]
        invocations, _ = self.asks(self.watcher, 48, {}, uri)
        assert self.may("register", "exact", uri) or not [each for each in invocations if each[0] == 68]
        for action, code, options in (("publish", 16, {"acknowledge": True}), ("call", 48, {})):
            answers, _ = self.asks(self.member, code, options, uri)
            refused = [each for each in answers if each[0] == 8 and each[4] == "wamp.error.not_authorized"]
            assert bool(refused) is not self.may(action, "exact", uri)


@settings(max_examples=examples(30), deadline=None)
@given(
    edits=st.lists(rules, min_size=2, max_size=5),
    wanted=st.lists(patterns, max_size=6, unique=True),
    probes=st.lists(uris, min_size=1, max_size=4, unique=True),
)
@example(
    [[Permission("a.", "prefix", **dict.fromkeys(ACTIONS, True))], [Permission("a.b", **dict.fromkeys(ACTIONS, True))]],
    [("prefix", "a."), ("exact", "a.b"), ("wildcard", "a..c")],
    ["a.b", "a.b.c"],
)
@example(
    [
        [Permission("", "prefix", register=True, subscribe=True)],
        [Permission("", "prefix", subscribe=True), Permission("a")],
    ],
    [("prefix", "")],
    ["a"],
)
def test_no_edit_leaves_a_right_that_was_lost(edits, wanted, probes):
    edited = Edited(edits[0])
    for permissions in edits:
        edited.edit(permissions)
        edited.check_what_is_held()
        for uri in probes:
            edited.check_what_happens(uri)
        for match, uri in wanted:
            for code in (32, 64):
                edited.asks(edited.member, code, {"match": match}, uri)
        edited.check_what_is_held()
        for uri in probes:
            edited.check_what_happens(uri)
