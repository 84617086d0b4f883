"""Advanced Profile, "Call Re-Routing"."""

import pytest

from .codes import CALL, ERROR, INVOCATION, REGISTER, RESULT, UNREGISTER, YIELD
from .roles import joined, open_calls

PROCEDURE = "com.example.procedure"
UNAVAILABLE = "wamp.error.unavailable"
NO_AVAILABLE_CALLEE = "wamp.error.no_available_callee"


def callees_of(node, serializer, policy, count=3, features=("call_reroute",), **options):
    """Callees of one shared registration."""
    callees = [joined(node, serializer, callee=list(features)) for _ in range(count)]
    for callee in callees:
        callee.request([REGISTER, 1, {"invoke": policy, **options}, PROCEDURE])
    return callees


def refuse(callee):
    """Say that this callee is unavailable."""
    callee.send([ERROR, INVOCATION, callee.receive()[1], {}, UNAVAILABLE])


@pytest.mark.parametrize(
    ("policy", "order"),
    [("first", [0, 1, 2]), ("last", [2, 1, 0]), ("roundrobin", [0, 1, 2]), ("queue_least_loaded", [0, 1, 2])],
)
def test_unavailable_callees_are_followed_in_the_order_of_the_policy(node, serializer, policy, order):
    callees, caller = callees_of(node, serializer, policy), joined(node, serializer)
    caller.send([CALL, 7, {}, PROCEDURE, ["a"], {"b": 1}])
    for index in order[:2]:
        refuse(callees[index])
        assert not caller.inbox
    invocation = callees[order[2]].receive()
    assert invocation[3:] == [{}, ["a"], {"b": 1}]
    callees[order[2]].send([YIELD, invocation[1], {}, ["done"]])
    assert caller.receive_all() == [[RESULT, 7, {}, ["done"]]]
    assert not open_calls(node)


@pytest.mark.parametrize("chance", range(6))
def test_random_never_asks_the_same_callee_twice(node, serializer, chance):
    callees, caller = callees_of(node, serializer, "random"), joined(node, serializer)
    node.random = chance
    caller.send([CALL, 7, {}, PROCEDURE])
    for _ in range(3):
        (asked,) = [callee for callee in callees if callee.inbox]
        refuse(asked)
        callees.remove(asked)
    assert caller.receive()[4] == NO_AVAILABLE_CALLEE


@pytest.mark.parametrize("policy", ["single", "first", "last", "roundrobin", "random"])
def test_call_without_an_available_callee_fails(node, serializer, policy):
    callees = callees_of(node, serializer, policy, count=1 if policy == "single" else 3)
    caller = joined(node, serializer)
    caller.send([CALL, 7, {}, PROCEDURE])
    for _ in callees:
        refuse(next(callee for callee in callees if callee.inbox))
    assert [error[:5] for error in caller.receive_all()] == [[ERROR, CALL, 7, {}, NO_AVAILABLE_CALLEE]]
    assert not any(callee.inbox for callee in callees)
    assert not open_calls(node)


def test_unavailable_from_a_callee_that_did_not_announce_is_passed_on(node, serializer):
    callees, caller = callees_of(node, serializer, "first", features=()), joined(node, serializer)
    caller.send([CALL, 7, {}, PROCEDURE])
    callees[0].send([ERROR, INVOCATION, 1, {}, UNAVAILABLE, ["busy"]])
    assert caller.receive_all() == [[ERROR, CALL, 7, {}, UNAVAILABLE, ["busy"]]]
    assert not callees[1].inbox


def test_other_errors_are_passed_on(node, serializer):
    callees, caller = callees_of(node, serializer, "first"), joined(node, serializer)
    caller.send([CALL, 7, {}, PROCEDURE])
    callees[0].send([ERROR, INVOCATION, 1, {}, "com.example.unavailable"])
    assert caller.receive() == [ERROR, CALL, 7, {}, "com.example.unavailable"]


def test_next_call_asks_the_unavailable_callee_again(node, serializer):
    callees, caller = callees_of(node, serializer, "first"), joined(node, serializer)
    caller.send([CALL, 7, {}, PROCEDURE])
    refuse(callees[0])
    caller.send([CALL, 8, {}, PROCEDURE])
    assert callees[0].receive()[0] == INVOCATION


def test_busy_callees_are_passed_over(node, serializer):
    callees, caller = callees_of(node, serializer, "first", concurrency=1), joined(node, serializer)
    caller.send([CALL, 7, {}, PROCEDURE])
    caller.send([CALL, 8, {}, PROCEDURE])
    refuse(callees[0])
    assert callees[2].receive()[0] == INVOCATION
    assert len(callees[1].inbox) == 1


def test_removed_registration_has_no_available_callee(node, serializer):
    callees, caller = callees_of(node, serializer, "first", count=1), joined(node, serializer)
    caller.send([CALL, 7, {}, PROCEDURE])
    invocation = callees[0].receive()
    callees[0].request([UNREGISTER, 2, invocation[2]])
    callees[0].send([ERROR, INVOCATION, invocation[1], {}, UNAVAILABLE])
    assert caller.receive()[4] == NO_AVAILABLE_CALLEE


def test_details_are_those_of_the_next_callee(node, serializer):
    first = joined(node, serializer, callee=["call_reroute"])
    second = joined(node, serializer, callee=["call_reroute"])
    caller = joined(node, serializer)
    first.request([REGISTER, 1, {"invoke": "first", "match": "prefix"}, "com.example"])
    options = {"invoke": "first", "match": "prefix", "disclose_caller": True, "forward_timeout": True}
    second.request([REGISTER, 1, options, "com.example"])
    caller.send([CALL, 7, {"timeout": 1000}, PROCEDURE])
    assert first.receive()[3] == {"procedure": PROCEDURE}
    first.send([ERROR, INVOCATION, 1, {}, UNAVAILABLE])
    details = second.receive()[3]
    assert (details["procedure"], details["timeout"], details["caller"]) == (PROCEDURE, 1000, caller.session_id)


def test_call_of_a_caller_that_left_is_not_rerouted(node, serializer):
    callees, caller = callees_of(node, serializer, "first"), joined(node, serializer)
    caller.send([CALL, 7, {}, PROCEDURE])
    caller.lose()
    refuse(callees[0])
    assert not callees[1].inbox
    assert not open_calls(node)


def test_progressive_call_stays_with_its_callee(node, serializer):
    features = ("call_reroute", "call_canceling", "progressive_call_invocations")
    callees = callees_of(node, serializer, "first", features=features)
    caller = joined(node, serializer, caller=["progressive_call_invocations"])
    caller.send([CALL, 7, {"progress": True}, PROCEDURE])
    refuse(callees[0])
    assert caller.receive()[4] == NO_AVAILABLE_CALLEE
    caller.send([CALL, 7, {}, PROCEDURE])
    assert not caller.inbox
    assert not callees[1].inbox


def test_progressive_call_that_is_complete_is_not_begun_again_with_its_first_part(node, serializer):
    features = ("call_reroute", "call_canceling", "progressive_call_invocations")
    callees = callees_of(node, serializer, "first", features=features)
    caller = joined(node, serializer, caller=["progressive_call_invocations"])
    caller.send([CALL, 7, {"progress": True}, PROCEDURE, ["first"]])
    caller.send([CALL, 7, {}, PROCEDURE, ["last"]])
    refuse(callees[0])
    assert [error[:5] for error in caller.receive_all()] == [[ERROR, CALL, 7, {}, NO_AVAILABLE_CALLEE]]
    assert not callees[1].inbox
    assert not open_calls(node)
