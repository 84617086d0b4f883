"""Advanced Profile, "Shared Registration"."""

import pytest

from .codes import (
    CALL,
    CANCEL,
    ERROR,
    GOODBYE,
    INVOCATION,
    NO_SUCH_PROCEDURE,
    PROTOCOL_VIOLATION,
    REGISTER,
    REGISTERED,
    RESULT,
    UNREGISTER,
    YIELD,
)
from .roles import open_calls

PROCEDURE = "com.example.procedure"
POLICIES = ["first", "last", "random", "roundrobin", "queue_least_loaded"]
NO_AVAILABLE_CALLEE = "wamp.error.no_available_callee"


@pytest.fixture
def callees_of(join):
    """Makes callees of one shared registration."""

    def make(policy, count=3, **options):
        callees = [join() for _ in range(count)]
        ids = {callee.request([REGISTER, 1, {"invoke": policy, **options}, PROCEDURE])[2] for callee in callees}
        assert len(ids) == 1
        return callees

    return make


@pytest.fixture
def call(join):
    """Calls the procedure, ``count`` times; returns which callees were asked, by index."""
    caller = join()
    request_ids = iter(range(1, 1000))

    def call_(callees, count=1):
        asked = []
        for _ in range(count):
            before = [len(callee.inbox) for callee in callees]
            caller.send([CALL, next(request_ids), {}, PROCEDURE])
            asked += [index for index, callee in enumerate(callees) if len(callee.inbox) > before[index]]
        return asked

    call_.caller = caller
    return call_


def answer(callee):
    callee.send([YIELD, callee.receive()[1], {}])


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("first", [0] * 6), ("last", [2] * 6), ("roundrobin", [0, 1, 2] * 2), ("queue_least_loaded", [0, 1, 2] * 2)],
)
def test_policy_chooses_the_callee(callees_of, call, policy, expected):
    assert call(callees_of(policy), 6) == expected


def test_random_callee_is_chosen_by_chance(callees_of, call, node):
    callees = callees_of("random")
    for chance in [2, 0, 1, 1, 0, 2]:
        node.random = chance
        assert call(callees) == [chance]


def test_least_loaded_callee_is_chosen(callees_of, call):
    callees = callees_of("queue_least_loaded")
    assert call(callees, 3) == [0, 1, 2]
    answer(callees[1])
    assert call(callees) == [1]
    answer(callees[2])
    answer(callees[0])
    assert sorted(call(callees, 2)) == [0, 2]


@pytest.mark.parametrize("policy", [None, "single"])
@pytest.mark.parametrize("second", ["single", *POLICIES])
def test_single_registration_is_not_shared(alice, bob, policy, second):
    alice.request([REGISTER, 1, {"invoke": policy}, PROCEDURE])
    error = bob.request([REGISTER, 1, {"invoke": second}, PROCEDURE])
    assert error[:5] == [ERROR, REGISTER, 1, {}, "wamp.error.procedure_already_exists"]


@pytest.mark.parametrize("first", POLICIES)
@pytest.mark.parametrize("second", ["single", None, *POLICIES])
def test_shared_registration_takes_callees_of_the_same_policy(alice, bob, first, second):
    registration = alice.request([REGISTER, 1, {"invoke": first}, PROCEDURE])[2]
    answer_ = bob.request([REGISTER, 1, {"invoke": second}, PROCEDURE])
    if first == second:
        assert answer_ == [REGISTERED, 1, registration]
    else:
        uri = "wamp.error.procedure_exists_with_different_invocation_policy"
        assert answer_[:5] == [ERROR, REGISTER, 1, {}, uri]


@pytest.mark.parametrize(
    ("first", "second", "uri"),
    [
        ("single", "single", "wamp.error.procedure_already_exists"),
        ("first", "last", "wamp.error.procedure_exists_with_different_invocation_policy"),
    ],
)
def test_session_that_registers_twice_keeps_the_policy_too(alice, first, second, uri):
    alice.request([REGISTER, 1, {"invoke": first}, PROCEDURE])
    assert alice.request([REGISTER, 2, {"invoke": second}, PROCEDURE])[:5] == [ERROR, REGISTER, 2, {}, uri]


def test_unknown_policy_is_a_violation(alice):
    alice.send([REGISTER, 1, {"invoke": "best"}, PROCEDURE])
    assert alice.close_reason == PROTOCOL_VIOLATION


@pytest.mark.parametrize("match", ["exact", "prefix", "wildcard"])
def test_patterns_are_shared_too(alice, bob, join, match):
    for peer in (alice, bob):
        peer.request([REGISTER, 1, {"invoke": "roundrobin", "match": match}, PROCEDURE])
    caller = join()
    for request_id in (1, 2):
        caller.send([CALL, request_id, {}, PROCEDURE])
    assert [len(peer.inbox) for peer in (alice, bob)] == [1, 1]


@pytest.mark.parametrize("policy", POLICIES)
def test_session_that_registers_twice_is_listed_once(alice, join, call, policy):
    answers = [alice.request([REGISTER, number, {"invoke": policy}, PROCEDURE]) for number in (1, 2)]
    assert answers == [[REGISTERED, number, answers[0][2]] for number in (1, 2)]
    assert call([alice], 2) == [0, 0]
    alice.receive_all()
    alice.request([UNREGISTER, 3, answers[0][2]])
    assert join().request([CALL, 1, {}, PROCEDURE])[4] == NO_SUCH_PROCEDURE


