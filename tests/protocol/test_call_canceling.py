"""Advanced Profile, "Call Canceling"."""

import pytest

from .codes import CALL, CANCEL, CANCELED, ERROR, GOODBYE, INTERRUPT, INVOCATION, REGISTER, RESULT, YIELD
from .roles import CANCELING, joined, open_calls

PROCEDURE = "com.example.procedure"
ANSWERS = [[YIELD, 1, {}, ["late"]], [ERROR, INVOCATION, 1, {}, "com.example.error", ["late"]]]


def called(node, serializer, *features, options=None):
    """A callee with these features that has an invocation, and its caller."""
    callee, caller = joined(node, serializer, callee=list(features)), joined(node, serializer)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send([CALL, 7, options or {}, PROCEDURE])
    assert callee.receive()[:2] == [INVOCATION, 1]
    return callee, caller


def interrupt(mode, reason=CANCELED):
    return [INTERRUPT, 1, {"mode": mode, "reason": reason}]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("features", [[], CANCELING])
def test_skip_answers_the_caller_and_leaves_the_callee_alone(node, serializer, features, answer):
    callee, caller = called(node, serializer, *features)
    error = caller.request([CANCEL, 7, {"mode": "skip"}])
    assert error[:5] == [ERROR, CALL, 7, {}, CANCELED]
    assert not callee.inbox
    callee.send(answer)
    assert not caller.inbox
    assert not callee.is_closed
    assert not open_calls(node)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("spelling", ["call_canceling", "call_cancelling"])
@pytest.mark.parametrize("options", [{"mode": "killnowait"}, {}, {"mode": None}])
def test_killnowait_interrupts_and_answers_immediately(node, serializer, options, spelling, answer):
    callee, caller = called(node, serializer, spelling)
    assert caller.request([CANCEL, 7, options])[:5] == [ERROR, CALL, 7, {}, CANCELED]
    assert callee.receive() == interrupt("killnowait")
    callee.send(answer)
    assert not caller.inbox
    assert not callee.is_closed
    assert not open_calls(node)


@pytest.mark.parametrize("spelling", ["call_canceling", "call_cancelling"])
def test_kill_waits_and_passes_on_the_error(node, serializer, spelling):
    callee, caller = called(node, serializer, spelling)
    caller.send([CANCEL, 7, {"mode": "kill"}])
    assert callee.receive() == interrupt("kill")
    assert not caller.inbox
    callee.send([ERROR, INVOCATION, 1, {}, CANCELED, ["stopped"], {"at": 5}])
    assert caller.receive_all() == [[ERROR, CALL, 7, {}, CANCELED, ["stopped"], {"at": 5}]]
    assert not open_calls(node)


def test_kill_passes_on_the_result_that_was_faster(node, serializer):
    callee, caller = called(node, serializer, *CANCELING)
    caller.send([CANCEL, 7, {"mode": "kill"}])
    callee.send([YIELD, 1, {}, ["done"]])
    assert caller.receive_all() == [[RESULT, 7, {}, ["done"]]]
    callee.send([ERROR, INVOCATION, 1, {}, CANCELED])
    assert not caller.inbox
    assert not callee.is_closed


def test_killed_call_is_not_rerouted(node, serializer):
    features = [*CANCELING, "call_reroute"]
    callees = [joined(node, serializer, callee=features) for _ in range(2)]
    caller = joined(node, serializer)
    for callee in callees:
        callee.request([REGISTER, 1, {"invoke": "first"}, PROCEDURE])
    caller.send([CALL, 7, {}, PROCEDURE])
    caller.send([CANCEL, 7, {"mode": "kill"}])
    callees[0].send([ERROR, INVOCATION, 1, {}, "wamp.error.unavailable"])
    assert caller.receive_all() == [[ERROR, CALL, 7, {}, "wamp.error.unavailable"]]
    assert not callees[1].inbox


@pytest.mark.parametrize("mode", ["skip", "kill", "killnowait", None])
def test_callee_that_cannot_be_interrupted_is_skipped(node, serializer, mode):
    callee, caller = called(node, serializer)
    assert caller.request([CANCEL, 7, {"mode": mode}])[:5] == [ERROR, CALL, 7, {}, CANCELED]
    callee.send(ANSWERS[0])
    assert not callee.inbox
    assert not caller.inbox


