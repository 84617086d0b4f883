"""Calls between nodes in memory: what the nodes send each other, and which records they keep."""

from dataclasses import replace

import pytest

from wamp_transport.router.options import Permission, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.router.relayed import (
    Identity,
    RelayedCall,
    RelayedCallPart,
    RelayedCancel,
    RelayedError,
    RelayedMessage,
    RelayedResult,
)
from wamp_transport.testing.memory import anonymous_options
from wamp_transport.testing.memory_cluster import MemoryCluster
from wamp_transport.wamp.messages import Call, CallOptions, Error, ErrorDetails, Yield, YieldOptions
from wamp_transport.wamp.payload import PYTHON, positional

ERROR, CALL, CANCEL, RESULT, REGISTER, UNREGISTER, INVOCATION, INTERRUPT, YIELD = 8, 48, 49, 50, 64, 66, 68, 69, 70
PROCEDURE = "com.example.procedure"
NETWORK_FAILURE = "wamp.error.network_failure"
UNAVAILABLE = "wamp.error.unavailable"
NO_AVAILABLE_CALLEE = "wamp.error.no_available_callee"
NO_SUCH_PROCEDURE = "wamp.error.no_such_procedure"
FEATURES = ("call_canceling", "call_reroute", "progressive_call_invocations", "progressive_call_results")
ROLES = {
    name: {"features": dict.fromkeys((*FEATURES, "payload_passthru_mode"), True)}
    for name in ("publisher", "subscriber", "caller", "callee")
}


@pytest.fixture
def cluster():
    return MemoryCluster(anonymous_options("realm1"), 3)


@pytest.fixture
def sent(cluster, monkeypatch):
    """The messages between nodes, with the place of their sender and the name of their receiver."""
    sent: list[tuple[int, str, RelayedMessage]] = []
    send = cluster.send

    def record(sender, effect):
        sent.extend((cluster.nodes.index(sender), name, effect.message) for name in effect.members)
        send(sender, effect)

    monkeypatch.setattr(cluster, "send", record)
    return sent


def joined(cluster, place):
    peer = cluster.nodes[place].connect("json")
    peer.join("realm1", roles=ROLES)
    return peer


def register(peer, procedure=PROCEDURE, request=1, **options):
    answer = peer.request([REGISTER, request, options, procedure])
    assert answer[0] == 65, answer
    return answer[2]


def messages(sent, kind):
    return [message for _, _, message in sent if isinstance(message, kind)]


def records(cluster):
    """The number of calls that each node has on record: made, received, sent to other nodes, received from them."""
    counts = []
    for router in cluster.routers:
        sessions = router.sessions.values()
        nodes = [node for realm in router.cluster.calls.realms.values() for node in realm.nodes.values()]
        counts.append(
            (
                sum(len(session.calls) for session in sessions),
                sum(len(session.invocations) for session in sessions),
                sum(len(node.sent) for node in nodes),
                sum(len(node.received) for node in nodes),
            )
        )
    return counts


NO_RECORDS = [(0, 0, 0, 0)] * 3


def test_call_is_sent_to_the_node_of_the_callee(cluster, sent):
    caller, callee = joined(cluster, 0), joined(cluster, 1)
    registration = register(callee)
    caller.send([CALL, 9, {}, PROCEDURE, [1], {"a": 2}])
    assert records(cluster) == [(1, 0, 1, 0), (0, 1, 0, 1), (0, 0, 0, 0)]
    (call,) = messages(sent, RelayedCall)
    assert call == RelayedCall(
        "realm1", 1, registration, callee.session_id, PROCEDURE, None, None, None, 0.0, "json", b"[1]",
        b'{"a": 2}', accepts_passthru=True,
    )  # fmt: skip
    callee.send([YIELD, callee.receive()[1], {}, ["done"]])
    assert caller.receive() == [RESULT, 9, {}, ["done"]]
    (result,) = messages(sent, RelayedResult)
    assert (result.call_id, result.progress, result.in_flight, result.args) == (1, False, 0, b'["done"]')
    assert records(cluster) == NO_RECORDS


def test_disclosed_caller_timeout_and_time_are_sent(cluster, sent):
    caller, callee = joined(cluster, 0), joined(cluster, 1)
    register(callee, disclose_caller=True, forward_timeout=True)
    caller.send([CALL, 1, {"timeout": 1500, "receive_progress": True}, PROCEDURE])
    (call,) = messages(sent, RelayedCall)
    assert call.caller == Identity(
        caller.session_id, cluster.routers[0].sessions[caller.session_id].authid, "anonymous"
    )
    assert (call.options.timeout, call.options.receive_progress, call.time_left) == (1500, True, 1.5)
    details = callee.receive()[3]
    assert (details["caller"], details["timeout"], details["receive_progress"]) == (caller.session_id, 1500, True)


