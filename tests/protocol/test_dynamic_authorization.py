"""Advanced Profile, "Authorization", with a slow authorizer; Basic Profile, "Ordering Guarantees".

The authorizer is played by the test: it answers when and what the test says.
"""

from dataclasses import replace
from typing import Any

import pytest

from wamp_transport.router import pending
from wamp_transport.router.decisions import ChallengePeer, Deny, Permit
from wamp_transport.router.options import (
    AnonymousLogin,
    AuthorizerOptions,
    Permission,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.testing.memory import MemoryNode, MemoryPeer

ASKED = AuthorizerOptions("com.authorizer", timeout=5)
OPEN = RoleOptions("open", allow_by_default=True)
PLAIN = ServiceOptions("plain", AnonymousLogin("open"))
DYNAMIC = ServiceOptions("dynamic", AnonymousLogin("dynamic"))
YES, NO = Permit(True), Permit(False)
REVOCATION: dict[str, Any] = {
    "publisher": {},
    "caller": {"features": {"progressive_call_invocations": True}},
    "callee": {"features": {"registration_revocation": True}},
    "subscriber": {"features": {"subscription_revocation": True}},
}


def realm(**roles: RoleOptions) -> RealmOptions:
    return RealmOptions("realm1", {"open": OPEN, **roles})


def options(authorizer: AuthorizerOptions = ASKED, **changes: Any) -> RouterOptions:
    dynamic = RoleOptions("dynamic", authorizer=authorizer)
    return RouterOptions(realms={"realm1": replace(realm(dynamic=dynamic), **changes)})


def static(*rules: Permission, allow: bool = False) -> RouterOptions:
    return RouterOptions(realms={"realm1": realm(dynamic=RoleOptions("dynamic", rules, allow))})


@pytest.fixture
def node() -> MemoryNode:
    """A router in which an authorizer decides for the role ``dynamic``."""
    return MemoryNode(options())


@pytest.fixture
def asker(node: MemoryNode, serializer: str) -> MemoryPeer:
    """A session of the role ``dynamic``."""
    peer = node.connect(serializer, DYNAMIC)
    peer.join("realm1", roles=REVOCATION)
    return peer


@pytest.fixture
def other(node: MemoryNode, serializer: str) -> MemoryPeer:
    """A session whose role has no authorizer."""
    return node.join("realm1", serializer, PLAIN)


MESSAGES = {
    "call": [48, 1, {}, "com.x"],
    "publish": [16, 1, {"acknowledge": True}, "com.x"],
    "register": [64, 1, {}, "com.x"],
    "subscribe": [32, 1, {}, "com.x"],
}
ANSWERS = {"call": 8, "publish": 17, "register": 65, "subscribe": 33}


@pytest.mark.parametrize("action", MESSAGES)
def test_action_waits_for_the_authorizer(node: MemoryNode, asker: MemoryPeer, action: str) -> None:
    asker.send(MESSAGES[action])
    assert not asker.inbox
    (asked,) = node.questions
    assert (asked.session_id, asked.realm, asked.authorizer) == (asker.session_id, "realm1", "com.authorizer")
    assert (asked.action, asked.uri, asked.match) == (action, "com.x", "exact")
    assert asked.session["session"] == asker.session_id
    assert (asked.session["authrole"], asked.session["authmethod"]) == ("dynamic", "anonymous")
    assert asked.session["authextra"] == {}
    node.decide(YES)
    assert asker.receive()[0] == ANSWERS[action]
    assert not node.questions


@pytest.mark.parametrize("action", MESSAGES)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (NO, "wamp.error.not_authorized"),
        (Deny("wamp.error.authorization_failed", "it broke"), "wamp.error.authorization_failed"),
        (ChallengePeer("ticket", {}), "wamp.error.authorization_failed"),
    ],
)
def test_denied_action_is_refused(node: MemoryNode, asker: MemoryPeer, action: str, answer: Any, error: str) -> None:
    asker.send(MESSAGES[action])
    node.decide(answer)
    code, request_type, request_id, _, uri, *_ = asker.receive()
    assert (code, request_type, request_id, uri) == (8, MESSAGES[action][0], 1, error)
    asker.send(MESSAGES["publish"])
    assert len(node.questions) == 1


