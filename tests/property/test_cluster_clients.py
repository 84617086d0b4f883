"""Whoever publishes after SUBSCRIBED is heard: exactly once, in order, whichever nodes the clients are connected to."""

import asyncio
from collections import defaultdict
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.node.cluster_world import Client, World
from tests.unit.node.conftest import Loop
from wamp_transport.testing.memory_memberships import MemoryNetwork

TOPICS = ("com.a", "com.b", "com.c")
SIZES = st.integers(min_value=2, max_value=4)
ACTION = st.sampled_from(["subscribe", "unsubscribe", "publish", "publish", "stop", "resume", "add a node"])
STEPS = st.lists(
    st.tuples(ACTION, st.integers(0, 7), st.sampled_from(TOPICS), st.integers(0, 4)), min_size=20, max_size=80
)


class Model:
    """Clients of several nodes, and what they must receive.

    ``expected`` and ``received`` contain pairs of a topic and the number of an event, by the place of the client.
    """

    def __init__(self, loop: Loop, size: int) -> None:
        self.world = World(loop, MemoryNetwork(loop))
        self.clients: list[Client] = []
        for _ in range(size):
            self.add_node()
        self.numbers = count(1)
        self.subscribing: dict[int, tuple[int, str]] = {}
        self.subscriptions: dict[tuple[int, str], int] = {}
        self.expected: dict[int, list[tuple[str, int]]] = defaultdict(list)
        self.received: dict[int, list[tuple[str, int]]] = defaultdict(list)
        self.publishers: dict[int, int] = {}

    def add_node(self) -> None:
        node = self.world.nodes[self.world.add()]
        self.clients += [Client(node), Client(node)]

    def step(self, action: str, place: int, topic: str, turns: int) -> None:
        place %= len(self.clients)
        client, key, number = self.clients[place], (place, topic), next(self.numbers)
        node = place // 2
        if action == "subscribe" and key not in self.subscriptions and key not in self.subscribing.values():
            self.subscribing[number] = key
            client.send(32, number, {}, topic)
        elif action == "unsubscribe" and key in self.subscriptions:
            client.send(34, number, self.subscriptions.pop(key))
            # Events on their way are not sent to a client that has unsubscribed.
            had = self.received[place]
            self.expected[place] = [each for each in self.expected[place] if each[0] != topic or each in had]
        elif action == "publish":
            self.publishers[number] = place
            for subscriber, subscribed_topic in self.subscriptions:
                if subscribed_topic == topic and subscriber != place:
                    self.expected[subscriber].append((topic, number))
            client.send(16, number, {}, topic, [topic, number])
        elif action == "stop":
            self.world.stop(node)
        elif action == "resume":
            self.world.resume(node)
        elif action == "add a node" and len(self.world.nodes) < 5 and not self.has_stopped:
            self.add_node()
        for _ in range(turns):
            self.world.loop.run_until_complete(asyncio.sleep(0))
        self.read()

    @property
    def has_stopped(self) -> bool:
        return any(self.world.membership(place).is_stopped for place in range(len(self.world.nodes)))

    def read(self) -> None:
        for place, client in enumerate(self.clients):
            for message in client.received():
                if message[0] == 33:
                    self.subscriptions[self.subscribing.pop(message[1])] = message[2]
                elif message[0] == 36:
                    topic, number = message[4]
                    self.received[place].append((topic, number))

    def finish(self) -> None:
        for place in range(len(self.world.nodes)):
            self.world.resume(place)
        for _ in range(3):
            self.world.turn()
        self.read()


@settings(deadline=None)
@given(SIZES, STEPS)
def test_events_reach_all_subscribers_once_and_in_order(size: int, steps: list[tuple[str, int, str, int]]) -> None:
    loop = Loop()
    model = Model(loop, size)
    try:
        for step in steps:
            model.step(*step)
        model.finish()
        assert not model.subscribing
        for place in range(len(model.clients)):
            received = model.received[place]
            assert len(set(received)) == len(received)
            assert set(model.expected[place]) <= set(received)
            for publisher in range(len(model.clients)):
                numbers = [number for _, number in received if model.publishers[number] == publisher]
                assert numbers == sorted(numbers)
        assert all(each.held_output.missed == 0 for each in model.world.clusterings)
    finally:
        for task in model.world.tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*model.world.tasks, return_exceptions=True))
        loop.close()