def test_calls_of_all_realms_have_different_ids(sent, monkeypatch):
    cluster = MemoryCluster(anonymous_options("realm1", "realm2"), 2)
    found = []
    send = cluster.send
    monkeypatch.setattr(cluster, "send", lambda node, effect: (found.append(effect.message), send(node, effect)))
    for realm in ("realm1", "realm2"):
        callee, caller = cluster.nodes[1].join(realm), cluster.nodes[0].join(realm)
        register(callee)
        caller.send([CALL, 1, {}, PROCEDURE])
    assert [each.call_id for each in found if isinstance(each, RelayedCall)] == [1, 2]


@pytest.mark.parametrize("mode", ["skip", "kill", "killnowait"])
def test_cancel_reaches_the_node_of_the_callee(cluster, sent, mode):
    caller, callee = joined(cluster, 0), joined(cluster, 1)
    register(callee)
    caller.send([CALL, 9, {}, PROCEDURE])
    invocation = callee.receive()[1]
    caller.send([CANCEL, 9, {"mode": mode}])
    assert [each.mode for each in messages(sent, RelayedCancel)] == [mode]
    if mode == "kill":
        assert records(cluster) == [(1, 0, 1, 0), (0, 1, 0, 1), (0, 0, 0, 0)]
        assert not caller.inbox
        callee.send([ERROR, INVOCATION, invocation, {}, "wamp.error.canceled"])
    assert caller.receive()[4] == "wamp.error.canceled"
    assert records(cluster) == NO_RECORDS
    assert [each[0] for each in callee.receive_all()] == ([] if mode == "skip" else [INTERRUPT])


@pytest.mark.parametrize("end", ["timeout", "caller leaves", "killed and timeout"])
def test_call_that_ends_at_home_is_canceled(cluster, sent, end):
    caller, callee = joined(cluster, 0), joined(cluster, 1)
    register(callee)
    caller.send([CALL, 9, {"timeout": 1000, "receive_progress": True}, PROCEDURE])
    invocation = callee.receive()[1]
    if end == "killed and timeout":
        caller.send([CANCEL, 9, {"mode": "kill"}])
    if end == "caller leaves":
        caller.lose()
    else:
        cluster.pass_time(1.1)
        assert caller.receive()[4] == "wamp.error.timeout"
    modes = {"killed and timeout": ["kill", "skip"]}.get(end, ["killnowait"])
    assert [each.mode for each in messages(sent, RelayedCancel)] == modes
    assert records(cluster) == NO_RECORDS
    assert callee.receive()[0] == INTERRUPT
    callee.send([YIELD, invocation, {}])
    assert not caller.inbox
    assert not messages(sent, RelayedResult)


@pytest.mark.parametrize("progress", [True, None])
def test_result_that_cannot_be_sent_is_an_error(cluster, progress):
    """A session in the process can answer with values that no serializer can encode."""
    caller, callee = joined(cluster, 0), joined(cluster, 1)
    register(callee)
    caller.send([CALL, 9, {"receive_progress": True}, PROCEDURE])
    router = callee.node.router
    router.sessions[callee.session_id].payload_format = PYTHON
    router.receive(callee.session_id, Yield(1, YieldOptions(progress=progress), positional(object())))
    callee.node.run_effects()
    assert caller.receive()[4] == "wamp.error.invalid_payload"
    assert records(cluster) == NO_RECORDS


def test_error_that_cannot_be_sent_is_another_error(cluster):
    """The callee is unavailable, so its node would ask the home to try another callee."""
    caller, callee = joined(cluster, 0), joined(cluster, 1)
    register(callee)
    caller.send([CALL, 9, {}, PROCEDURE])
    router = callee.node.router
    router.sessions[callee.session_id].payload_format = PYTHON
    router.receive(callee.session_id, Error(INVOCATION, 1, ErrorDetails(), UNAVAILABLE, positional(object())))
    callee.node.run_effects()
    assert caller.receive()[4] == "wamp.error.invalid_payload"
    assert records(cluster) == NO_RECORDS


