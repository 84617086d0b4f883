"""Basic Profile, "Remote Procedure Calls"."""

from dataclasses import replace

import pytest

from wamp_transport.router.options import Limits
from wamp_transport.testing.memory import MemoryNode, anonymous_options

from .codes import (
    ABORT,
    CALL,
    CANCEL,
    CANCELED,
    ERROR,
    GOODBYE,
    INVOCATION,
    NO_SUCH_PROCEDURE,
    PROTOCOL_VIOLATION,
    REGISTER,
    REGISTERED,
    RESULT,
    UNREGISTER,
    UNREGISTERED,
    WELCOME,
    YIELD,
)
from .roles import open_calls

PROCEDURE = "com.example.procedure"
QUOTA_EXCEEDED = "wamp.error.quota_exceeded"


def limited(**limits):
    """A node whose realm has these limits."""
    options = anonymous_options("realm1")
    return MemoryNode(replace(options, realms={"realm1": replace(options.realms["realm1"], **limits)}))


@pytest.fixture
def registration(alice):
    """Of the procedure, at alice."""
    return alice.request([REGISTER, 1, {}, PROCEDURE])[2]


def test_result_comes_back(alice, bob, registration):
    bob.send([CALL, 7, {}, PROCEDURE, [1, 2], {"a": "b"}])
    invocation = alice.receive()
    assert invocation == [INVOCATION, 1, registration, {}, [1, 2], {"a": "b"}]
    alice.send([YIELD, 1, {}, [3], {"c": "d"}])
    assert bob.receive() == [RESULT, 7, {}, [3], {"c": "d"}]
    assert not alice.inbox


def test_error_comes_back(alice, bob, registration):
    bob.send([CALL, 7, {}, PROCEDURE])
    assert alice.receive() == [INVOCATION, 1, registration, {}]
    alice.send([ERROR, INVOCATION, 1, {}, "com.example.error", ["why"], {"code": 5}])
    assert bob.receive() == [ERROR, CALL, 7, {}, "com.example.error", ["why"], {"code": 5}]


@pytest.mark.parametrize(
    ("sent", "received"), [([], []), ([[]], [[]]), ([[], {"a": 1}], [[], {"a": 1}]), ([None, {"a": 1}], [[], {"a": 1}])]
)
def test_payload_keeps_its_form(alice, bob, registration, sent, received):
    bob.send([CALL, 1, {}, PROCEDURE, *sent])
    invocation = alice.receive()
    assert invocation[4:] == received
    alice.send([YIELD, invocation[1], {}, *sent])
    assert bob.receive()[3:] == received
    bob.send([CALL, 2, {}, PROCEDURE])
    alice.send([ERROR, INVOCATION, alice.receive()[1], {}, "com.example.error", *sent])
    assert bob.receive()[5:] == received


def test_results_may_come_in_any_order(alice, bob, registration):
    for request_id in (1, 2, 3):
        bob.send([CALL, request_id, {}, PROCEDURE])
    for invocation in reversed(alice.receive_all()):
        alice.send([YIELD, invocation[1], {}, [invocation[1]]])
    assert [result[1:4:2] for result in bob.receive_all()] == [[3, [3]], [2, [2]], [1, [1]]]


def test_session_may_call_itself(alice, registration):
    invocation = alice.request([CALL, 5, {}, PROCEDURE])
    assert invocation[0] == INVOCATION
    assert alice.request([YIELD, invocation[1], {}]) == [RESULT, 5, {}]


def test_call_of_no_procedure_is_an_error(alice):
    error = alice.request([CALL, 5, {}, PROCEDURE])
    assert error[:5] == [ERROR, CALL, 5, {}, NO_SUCH_PROCEDURE]
    assert PROCEDURE in error[5][0]


def test_procedure_registered_is_not_registered_again(alice, bob, registration):
    for peer in (alice, bob):
        error = peer.request([REGISTER, 2, {}, PROCEDURE])
        assert error[:5] == [ERROR, REGISTER, 2, {}, "wamp.error.procedure_already_exists"]


