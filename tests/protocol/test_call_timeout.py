"""Advanced Profile, "Call Timeouts"."""

from dataclasses import replace

import pytest

from wamp_transport.testing.memory import MemoryNode, anonymous_options

from .codes import CALL, CANCEL, CANCELED, ERROR, INTERRUPT, INVOCATION, REGISTER, RESULT, YIELD
from .roles import CANCELING, joined, open_calls

PROCEDURE = "com.example.procedure"
TIMEOUT = "wamp.error.timeout"
PROGRESS = ["progressive_call_results"]


def called(node, serializer, timeout, *features, register=None, **options):
    """A callee with these features that has an invocation, the caller, and the invocation's details."""
    callee = joined(node, serializer, callee=list(features))
    caller = joined(node, serializer, caller=PROGRESS)
    callee.request([REGISTER, 1, register or {}, PROCEDURE])
    caller.send([CALL, 7, {"timeout": timeout, **options}, PROCEDURE])
    return callee, caller, callee.receive()[3]


def node_with(**options):
    """A node whose realm has these options."""
    router = anonymous_options("realm1")
    return MemoryNode(replace(router, realms={"realm1": replace(router.realms["realm1"], **options)}))


@pytest.mark.parametrize("features", [[], CANCELING])
def test_call_not_answered_in_time_ends(node, serializer, features):
    callee, caller, details = called(node, serializer, 1500, *features)
    assert details == {}
    node.pass_time(1.499)
    assert not caller.inbox
    node.pass_time(0.002)
    assert caller.receive()[:5] == [ERROR, CALL, 7, {}, TIMEOUT]
    interrupts = [[INTERRUPT, 1, {"mode": "killnowait", "reason": TIMEOUT}]] if features else []
    assert callee.receive_all() == interrupts
    callee.send([YIELD, 1, {}, ["late"]])
    assert not caller.inbox
    assert not callee.is_closed
    assert not open_calls(node)


@pytest.mark.parametrize("answer", [[YIELD, 1, {}], [ERROR, INVOCATION, 1, {}, "com.example.error"]])
def test_answer_in_time_ends_the_clock(node, serializer, answer):
    callee, caller, _ = called(node, serializer, 1000, *CANCELING)
    node.pass_time(0.9)
    callee.send(answer)
    assert caller.receive()[0] in (RESULT, ERROR)
    node.pass_time(10)
    assert not caller.inbox
    assert not callee.inbox


def test_cancel_ends_the_clock(node, serializer):
    callee, caller, _ = called(node, serializer, 1000)
    assert caller.request([CANCEL, 7, {}])[4] == CANCELED
    node.pass_time(10)
    assert not caller.inbox
    assert not callee.inbox


@pytest.mark.parametrize("leaving", [0, 1])
def test_end_of_a_session_ends_the_clock(node, serializer, leaving):
    peers = called(node, serializer, 1000)[:2]
    peers[leaving].lose()
    stays = peers[1 - leaving]
    stays.receive_all()
    node.pass_time(10)
    assert not stays.inbox


@pytest.mark.parametrize("timeout", [0, None])
def test_call_without_a_timeout_may_take_for_ever(node, serializer, timeout):
    callee, caller, _ = called(node, serializer, timeout)
    node.pass_time(10**6)
    callee.send([YIELD, 1, {}])
    assert caller.receive() == [RESULT, 7, {}]


@pytest.mark.parametrize("timeout", [-1, 1.5, "1000", True])
def test_timeout_that_is_no_number_of_milliseconds_is_a_violation(node, serializer, timeout):
    caller = joined(node, serializer)
    caller.send([CALL, 7, {"timeout": timeout}, PROCEDURE])
    assert caller.close_reason == "wamp.error.protocol_violation"


def test_clock_restarts_with_each_progressive_result(node, serializer):
    callee, caller, _ = called(node, serializer, 1000, *CANCELING, *PROGRESS, receive_progress=True)
    for number in range(5):
        node.pass_time(0.9)
        callee.send([YIELD, 1, {"progress": True}, [number]])
        assert caller.receive() == [RESULT, 7, {"progress": True}, [number]]
    node.pass_time(1.001)
    assert caller.receive()[4] == TIMEOUT
    assert callee.receive()[0] == INTERRUPT


