"""Nodes of several releases in one cluster, as during a rolling upgrade."""

import asyncio

import msgspec
import pytest

from tests.unit.node.cluster_world import Client, World, pair, world
from wamp_transport.cluster.ledger.layout import CalleeKey, RegistrationKey
from wamp_transport.cluster.ledger.table import MemberJoined
from wamp_transport.cluster.messages import decode_batch
from wamp_transport.cluster.node_state import IncompatibleMember
from wamp_transport.node import incompatible_members
from wamp_transport.node.local import join
from wamp_transport.router.handler_options import HandlerRegisterOptions
from wamp_transport.router.options import TRUSTED
from wamp_transport.testing.memory_memberships import MemoryNetwork

__all__ = ["pair", "world"]

INTEREST_PAGE, INTEREST_UPDATE, EVENT, CALL, QUESTION = 1, 2, 4, 5, 13


def extended(message: list) -> list:
    """Return a message with fields that a later release has added, also to the structs in it."""
    kind = message[0]
    if kind in (INTEREST_PAGE, INTEREST_UPDATE):
        changes = [[*change[:3], change[3] and [*change[3], "later"], "later"] for change in message[2]]
        message = [*message[:2], changes, *message[3:]]
    elif kind == EVENT:
        message[10] = {**(message[10] or {}), "later": True}
        message = [*message[:14], [[*shard, "later"] for shard in message[14]]]
    elif kind in (CALL, QUESTION):
        place = 6 if kind == CALL else 4
        caller = message[place]
        if kind == CALL:
            message[8] = {**(message[8] or {}), "later": True}
        message = [*message[:place], caller and [*caller, "later"], *message[place + 1 :]]
    return [*message, {"later": [1, 2, 3]}]


class LaterNetwork(MemoryNetwork):
    """A network in which all nodes send what a later release could send."""

    def append(self, node: str, data: bytes) -> None:
        batch = msgspec.msgpack.decode(data)
        messages = [each for message in batch[5] for each in ([99, "realm1", {"later": True}], extended(message))]
        batch[5] = [*messages, [250]] if messages else []
        super().append(node, msgspec.msgpack.encode([*batch, "later"]))


@pytest.fixture
def later(loop):
    """Two nodes that exchange messages of a later release."""
    found = World(loop, LaterNetwork(loop))
    found.add()
    found.add()
    yield found
    found.close()


def answer(callee, *message):
    """Answer the oldest invocation."""
    invocation = next(each for each in callee.received() if each[0] == 68)
    callee.send(70, invocation[1], *message)
    return invocation


def test_unknown_messages_and_fields_are_skipped(later):
    here, there = Client(later.nodes[0]), Client(later.nodes[1], "progressive_call_results")
    here.send(32, 1, {}, "com.topic")
    there.send(32, 1, {"nkey": "one"}, "com.sharded")
    here.send(32, 2, {"nkey": "two"}, "com.sharded")
    there.send(64, 2, {"disclose_caller": True}, "com.add")
    later.turn()
    assert here.kinds() == [33, 33]
    assert there.kinds() == [33, 65]
    for number in range(10):
        there.send(16, number + 3, {"rkey": str(number), "exclude_me": False}, "com.sharded", [number])
        there.send(16, number + 3, {}, "com.topic", [number])
    later.turn()
    events = here.received() + there.received()
    assert sorted(message[4][0] for message in events) == sorted([*range(10), *range(10)])
    here.send(48, 3, {"receive_progress": True}, "com.add", [1])
    later.turn()
    answer(there, {"progress": True}, ["part"])
    later.turn()
    here.send(48, 4, {}, "wamp.session.count")
    here.send(48, 5, {}, "com.add", [2])
    later.turn()
    assert answer(there, {}, ["sum"])[3]["caller"] > 0
    later.turn()
    assert [message[3] for message in here.received()] == [["part"], [2], ["sum"]]
    for place, other in ((0, 1), (1, 0)):
        peer = later.membership(place).link.peers[later.membership(other).node_id]
        assert peer.counters.skipped > 0
        assert peer.counters.lost_batches == 0
        assert later.membership(place).link.counters.invalid == 0


@pytest.mark.expects_errors("cannot exchange messages with this node")
def test_pair_speaks_the_highest_version_that_both_know(world):
    world.add()
    world.network.protocols = range(1, 3)
    world.add()
    world.network.protocols = range(2, 4)
    world.add()
    spoken = set()
    append = world.network.append

    def record(node: str, data: bytes) -> None:
        batch = decode_batch(data).batch
        spoken.add((batch.sender, node, batch.protocol))
        append(node, data)

    world.network.append = record
    world.pass_time(2)
    assert spoken == {("node1", "node2", 1), ("node2", "node1", 1), ("node2", "node3", 2), ("node3", "node2", 2)}


