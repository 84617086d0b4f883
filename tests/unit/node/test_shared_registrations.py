"""Registrations that the nodes of a cluster share, and calls to callees on other nodes."""

import asyncio

import pytest

from tests.unit.node.cluster_world import Client, World, pair, world
from wamp_transport.cluster.ledger.layout import RegistrationKey

__all__ = ["pair", "world"]

EXISTS = "wamp.error.procedure_already_exists"


def error_of(message: list[object]) -> object:
    assert message[0] == 8, message
    return message[4]


def test_call_reaches_the_callee_on_the_other_node(pair: World) -> None:
    callee, caller = Client(pair.nodes[0]), Client(pair.nodes[1])
    callee.send(64, 1, {}, "com.add")
    assert callee.received() == []
    pair.turn()
    assert callee.kinds() == [65]
    caller.send(48, 7, {}, "com.add", [1, 2])
    pair.turn()
    ((kind, request, _, _, args),) = callee.received()
    assert (kind, args) == (68, [1, 2])
    callee.send(70, request, {}, [3])
    pair.turn()
    assert caller.received() == [[50, 7, {}, [3]]]


def test_name_is_unique_in_the_cluster(pair: World) -> None:
    first, second = Client(pair.nodes[0]), Client(pair.nodes[1])
    first.send(64, 1, {}, "com.add")
    pair.turn()
    second.send(64, 1, {}, "com.add")
    pair.turn()
    assert first.kinds() == [65]
    (answer,) = second.received()
    assert error_of(answer) == EXISTS


def test_name_of_a_killed_node_is_free_when_its_lease_has_ended(pair: World) -> None:
    """The REGISTER is not refused, although the other node was heard a moment ago."""
    first, second = Client(pair.nodes[0]), Client(pair.nodes[1])
    first.send(64, 1, {}, "com.add")
    pair.turn()
    pair.stop(0)
    second.send(64, 1, {}, "com.add")
    pair.pass_time(9)
    assert second.received() == []
    pair.pass_time(5)
    assert second.kinds() == [65]


def test_name_is_free_after_unregister(pair: World) -> None:
    first, second = Client(pair.nodes[0]), Client(pair.nodes[1])
    first.send(64, 1, {}, "com.add")
    pair.turn()
    ((_, _, registration),) = first.received()
    first.send(66, 2, registration)
    pair.turn()
    assert first.kinds() == [67]
    second.send(64, 1, {}, "com.add")
    pair.turn()
    assert second.kinds() == [65]


def test_name_is_free_after_the_session_has_ended(pair: World) -> None:
    first, second = Client(pair.nodes[0]), Client(pair.nodes[1])
    first.send(64, 1, {}, "com.add")
    pair.turn()
    first.connection.lost()
    pair.turn()
    second.send(64, 1, {}, "com.add")
    pair.turn()
    assert second.kinds() == [65]


def test_register_of_a_session_that_has_ended_is_withdrawn(pair: World) -> None:
    first, second = Client(pair.nodes[0]), Client(pair.nodes[1])
    first.send(64, 1, {}, "com.add")
    first.connection.lost()
    pair.turn()
    second.send(64, 1, {}, "com.add")
    pair.turn()
    assert second.kinds() == [65]


def test_forced_registration_replaces_the_callee_of_the_other_node(pair: World) -> None:
    first, second = Client(pair.nodes[0], "registration_revocation"), Client(pair.nodes[1])
    caller = Client(pair.nodes[0])
    first.send(64, 1, {}, "com.add")
    pair.turn()
    second.send(64, 1, {"force_reregister": True}, "com.add")
    pair.turn()
    assert first.kinds() == [65, 67]
    assert second.kinds() == [65]
    caller.send(48, 1, {}, "com.add")
    pair.turn()
    assert second.kinds() == [68]
    assert first.kinds() == []


def test_shared_registration_has_callees_on_both_nodes(pair: World) -> None:
    callees = [Client(node) for node in pair.nodes]
    for callee in callees:
        callee.send(64, 1, {"invoke": "roundrobin"}, "com.add")
        pair.turn()
        assert callee.kinds() == [65]
    caller = Client(pair.nodes[0])
    for number in range(4):
        caller.send(48, number + 1, {}, "com.add")
        pair.turn()
    assert [callee.kinds() for callee in callees] == [[68, 68], [68, 68]]


def test_other_policy_is_refused(pair: World) -> None:
    first, second = Client(pair.nodes[0]), Client(pair.nodes[1])
    first.send(64, 1, {"invoke": "roundrobin"}, "com.add")
    pair.turn()
    second.send(64, 1, {"invoke": "random"}, "com.add")
    pair.turn()
    (answer,) = second.received()
    assert error_of(answer) == "wamp.error.procedure_exists_with_different_invocation_policy"


def test_joining_node_knows_the_registrations(world: World) -> None:
    world.add()
    callee = Client(world.nodes[0])
    callee.send(64, 1, {}, "com.add")
    world.turn()
    assert callee.kinds() == [65]
    world.add()
    Client(world.nodes[1]).send(48, 1, {}, "com.add")
    world.turn()
    assert callee.kinds() == [68]