def test_call_that_cannot_be_encoded_is_refused(cluster, sent):
    caller, callee = joined(cluster, 0), joined(cluster, 1)
    register(callee)
    router = caller.node.router
    router.sessions[caller.session_id].payload_format = PYTHON
    router.receive(caller.session_id, Call(9, CallOptions(), PROCEDURE, positional(object())))
    caller.node.run_effects()
    assert caller.receive()[4] == "wamp.error.invalid_payload"
    assert not messages(sent, RelayedCall)
    assert records(cluster) == NO_RECORDS


def test_callee_that_leaves_ends_the_call(cluster):
    caller, callee = joined(cluster, 0), joined(cluster, 1)
    register(callee)
    caller.send([CALL, 9, {}, PROCEDURE])
    callee.lose()
    assert caller.receive()[4] == "wamp.error.canceled"
    assert records(cluster) == NO_RECORDS


def test_progressive_call_and_its_results_go_on_at_the_other_node(cluster, sent):
    caller, callee = joined(cluster, 0), joined(cluster, 1)
    register(callee)
    caller.send([CALL, 9, {"progress": True, "receive_progress": True}, PROCEDURE, [0]])
    caller.send([CALL, 9, {"progress": True}, PROCEDURE, [1]])
    caller.send([CALL, 9, {}, PROCEDURE, [2]])
    found = callee.receive_all()
    assert [(each[3].get("progress"), each[4]) for each in found] == [(True, [0]), (True, [1]), (None, [2])]
    assert len(messages(sent, RelayedCallPart)) == 2
    callee.send([YIELD, found[0][1], {"progress": True}, ["a"]])
    callee.send([YIELD, found[0][1], {}, ["b"]])
    assert caller.receive_all() == [[RESULT, 9, {"progress": True}, ["a"]], [RESULT, 9, {}, ["b"]]]
    assert records(cluster) == NO_RECORDS


def test_progressive_result_restarts_the_timeout_at_home(cluster):
    caller, callee = joined(cluster, 0), joined(cluster, 1)
    register(callee)
    caller.send([CALL, 9, {"receive_progress": True, "timeout": 1000}, PROCEDURE])
    invocation = callee.receive()[1]
    for _ in range(3):
        cluster.pass_time(0.8)
        callee.send([YIELD, invocation, {"progress": True}])
    assert [each[0] for each in caller.receive_all()] == [RESULT] * 3
    cluster.pass_time(1.1)
    assert caller.receive()[4] == "wamp.error.timeout"


def test_busy_callee_is_refused_by_its_node_and_the_next_one_is_tried(cluster, sent):
    first, second, home = joined(cluster, 1), joined(cluster, 2), joined(cluster, 0)
    register(first, invoke="first", concurrency=1)
    register(second, invoke="first", concurrency=1)
    other = joined(cluster, 2)
    other.send([CALL, 1, {}, PROCEDURE])
    assert first.receive()[0] == INVOCATION
    home.send([CALL, 1, {}, PROCEDURE, ["home"]])
    assert second.receive()[4] == ["home"]
    (refusal,) = messages(sent, RelayedError)
    assert (refusal.may_retry, refusal.uri) == (True, NO_AVAILABLE_CALLEE)
    assert [call.call_id for place, _, call in sent if isinstance(call, RelayedCall) and place == 0] == [1, 2]
    home.send([CALL, 2, {}, PROCEDURE])
    assert home.receive()[4] == NO_AVAILABLE_CALLEE
    assert not first.inbox


def test_progressive_call_that_was_refused_is_sent_to_the_next_callee_until_a_part_was_sent(cluster):
    first, second, home, other = (joined(cluster, place) for place in (1, 2, 0, 2))
    register(first, invoke="first", concurrency=1)
    register(second, invoke="first")
    other.send([CALL, 1, {}, PROCEDURE])
    home.send([CALL, 1, {"progress": True}, PROCEDURE, [0]])
    home.send([CALL, 1, {}, PROCEDURE, [1]])
    assert [each[4] for each in second.receive_all()] == [[0], [1]]
    cluster.is_immediate = False
    home.send([CALL, 2, {"progress": True}, PROCEDURE, [0]])
    home.send([CALL, 2, {}, PROCEDURE, [1]])
    cluster.deliver_all()
    assert home.receive()[4] == NO_AVAILABLE_CALLEE
    assert not second.inbox


