"""Nodes that form one router: events, retained events, joining and leaving."""

import asyncio
import json

import msgspec
import pytest

from tests.unit.node.cluster_world import OPTIONS, Client, narrow_pair, pair, world
from wamp_transport.cluster.ledger.layout import MemberRecord
from wamp_transport.cluster.ledger.table import MemberJoined
from wamp_transport.cluster.messages import PROTOCOL, decode_batch
from wamp_transport.node.clustering import Clustering
from wamp_transport.node.connection import MessageEncoder
from wamp_transport.node.local import join as join_locally
from wamp_transport.node.node import Node
from wamp_transport.router.effects import Relay
from wamp_transport.router.relayed import RelayedCancel, RelayedRetained
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.testing.memory_memberships import MemoryNetwork

__all__ = ["narrow_pair", "pair", "world"]


def test_node_without_the_option_is_refused(loop):
    with pytest.raises(ValueError, match="is_clustered"):
        Clustering(Node(OPTIONS, loop), loop, MemoryNetwork(loop).membership)


def test_first_node_joins_without_waiting(world):
    before = world.loop.now
    world.add()
    assert world.loop.now == before
    assert world.clusterings[0].peers == 0


def test_second_node_joins_without_waiting(pair):
    assert pair.loop.now == 1000.0
    assert [each.peers for each in pair.clusterings] == [1, 1]


def test_event_reaches_the_other_node(pair):
    subscriber, publisher = Client(pair.nodes[0]), Client(pair.nodes[1])
    subscriber.send(32, 1, {}, "com.topic")
    pair.turn()
    assert subscriber.kinds() == [33]
    publisher.send(16, 1, {"acknowledge": True}, "com.topic", ["hi"], {"a": 1})
    assert publisher.kinds() == [17]
    pair.turn()
    ((kind, _, _, _, args, kwargs),) = subscriber.received()
    assert (kind, args, kwargs) == (36, ["hi"], {"a": 1})


def test_relayed_events_do_not_separate_the_events_for_clients_of_this_node(pair):
    encoder = MessageEncoder(SERIALIZERS["json"], lambda data: data + b"\n")
    near, far = [Client(pair.nodes[0]) for _ in range(2)], Client(pair.nodes[1])
    for client in (*near, far):
        client.send(32, 1, {}, "com.topic")
    pair.turn()
    for client in (*near, far):
        assert client.kinds() == [33]
    for client in near:
        client.connection.encoder = encoder
    publisher = Client(pair.nodes[0]).connection
    for number in range(3):
        publisher.feed(json.dumps([16, number + 1, {}, "com.topic", [number]]).encode())
    publisher.flush_effects()
    pair.turn()
    for client in near:
        (written,) = client.recorder.written
        assert [json.loads(line)[4] for line in written.splitlines()] == [[0], [1], [2]]
    assert far.kinds() == [36, 36, 36]


def test_node_that_joins_later_knows_what_is_wanted(world):
    world.add()
    subscriber = Client(world.nodes[0])
    subscriber.send(32, 1, {}, "com.topic")
    assert subscriber.kinds() == [33]
    world.add()
    Client(world.nodes[1]).send(16, 1, {}, "com.topic")
    world.turn()
    assert subscriber.kinds() == [36]


def test_subscribed_waits_for_the_other_node(pair):
    subscriber, publisher = Client(pair.nodes[0]), Client(pair.nodes[1])
    subscriber.received()
    subscriber.send(32, 1, {}, "com.topic")
    subscriber.send(16, 2, {"acknowledge": True}, "com.other")
    assert subscriber.received() == []
    publisher.send(16, 1, {}, "com.topic", ["too early"])
    pair.turn()
    assert subscriber.kinds() == [33, 17]
    publisher.send(16, 1, {}, "com.topic", ["in time"])
    pair.turn()
    assert subscriber.kinds() == [36]


def test_second_subscriber_waits_for_the_same_acknowledgment(pair):
    first, second = Client(pair.nodes[0]), Client(pair.nodes[0])
    first.send(32, 1, {}, "com.topic")
    second.send(32, 1, {}, "com.topic")
    assert first.received() == second.received() == []
    pair.turn()
    assert first.kinds() == second.kinds() == [33]
    third = Client(pair.nodes[0])
    third.send(32, 1, {}, "com.topic")
    assert third.kinds() == [33]