def test_refused_publication_without_acknowledgement_is_dropped(
    node: MemoryNode, asker: MemoryPeer, other: MemoryPeer
) -> None:
    other.request([32, 1, {}, "com.x"])
    asker.send([16, 1, {}, "com.x"])
    node.decide(NO)
    assert not asker.inbox
    assert not other.inbox


def test_authorizer_that_never_answers_is_a_refusal(node: MemoryNode, asker: MemoryPeer) -> None:
    asker.send(MESSAGES["call"])
    (asked,) = node.questions
    node.pass_time(5.1)
    assert asker.receive()[4] == "wamp.error.authorization_failed"
    assert not node.questions
    node.decide(YES, asked)
    assert not asker.inbox


def test_invalid_uri_is_refused_without_a_question(node: MemoryNode, asker: MemoryPeer) -> None:
    assert asker.request([32, 1, {}, "com x"])[4] == "wamp.error.invalid_uri"
    assert not node.questions


@pytest.mark.parametrize("disclose", [False, True])
def test_authorizer_decides_on_disclosure(
    node: MemoryNode, asker: MemoryPeer, other: MemoryPeer, disclose: bool
) -> None:
    other.request([32, 1, {}, "com.x"])
    other.request([64, 2, {}, "com.y"])
    asker.send([16, 1, {}, "com.x"])
    node.decide(Permit(True, disclose=disclose))
    assert ("publisher" in other.receive()[3]) is disclose
    asker.send([48, 2, {}, "com.y"])
    node.decide(Permit(True, disclose=disclose))
    assert ("caller" in other.receive()[3]) is disclose


# --- order -----------------------------------------------------------------------------------------------------------


def test_messages_are_handled_in_the_order_sent(node: MemoryNode, asker: MemoryPeer, other: MemoryPeer) -> None:
    other.request([32, 1, {"match": "prefix"}, "com."])
    for number in range(5):
        asker.send([16, number + 1, {}, f"com.x{number}", [number]])
    for number in range(5):
        assert [each.uri for each in node.questions] == [f"com.x{number}"]
        node.decide(YES if number != 2 else NO)
    assert [each[4] for each in other.receive_all()] == [[0], [1], [3], [4]]


def test_messages_that_need_no_permission_wait_too(node: MemoryNode, asker: MemoryPeer) -> None:
    asker.send([32, 1, {}, "com.x"])
    node.decide(YES)
    subscription = asker.receive()[2]
    asker.send([16, 2, {"acknowledge": True, "exclude_me": False}, "com.x"])
    asker.send([34, 3, subscription])
    assert not asker.inbox
    node.decide(YES)
    assert [each[0] for each in asker.receive_all()] == [17, 36, 35]


def test_sessions_wait_for_their_own_answers_only(node: MemoryNode, asker: MemoryPeer, other: MemoryPeer) -> None:
    second = node.join("realm1", asker.serializer, DYNAMIC)
    other.request([32, 1, {"match": "prefix"}, "com."])
    asker.send([16, 1, {}, "com.a"])
    second.send([16, 1, {}, "com.b"])
    assert other.request([48, 9, {}, "com.none"])[4] == "wamp.error.no_such_procedure"
    node.decide(YES, 1)
    assert other.receive()[3]["topic"] == "com.b"
    node.decide(YES)
    assert other.receive()[3]["topic"] == "com.a"


def test_session_that_waits_is_still_called_and_sent_to(node: MemoryNode, asker: MemoryPeer, other: MemoryPeer) -> None:
    asker.send([64, 1, {}, "com.proc"])
    node.decide(YES)
    asker.send([32, 2, {}, "com.topic"])
    node.decide(YES)
    asker.receive_all()
    asker.send([48, 3, {}, "com.slow"])
    other.send([48, 1, {}, "com.proc", ["hi"]])
    other.send([16, 2, {}, "com.topic"])
    invocation, event = asker.receive_all()
    assert (invocation[0], event[0]) == (68, 36)
    asker.send([70, invocation[1], {}, ["ho"]])
    assert not other.inbox
    node.decide(NO)
    assert other.receive()[3] == ["ho"]