def test_callee_without_the_registration_gets_no_invocation(cluster, sent):
    caller, callee = joined(cluster, 0), joined(cluster, 1)
    registration = register(callee)
    cluster.is_immediate = False
    callee.send([UNREGISTER, 2, registration])
    assert callee.receive()[0] == 67
    caller.send([CALL, 9, {}, PROCEDURE])
    cluster.deliver_all()
    assert not callee.inbox
    assert caller.receive()[4] == NO_SUCH_PROCEDURE
    assert [each.may_retry for each in messages(sent, RelayedError)] == [True]
    assert records(cluster) == NO_RECORDS


def test_procedure_that_one_of_two_callees_has_unregistered_still_exists(cluster):
    caller, gone, busy = (joined(cluster, place) for place in (0, 1, 2))
    registration = register(gone, invoke="first", concurrency=1)
    register(busy, invoke="first", concurrency=1)
    busy_caller = joined(cluster, 2)
    cluster.is_immediate = False
    gone.send([UNREGISTER, 2, registration])
    caller.send([CALL, 9, {}, PROCEDURE])
    cluster.work(1)
    cluster.read_log(2)
    busy_caller.send([CALL, 1, {}, PROCEDURE])
    cluster.deliver_all()
    assert [each[0] for each in busy.receive_all()] == [INVOCATION]
    assert caller.receive()[4] == NO_AVAILABLE_CALLEE


def test_call_for_a_registration_that_has_moved_follows_it(cluster):
    caller, old, new = (joined(cluster, place) for place in (0, 1, 2))
    register(old)
    cluster.is_immediate = False
    caller.send([CALL, 9, {}, PROCEDURE])
    new.send([REGISTER, 1, {"force_reregister": True}, PROCEDURE])
    for place in (2, 1, 0):
        cluster.work(place)
        cluster.read_log(place)
    cluster.deliver_all()
    assert [each[0] for each in new.receive_all()] == [65, INVOCATION]


def test_unavailable_callee_is_passed_over_by_the_home(cluster, sent):
    caller, first, second = (joined(cluster, place) for place in (0, 1, 2))
    for callee in (first, second):
        register(callee, invoke="first")
    caller.send([CALL, 9, {"timeout": 1000}, PROCEDURE])
    cluster.pass_time(0.6)
    first.send([ERROR, INVOCATION, first.receive()[1], {}, UNAVAILABLE])
    assert second.receive()[0] == INVOCATION
    cluster.pass_time(0.6)
    assert caller.receive()[4] == "wamp.error.timeout"
    assert records(cluster) == NO_RECORDS


def test_call_that_cannot_be_sent_goes_to_the_next_callee(cluster):
    caller, first, second = (joined(cluster, place) for place in (0, 1, 2))
    for callee in (first, second):
        register(callee, invoke="first")
    cluster.full.add((0, 1))
    caller.send([CALL, 9, {}, PROCEDURE])
    assert second.receive()[0] == INVOCATION
    cluster.full.add((0, 2))
    caller.send([CALL, 10, {}, PROCEDURE])
    assert caller.receive()[2:5] == [10, {}, UNAVAILABLE]
    assert records(cluster)[0] == (1, 0, 1, 0)


@pytest.mark.parametrize("policy", ["first", "roundrobin", "random", "queue_least_loaded"])
def test_new_calls_prefer_nodes_that_are_not_silent(cluster, policy):
    caller, first, second = (joined(cluster, place) for place in (0, 1, 2))
    for callee in (first, second):
        register(callee, invoke=policy, nkey=str(callee.session_id))
    calls = cluster.nodes[0].remote_calls
    calls.set_silent("1", is_silent=True)
    for number, options in enumerate(({}, {}, {"runmode": "partition", "rkey": "x"}), 1):
        caller.send([CALL, number, options, PROCEDURE])
    assert (len(first.inbox), len(second.inbox)) == (0, 3)
    calls.set_silent("2", is_silent=True)
    for number in range(4, 10):
        caller.send([CALL, number, {}, PROCEDURE])
    assert len(first.inbox) + len(second.inbox) == 9


def test_least_loaded_callee_counts_the_calls_of_other_nodes(cluster):
    home, other = joined(cluster, 0), joined(cluster, 1)
    first, second = joined(cluster, 1), joined(cluster, 2)
    for callee in (first, second):
        register(callee, invoke="queue_least_loaded")
    for number in range(1, 5):
        other.send([CALL, number, {}, PROCEDURE])
    assert (len(first.inbox), len(second.inbox)) == (2, 2)
    home.send([CALL, 1, {}, PROCEDURE])
    busy = first if len(first.inbox) == 3 else second
    busy.send([YIELD, busy.receive_all()[-1][1], {}])  # The answer tells the home of the two other calls.
    for number in range(2, 4):
        home.send([CALL, number, {}, PROCEDURE])
    idle = second if busy is first else first
    assert (len(busy.inbox), len(idle.inbox)) == (0, 4)