def test_register_without_redis_is_refused(pair: World) -> None:
    pair.network.set_reachable(False)
    client = Client(pair.nodes[0])
    client.send(64, 1, {}, "com.add")
    pair.pass_time(2.2)
    (answer,) = client.received()
    assert error_of(answer) == "wamp.error.unavailable"
    client.send(64, 2, {}, "com.sub")
    (answer,) = client.received()
    assert error_of(answer) == "wamp.error.unavailable"
    pair.network.set_reachable(True)
    pair.pass_time(0.5)
    client.send(64, 3, {}, "com.add")
    pair.turn()
    assert client.kinds() == [65]


def test_calls_to_a_node_that_leaves_fail(pair: World) -> None:
    callee, caller = Client(pair.nodes[0]), Client(pair.nodes[1])
    callee.send(64, 1, {}, "com.add")
    pair.turn()
    caller.send(48, 7, {}, "com.add")
    pair.turn()
    leaving = asyncio.ensure_future(pair.clusterings[0].leave(), loop=pair.loop)
    pair.until(leaving.done, 1)
    (answer,) = caller.received()
    assert error_of(answer) == "wamp.error.network_failure"
    caller.send(48, 8, {}, "com.add")
    (answer,) = caller.received()
    assert error_of(answer) == "wamp.error.no_such_procedure"


def test_callee_is_interrupted_when_the_caller_s_node_leaves(pair: World) -> None:
    callee, caller = Client(pair.nodes[0], "call_canceling"), Client(pair.nodes[1])
    callee.send(64, 1, {}, "com.add")
    pair.turn()
    caller.send(48, 7, {}, "com.add")
    pair.turn()
    leaving = asyncio.ensure_future(pair.clusterings[1].leave(), loop=pair.loop)
    pair.until(leaving.done, 1)
    assert callee.kinds() == [65, 68, 69]


def test_call_that_cannot_be_sent_is_answered(pair: World) -> None:
    """The window to the callee's node is full."""
    callee, caller = Client(pair.nodes[0]), Client(pair.nodes[1])
    callee.send(64, 1, {}, "com.add")
    pair.turn()
    pair.membership(1).link.peers["node1"].window.is_blocked = True
    caller.send(48, 7, {}, "com.add")
    (answer,) = caller.received()
    assert error_of(answer) == "wamp.error.unavailable"
    assert pair.clusterings[1].counters.unsent == 1


def test_removed_node_registers_again_under_its_new_id(pair: World) -> None:
    first, second = Client(pair.nodes[0]), Client(pair.nodes[1])
    second.send(64, 1, {}, "com.add")
    pair.turn()
    pair.stop(1)
    second.send(64, 2, {}, "com.undecided")
    pair.pass_time(14)
    first.send(48, 1, {}, "com.add")
    (answer,) = first.received()
    assert error_of(answer) == "wamp.error.no_such_procedure"
    first.send(64, 2, {}, "com.add")
    pair.turn()
    assert first.kinds() == [65]
    pair.resume(1)
    pair.until(lambda: pair.clusterings[0].peers == 1, 5)
    pair.pass_time(0.5)
    again = Client(pair.nodes[1])
    again.send(64, 1, {}, "com.add")
    again.send(48, 2, {}, "com.add")
    pair.turn()
    (refusal,) = again.received()
    assert error_of(refusal) == EXISTS
    assert first.kinds() == [68]


@pytest.mark.expects_errors("A callee of node node2 is ignored")
def test_callee_with_unknown_details_is_ignored(pair: World) -> None:
    key = RegistrationKey("realm1", "exact", "com.add")
    pair.membership(1).ledger.register(key, 7, "single", "2026-01-01", b"not MessagePack", pair.loop.now)
    pair.membership(1).flush_soon()
    pair.turn()
    caller = Client(pair.nodes[0])
    caller.send(48, 1, {}, "com.add")
    (answer,) = caller.received()
    assert error_of(answer) == "wamp.error.no_such_procedure"


def test_callee_has_its_registration_before_the_first_call(pair: World) -> None:
    """The call comes from a node that has read the registration from the log earlier than the callee's node."""
    callee, caller = Client(pair.nodes[0]), Client(pair.nodes[1])
    callee.send(64, 1, {}, "com.add")
    pair.loop.run_until_complete(asyncio.sleep(0))
    for number in range(20):
        caller.send(48, number + 1, {}, "com.add")
        pair.loop.run_until_complete(asyncio.sleep(0))
    pair.turn()
    kinds = callee.kinds()
    assert kinds[0] == 65
    assert 68 in kinds


@pytest.mark.parametrize("is_silent", [False, True])
def test_calls_prefer_nodes_that_are_not_silent(pair: World, is_silent: bool) -> None:
    pair.add()
    callees = [Client(pair.nodes[place]) for place in (0, 2)]
    for callee in callees:
        callee.send(64, 1, {"invoke": "first"}, "com.add")
        pair.turn()
        callee.received()
    if is_silent:
        pair.stop(0)
        pair.pass_time(3.5)
    Client(pair.nodes[1]).send(48, 1, {}, "com.add")
    pair.turn()
    assert callees[1].kinds() == ([68] if is_silent else [])