def test_callee_that_leaves_in_mid_roundrobin_is_left_out(callees_of, call):
    callees = callees_of("roundrobin", 4)
    assert call(callees, 2) == [0, 1]
    callees[2].lose()
    assert call(callees, 3) == [3, 0, 1]
    callees[0].send([GOODBYE, {}, "wamp.close.normal"])
    callees[0].receive_all()
    assert call(callees, 3) == [3, 1, 3]


def test_callee_that_joins_in_mid_roundrobin_comes_last(callees_of, call, join):
    callees = callees_of("roundrobin", 2)
    assert call(callees) == [0]
    callees.append(join())
    callees[2].request([REGISTER, 1, {"invoke": "roundrobin"}, PROCEDURE])
    assert call(callees, 5) == [1, 2, 0, 1, 2]


def test_stand_by_takes_over(callees_of, call):
    callees = callees_of("first")
    for expected in range(3):
        assert call(callees) == [expected]
        callees[expected].lose()
    assert call(callees) == []
    assert call.caller.receive_all()[-1][4] == NO_SUCH_PROCEDURE


@pytest.mark.parametrize("policy", POLICIES)
def test_callee_that_is_leaving_is_passed_over(callees_of, call, node, policy):
    callees = callees_of(policy, 2)
    node.runs_cleanup = False
    callees[0].lose()
    assert call(callees, 3) == [1, 1, 1]


def test_registration_of_leaving_callees_only_is_free(alice, bob, node):
    alice.request([REGISTER, 1, {}, PROCEDURE])
    node.runs_cleanup = False
    alice.lose()
    assert bob.request([CALL, 1, {}, PROCEDURE])[4] == NO_SUCH_PROCEDURE
    assert bob.request([REGISTER, 2, {}, PROCEDURE])[0] == REGISTERED
    assert bob.request([CALL, 3, {}, PROCEDURE])[0] == INVOCATION
    node.run_cleanup()
    assert bob.request([CALL, 4, {}, PROCEDURE])[0] == INVOCATION


@pytest.mark.parametrize("policy", POLICIES)
def test_busy_callees_are_passed_over_until_all_are(callees_of, call, policy):
    callees = callees_of(policy, concurrency=2)
    assert sorted(call(callees, 6)) == [0, 0, 1, 1, 2, 2]
    assert call(callees) == []
    error = call.caller.receive()
    assert error[4] == NO_AVAILABLE_CALLEE


@pytest.mark.parametrize("how", ["result", "error", "cancel", "timeout", "caller leaves"])
def test_busy_callee_is_free_again_after(alice, bob, join, node, how):
    alice.request([REGISTER, 1, {"concurrency": 1}, PROCEDURE])
    bob.send([CALL, 1, {"timeout": 1000}, PROCEDURE])
    alice.receive()
    caller = join()
    assert caller.request([CALL, 1, {}, PROCEDURE])[4] == NO_AVAILABLE_CALLEE
    if how == "result":
        alice.send([YIELD, 1, {}])
    elif how == "error":
        alice.send([ERROR, INVOCATION, 1, {}, "com.example.error"])
    elif how == "cancel":
        bob.send([CANCEL, 1, {"mode": "skip"}])
    elif how == "timeout":
        node.pass_time(1.1)
    else:
        bob.lose()
    caller.send([CALL, 2, {}, PROCEDURE])
    assert alice.receive()[:2] == [INVOCATION, 2]
    alice.send([YIELD, 1, {}, ["late"]])
    assert caller.request([CALL, 3, {}, PROCEDURE])[4] == NO_AVAILABLE_CALLEE


def test_limit_is_each_callees_own(alice, bob, call):
    alice.request([REGISTER, 1, {"invoke": "first", "concurrency": 1}, PROCEDURE])
    bob.request([REGISTER, 1, {"invoke": "first", "concurrency": 3}, PROCEDURE])
    assert call([alice, bob], 4) == [0, 1, 1, 1]
    assert call([alice, bob]) == []


def test_limit_holds_for_a_single_callee(alice, bob):
    alice.request([REGISTER, 1, {"concurrency": 2}, PROCEDURE])
    for request_id in (1, 2):
        bob.send([CALL, request_id, {}, PROCEDURE])
    assert bob.request([CALL, 3, {}, PROCEDURE])[4] == NO_AVAILABLE_CALLEE
    answer(alice)
    assert bob.receive() == [RESULT, 1, {}]


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, "2"])
def test_limit_that_is_no_positive_number_is_a_violation(alice, concurrency):
    alice.send([REGISTER, 1, {"concurrency": concurrency}, PROCEDURE])
    assert alice.close_reason == PROTOCOL_VIOLATION


def test_nothing_is_left_after_all_have_left(callees_of, call, node):
    callees = callees_of("roundrobin", concurrency=2)
    call(callees, 6)
    realms = [router.realms["realm1"] for router in node.routers]
    assert open_calls(node) >= 12
    for callee in callees:
        callee.lose()
    assert open_calls(node) == 0
    call.caller.lose()
    for realm in realms:
        assert not realm.dealer.registrations
        assert not realm.sessions
        assert realm.dealer.best_registration(PROCEDURE) is None