def test_subscribed_comes_before_the_events(pair):
    """Events of the same node and of the other node come while SUBSCRIBED is held back."""
    subscriber, here, there = Client(pair.nodes[0]), Client(pair.nodes[0]), Client(pair.nodes[1])
    Client(pair.nodes[0]).send(32, 1, {"match": "prefix"}, "com")
    pair.turn()
    subscriber.send(32, 1, {}, "com.topic")
    here.send(16, 1, {}, "com.topic", [1])
    there.send(16, 1, {}, "com.topic", [2])
    assert subscriber.received() == []
    pair.turn()
    messages = subscriber.received()
    assert [message[0] for message in messages] == [33, 36, 36]
    assert [message[4] for message in messages[1:]] == [[1], [2]]


def test_session_in_the_process_waits_too(pair):
    """The handlers of the apps have such sessions."""
    received = []

    async def handle(event):
        received.append(event.args)

    async def run():
        session = await join_locally(pair.nodes[0], "realm1", authid="shop", authrole="anonymous")
        await session.subscribe("com.topic", handle)
        other = await join_locally(pair.nodes[1], "realm1", authid="shop", authrole="anonymous")
        await other.publish("com.topic", [1])

    running = asyncio.ensure_future(run(), loop=pair.loop)
    pair.until(running.done, 0.5)
    running.result()
    pair.turn()
    assert [list(args) for args in received] == [[1]]
    assert pair.clusterings[0].held_output.holds == 1


def test_many_subscriptions_take_one_round_trip(pair):
    subscriber = Client(pair.nodes[0])
    sent = len(pair.network.inboxes["node2"])
    for number in range(1000):
        subscriber.send(32, number + 1, {}, f"com.topic{number}")
    pair.loop.run_until_complete(asyncio.sleep(0))
    assert len(pair.network.inboxes["node2"]) - sent <= 3
    pair.turn()
    assert subscriber.kinds() == [33] * 1000


def test_hold_ends_after_a_second_and_is_counted(pair):
    subscriber = Client(pair.nodes[0])
    pair.stop(1)
    subscriber.send(32, 1, {}, "com.topic")
    pair.pass_time(0.9)
    assert subscriber.received() == []
    pair.pass_time(0.2)
    assert subscriber.kinds() == [33]
    assert pair.clusterings[0].held_output.missed == 1


def test_late_node_is_not_waited_for_until_it_has_caught_up(pair):
    subscriber = Client(pair.nodes[0])
    pair.stop(1)
    subscriber.send(32, 1, {}, "com.topic1")
    pair.pass_time(1.1)
    assert subscriber.kinds() == [33]
    subscriber.send(32, 2, {}, "com.topic2")
    assert subscriber.kinds() == [33]
    assert pair.clusterings[0].held_output.missed == 1
    pair.resume(1)
    pair.turn()
    subscriber.send(32, 3, {}, "com.topic3")
    assert subscriber.kinds() == []
    pair.turn()
    assert subscriber.kinds() == [33]


def test_third_node_is_waited_for_while_another_is_late(pair):
    pair.add()
    subscriber = Client(pair.nodes[0])
    pair.stop(1)
    subscriber.send(32, 1, {}, "com.topic1")
    pair.pass_time(1.1)
    assert subscriber.kinds() == [33]
    pair.stop(2)
    subscriber.send(32, 2, {}, "com.topic2")
    pair.pass_time(0.5)
    assert subscriber.kinds() == []
    pair.resume(2)
    pair.turn()
    assert subscriber.kinds() == [33]


def test_silent_node_is_not_waited_for(pair):
    subscriber = Client(pair.nodes[0])
    pair.stop(1)
    pair.pass_time(3.5)
    subscriber.send(32, 1, {}, "com.topic")
    assert subscriber.kinds() == [33]
    assert pair.clusterings[0].held_output.missed == 0
    assert pair.nodes[0].router.cluster.members.names(pair.nodes[0].router.cluster.members.everyone) == ("node2",)


def test_hold_ends_when_the_other_node_becomes_silent(pair):
    subscriber = Client(pair.nodes[0])
    pair.stop(1)
    pair.pass_time(2.5)
    subscriber.send(32, 1, {}, "com.topic")
    assert subscriber.kinds() == []
    pair.pass_time(0.7)
    assert subscriber.kinds() == [33]
    assert pair.clusterings[0].held_output.missed == 0


