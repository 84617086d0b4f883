"""Nodes that form one router, over a stand-in for Redis, in one event loop whose clock the tests move."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.unit.node.conftest import OPEN, ROLES, Loop, Recorder
from wamp_transport.cluster.window import LinkSizes
from wamp_transport.node.clustering import Clustering
from wamp_transport.node.connection import Connection, MessageEncoder
from wamp_transport.node.node import Node
from wamp_transport.router.options import RealmOptions, RouterOptions
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.testing.memory_memberships import MemoryMembership, MemoryNetwork

STEP = 0.05
OPTIONS = RouterOptions(realms={"realm1": RealmOptions("realm1", ROLES)}, goodbye_timeout=5)


class Client:
    """A client of a node that sends and receives lists. ``features`` are those that it supports as a callee."""

    def __init__(self, node: Node, *features: str) -> None:
        self.recorder = Recorder()
        self.connection: Connection = node.connect(OPEN, MessageEncoder(SERIALIZERS["json"]), self.recorder)
        roles: dict[str, object] = {role: {} for role in ("publisher", "subscriber", "caller", "callee")}
        if features:
            roles["callee"] = {"features": dict.fromkeys(features, True)}
        self.send(1, "realm1", {"roles": roles})

    def send(self, *message: object) -> None:
        self.connection.receive(json.dumps(message).encode())

    def received(self) -> list[list[object]]:
        """Return and remove what was received, without WELCOME."""
        written, self.recorder.written = self.recorder.written, []
        return [message for each in written if (message := json.loads(each))[0] != 2]

    def kinds(self) -> list[object]:
        """Return the types of the messages that were received."""
        return [message[0] for message in self.received()]


async def join(clustering: Clustering) -> None:
    await clustering.join()
    await clustering.fetch_retained()


@dataclass
class World:
    """Nodes in one loop."""

    loop: Loop
    network: MemoryNetwork
    nodes: list[Node] = field(default_factory=list)
    clusterings: list[Clustering] = field(default_factory=list)
    tasks: list[asyncio.Future] = field(default_factory=list)

    def add(self, *, joins: bool = True) -> int:
        """Add a node, wait until it has joined, and return its place."""
        node = Node(OPTIONS, self.loop, is_clustered=True)
        clustering = Clustering(node, self.loop, self.network.membership)
        self.nodes.append(node)
        self.clusterings.append(clustering)
        joining = asyncio.ensure_future(join(clustering), loop=self.loop)
        self.tasks += [joining, asyncio.ensure_future(clustering.run(), loop=self.loop)]
        if joins:
            self.until(joining.done, 10)
        return len(self.nodes) - 1

    def membership(self, place: int) -> MemoryMembership:
        return self.clusterings[place]._membership

    def turn(self) -> None:
        """Run what is due now."""
        for _ in range(60):
            self.loop.run_until_complete(asyncio.sleep(0))

    def pass_time(self, seconds: float) -> None:
        """Advance the clock in steps."""
        for _ in range(round(seconds / STEP)):
            self.loop.now += STEP
            self.turn()

    def until(self, is_true, seconds: float) -> None:
        """Advance the clock until a condition is true."""
        for _ in range(round(seconds / STEP)):
            self.turn()
            if is_true():
                return
            self.loop.now += STEP
        raise AssertionError("the condition did not become true")

    def close(self) -> None:
        """End the tasks of all nodes."""
        for task in self.tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*self.tasks, return_exceptions=True))

    def stop(self, place: int) -> None:
        """Stop the exchange of a node with the others."""
        self.membership(place).is_stopped = True

    def resume(self, place: int) -> None:
        """Let a node exchange messages with the others again."""
        self.membership(place).is_stopped = False
        self.membership(place).flush_soon()


@pytest.fixture
def world(loop: Loop) -> Iterator[World]:
    """A cluster, to which tests add nodes."""
    world = World(loop, MemoryNetwork(loop))
    yield world
    world.close()


@pytest.fixture
def narrow_pair(loop: Loop) -> Iterator[World]:
    """Two nodes that have joined, with windows of 1,000 bytes."""
    world = World(loop, MemoryNetwork(loop, LinkSizes(min_window_bytes=1000, all_windows_bytes=1000)))
    world.add()
    world.add()
    yield world
    world.close()


@pytest.fixture
def pair(world: World) -> World:
    """Two nodes that have joined."""
    world.add()
    world.add()
    return world