def test_unregistered_procedure_is_gone_and_free(alice, bob, registration):
    assert alice.request([UNREGISTER, 2, registration, {}]) == [UNREGISTERED, 2]
    assert bob.request([CALL, 1, {}, PROCEDURE])[4] == NO_SUCH_PROCEDURE
    assert bob.request([REGISTER, 2, {}, PROCEDURE])[0] == REGISTERED


def test_unregister_of_another_registration_is_an_error(alice, bob, registration):
    for request_id, each in enumerate([registration, 12345], 1):
        error = bob.request([UNREGISTER, request_id, each])
        assert error[:5] == [ERROR, UNREGISTER, request_id, {}, "wamp.error.no_such_registration"]


def test_open_call_goes_on_after_unregister(alice, bob, registration):
    bob.send([CALL, 1, {}, PROCEDURE])
    invocation = alice.receive()
    alice.request([UNREGISTER, 2, registration])
    alice.send([YIELD, invocation[1], {}, ["late"]])
    assert bob.receive() == [RESULT, 1, {}, ["late"]]


@pytest.mark.parametrize("end", ["lose", "goodbye", "abort", "violation", "router"])
def test_callee_that_leaves_cancels_its_calls(alice, bob, node, registration, end):
    bob.send([CALL, 1, {}, PROCEDURE])
    alice.receive()
    if end == "lose":
        alice.lose()
    elif end == "router":
        node.leave(alice, "wamp.close.killed")
    else:
        goodbye, abort = [GOODBYE, {}, "wamp.close.normal"], [ABORT, {}, "com.example.error"]
        alice.send({"goodbye": goodbye, "abort": abort, "violation": [WELCOME, 1, {}]}[end])
    error = bob.receive()
    assert error[:5] == [ERROR, CALL, 1, {}, CANCELED]
    assert bob.request([CALL, 2, {}, PROCEDURE])[4] == NO_SUCH_PROCEDURE


@pytest.mark.parametrize("answer", [[YIELD, 1, {}, ["late"]], [ERROR, INVOCATION, 1, {}, "com.example.error"]])
def test_answer_after_the_caller_has_left_is_dropped(alice, bob, node, registration, answer):
    bob.send([CALL, 1, {}, PROCEDURE])
    alice.receive()
    bob.lose()
    alice.send(answer)
    assert not alice.inbox
    assert not alice.is_closed
    session = alice.node.router.sessions[alice.session_id]
    assert not session.invocations


def test_answer_does_not_reach_the_callers_next_session(alice, bob, registration):
    bob.send([CALL, 1, {}, PROCEDURE])
    invocation = alice.receive()
    bob.request([GOODBYE, {}, "wamp.close.normal"])
    bob.join("realm1")
    alice.send([YIELD, invocation[1], {}, ["late"]])
    assert not bob.inbox


@pytest.mark.parametrize(
    "second", [[YIELD, 1, {}, ["again"]], [ERROR, INVOCATION, 1, {}, "com.example.error"], [YIELD, 1, {}]]
)
def test_second_answer_is_dropped(alice, bob, registration, second):
    bob.send([CALL, 1, {}, PROCEDURE])
    alice.send([YIELD, alice.receive()[1], {}, ["once"]])
    alice.send(second)
    assert bob.receive_all() == [[RESULT, 1, {}, ["once"]]]
    assert not alice.is_closed


def test_unknown_options_are_accepted_without_effect(alice, bob, registration):
    bob.send([CALL, 1, {"x_mine": {"a": 1}, "unheard_of": 1}, PROCEDURE])
    assert alice.receive()[3] == {}
    alice.send([YIELD, 1, {"x_mine": 1}])
    assert bob.receive() == [RESULT, 1, {}]


@pytest.mark.parametrize(("strict_progress", "details"), [(False, {"receive_progress": True}), (True, {})])
def test_progress_is_asked_for_without_announcement_unless_strict(serializer, strict_progress, details):
    node = limited(strict_progress=strict_progress)
    callee, caller = node.join("realm1", serializer), node.join("realm1", serializer)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send([CALL, 1, {"receive_progress": True, "x_mine": {"a": 1}, "unheard_of": 1}, PROCEDURE])
    assert callee.receive()[3] == details
    callee.send([YIELD, 1, {"x_mine": 1}])
    assert caller.receive() == [RESULT, 1, {}]


