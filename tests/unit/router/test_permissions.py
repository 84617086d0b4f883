import pytest

from wamp_transport.router import permissions
from wamp_transport.router.decisions import Deny, Permit, Skip
from wamp_transport.router.effects import AuthorizationRequest
from wamp_transport.router.options import ACTIONS, AuthorizerOptions, Permission, RoleOptions
from wamp_transport.router.pending import PendingMessages
from wamp_transport.router.permissions import Role, Rules, refusal
from wamp_transport.router.records import session_details
from wamp_transport.router.suspension import MessageSuspended
from wamp_transport.wamp.messages import SubscribeOptions

EXACT, SHORT, LONG = Permission("a.b.c"), Permission("a.", "prefix"), Permission("a.b", "prefix")
FRONT, MOST = Permission("a...", "wildcard"), Permission(".b.c.d", "wildcard")
ALL = Permission("", "prefix")
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


def test_decisions_are_cached_by_action():
    tested = role(allow_by_default=True)
    for action, remembered in zip(
        ACTIONS, (tested.calls, tested.registrations, tested.publications, tested.subscriptions), strict=True
    ):
        decision = tested.decide(action, "com.x")
        assert remembered == {"com.x": decision}
        assert tested.decide(action, "com.x") is decision


def test_cache_of_decisions_is_limited(monkeypatch):
    monkeypatch.setattr(permissions, "MAX_CACHED_DECISIONS", 3)
    tested = role(allow_by_default=True)
    for number in range(10):
        assert tested.decide("call", f"com.x{number}").allowed
        assert len(tested.calls) <= 3


@pytest.mark.parametrize("uri", ["com." + "x" * 252, "no uri " + "x" * 300])
def test_decisions_on_long_uris_are_not_cached(uri):
    tested = role(allow_by_default=True)
    tested.decide("publish", uri)
    assert not tested.publications
    tested.decide("publish", uri[:255])
    assert len(tested.publications) == 1


def test_decisions_on_patterns_are_not_cached():
    tested = role(allow_by_default=True)
    tested.decide("subscribe", "com.", "prefix")
    assert not tested.subscriptions


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
def test_refusal_states_the_reason(uri, expected):
    decision = role(Permission("com.shut"), allow_by_default=True).decide("publish", uri)
    error = refusal(decision, "publish", uri)
    assert error.uri == expected
    assert repr(uri) in str(error)


# --- authorizers -----------------------------------------------------------------------------------------------------

OPTIONS = SubscribeOptions()


def asking(clock=float, **options):
    return Role(RoleOptions("role", authorizer=AuthorizerOptions("com.a", **options)), loose_uris=False, clock=clock)


def suspension_of(tested, session, *action):
    with pytest.raises(MessageSuspended) as suspended:
        tested.check(session, *action)
    return suspended.value.suspension


def question_of(tested, session, *action):
    return suspension_of(tested, session, *action).key


def test_rules_decide_without_asking(new_session):
    assert role(allow_by_default=True).check(new_session(), "call", "com.x", None).allowed


def test_authorizer_is_asked(new_session):
    tested = asking(timeout=3)
    session = new_session()
    suspension = suspension_of(tested, session, "subscribe", "com.", OPTIONS, "prefix")
    assert (suspension.key, suspension.timeout) == (("subscribe", "com.", "prefix", b"{}", ""), 3)
    details = session_details(session)
    assert suspension.request(7) == AuthorizationRequest(
        7, session.id, "realm1", details, "com.a", "subscribe", "com.", "prefix", OPTIONS
    )


@pytest.mark.parametrize(
    ("answer", "allowed", "failure"),
    [
        (Permit(True), True, None),
        (Permit(False), False, None),
        (Deny("com.reason", "text"), False, ("com.reason", "text")),
        (Skip(), False, ("wamp.error.authorization_failed", "the authorizer gave no valid answer")),
    ],
)
def test_answer_of_an_authorizer_is_a_decision(new_session, answer, allowed, failure):
    tested = asking()
    decision = suspension_of(tested, new_session(), "subscribe", "com.x", OPTIONS).resolve(answer)
    assert (decision.allowed, decision.failure) == (allowed, failure)
    assert not tested._authorizer_cache


