"""Advanced Profile, "Progressive Call Results"."""

from dataclasses import replace

import pytest

from wamp_transport.testing.memory import MemoryNode, anonymous_options

from .codes import CALL, CANCEL, CANCELED, ERROR, INTERRUPT, INVOCATION, PROTOCOL_VIOLATION, REGISTER, RESULT, YIELD
from .roles import joined, open_calls

PROCEDURE = "com.example.procedure"
FEATURE = "progressive_call_results"
ABLE = [FEATURE, "call_canceling"]


def called(node, serializer, caller=(FEATURE,), callee=ABLE, **options):
    """A callee with an invocation, the caller, and the details of the invocation."""
    callee_peer = joined(node, serializer, callee=list(callee))
    caller_peer = joined(node, serializer, caller=list(caller))
    callee_peer.request([REGISTER, 1, {}, PROCEDURE])
    caller_peer.send([CALL, 7, options, PROCEDURE])
    return callee_peer, caller_peer, callee_peer.receive()[3]


@pytest.fixture
def strict_node():
    """A router that passes progressive results only between clients that announced them."""
    options = anonymous_options("realm1")
    return MemoryNode(replace(options, realms={"realm1": replace(options.realms["realm1"], strict_progress=True)}))


def progress(*args):
    return [YIELD, 1, {"progress": True}, list(args)]


def test_results_come_one_by_one(node, serializer):
    callee, caller, details = called(node, serializer, receive_progress=True)
    assert details == {"receive_progress": True}
    for number in range(3):
        callee.send(progress(number))
        assert caller.receive() == [RESULT, 7, {"progress": True}, [number]]
    callee.send([YIELD, 1, {}, ["last"]])
    assert caller.receive() == [RESULT, 7, {}, ["last"]]
    callee.send(progress("late"))
    assert not caller.inbox
    assert not callee.is_closed
    assert not open_calls(node)


@pytest.mark.parametrize("options", [{"progress": False}, {"progress": None}])
def test_result_that_is_no_progress_ends_the_call(node, serializer, options):
    callee, caller, _ = called(node, serializer, receive_progress=True)
    callee.send([YIELD, 1, options])
    assert caller.receive()[:2] == [RESULT, 7]
    assert not open_calls(node)


@pytest.mark.parametrize(
    ("caller_has", "callee_has", "options"),
    [
        ([FEATURE], ABLE, {}),
        ([FEATURE], ABLE, {"receive_progress": False}),
        ([], ABLE, {"receive_progress": True}),
        ([FEATURE], [FEATURE], {"receive_progress": True}),
    ],
    ids=["not asked", "asked not", "caller did not announce", "callee cannot be interrupted"],
)
def test_strict_router_drops_progress_that_may_not_be(strict_node, serializer, caller_has, callee_has, options):
    callee, caller, details = called(strict_node, serializer, caller_has, callee_has, **options)
    assert details == {}
    callee.send(progress(1))
    assert not caller.inbox
    callee.send([YIELD, 1, {}, ["all"]])
    assert caller.receive() == [RESULT, 7, {}, ["all"]]


def test_progress_of_a_callee_that_did_not_announce_is_a_violation_if_strict(strict_node, serializer):
    callee, caller, details = called(strict_node, serializer, callee=[], receive_progress=True)
    assert details == {}
    callee.send(progress(1))
    assert callee.close_reason == PROTOCOL_VIOLATION
    assert FEATURE in callee.receive()[1]["message"]
    assert caller.receive()[:5] == [ERROR, CALL, 7, {}, CANCELED]


@pytest.mark.parametrize("caller_has", [[], [FEATURE]], ids=str)
@pytest.mark.parametrize("callee_has", [[], [FEATURE], ["call_canceling"], ABLE], ids=str)
def test_results_of_clients_that_announce_too_little_are_accepted(node, serializer, caller_has, callee_has):
    callee, caller, details = called(node, serializer, caller_has, callee_has, receive_progress=True)
    assert details == {"receive_progress": True}
    callee.send(progress(1))
    callee.send([YIELD, 1, {}, [2]])
    assert caller.receive_all() == [[RESULT, 7, {"progress": True}, [1]], [RESULT, 7, {}, [2]]]
    assert not open_calls(node)


@pytest.mark.parametrize("options", [{}, {"receive_progress": False}], ids=["not asked", "asked not"])
@pytest.mark.parametrize("caller_has", [[], [FEATURE]], ids=str)
def test_caller_that_does_not_ask_gets_no_progress(node, serializer, caller_has, options):
    callee, caller, details = called(node, serializer, caller_has, [], **options)
    assert details == {}
    callee.send(progress(1))
    assert not caller.inbox
    assert not callee.is_closed