class Upgrade:
    """Two nodes each of two releases that cannot exchange messages. ``old`` and ``new`` are their places."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.old = [world.add(), world.add()]
        world.network.protocols = range(2, 4)
        self.new = [world.add(), world.add()]

    def clients(self, places: list[int]) -> list[Client]:
        return [Client(self.world.nodes[place]) for place in places]


@pytest.fixture
def upgrade(world):
    return Upgrade(world)


@pytest.mark.expects_errors("cannot exchange messages with this node")
def test_incompatible_nodes_form_two_routers(upgrade, world, caplog):
    assert [each.peers for each in world.clusterings] == [1, 1, 1, 1]
    for places, uri in ((upgrade.old, "com.old"), (upgrade.new, "com.new")):
        one, other = upgrade.clients(places)
        one.send(32, 1, {}, "com.topic")
        one.send(64, 2, {}, uri)
        world.turn()
        assert one.kinds() == [33, 65]
        other.send(16, 1, {}, "com.topic", [uri])
        other.send(48, 2, {}, uri)
        world.turn()
        event, invocation = one.received()
        assert event[4] == [uri]
        one.send(70, invocation[1], {}, ["done"])
        world.turn()
        assert other.received() == [[50, 2, {}, ["done"]]]
    # The names of procedures are unique among all nodes, because the ledger is the same.
    client = upgrade.clients(upgrade.new)[0]
    client.send(64, 1, {}, "com.old")
    client.send(48, 2, {}, "com.old")
    world.pass_time(0.2)
    assert [message[4] for message in client.received()] == [
        "wamp.error.procedure_already_exists", "wamp.error.no_such_procedure"
    ]  # fmt: skip


@pytest.mark.expects_errors("cannot exchange messages with this node")
def test_incompatible_node_is_logged_once(upgrade, world, caplog):
    world.pass_time(12)
    records = caplog.get_records("setup") + caplog.records
    texts = [each.getMessage() for each in records if each.name == incompatible_members.__name__]
    assert len(texts) == 8  # two on each of four nodes
    assert len(set(texts)) == 4
    assert (
        "Node node3 cannot exchange messages with this node, because their releases of wampnode are too different "
        "(protocol 2 to 3, this node 1): events and calls do not reach the clients of that node. Use the same release "
        "on all nodes"
    ) in texts


@pytest.mark.expects_errors("cannot exchange messages with this node")
def test_incompatible_members_are_in_the_state_of_the_node_while_they_are_members(upgrade, world):
    states = [each.state("shop", "p") for each in world.clusterings]
    assert [state.protocols for state in states] == [(1, 1), (1, 1), (2, 3), (2, 3)]
    assert states[0].incompatible == tuple(IncompatibleMember(name, name, (2, 3)) for name in ("node3", "node4"))
    assert [each.name for each in states[3].incompatible] == ["node1", "node2"]
    assert [len(state.peers) for state in states] == [1, 1, 1, 1]
    world.stop(upgrade.old[0])
    world.stop(upgrade.old[1])
    world.pass_time(14)
    assert world.clusterings[upgrade.new[0]].state("shop", "p").incompatible == ()


@pytest.mark.expects_errors("cannot exchange messages with this node")
def test_nodes_of_the_old_release_leave(upgrade, world):
    """The names of a node that has left, or was killed, are free for the other release."""
    client = upgrade.clients(upgrade.old[:1])[0]
    client.send(64, 1, {}, "com.name")
    world.turn()
    assert client.kinds() == [65]
    stopped, killed = upgrade.old[1], upgrade.old[0]
    leaving = asyncio.ensure_future(world.clusterings[stopped].leave(), loop=world.loop)
    world.until(leaving.done, 3)
    world.stop(killed)
    world.pass_time(14)
    client = upgrade.clients(upgrade.new)[1]
    client.send(64, 1, {}, "com.name")
    world.turn()
    assert client.kinds() == [65]
    members = {field for field in world.network.ledger.members if field.startswith(b"n:")}
    assert members == {b"n:node3", b"n:node4"}


@pytest.mark.expects_errors("Node node9 cannot exchange messages with this node")
def test_record_of_another_kind_is_reported(world, caplog):
    world.add()
    world.membership(0)._handle_changes([MemberJoined("node9", b"\xc0")])
    assert "(protocol unknown, this node 1)" in caplog.text
    assert "node9" not in world.membership(0).link.peers
    world.membership(0).table.members["node9"] = b"\xc0"
    assert world.clusterings[0].state("shop", "p").incompatible == (IncompatibleMember("node9", "node9", None),)


def test_callee_with_a_policy_and_details_of_a_later_release_is_called(pair):
    """The nodes of both releases share the ledger."""

    async def register():
        session = await join(pair.nodes[1], "realm1", authid="later", authrole=TRUSTED)
        options = HandlerRegisterOptions(invoke="nearest")
        await session.register("com.add", lambda invocation: sum(invocation.args), options=options)

    registering = asyncio.ensure_future(register(), loop=pair.loop)
    pair.until(registering.done, 2)
    registering.result()
    rows = pair.membership(0).table.callees[RegistrationKey("realm1", "exact", "com.add")]
    (key,) = rows
    assert isinstance(key, CalleeKey)
    details = msgspec.msgpack.decode(rows[key].details)
    assert details[0] == TRUSTED
    client = Client(pair.nodes[0])
    client.send(48, 1, {}, "com.add", [1, 2])
    pair.turn()
    assert client.received() == [[50, 1, {}, [3]]]
