"""The state of a node in its cluster, as it is reported."""

import msgspec

from tests.unit.node.cluster_world import Client, pair, world
from wamp_transport.cluster.ledger.layout import MemberRecord
from wamp_transport.cluster.node_state import NodeState, PeerState
from wamp_transport.node.membership import name_of

__all__ = ["pair", "world"]


def states(world):
    return [clustering.state("shop", "prefix") for clustering in world.clusterings]


def test_node_that_has_joined_reports_its_peers(pair):
    pair.pass_time(1)
    assert states(pair) == [
        NodeState("shop", "prefix", "node1", "joined", (PeerState("node2", "open"),), protocols=(1, 1)),
        NodeState("shop", "prefix", "node2", "joined", (PeerState("node1", "open"),), protocols=(1, 1)),
    ]


def test_node_that_has_not_joined_yet_is_joining(world):
    world.network.set_reachable(False)
    world.add(joins=False)
    world.turn()
    (state,) = states(world)
    assert state.membership == "cut off"
    world.network.set_reachable(True)
    assert [each.membership for each in states(world)] == ["joining"]
    world.turn()
    assert [each.membership for each in states(world)] == ["joined"]


def test_node_that_does_not_read_its_inbox_is_silent_and_has_waiting_messages(pair):
    Client(pair.nodes[1]).send(32, 1, {}, "com.topic")
    pair.turn()
    pair.stop(1)
    Client(pair.nodes[0]).send(16, 1, {}, "com.topic", ["x" * 5000])
    pair.pass_time(4)
    (peer,) = states(pair)[0].peers
    assert peer.condition == "silent"
    assert peer.waiting > 5000


def test_events_that_were_dropped_are_counted_beyond_a_removal(pair):
    Client(pair.nodes[0]).send(32, 1, {}, "com.topic")
    pair.turn()
    pair.membership(1).link.peers["node1"].window.is_blocked = True
    Client(pair.nodes[1]).send(16, 1, {}, "com.topic")
    pair.pass_time(1.5)
    assert states(pair)[1].dropped_events == 1
    pair.stop(1)
    pair.pass_time(14)
    pair.resume(1)
    pair.until(lambda: pair.clusterings[1].peers == 1 and pair.clusterings[0].peers == 1, 5)
    state = states(pair)[1]
    assert (state.node, state.membership, state.removals, state.dropped_events) == ("node3", "joined", 1, 1)


def test_subscriptions_that_were_not_confirmed_and_losses_are_counted(pair):
    pair.membership(0).link.peers["node2"].window.number += 1
    pair.pass_time(1.5)
    pair.stop(1)
    Client(pair.nodes[0]).send(32, 1, {}, "com.topic")
    pair.pass_time(1.2)
    first, second = states(pair)
    assert (first.missed_holds, first.lost_batches, second.lost_batches) == (1, 0, 1)


def test_nodes_are_named_in_messages_as_in_the_admin(pair):
    membership = pair.membership(0)
    membership.table.members["node2"] = msgspec.msgpack.encode(MemberRecord("web-1:4711", (1, 1), 10_000))
    assert name_of(membership, "node2") == "web-1:4711"
    membership.table.members["node2"] = b"of a later release"
    assert name_of(membership, "node2") == "node2"
    assert name_of(membership, "node3") == name_of(None, "node3") == "node3"