def test_id_of_a_call_that_is_open_is_not_used_again(alice, bob, registration):
    bob.send([CALL, 1, {}, PROCEDURE])
    bob.send([CALL, 1, {}, PROCEDURE])
    assert bob.close_reason == PROTOCOL_VIOLATION
    assert len(alice.inbox) == 1


def test_id_of_a_call_that_has_ended_may_be_used_again(alice, bob, registration):
    for invocation_id in (1, 2):
        bob.send([CALL, 1, {}, PROCEDURE])
        alice.send([YIELD, invocation_id, {}])
        assert bob.receive() == [RESULT, 1, {}]


def test_session_has_no_more_calls_in_flight_than_the_realm_allows(serializer):
    node = limited(limits=Limits(calls=2))
    callee, caller, other = (node.join("realm1", serializer) for _ in range(3))
    callee.request([REGISTER, 1, {}, PROCEDURE])
    for request_id in (1, 2):
        caller.send([CALL, request_id, {}, PROCEDURE])
    error = caller.request([CALL, 3, {}, PROCEDURE])
    assert error[:5] == [ERROR, CALL, 3, {}, QUOTA_EXCEEDED]
    assert len(callee.inbox) == 2
    other.send([CALL, 1, {}, PROCEDURE])
    assert len(callee.inbox) == 3
    callee.send([YIELD, 1, {}])
    assert caller.receive() == [RESULT, 1, {}]
    caller.send([CALL, 5, {}, PROCEDURE])
    assert len(callee.inbox) == 4


def test_meta_procedures_of_a_single_node_need_no_room_for_calls_in_flight(serializer):
    """In a cluster, they do if other nodes must answer."""
    node = limited(limits=Limits(calls=1))
    callee, caller = node.join("realm1", serializer), node.join("realm1", serializer)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send([CALL, 1, {}, PROCEDURE])
    assert caller.request([CALL, 2, {}, "wamp.session.count"])[0] == RESULT


def test_session_has_no_more_registrations_than_the_realm_allows(serializer):
    node = limited(limits=Limits(registrations=2))
    callee, other = node.join("realm1", serializer), node.join("realm1", serializer)
    ids = [callee.request([REGISTER, number, {}, f"{PROCEDURE}{number}"])[2] for number in (1, 2)]
    error = callee.request([REGISTER, 3, {}, PROCEDURE])
    assert error[:5] == [ERROR, REGISTER, 3, {}, QUOTA_EXCEEDED]
    assert other.request([REGISTER, 1, {}, PROCEDURE])[0] == REGISTERED
    callee.request([UNREGISTER, 4, ids[0]])
    assert callee.request([REGISTER, 5, {}, f"{PROCEDURE}1"])[0] == REGISTERED


def test_nothing_is_left_when_all_have_left(node, serializer):
    peers = [node.join("realm1", serializer) for _ in range(4)]
    for number, peer in enumerate(peers):
        peer.request([REGISTER, 1, {}, f"{PROCEDURE}{number}"])
    for peer in peers:
        for number in range(len(peers)):
            peer.send([CALL, number + 2, {"timeout": 60_000}, f"{PROCEDURE}{number}"])
    for peer in peers:
        peer.lose()
    assert not any(router.sessions for router in node.routers)
    assert not any(router.realms["realm1"].dealer.registrations for router in node.routers)
    assert not open_calls(node)
    node.pass_time(100)


def test_cancel_of_no_call_is_taken_without_effect(alice):
    alice.send([CANCEL, 99, {}])
    assert not alice.inbox
    assert not alice.is_closed


def test_registered_comes_before_the_first_invocation(alice, bob):
    alice.send([REGISTER, 1, {}, PROCEDURE])
    bob.send([CALL, 1, {}, PROCEDURE])
    assert [message[0] for message in alice.receive_all()] == [REGISTERED, INVOCATION]


def test_invocations_keep_the_order_of_calls(alice, bob, registration):
    alice.request([REGISTER, 2, {}, "com.example.other"])
    for number in range(1, 11):
        bob.send([CALL, number, {}, PROCEDURE if number % 3 else "com.example.other", [number]])
    assert [invocation[4][0] for invocation in alice.receive_all()] == list(range(1, 11))
