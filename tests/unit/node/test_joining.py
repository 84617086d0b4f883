"""What a node waits for before it accepts clients."""

from datetime import UTC, datetime

from tests.unit.node.cluster_world import Client, world

__all__ = ["world"]


def retain(client: Client, topic: str, value: object) -> None:
    client.send(16, 1, {"retain": True}, topic, [value])


def test_joining_node_gets_the_retained_events(world):
    world.add()
    publisher = Client(world.nodes[0])
    for number in range(250):
        retain(publisher, f"com.topic{number}", number)
    world.add()
    client = Client(world.nodes[1])
    client.send(32, 1, {"get_retained": True, "match": "prefix"}, "com.topic")
    world.turn()
    assert sorted(message[4][0] for message in client.received() if message[0] == 36) == list(range(250))


def test_joining_node_asks_another_node_if_the_first_has_no_events(world):
    """The first node can have joined at the same time."""
    world.add()
    world.add()
    retain(Client(world.nodes[1]), "com.topic", "x")
    world.turn()
    world.nodes[0].router.cluster.realm("realm1")._local.retained.clear("com.topic", datetime.max.replace(tzinfo=UTC))
    world.add()
    client = Client(world.nodes[2])
    client.send(32, 1, {"get_retained": True}, "com.topic")
    world.turn()
    assert [message[0] for message in client.received()] == [33, 36]


def test_joining_does_not_wait_for_a_silent_node(world):
    world.add()
    world.stop(0)
    before = world.loop.now
    world.add()
    assert 2.9 < world.loop.now - before < 3.2


def test_joining_waits_a_limited_time_for_retained_events(world):
    """The node that was asked exchanges messages, but does not answer this one."""
    world.add()
    world.clusterings[0]._cluster._send_retained = lambda name: None
    before = world.loop.now
    world.add()
    assert 2.9 < world.loop.now - before < 3.2


def test_loss_ends_the_wait_for_retained_events(world):
    world.add()
    world.clusterings[0]._cluster._send_retained = lambda name: None
    place = world.add(joins=False)
    world.turn()
    assert world.clusterings[place]._joining._source == "node1"
    world.membership(0).link.peers["node2"].window.number += 1
    world.until(world.tasks[-2].done, 2)
