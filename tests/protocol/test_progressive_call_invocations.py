"""Advanced Profile, "Progressive Call Invocations"."""

from dataclasses import replace

import pytest

from wamp_transport.testing.memory import MemoryNode, anonymous_options

from .codes import (
    CALL,
    CANCEL,
    CANCELED,
    ERROR,
    INTERRUPT,
    INVOCATION,
    NO_SUCH_PROCEDURE,
    PROTOCOL_VIOLATION,
    REGISTER,
    RESULT,
    YIELD,
)
from .roles import joined, open_calls

PROCEDURE = "com.example.procedure"
FEATURE = "progressive_call_invocations"
RESULTS = "progressive_call_results"
ABLE = [FEATURE, RESULTS, "call_canceling"]
NOT_SUPPORTED = "wamp.error.feature_not_supported"


def part(number, request_id=7, **options):
    """A part of a call after which more come."""
    return [CALL, request_id, {"progress": True, **options}, PROCEDURE, [number]]


def last(number, request_id=7, **options):
    return [CALL, request_id, options, PROCEDURE, [number]]


@pytest.fixture
def callee(node, serializer):
    """Of the procedure."""
    peer = joined(node, serializer, callee=ABLE)
    peer.request([REGISTER, 1, {}, PROCEDURE])
    return peer


@pytest.fixture
def caller(node, serializer):
    return joined(node, serializer, caller=[FEATURE, RESULTS])


def test_parts_go_to_one_invocation(node, caller, callee):
    caller.send(part(1))
    first = callee.receive()
    assert first[3:] == [{"progress": True}, [1]]
    caller.send(part(2))
    assert callee.receive() == [*first[:3], {"progress": True}, [2]]
    caller.send(last(3))
    assert callee.receive() == [*first[:3], {}, [3]]
    callee.send([YIELD, first[1], {}, ["sum"]])
    assert caller.receive_all() == [[RESULT, 7, {}, ["sum"]]]
    assert not open_calls(node)
    assert not caller.node.router.sessions[caller.session_id].ended_streams


def test_part_after_the_last_one_is_a_violation(caller, callee):
    caller.send(part(1))
    caller.send(last(2))
    caller.send(part(3))
    assert caller.close_reason == PROTOCOL_VIOLATION


def test_many_parts_keep_their_order(caller, callee):
    for number in range(1000):
        caller.send(part(number))
    caller.send(last(1000))
    invocations = callee.receive_all()
    assert [invocation[4][0] for invocation in invocations] == list(range(1001))
    assert {invocation[1] for invocation in invocations} == {1}


def test_other_calls_may_come_between(caller, callee):
    caller.send(part("a", 1))
    caller.send(last("b", 2))
    caller.send(part("c", 3))
    caller.send(last("d", 1))
    caller.send(last("e", 3))
    assert [(each[1], each[4][0]) for each in callee.receive_all()] == [
        (1, "a"),
        (2, "b"),
        (3, "c"),
        (1, "d"),
        (3, "e"),
    ]


@pytest.mark.parametrize("policy", ["roundrobin", "random", "first", "last", "queue_least_loaded"])
def test_all_parts_go_to_the_callee_of_the_first(node, serializer, caller, policy):
    callees = [joined(node, serializer, callee=ABLE) for _ in range(3)]
    for peer in callees:
        peer.request([REGISTER, 1, {"invoke": policy}, PROCEDURE])
    caller.send(part(0))
    (chosen,) = [peer for peer in callees if peer.inbox]
    node.random = 1
    late = joined(node, serializer, callee=ABLE)
    late.request([REGISTER, 1, {"invoke": policy}, PROCEDURE])
    for number in range(1, 5):
        caller.send(part(number))
    assert [invocation[4][0] for invocation in chosen.receive_all()] == [0, 1, 2, 3, 4]
    assert not any(peer.inbox for peer in [*callees, late])


def test_options_of_the_first_part_hold_for_all(node, caller, callee):
    caller.send(part(1, disclose_me=True, receive_progress=True, transaction_hash="h"))
    first = callee.receive()[3]
    assert first["caller"] == caller.session_id
    assert first["receive_progress"] is True
    caller.send(part(2, disclose_me=False, receive_progress=False, transaction_hash="other", timeout=1))
    assert callee.receive()[3] == first
    caller.send(last(3, x_mine=1))
    assert callee.receive()[3] == {key: value for key, value in first.items() if key != "progress"}
    node.pass_time(100)
    assert not caller.inbox


def test_options_of_later_parts_are_no_options(caller, callee):
    caller.send(part(1))
    caller.send(part(2, disclose_me=True, receive_progress=True))
    assert [invocation[3] for invocation in callee.receive_all()] == [{"progress": True}] * 2