def test_callee_that_cannot_be_interrupted_may_go_on_when_the_caller_has_left(node, serializer):
    callee, caller, _ = called(node, serializer, callee=[FEATURE], receive_progress=True)
    caller.lose()
    callee.send(progress(1))
    callee.send([YIELD, 1, {}])
    assert not callee.inbox
    assert not callee.is_closed


def test_second_spelling_of_canceling_counts(strict_node, serializer):
    _, _, details = called(strict_node, serializer, callee=[FEATURE, "call_cancelling"], receive_progress=True)
    assert details == {"receive_progress": True}


def test_error_ends_the_results(node, serializer):
    callee, caller, _ = called(node, serializer, receive_progress=True)
    callee.send(progress(1))
    callee.send([ERROR, INVOCATION, 1, {}, "com.example.error", ["broken"]])
    callee.send(progress(2))
    assert caller.receive_all() == [
        [RESULT, 7, {"progress": True}, [1]],
        [ERROR, CALL, 7, {}, "com.example.error", ["broken"]],
    ]
    assert not open_calls(node)


def test_many_results_keep_their_order(node, serializer):
    callee, caller, _ = called(node, serializer, receive_progress=True)
    for number in range(1000):
        callee.send([YIELD, 1, {"progress": True}, [number, "x" * 1000]])
    callee.send([YIELD, 1, {}, [1000]])
    assert [result[3][0] for result in caller.receive_all()] == list(range(1001))


def test_results_of_two_calls_interleave(node, serializer):
    callee, caller, _ = called(node, serializer, receive_progress=True)
    caller.send([CALL, 8, {"receive_progress": True}, PROCEDURE])
    second = callee.receive()[1]
    for number in range(3):
        callee.send(progress(number))
        callee.send([YIELD, second, {"progress": True}, [number]])
    assert [(result[1], result[3][0]) for result in caller.receive_all()] == [
        (request_id, number) for number in range(3) for request_id in (7, 8)
    ]


@pytest.mark.parametrize("payload", [[], [[]], [[1], {"a": 2}], [[], {"a": 2}]])
def test_progress_keeps_its_payload(node, serializer, payload):
    callee, caller, _ = called(node, serializer, receive_progress=True)
    callee.send([YIELD, 1, {"progress": True}, *payload])
    assert caller.receive() == [RESULT, 7, {"progress": True}, *payload]


def test_cancel_stops_the_results(node, serializer):
    callee, caller, _ = called(node, serializer, receive_progress=True)
    callee.send(progress(1))
    caller.send([CANCEL, 7, {"mode": "killnowait"}])
    callee.send(progress(2))
    assert [message[0] for message in caller.receive_all()] == [RESULT, ERROR]
    assert callee.receive()[0] == INTERRUPT


def test_progress_after_kill_still_arrives(node, serializer):
    callee, caller, _ = called(node, serializer, receive_progress=True)
    caller.send([CANCEL, 7, {"mode": "kill"}])
    callee.send(progress(1))
    callee.send([ERROR, INVOCATION, 1, {}, CANCELED])
    assert [message[0] for message in caller.receive_all()] == [RESULT, ERROR]


def test_caller_that_leaves_interrupts_the_results(node, serializer):
    callee, caller, _ = called(node, serializer, receive_progress=True)
    callee.send(progress(1))
    caller.lose()
    assert callee.receive() == [INTERRUPT, 1, {"mode": "killnowait", "reason": CANCELED}]
    callee.send(progress(2))
    assert not callee.is_closed
    assert not open_calls(node)


def test_callee_that_leaves_ends_the_results(node, serializer):
    callee, caller, _ = called(node, serializer, receive_progress=True)
    callee.send(progress(1))
    callee.lose()
    assert [message[0] for message in caller.receive_all()] == [RESULT, ERROR]
    assert not open_calls(node)


def test_progress_that_cannot_be_encoded_for_the_caller_ends_the_call(node):
    callee, caller = joined(node, "msgpack", callee=ABLE), joined(node, "json", caller=[FEATURE])
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send([CALL, 7, {"receive_progress": True}, PROCEDURE])
    callee.send([YIELD, 1, {"progress": True}, [float("nan")]])
    assert [message[:3] for message in caller.receive_all()] == [[ERROR, CALL, 7]]
    assert not open_calls(node)