def test_queued_goodbye_is_handled_in_order(node: MemoryNode, asker: MemoryPeer, other: MemoryPeer) -> None:
    other.request([32, 1, {}, "com.x"])
    asker.send([16, 1, {}, "com.x"])
    asker.send([6, {}, "wamp.close.normal"])
    asker.send([16, 2, {}, "com.x"])
    assert not asker.inbox
    node.decide(YES)
    assert asker.receive()[0] == 6
    assert len(other.receive_all()) == 1
    assert not node.questions
    assert asker.join("realm1")[0] == 2


@pytest.mark.parametrize("way", ["abort", "lost", "killed", "violation", "realm closed", "role removed"])
@pytest.mark.parametrize("held", [0, 3])
def test_end_of_a_session_drops_its_queue(
    node: MemoryNode, asker: MemoryPeer, other: MemoryPeer, way: str, held: int
) -> None:
    other.request([32, 1, {"match": "prefix"}, "com."])
    for number in range(held + 1):
        asker.send([16, number + 1, {}, "com.x"])
    (asked,) = node.questions
    if way == "abort":
        asker.send([3, {}, "wamp.close.normal"])
    elif way == "lost":
        asker.lose()
    elif way == "killed":
        node.leave(asker, "wamp.close.killed")
    elif way == "violation":
        asker.send([1, "realm1", {"roles": {"caller": {}}}])
    elif way == "realm closed":
        node.configure(RouterOptions())
    else:
        node.configure(RouterOptions(realms={"realm1": realm()}))
    assert not node.questions
    node.decide(YES, asked)
    assert not [each for each in other.receive_all() if each[0] == 36]
    node.pass_time(20)
    assert asker.is_closed
    assert not any(asker.session_id in router.sessions for router in node.routers)
    assert not any(router.has_cleanup for router in node.routers)


def test_violation_in_a_queued_message_ends_the_session(node: MemoryNode, asker: MemoryPeer) -> None:
    asker.send([48, 1, {}, "com.x"])
    asker.send([70, 77, {}])
    asker.send([48, 2, {}, "com.x"])
    assert not asker.is_closed
    node.decide(NO)
    assert [each[0] for each in asker.receive_all()] == [8, 3]
    assert asker.is_closed
    assert not node.questions


def test_session_that_waits_and_sends_on_is_read_no_further(
    node: MemoryNode, asker: MemoryPeer, other: MemoryPeer
) -> None:
    other.request([32, 1, {}, "com.x"])
    total = pending.MAX_QUEUED_MESSAGES * 2 + 10
    for number in range(total):
        asker.send([16, number + 1, {}, "com.x", [number]])
    assert asker.is_paused
    assert len(asker.unread) == total - 1 - pending.MAX_QUEUED_MESSAGES
    for _ in range(total):
        node.decide(YES)
    assert not asker.is_paused
    assert not asker.unread
    assert [each[4] for each in other.receive_all()] == [[number] for number in range(total)]