def test_payload_options_of_the_first_part_hold_for_all(node, serializer):
    callee = joined(node, serializer, callee=[*ABLE, "payload_passthru_mode"])
    caller = joined(node, serializer, caller=[FEATURE, "payload_passthru_mode"])
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send(part("one", ppt_scheme="x_mine", ppt_cipher="a"))
    caller.send(part("two"))
    caller.send(last("three", ppt_scheme="x_other"))
    assert [invocation[3]["ppt_scheme"] for invocation in callee.receive_all()] == ["x_mine"] * 3


def test_invocation_of_a_pattern_has_the_procedure_in_every_part(node, serializer, caller):
    callee = joined(node, serializer, callee=ABLE)
    callee.request([REGISTER, 1, {"match": "prefix"}, "com."])
    caller.send(part(1))
    caller.send(last(2))
    assert [invocation[3].get("procedure") for invocation in callee.receive_all()] == [PROCEDURE] * 2


@pytest.fixture
def strict_node():
    """A router that demands that clients announce progressive calls."""
    options = anonymous_options("realm1")
    return MemoryNode(replace(options, realms={"realm1": replace(options.realms["realm1"], strict_progress=True)}))


def test_caller_that_did_not_announce_breaks_the_protocol_if_strict(strict_node, serializer):
    callee = joined(strict_node, serializer, callee=ABLE)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller = joined(strict_node, serializer)
    caller.send(part(1))
    assert caller.close_reason == PROTOCOL_VIOLATION
    assert not callee.inbox


@pytest.mark.parametrize("features", [[], [FEATURE], [RESULTS], ABLE], ids=str)
def test_clients_that_announce_too_little_are_accepted(node, serializer, features):
    callee, caller = joined(node, serializer, callee=features), joined(node, serializer)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    for message in (part(1), part(2), last(3)):
        caller.send(message)
    assert [(each[1], each[4]) for each in callee.receive_all()] == [(1, [1]), (1, [2]), (1, [3])]
    callee.send([YIELD, 1, {}, ["sum"]])
    assert caller.receive_all() == [[RESULT, 7, {}, ["sum"]]]
    assert not open_calls(node)


def test_callee_that_announces_canceling_but_no_parts_is_not_called(node, serializer):
    """Autobahn|Python: it closes its connection at a second INVOCATION with the same id."""
    callee, caller = joined(node, serializer, callee=[RESULTS, "call_canceling"]), joined(node, serializer)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    assert caller.request(part(1))[:5] == [ERROR, CALL, 7, {}, NOT_SUPPORTED]
    caller.send(last(2))
    assert not caller.inbox
    assert not callee.inbox


@pytest.mark.parametrize("features", [[], [FEATURE], ["call_canceling"]])
def test_callee_that_cannot_is_not_called_if_strict(strict_node, serializer, features):
    node = strict_node
    callee, caller = joined(node, serializer, callee=features), joined(node, serializer, caller=[FEATURE])
    callee.request([REGISTER, 1, {}, PROCEDURE])
    assert caller.request(part(1))[:5] == [ERROR, CALL, 7, {}, NOT_SUPPORTED]
    caller.send(part(2))
    caller.send(last(3))
    assert not caller.inbox
    assert not callee.inbox
    assert not open_calls(node)


def test_second_spelling_of_canceling_counts(node, serializer, caller):
    callee = joined(node, serializer, callee=[FEATURE, "call_cancelling"])
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send(part(1))
    assert callee.receive()[0] == INVOCATION


def test_call_of_no_procedure_is_answered_once(node, serializer, caller):
    assert caller.request(part(1))[4] == NO_SUCH_PROCEDURE
    callee = joined(node, serializer, callee=ABLE)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send(part(2))
    caller.send(last(3))
    assert not caller.inbox
    assert not callee.inbox
    caller.send(last("new", 8))
    assert callee.receive()[4] == ["new"]


def test_meta_procedure_is_answered_once(caller):
    assert caller.request([CALL, 7, {"progress": True}, "wamp.session.count"])[0] == RESULT
    caller.send([CALL, 7, {}, "wamp.session.count"])
    assert not caller.inbox


@pytest.mark.parametrize(
    ("answer", "expected"),
    [([YIELD, 1, {}, ["enough"]], RESULT), ([ERROR, INVOCATION, 1, {}, "com.example.error"], ERROR)],
)
def test_callee_may_end_before_the_caller(node, caller, callee, answer, expected):
    caller.send(part(1))
    callee.receive()
    callee.send(answer)
    assert caller.receive()[0] == expected
    caller.send(part(2))
    caller.send(last(3))
    assert not callee.inbox
    assert not caller.inbox
    assert not caller.is_closed
    assert not open_calls(node)
    caller.send(last("new", 8))
    assert callee.receive()[4] == ["new"]