@pytest.mark.parametrize("first", ["skip", "kill", "killnowait"])
@pytest.mark.parametrize("second", ["skip", "kill", "killnowait"])
def test_second_cancel_is_ignored(node, serializer, first, second):
    callee, caller = called(node, serializer, *CANCELING)
    caller.send([CANCEL, 7, {"mode": first}])
    before = (len(caller.inbox), len(callee.inbox))
    caller.send([CANCEL, 7, {"mode": second}])
    assert (len(caller.inbox), len(callee.inbox)) == before
    assert not caller.is_closed


@pytest.mark.parametrize("mode", ["skip", "kill", "killnowait"])
def test_cancel_of_no_open_call_is_ignored(node, serializer, mode):
    callee, caller = called(node, serializer, *CANCELING)
    caller.send([CANCEL, 8, {"mode": mode}])
    callee.send([CANCEL, 7, {"mode": mode}])
    assert not callee.inbox
    callee.send([YIELD, 1, {}])
    caller.receive()
    caller.send([CANCEL, 7, {"mode": mode}])
    assert not caller.inbox
    assert not callee.inbox
    assert not caller.is_closed


@pytest.mark.parametrize("features", [[], CANCELING])
@pytest.mark.parametrize("end", ["lose", "goodbye", "router"])
def test_caller_that_leaves_interrupts_its_calls(node, serializer, features, end):
    callee, caller = called(node, serializer, *features)
    if end == "lose":
        caller.lose()
    elif end == "router":
        node.leave(caller, "wamp.close.killed")
    else:
        caller.send([GOODBYE, {}, "wamp.close.normal"])
    assert callee.receive_all() == ([interrupt("killnowait")] if features else [])
    callee.send(ANSWERS[0])
    assert not callee.is_closed
    assert not open_calls(node)


def test_caller_that_leaves_after_kill_does_not_interrupt_again(node, serializer):
    callee, caller = called(node, serializer, *CANCELING)
    caller.send([CANCEL, 7, {"mode": "kill"}])
    assert callee.receive() == interrupt("kill")
    caller.lose()
    assert not callee.inbox
    callee.send(ANSWERS[1])
    assert not open_calls(node)


def test_killed_call_of_a_callee_that_leaves_is_canceled(node, serializer):
    callee, caller = called(node, serializer, *CANCELING)
    caller.send([CANCEL, 7, {"mode": "kill"}])
    callee.lose()
    assert caller.receive()[:5] == [ERROR, CALL, 7, {}, CANCELED]
    assert not caller.inbox


def test_session_may_cancel_its_call_to_itself(node, serializer):
    peer = joined(node, serializer, callee=CANCELING)
    peer.request([REGISTER, 1, {}, PROCEDURE])
    peer.request([CALL, 2, {}, PROCEDURE])
    peer.send([CANCEL, 2, {}])
    assert sorted(message[0] for message in peer.receive_all()) == [ERROR, INTERRUPT]
    assert not open_calls(node)


def test_canceled_id_of_a_call_may_be_used_again(node, serializer):
    callee, caller = called(node, serializer, *CANCELING)
    caller.request([CANCEL, 7, {}])
    callee.receive()
    caller.send([CALL, 7, {}, PROCEDURE])
    assert callee.receive()[1] == 2
    callee.send(ANSWERS[0])
    assert not caller.inbox
    callee.send([YIELD, 2, {}, ["new"]])
    assert caller.receive() == [RESULT, 7, {}, ["new"]]


@pytest.mark.parametrize("mode", ["abort", "", 1])
def test_cancel_in_an_unknown_mode_is_a_violation(node, serializer, mode):
    _, caller = called(node, serializer, *CANCELING)
    caller.send([CANCEL, 7, {"mode": mode}])
    assert caller.close_reason == "wamp.error.protocol_violation"


def test_killed_call_that_times_out_is_not_interrupted_again(node, serializer):
    features = ["call_canceling", "call_timeout"]
    caller, callee = joined(node, serializer, caller=features), joined(node, serializer, callee=["call_canceling"])
    callee.request([REGISTER, 1, {}, "com.example.killed"])
    caller.send([CALL, 1, {"timeout": 1000}, "com.example.killed"])
    callee.receive()
    caller.send([CANCEL, 1, {"mode": "kill"}])
    assert callee.receive()[0] == INTERRUPT
    node.pass_time(2.0)
    assert caller.receive()[4] == "wamp.error.timeout"
    assert not callee.inbox