def test_failed_call_is_an_error_for_the_caller(cluster, sent):
    caller, callee = joined(cluster, 0), joined(cluster, 1)
    register(callee)
    caller.send([CALL, 9, {}, PROCEDURE])
    cluster.nodes[0].remote_calls.call_failed("1", "realm1", 1)
    cluster.nodes[0].run_effects()
    assert caller.receive()[4] == NETWORK_FAILURE
    cluster.nodes[1].remote_calls.call_interrupted("0", "realm1", 1)
    cluster.nodes[1].run_effects()
    assert [each[0] for each in callee.receive_all()] == [INVOCATION, INTERRUPT]
    assert records(cluster) == NO_RECORDS
    callee.send([YIELD, 1, {}])
    assert not caller.inbox
    assert not messages(sent, RelayedError)
    for report in ("call_failed", "call_interrupted", "call_not_sent"):
        getattr(cluster.nodes[0].remote_calls, report)("1", "realm1", 1)
        getattr(cluster.nodes[0].remote_calls, report)("9", "realm9", 1)
    assert records(cluster) == NO_RECORDS


def test_removed_node_leaves_no_calls_and_no_callees(cluster):
    here, there = joined(cluster, 0), joined(cluster, 1)
    register(here, "com.here")
    register(there, "com.there")
    here.send([CALL, 2, {}, "com.there"])
    there.send([CALL, 2, {}, "com.here"])
    cluster.remove_node(1)
    assert [each[0] for each in here.receive_all()] == [INVOCATION, ERROR, INTERRUPT]
    assert records(cluster)[0] == (0, 0, 0, 0)
    assert here.request([CALL, 3, {}, "com.there"])[4] == "wamp.error.no_such_procedure"
    assert not cluster.routers[0].cluster.calls.realm("realm1").nodes.keys() & {"1"}


def test_messages_of_strangers_and_late_messages_are_ignored(cluster):
    caller, callee = joined(cluster, 0), joined(cluster, 1)
    register(callee)
    caller.send([CALL, 9, {}, PROCEDURE])
    calls = cluster.routers[0].cluster
    for name in ("2", "stranger"):
        calls.receive(name, RelayedResult("realm1", 1, False, 0, None, "json"))
        calls.receive(name, RelayedError("realm1", 1, 0, False, "com.error", None, "json"))
    for message in (
        RelayedCancel("realm1", 1, "kill", "why"),
        RelayedCallPart("realm1", 1, CallOptions(), "json"),
        RelayedResult("elsewhere", 1, False, 0, None, "json"),
    ):
        calls.receive("1", message)
    cluster.nodes[0].run_effects()
    assert not caller.inbox
    assert records(cluster)[0] == (1, 0, 1, 0)


def test_node_without_the_realm_refuses_a_call(cluster, sent):
    callee = joined(cluster, 1)
    registration = register(callee)
    cluster.nodes[2].router.configure(RouterOptions())
    call = RelayedCall("realm1", 77, registration, callee.session_id, PROCEDURE, None, None, CallOptions(), 0, "json")
    cluster.routers[2].cluster.receive("0", call)
    cluster.nodes[2].run_effects()
    (error,) = messages(sent, RelayedError)
    assert (error.call_id, error.may_retry) == (77, True)


def test_callee_gets_no_call_that_its_own_node_does_not_permit():
    """The configuration of the home can be older."""
    allowed = RoleOptions("anonymous", allow_by_default=True)
    denied = replace(allowed, permissions=(Permission(PROCEDURE, call=True),))
    options = RouterOptions(realms={"realm1": RealmOptions("realm1", {"anonymous": allowed})})
    cluster = MemoryCluster(options, 2)
    caller, callee = joined(cluster, 0), joined(cluster, 1)
    register(callee, "com.example.", match="prefix")
    cluster.nodes[1].configure(RouterOptions(realms={"realm1": RealmOptions("realm1", {"anonymous": denied})}))
    assert caller.request([CALL, 1, {}, PROCEDURE])[4] == NO_AVAILABLE_CALLEE
    caller.send([CALL, 2, {}, f"{PROCEDURE}2"])
    assert [each[0] for each in callee.receive_all()] == [INVOCATION]