def test_caller_that_leaves_interrupts(node, caller, callee):
    caller.send(part(1))
    invocation = callee.receive()
    caller.lose()
    assert callee.receive() == [INTERRUPT, invocation[1], {"mode": "killnowait", "reason": CANCELED}]
    assert not open_calls(node)


def test_callee_that_leaves_ends_the_call(node, serializer, caller, callee):
    caller.send(part(1))
    callee.lose()
    assert caller.receive()[:5] == [ERROR, CALL, 7, {}, CANCELED]
    other = joined(node, serializer, callee=ABLE)
    other.request([REGISTER, 1, {}, PROCEDURE])
    caller.send(last(2))
    assert not other.inbox
    assert not caller.inbox


@pytest.mark.parametrize("mode", ["skip", "killnowait"])
def test_parts_after_cancel_are_ignored(caller, callee, mode):
    caller.send(part(1))
    callee.receive()
    assert caller.request([CANCEL, 7, {"mode": mode}])[4] == CANCELED
    callee.receive_all()
    caller.send(part(2))
    caller.send(last(3))
    assert not callee.inbox
    assert not caller.inbox


def test_parts_after_the_timeout_are_ignored(node, caller, callee):
    caller.send(part(1, timeout=1000))
    node.pass_time(1.1)
    assert caller.receive()[4] == "wamp.error.timeout"
    callee.receive_all()
    caller.send(last(2))
    assert not callee.inbox
    assert not caller.inbox


def test_both_directions_stream(node, caller, callee):
    caller.send(part(0, receive_progress=True))
    invocation = callee.receive()
    assert invocation[3] == {"progress": True, "receive_progress": True}
    for number in range(1, 4):
        callee.send([YIELD, invocation[1], {"progress": True}, [number]])
        assert caller.receive() == [RESULT, 7, {"progress": True}, [number]]
        caller.send(part(number))
        assert callee.receive()[4] == [number]
    caller.send(last("end"))
    callee.send([YIELD, invocation[1], {"progress": True}, ["more"]])
    callee.send([YIELD, invocation[1], {}, ["end"]])
    assert [result[2:] for result in caller.receive_all()] == [[{"progress": True}, ["more"]], [{}, ["end"]]]
    assert not open_calls(node)


def test_open_call_that_is_no_stream_has_no_further_parts(caller, callee):
    caller.send(last(1))
    caller.send(part(2))
    assert caller.close_reason == PROTOCOL_VIOLATION


def test_part_that_names_another_procedure_is_a_violation(node, caller, callee):
    callee.request([REGISTER, 2, {}, "com.example.other"])
    caller.send(part(1))
    caller.send([CALL, 7, {"progress": True}, "com.example.other", [2]])
    assert caller.close_reason == PROTOCOL_VIOLATION
    assert [message[0] for message in callee.receive_all()] == [INVOCATION, INTERRUPT]
    assert not open_calls(node)


def test_last_part_of_an_ended_call_is_forgotten(node, caller, callee):
    caller.send(part(1))
    callee.send([YIELD, 1, {}])
    session = caller.node.router.sessions[caller.session_id]
    assert session.ended_streams == {7}
    caller.send(part(2))
    caller.send(last(3))
    assert not session.ended_streams


def test_busy_callee_takes_the_parts_of_the_call_it_has(node, serializer, caller):
    callee = joined(node, serializer, callee=ABLE)
    callee.request([REGISTER, 1, {"concurrency": 1}, PROCEDURE])
    caller.send(part(1))
    caller.send(part(2))
    caller.send(last(3))
    assert len(callee.inbox) == 3
    assert caller.request(last("other", 8))[4] == "wamp.error.no_available_callee"


def test_parts_are_no_new_requests_where_ids_are_in_strict_sequence(serializer):
    router = anonymous_options("realm1")
    realm = replace(router.realms["realm1"], strict_request_ids=True)
    node = MemoryNode(replace(router, realms={"realm1": realm}))
    callee, caller = joined(node, serializer, callee=ABLE), joined(node, serializer, caller=[FEATURE])
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send(part("a", 1))
    caller.send(last("b", 2))
    caller.send(part("c", 1))
    callee.send([YIELD, 1, {}])
    caller.send(part("late", 1))
    caller.send(last("late", 1))
    caller.send(last("d", 3))
    assert [invocation[4][0] for invocation in callee.receive_all()] == ["a", "b", "c", "d"]
    caller.send(last("e", 5))
    assert caller.close_reason == PROTOCOL_VIOLATION