def test_node_that_is_greeting_is_waited_for(world):
    """A node that has joined but does not yet know what is wanted can have clients soon."""
    world.add()
    subscriber = Client(world.nodes[0])
    world.add(joins=False)
    world.until(lambda: world.clusterings[0].peers == 1, 1)
    world.stop(1)
    world.network.inboxes["node1"].clear()
    subscriber.received()
    subscriber.send(32, 1, {}, "com.topic")
    assert subscriber.received() == []


def test_acknowledgment_after_a_loss_does_not_count(pair):
    """Redis loses the batch with the interest. The acknowledgment of a later batch must not confirm it."""
    subscriber = Client(pair.nodes[0])
    subscriber.send(32, 1, {}, "com.topic1")
    pair.stop(1)
    pair.loop.run_until_complete(asyncio.sleep(0))
    assert pair.network.inboxes["node2"]
    pair.network.inboxes["node2"].clear()
    subscriber.send(32, 2, {}, "com.topic2")
    pair.turn()
    seen = []
    link = pair.membership(0).link
    receive = link.receive

    def spy(data, now):
        receive(data, now)
        seen.append(([type(each).__name__ for each in decode_batch(data).batch.messages], subscriber.kinds()))

    link.receive = spy
    pair.resume(1)
    pair.turn()
    assert subscriber.kinds() == [33, 33]
    assert seen[0] == (["Gap", "Reconcile", "WantInterest"], [])
    Client(pair.nodes[1]).send(16, 1, {}, "com.topic1")
    pair.turn()
    assert subscriber.kinds() == [36]
    assert pair.clusterings[1].counters.lost_batches == 1


def test_held_bytes_are_bounded(pair):
    subscriber, publisher = Client(pair.nodes[0]), Client(pair.nodes[0])
    subscriber.send(32, 1, {}, "com.old")
    pair.turn()
    subscriber.received()
    subscriber.recorder.outgoing_limit = 10_000
    pair.stop(1)
    subscriber.send(32, 2, {}, "com.new")
    for _ in range(4):
        publisher.send(16, 1, {}, "com.old", ["x" * 2000])
    assert subscriber.kinds() == []
    publisher.send(16, 1, {}, "com.old", ["x" * 2000])
    assert subscriber.kinds() == [33, 36, 36, 36, 36, 36]


def test_event_to_several_nodes_is_encoded_once(pair):
    pair.add()
    for place in (1, 2):
        Client(pair.nodes[place]).send(32, 1, {}, "com.topic")
    pair.turn()
    for place in (1, 2):
        pair.stop(place)
    Client(pair.nodes[0]).send(16, 1, {}, "com.topic", ["hi"])
    windows = [pair.membership(0).link.peers[name].window for name in ("node2", "node3")]
    first, second = (bytes(window._unsent[0].messages[0]) for window in windows)
    assert first == second
    assert b"hi" in first


def test_one_flush_in_each_turn(pair):
    """All messages of one turn of the loop are sent to the other node in one batch."""
    Client(pair.nodes[1]).send(32, 1, {}, "com.topic")
    pair.turn()
    pair.stop(1)
    publisher = Client(pair.nodes[0])
    for number in range(20):
        publisher.send(16, number + 1, {}, "com.topic")
    pair.turn()
    (batch,) = pair.network.inboxes["node2"]
    assert len(decode_batch(batch).batch.messages) == 20


def test_redis_that_cannot_be_reached_delays_joining(world, caplog):
    world.network.set_reachable(False)
    world.add(joins=False)
    world.pass_time(20)
    assert not world.tasks[0].done()
    assert "is not connected" in caplog.text
    world.network.set_reachable(True)
    world.turn()
    assert world.tasks[0].done()
    assert "is connected again" in caplog.text


def test_nothing_is_lost_while_redis_is_away_for_a_short_time(pair):
    subscriber, publisher = Client(pair.nodes[0]), Client(pair.nodes[1])
    subscriber.send(32, 1, {}, "com.topic")
    pair.turn()
    subscriber.received()
    pair.network.set_reachable(False)
    publisher.send(16, 1, {}, "com.topic", [1])
    pair.pass_time(2)
    publisher.send(16, 1, {}, "com.topic", [2])
    pair.network.set_reachable(True)
    pair.turn()
    assert [message[4] for message in subscriber.received()] == [[1], [2]]


def test_node_that_leaves_is_forgotten(pair):
    subscriber = Client(pair.nodes[1])
    subscriber.send(32, 1, {}, "com.topic")
    pair.turn()
    leaving = asyncio.ensure_future(pair.clusterings[1].leave(), loop=pair.loop)
    pair.until(leaving.done, 1)
    assert pair.clusterings[0].peers == 0
    assert not pair.nodes[0].router.cluster.members.everyone
    assert not pair.nodes[0].router.cluster.realm("realm1").is_wanted("com.topic")
    client = Client(pair.nodes[0])
    client.send(32, 1, {}, "com.topic")
    assert client.kinds() == [33]