def test_answer_of_an_authorizer_may_be_cached(new_session):
    tested = asking()
    decision = suspension_of(tested, new_session(), "subscribe", "com.x", OPTIONS).resolve(Permit(True, cache=True))
    assert tested.check(new_session(), "subscribe", "com.x", OPTIONS) is decision


def test_authorizer_that_is_late_has_failed(new_session):
    suspension = suspension_of(asking(), new_session(), "subscribe", "com.x", OPTIONS)
    decision = suspension.resolve(suspension.timeout_answer)
    assert (decision.allowed, decision.failure[0]) == (False, "wamp.error.authorization_failed")


def test_without_asking_an_authorizers_role_may_do_nothing_new():
    tested = asking()
    assert not tested.decide("call", "com.x").allowed
    assert tested.covers("subscribe", "com.x")
    assert not role().covers("subscribe", "com.x")


def test_invalid_uri_needs_no_answer(new_session):
    assert not asking().check(new_session(), "call", "com x", None).is_valid


def test_answer_applies_to_its_question(new_session):
    tested, session = asking(), new_session()
    question = question_of(tested, session, "call", "com.x", None)
    session.pending = PendingMessages()
    session.pending.answers[question] = permissions.ALLOWED
    assert tested.check(session, "call", "com.x", None) is permissions.ALLOWED
    assert question_of(tested, session, "call", "com.y", None).uri == "com.y"


@pytest.mark.parametrize("seconds", [0, 60])
def test_cached_answer_applies_for_its_time(new_session, seconds):
    now = [100.0]
    tested, session = asking(lambda: now[0], remember_for=seconds), new_session()
    tested.remember(question_of(tested, session, "call", "com.x", None), permissions.ALLOWED)
    now[0] += 59
    assert tested.check(new_session(), "call", "com.x", None).allowed
    now[0] += 2
    if seconds:
        question_of(tested, session, "call", "com.x", None)
    else:
        assert tested.check(session, "call", "com.x", None).allowed


def test_answers_for_one_authid_are_not_for_another(new_session):
    tested = asking(is_per_authid=True)
    tested.remember(question_of(tested, new_session(authid="a"), "call", "com.x", None), permissions.ALLOWED)
    assert tested.check(new_session(authid="a"), "call", "com.x", None).allowed
    assert question_of(tested, new_session(authid="b"), "call", "com.x", None).authid == "b"


def test_cache_of_answers_is_limited(new_session, monkeypatch):
    monkeypatch.setattr(permissions, "MAX_CACHED_DECISIONS", 3)
    tested = asking()
    for number in range(10):
        tested.remember(question_of(tested, new_session(), "call", f"com.x{number}", None), permissions.ALLOWED)
        assert len(tested._authorizer_cache) <= 3
    tested.remember(question_of(tested, new_session(), "call", "com." + "x" * 260, None), permissions.ALLOWED)
    assert len(tested._authorizer_cache) <= 3
    assert all(len(question.uri) < 255 for question in tested._authorizer_cache)


def test_answers_are_for_authorizers_roles(new_session):
    tested = role(allow_by_default=False)
    tested.remember(question_of(asking(), new_session(), "call", "com.x", None), permissions.ALLOWED)
    assert not tested.check(new_session(), "call", "com.x", None).allowed


def test_failure_of_an_authorizer_is_the_error():
    decision = permissions.Decision(False, False, is_valid=True, failure=("com.reason", "it broke"))
    error = refusal(decision, "call", "com.x")
    assert (error.uri, str(error)) == ("com.reason", "it broke")


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
    assert rules.find_all(uri, match) == expected
    if match == "exact":
        assert rules.find(uri) is expected[0]


def test_most_literal_wildcard_decides_where_no_prefix_does():
    assert Rules([FRONT, MOST]).find("a.b.c.d") is MOST
    assert Rules([FRONT, MOST]).find("a.x.c.d") is FRONT
    assert Rules([FRONT, MOST]).find("x") is None


def test_later_of_two_for_the_same_uris_counts():
    later = Permission("a.", "prefix", call=True)
    assert Rules([SHORT, later]).find_all("a.b") == [later]


def test_equal_wildcards_follow_from_the_left():
    left, right = Permission("a.b.", "wildcard"), Permission("a..c", "wildcard")
    assert Rules([right, left]).find_all("a.b.c") == [left, right]