def test_unrequested_progress_does_not_restart_the_timeout(node, serializer):
    callee, caller, _ = called(node, serializer, 1000, *CANCELING, *PROGRESS)
    node.pass_time(0.9)
    callee.send([YIELD, 1, {"progress": True}])
    node.pass_time(0.2)
    assert caller.receive()[4] == TIMEOUT


def test_timeout_that_the_registration_asked_for_is_sent_and_applied_by_the_router_too(node, serializer):
    _, caller, details = called(node, serializer, 1000, register={"forward_timeout": True})
    assert details == {"timeout": 1000}
    node.pass_time(1.001)
    assert caller.receive()[4] == TIMEOUT


@pytest.mark.parametrize("features", [["call_timeout"], ["call_timeout", "call_canceling"]])
@pytest.mark.parametrize("register", [{}, {"forward_timeout": False}, {"forward_timeout": None}])
def test_timeout_is_not_sent_to_a_callee_that_did_not_ask_for_it(node, serializer, features, register):
    """A callee that ends in the same moment as the router's clock would answer first, with another error."""
    _, caller, details = called(node, serializer, 1000, *features, register=register)
    assert details == {}
    node.pass_time(1.001)
    assert caller.receive()[4] == TIMEOUT


def test_callee_that_can_and_wants_to_keeps_the_time_itself(node, serializer):
    callee, caller, details = called(node, serializer, 1000, "call_timeout", register={"forward_timeout": True})
    assert details == {"timeout": 1000}
    node.pass_time(1.2)
    assert not caller.inbox
    callee.send([ERROR, INVOCATION, 1, {}, TIMEOUT])
    assert caller.receive() == [ERROR, CALL, 7, {}, TIMEOUT]


def test_timeouts_are_in_seconds_where_the_realm_says_so(serializer):
    node = node_with(timeouts_in_seconds=True)
    _, caller, _ = called(node, serializer, 2)
    node.pass_time(1.9)
    assert not caller.inbox
    node.pass_time(0.2)
    assert caller.receive()[4] == TIMEOUT


@pytest.mark.parametrize("timeout", [None, 0, 60_000])
@pytest.mark.parametrize("register", [{}, {"forward_timeout": True}])
def test_no_call_takes_longer_than_the_realm_allows(serializer, timeout, register):
    node = node_with(max_call_timeout=5.0)
    _, caller, _ = called(node, serializer, timeout, "call_timeout", register=register)
    node.pass_time(4.9)
    assert not caller.inbox
    node.pass_time(0.2)
    assert caller.receive()[4] == TIMEOUT


def test_shorter_timeout_than_the_longest_allowed_counts(serializer):
    node = node_with(max_call_timeout=5.0)
    _, caller, _ = called(node, serializer, 1000)
    node.pass_time(1.1)
    assert caller.receive()[4] == TIMEOUT


def test_calls_end_in_the_order_of_their_timeouts(node, serializer):
    callee, caller = joined(node, serializer), joined(node, serializer)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    for request_id, timeout in enumerate([300, 100, 200], 1):
        caller.send([CALL, request_id, {"timeout": timeout}, PROCEDURE])
    node.pass_time(1)
    assert [error[2] for error in caller.receive_all()] == [2, 3, 1]


def test_rerouted_call_has_the_remaining_time(node, serializer):
    callees = [joined(node, serializer, callee=["call_reroute"]) for _ in range(2)]
    caller = joined(node, serializer)
    for callee in callees:
        callee.request([REGISTER, 1, {"invoke": "first"}, PROCEDURE])
    caller.send([CALL, 7, {"timeout": 1000}, PROCEDURE])
    node.pass_time(0.8)
    callees[0].send([ERROR, INVOCATION, 1, {}, "wamp.error.unavailable"])
    assert callees[1].receive()[0] == INVOCATION
    assert not caller.inbox
    node.pass_time(0.3)
    assert [error[:5] for error in caller.receive_all()] == [[ERROR, CALL, 7, {}, TIMEOUT]]
    assert not open_calls(node)


def test_killed_call_ends_when_its_time_is_up(node, serializer):
    callee, caller, _ = called(node, serializer, 1000, *CANCELING)
    caller.send([CANCEL, 7, {"mode": "kill"}])
    node.pass_time(1.1)
    assert caller.receive()[4] == TIMEOUT
    callee.send([ERROR, INVOCATION, 1, {}, CANCELED])
    assert not caller.inbox