def test_leaving_has_a_time_limit(pair):
    pair.network.set_reachable(False)
    leaving = asyncio.ensure_future(pair.clusterings[1].leave(), loop=pair.loop)
    pair.until(leaving.done, 3)
    assert pair.membership(1).is_closed


def test_removed_node_ends_its_sessions_and_joins_again(pair, caplog):
    here, there = Client(pair.nodes[0]), Client(pair.nodes[1])
    for client in (here, there):
        client.send(32, 1, {}, "com.topic")
    pair.turn()
    pair.stop(1)
    pair.pass_time(14)
    assert pair.clusterings[0].peers == 0
    here.received()
    there.received()
    pair.resume(1)
    pair.until(lambda: pair.clusterings[0].peers == 1, 5)
    pair.pass_time(0.5)
    (goodbye,) = there.received()
    assert goodbye[0] == 6
    assert goodbye[2] == "wamp.close.system_shutdown"
    assert here.received() == []
    assert pair.membership(1).node_id == "node3"
    assert pair.clusterings[1].counters.removals == 1
    assert "was removed from the cluster" in caplog.text
    again = Client(pair.nodes[1])
    again.send(16, 1, {}, "com.topic", ["again"])
    pair.turn()
    assert here.kinds() == [36]


@pytest.mark.expects_errors("Handling Received of another node failed")
def test_message_that_fails_does_not_stop_the_others(pair, caplog, monkeypatch):
    subscriber, publisher = Client(pair.nodes[0]), Client(pair.nodes[1])
    subscriber.send(32, 1, {}, "com.topic")
    pair.turn()
    subscriber.received()
    cluster = pair.nodes[0].router.cluster
    receive = cluster.receive
    calls = []

    def fail_once(name, message):
        calls.append(message)
        if len(calls) == 1:
            raise ZeroDivisionError
        receive(name, message)

    monkeypatch.setattr(cluster, "receive", fail_once)
    publisher.send(16, 1, {}, "com.topic", [1])
    publisher.send(16, 1, {}, "com.topic", [2])
    pair.turn()
    assert [message[4] for message in subscriber.received()] == [[2]]
    assert "Handling Received of another node failed" in caplog.text


@pytest.mark.expects_errors("Node later:1 cannot exchange messages with this node")
def test_member_with_another_protocol_is_reported(world, caplog):
    world.add()
    record = msgspec.msgpack.encode(MemberRecord("later:1", (PROTOCOL + 1, PROTOCOL + 1), 10_000))
    world.clusterings[0].on_table_changes([MemberJoined("node9", record)])
    assert world.nodes[0].router.cluster.members.everyone == 0
    assert "too different (protocol 2, this node 1)" in caplog.text


@pytest.mark.expects_errors("Handling changes of the registrations in the cluster failed")
def test_changes_of_registrations_that_fail_do_not_stop_the_node(pair, monkeypatch):
    def fail(changes):
        raise ZeroDivisionError

    monkeypatch.setattr(pair.nodes[0].router.cluster.calls, "change_registrations", fail)
    callee, subscriber = Client(pair.nodes[1]), Client(pair.nodes[0])
    callee.send(64, 1, {}, "com.add")
    subscriber.send(32, 1, {}, "com.topic")
    pair.turn()
    assert callee.kinds() == [65]
    assert subscriber.kinds() == [33]


def test_lost_messages_are_counted_and_logged_once_a_minute(pair, caplog):
    for _ in range(3):
        pair.membership(0).link.peers["node2"].window.number += 1
        pair.pass_time(1.5)
    assert pair.clusterings[1].counters.lost_batches == 3
    assert caplog.text.count("were lost on their way") == 1
    pair.pass_time(60)
    assert caplog.text.count("were lost on their way") == 2
    assert "3 lost batches, 0 dropped events" in caplog.text


def test_events_above_the_limit_are_counted_and_logged(narrow_pair, caplog):
    world = narrow_pair
    Client(world.nodes[1]).send(32, 1, {}, "com.topic")
    world.turn()
    world.stop(1)
    publisher = Client(world.nodes[0])
    for number in range(10):
        publisher.send(16, number + 1, {}, "com.topic", ["x" * 500])
    world.pass_time(1.5)
    dropped = world.clusterings[0].counters.dropped_events
    assert 0 < dropped < 10
    assert f"events for it were dropped (since the start: 0 lost batches, {dropped} dropped events)" in caplog.text