def test_large_payload_counts_as_many_messages(node: MemoryNode, asker: MemoryPeer) -> None:
    for number in range(6):
        asker.send([16, number + 1, {}, "com.x", ["x" * (pending.MAX_QUEUED_BYTES // 4)]])
    assert asker.is_paused
    for _ in range(6):
        node.decide(NO)
    assert not asker.is_paused


def test_session_killed_while_reading_is_paused_may_answer_goodbye(node: MemoryNode, asker: MemoryPeer) -> None:
    for number in range(pending.MAX_QUEUED_MESSAGES + 5):
        asker.send([16, number + 1, {}, "com.x"])
    assert asker.is_paused
    node.leave(asker, "wamp.close.killed")
    assert asker.receive()[0] == 6
    asker.send([6, {}, "wamp.close.goodbye_and_out"])
    assert asker.is_closed
    assert asker.close_reason == "wamp.close.killed"


# --- handled again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [YES, NO])
def test_strict_request_ids_count_a_message_once(serializer: str, answer: Permit) -> None:
    node = MemoryNode(options(strict_request_ids=True))
    asker = node.join("realm1", serializer, DYNAMIC)
    for number in (1, 2, 3):
        asker.send([16, number, {"acknowledge": True}, "com.x"])
    for _ in range(3):
        node.decide(answer)
    assert [each[0] for each in asker.receive_all()] == [17 if answer.allow else 8] * 3
    asker.send([16, 5, {}, "com.x"])
    assert asker.is_closed


@pytest.mark.parametrize("answer", [YES, NO])
def test_progressive_call_that_waits_is_one_call(
    node: MemoryNode, asker: MemoryPeer, serializer: str, answer: Permit
) -> None:
    callee = node.connect(serializer, PLAIN)
    features = {"progressive_call_invocations": True, "call_canceling": True}
    callee.join("realm1", roles={"callee": {"features": features}})
    callee.request([64, 1, {}, "com.sum"])
    asker.send([48, 1, {"progress": True}, "com.sum", [1]])
    asker.send([48, 1, {"progress": True}, "com.sum", [2]])
    asker.send([48, 1, {}, "com.sum", [3]])
    node.decide(answer)
    assert not node.questions
    assert [each[4] for each in callee.receive_all()] == ([[1], [2], [3]] if answer.allow else [])
    assert [each[0] for each in asker.receive_all()] == ([] if answer.allow else [8])


@pytest.mark.parametrize("progress", [False, True])
def test_meta_procedure_may_need_two_answers(
    node: MemoryNode, asker: MemoryPeer, other: MemoryPeer, progress: bool
) -> None:
    other.request([32, 1, {}, "com.will"])
    call_options = {"progress": True} if progress else {}
    asker.send([48, 1, call_options, "wamp.session.add_testament", ["com.will", [1], {}]])
    assert [(each.action, each.uri) for each in node.questions] == [("call", "wamp.session.add_testament")]
    node.decide(YES)
    assert [(each.action, each.uri) for each in node.questions] == [("publish", "com.will")]
    assert not asker.inbox
    node.decide(YES)
    assert asker.receive()[0] == 50
    asker.lose()
    assert other.receive()[4] == [1]


def test_testament_that_is_not_allowed_is_not_left(node: MemoryNode, asker: MemoryPeer, other: MemoryPeer) -> None:
    other.request([32, 1, {}, "com.will"])
    asker.send([48, 1, {}, "wamp.session.add_testament", ["com.will", [1], {}]])
    node.decide(YES)
    node.decide(NO)
    assert asker.receive()[4] == "wamp.error.not_authorized"
    asker.lose()
    assert not other.inbox


# --- patterns --------------------------------------------------------------------------------------------------------


def test_allowed_pattern_is_allowed_as_a_whole(node: MemoryNode, asker: MemoryPeer, other: MemoryPeer) -> None:
    asker.send([32, 1, {"match": "prefix"}, "com."])
    (asked,) = node.questions
    assert (asked.match, asked.options.match) == ("prefix", "prefix")
    node.decide(YES)
    asker.send([64, 2, {"match": "wildcard"}, "org..x"])
    node.decide(YES)
    asker.receive_all()
    other.send([16, 1, {}, "com.a.b"])
    other.send([48, 2, {}, "org.a.x"])
    assert [each[0] for each in asker.receive_all()] == [36, 68]
    assert not node.questions


def test_retained_events_come_after_the_authorizer_allowed(
    node: MemoryNode, asker: MemoryPeer, other: MemoryPeer
) -> None:
    other.send([16, 1, {"retain": True}, "com.x", ["kept"]])
    asker.send([32, 1, {"match": "prefix", "get_retained": True}, "com."])
    node.decide(YES)
    assert [each[0] for each in asker.receive_all()] == [33, 36]


# --- remembered decisions --------------------------------------------------------------------------------------------

CACHED = Permit(True, cache=True)


def test_decision_is_remembered_for_the_role(node: MemoryNode, asker: MemoryPeer, serializer: str) -> None:
    second = node.join("realm1", serializer, DYNAMIC)
    asker.send([16, 1, {"acknowledge": True}, "com.x"])
    node.decide(CACHED)
    assert second.request([16, 1, {"acknowledge": True}, "com.x"])[0] == 17
    assert not node.questions


def test_decision_may_be_remembered_for_an_authid(serializer: str) -> None:
    node = MemoryNode(options(replace(ASKED, is_per_authid=True)))
    first, second = node.join("realm1", serializer, DYNAMIC), node.join("realm1", serializer, DYNAMIC)
    first.send([32, 1, {}, "com.x"])
    node.decide(CACHED)
    first.receive()
    assert first.request([32, 2, {}, "com.x"])[0] == 33
    second.send([32, 1, {}, "com.x"])
    assert len(node.questions) == 1


def test_decision_without_cache_is_not_remembered(node: MemoryNode, asker: MemoryPeer) -> None:
    for number in (1, 2):
        asker.send([32, number, {}, "com.x"])
        node.decide(YES)
        assert asker.receive()[0] == 33


@pytest.mark.parametrize(
    "message",
    [
        [32, 2, {"match": "prefix"}, "com.x"],
        [32, 2, {"get_retained": True}, "com.x"],
        [32, 2, {}, "com.y"],
        [64, 2, {}, "com.x"],
    ],
)
def test_other_options_are_another_question(node: MemoryNode, asker: MemoryPeer, message: list[Any]) -> None:
    asker.send([32, 1, {}, "com.x"])
    node.decide(CACHED)
    asker.send(message)
    assert len(node.questions) == 1


def test_denial_is_remembered_too(node: MemoryNode, asker: MemoryPeer) -> None:
    asker.send([48, 1, {}, "com.x"])
    node.decide(Permit(False, cache=True))
    asker.receive()
    assert asker.request([48, 2, {}, "com.x"])[4] == "wamp.error.not_authorized"


def test_remembered_decision_has_its_time(serializer: str) -> None:
    node = MemoryNode(options(replace(ASKED, remember_for=60)))
    asker = node.join("realm1", serializer, DYNAMIC)
    asker.send([32, 1, {}, "com.x"])
    node.decide(CACHED)
    node.pass_time(59)
    asker.send([32, 2, {}, "com.x"])
    assert not node.questions
    node.pass_time(2)
    asker.send([32, 3, {}, "com.x"])
    assert len(node.questions) == 1


def test_change_of_the_configuration_forgets_decisions(node: MemoryNode, asker: MemoryPeer) -> None:
    asker.send([48, 1, {}, "com.x"])
    node.decide(CACHED)
    node.configure(options(allow_disclose_me=False))
    asker.send([48, 2, {}, "com.x"])
    assert len(node.questions) == 1


# --- edits -----------------------------------------------------------------------------------------------------------


def test_question_is_asked_anew_when_rules_change(node: MemoryNode, asker: MemoryPeer) -> None:
    asker.send([32, 1, {}, "com.x"])
    asker.send([32, 2, {}, "com.y"])
    (old,) = node.questions
    node.configure(options(replace(ASKED, name="com.stricter")))
    (new,) = node.questions
    assert (new.authorizer, new.uri) == ("com.stricter", "com.x")
    node.decide(YES, old)
    assert not asker.inbox
    node.decide(NO)
    node.decide(YES)
    assert [each[0] for each in asker.receive_all()] == [8, 33]


def test_suspended_message_is_decided_by_new_static_rules(node: MemoryNode, asker: MemoryPeer) -> None:
    asker.send([32, 1, {}, "com.x"])
    asker.send([32, 2, {}, "com.y"])
    node.configure(static(Permission("com.y", subscribe=True)))
    assert [each[0] for each in asker.receive_all()] == [8, 33]
    assert not node.questions


@pytest.fixture
def holder(node: MemoryNode, asker: MemoryPeer) -> MemoryPeer:
    """``asker`` with two subscriptions and two registrations, everything received."""
    for number, message in enumerate(
        ([32, {}, "com.a"], [32, {"match": "prefix"}, "org."], [64, {}, "com.a"], [64, {"match": "prefix"}, "org."])
    ):
        code, details, uri = message
        asker.send([code, number + 1, details, uri])
        node.decide(YES)
    asker.receive_all()
    return asker


def test_rights_that_are_lost_are_revoked(node: MemoryNode, holder: MemoryPeer, other: MemoryPeer) -> None:
    node.configure(static(Permission("com.a", subscribe=True), Permission("org.", "prefix", register=True)))
    revoked = holder.receive_all()
    assert [(each[0], each[1], each[2]["reason"]) for each in revoked] == [
        (67, 0, "wamp.error.not_authorized"),
        (35, 0, "wamp.error.not_authorized"),
    ]
    other.send([16, 1, {}, "com.a"])
    other.send([16, 2, {}, "org.x"])
    other.send([48, 3, {}, "com.a"])
    other.send([48, 4, {}, "org.x"])
    assert [each[0] for each in holder.receive_all()] == [36, 68]
    assert other.receive()[4] == "wamp.error.no_such_procedure"


def test_rights_that_stay_are_kept(node: MemoryNode, holder: MemoryPeer, other: MemoryPeer) -> None:
    node.configure(static(allow=True))
    node.configure(static(Permission("", "prefix", subscribe=True, register=True)))
    assert not holder.inbox
    other.send([16, 2, {}, "org.x"])
    assert holder.receive()[0] == 36


def test_same_authorizer_revokes_nothing(node: MemoryNode, holder: MemoryPeer) -> None:
    node.configure(options(replace(ASKED, timeout=1)))
    assert not holder.inbox


@pytest.mark.parametrize("through_static", [False, True])
def test_other_authorizer_revokes_what_it_did_not_allow(
    node: MemoryNode, holder: MemoryPeer, other: MemoryPeer, through_static: bool
) -> None:
    holder.send([48, 9, {}, "wamp.session.add_testament", ["com.will", [], {}]])
    node.decide(YES)
    node.decide(YES)
    holder.receive()
    other.request([32, 1, {}, "com.will"])
    if through_static:
        node.configure(static(allow=True))
    node.configure(options(replace(ASKED, name="com.stricter")))
    assert sorted(each[0] for each in holder.receive_all()) == [35, 35, 67, 67]
    holder.lose()
    assert not other.inbox


def test_revocation_goes_in_slices(node: MemoryNode, holder: MemoryPeer) -> None:
    node.runs_cleanup = False
    node.configure(static())
    assert not holder.inbox
    for expected in (1, 2, 3, 4):
        node.router.run_cleanup(1)
        node.run_effects()
        assert len(holder.inbox) == expected
    node.router.run_cleanup(1)
    assert not any(router.has_cleanup for router in node.routers)


def test_session_that_leaves_during_the_review_is_cleaned_up_once(node: MemoryNode, holder: MemoryPeer) -> None:
    node.runs_cleanup = False
    node.configure(static())
    node.router.run_cleanup(1)
    holder.lose()
    node.run_cleanup()
    assert not node.router.realms["realm1"].broker.subscriptions
    assert not node.router.realms["realm1"].dealer.registrations


def test_session_that_unsubscribes_during_the_review_is_not_notified(node: MemoryNode, holder: MemoryPeer) -> None:
    session = node.router.sessions[holder.session_id]
    registrations, subscriptions = list(session.registrations), list(session.subscriptions)
    node.runs_cleanup = False
    node.configure(static())
    node.router.run_cleanup(1)
    holder.send([66, 20, registrations[1]])
    holder.send([34, 21, subscriptions[0]])
    holder.receive_all()
    node.run_cleanup()
    node.run_effects()
    assert [each[2]["subscription"] for each in holder.receive_all()] == [subscriptions[1]]
    assert not session.subscriptions