def test_calls_that_are_not_sent_are_counted_and_logged_once_a_minute(pair, caplog):
    callee, caller = Client(pair.nodes[0]), Client(pair.nodes[1])
    callee.send(64, 1, {}, "com.add")
    pair.turn()
    pair.membership(1).link.peers["node1"].window.is_blocked = True
    text = "Node node1 acknowledges too little, is unreachable or has left: calls or other messages were not sent to it"
    for number in range(100):
        caller.send(48, 2 * number + 1, {}, "com.add")
        caller.send(48, 2 * number + 2, {}, "wamp.session.list")
    pair.turn()
    assert sum(message[0] == 8 for message in caller.received()) == 100
    assert pair.clusterings[1].counters.unsent == 200
    assert pair.membership(1).link.peers["node1"].counters.refused_calls == 100
    assert caplog.text.count(text) == 1
    pair.pass_time(60)
    assert caplog.text.count(text) == 2
    assert "(since the start: 200 calls and other messages)" in caplog.text


def test_dropped_events_are_logged_although_a_call_was_logged_a_moment_ago(pair, caplog):
    """Both have a limit of their own: one record a minute."""
    here, there = Client(pair.nodes[0]), Client(pair.nodes[1])
    here.send(64, 1, {}, "com.add")
    here.send(32, 2, {}, "com.topic")
    pair.turn()
    pair.membership(1).link.peers["node1"].window.is_blocked = True
    there.send(48, 1, {}, "com.add")
    there.send(16, 2, {}, "com.topic")
    pair.pass_time(1.5)
    assert "calls or other messages were not sent to it" in caplog.text
    assert "1 dropped events" in caplog.text


def test_message_about_a_call_that_has_ended_is_not_counted(pair, caplog):
    cancel = RelayedCancel("realm1", 99, "killnowait", "wamp.error.canceled")
    pair.clusterings[1]._relay(Relay(("node1",), cancel))
    assert pair.clusterings[1].counters.unsent == 0
    assert not caplog.records
    pair.clusterings[1]._relay(Relay(("node9",), cancel))
    assert pair.clusterings[1].counters.unsent == 1
    assert "Node node9 acknowledges too little, is unreachable or has left" in caplog.text


def test_question_for_a_user_that_is_not_sent_is_counted_and_logged(pair, caplog):
    pair.membership(1).link.peers["node1"].window.is_blocked = True
    asking = asyncio.ensure_future(pair.clusterings[1].users.find(123), loop=pair.loop)
    pair.until(asking.done, 3)
    assert asking.exception().uri == "wamp.error.unavailable"
    assert pair.clusterings[1].counters.unsent == 1
    assert "Node node1 acknowledges too little, is unreachable or has left" in caplog.text


def test_the_last_losses_are_logged_when_the_node_leaves(pair, caplog):
    for _ in range(2):
        pair.membership(0).link.peers["node2"].window.number += 1
        pair.pass_time(1.5)
    assert "2 lost batches" not in caplog.text
    pair.loop.run_until_complete(pair.clusterings[1].leave())
    assert "2 lost batches" in caplog.text


def test_peer_that_is_given_up_is_counted(narrow_pair, caplog):
    world = narrow_pair
    Client(world.nodes[1]).send(32, 1, {}, "com.topic")
    world.turn()
    world.stop(1)
    publisher, subscriber = Client(world.nodes[0]), Client(world.nodes[0])
    publisher.send(16, 1, {}, "com.topic", ["x" * 500])
    for number in range(500):
        subscriber.send(32, number + 1, {}, f"com.topic{number}")
    assert world.clusterings[0].counters.dropped_events == 0
    world.turn()
    assert world.clusterings[0].counters.dropped_events == 1
    assert "were dropped" in caplog.text
    world.resume(1)
    world.pass_time(1.5)
    Client(world.nodes[1]).send(16, 1, {}, "com.topic499")
    world.turn()
    assert 36 in subscriber.kinds()


def test_page_without_events_is_ignored(pair):
    realms = set(pair.nodes[0].router.cluster.realms)
    pair.membership(1).link.send("node1", RelayedRetained("", [], is_last=True))
    pair.membership(1).flush_soon()
    pair.turn()
    assert set(pair.nodes[0].router.cluster.realms) == realms
