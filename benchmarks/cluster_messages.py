"""Measure what a call and an event cost more if they go to another node: ``python -m benchmarks.cluster_messages``.

Two nodes in this process exchange full batches over memory. Sockets, Redis and its connections are left out: see
``benchmarks.cluster_link`` for their cost. Each node has one client. The first client publishes an event, or calls a
procedure, 64 times in a row; the other client receives the events, or answers the calls. The same is done by two
clients of one node without a cluster. The four measurements take turns, and the lowest CPU time of each counts.
"""

import argparse
import asyncio
import gc
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import thread_time
from typing import Any, Final, Literal

from hiredis import pack_command

from wamp_transport.cluster.link import Link
from wamp_transport.cluster.peer import ACKNOWLEDGE_SECONDS
from wamp_transport.node.clustering import Clustering
from wamp_transport.node.connection import Connection
from wamp_transport.node.node import Node
from wamp_transport.testing.memory import OPEN_SERVICE, anonymous_options
from wamp_transport.testing.memory_memberships import MemoryNetwork
from wamp_transport.transports.encoders import WEBSOCKET_ENCODERS

BATCH: Final = 64
ROUNDS: Final = 60
BATCHES_PER_ROUND: Final = 10
PADDING: Final = b"x" * 96

Operation = Literal["event", "call"]


class Socket:
    """A transport that keeps what is written."""

    queued_bytes = 0
    outgoing_limit = 1 << 20

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Keep a frame."""
        self.written.append(data)

    def close(self, *_: object) -> None:
        """Fail, because no connection must end during the measurement."""
        raise RuntimeError("a connection was closed")

    def pause(self) -> None:
        """Do nothing."""

    def resume(self) -> None:
        """Do nothing."""


class Client:
    """A client of a node, which sends and receives JSON."""

    def __init__(self, node: Node) -> None:
        self.socket = Socket()
        self.connection: Connection = node.connect(OPEN_SERVICE, WEBSOCKET_ENCODERS["json"], self.socket)
        roles: dict[str, dict[str, str]] = {"caller": {}, "callee": {}, "publisher": {}, "subscriber": {}}
        self.connection.receive(json.dumps([1, "realm1", {"roles": roles}]).encode())
        self.socket.written.clear()

    def send(self, messages: list[bytes]) -> None:
        """Pass messages to the node as if one read of the socket had returned them."""
        feed = self.connection.feed
        for message in messages:
            feed(message)
        self.connection.flush_effects()

    def take(self) -> list[bytes]:
        """Return and remove what the client has received."""
        written = self.socket.written[:]
        self.socket.written.clear()
        return written


class Pair:
    """Two clients: on one node, or on two nodes of a cluster."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, is_clustered: bool) -> None:
        self.loop = loop
        self.clusterings: list[Clustering] = []
        self.links: list[Link] = []
        self.count = 0
        options = anonymous_options("realm1")
        if is_clustered:
            network = MemoryNetwork(loop)
            nodes = [loop.run_until_complete(self._join(Node(options, loop, is_clustered=True), network)) for _ in "12"]
        else:
            nodes = [Node(options, loop)] * 2
        self.first, self.second = (Client(node) for node in nodes)
        self.second.send([b'[32,1,{},"com.example.topic"]'])
        self.second.send([b'[64,2,{},"com.example.add"]'])
        loop.run_until_complete(asyncio.sleep(0.1))
        self.second.take()
        # From now on, the messages are exchanged by transfer(), and not by the turns of the memory network.
        for membership in network.memberships.values() if is_clustered else ():
            membership.is_stopped = True
            self.links.append(membership.link)

    async def _join(self, node: Node, network: MemoryNetwork) -> Node:
        clustering = Clustering(node, self.loop, network.membership)
        self.clusterings.append(clustering)
        await clustering.join()
        await clustering.fetch_retained()
        return node

    def transfer(self, sender: int, delay: float = 0.0) -> None:
        """Let a node send its messages to the other one. The commands for Redis are built as well."""
        if not self.links:
            return
        now, receiver = self.loop.time() + delay, 1 - sender
        for each in self.links[sender].flush(now):
            command: Any = ("XADD", f"{{wamp:example}}:inbox:{each.peer}", "*", "b", each.data)
            pack_command(command)
            self.links[receiver].receive(each.data, now)
            self.clusterings[receiver].on_link_events(self.links[receiver].take_events())

    def run(self, operation: Operation) -> None:
        """Carry out a batch of operations."""
        numbers = range(self.count + 10, self.count + 10 + BATCH)
        self.count += BATCH
        start, uri = (b"[16", b"com.example.topic") if operation == "event" else (b"[48", b"com.example.add")
        self.first.send([b'%b,%d,{},"%b",["%b"]]' % (start, number, uri, PADDING) for number in numbers])
        self.transfer(0)
        received = self.second.take()
        if operation == "call":
            first = json.loads(received[0][received[0].index(b"[") :])[1]
            self.second.send([b'[70,%d,{},["%b"]]' % (first + place, PADDING) for place in range(BATCH)])
            self.transfer(1)
            received = self.first.take()
        if len(received) != BATCH:
            raise RuntimeError(f"{len(received)} instead of {BATCH} messages arrived")

    def acknowledge(self) -> None:
        """Let the second node acknowledge what it has received, which it does after a time. Answers do this as well."""
        self.transfer(1, delay=ACKNOWLEDGE_SECONDS)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Turn the garbage collector off."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def measure(pair: Pair, operation: Operation) -> float:
    """Carry out a round of operations, and return the CPU time in µs for one of them."""
    start = thread_time()
    for _ in range(BATCHES_PER_ROUND):
        pair.run(operation)
    pair.acknowledge()
    return (thread_time() - start) / (BATCHES_PER_ROUND * BATCH) * 1e6


def main() -> None:
    """Measure and print the figures."""
    argparse.ArgumentParser(description=sys.modules[__name__].__doc__).parse_args()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    local, relayed = (Pair(loop, is_clustered=is_clustered) for is_clustered in (False, True))

    print("CPU time in µs, in batches of", BATCH)
    print(f"{'':8}{'same node':>12}{'relayed':>12}{'more':>12}")
    operations: tuple[Operation, ...] = ("event", "call")
    with without_garbage_collection():
        for operation in operations:
            times = [[measure(pair, operation) for pair in (local, relayed)] for _ in range(ROUNDS)]
            here, both = (min(column) for column in zip(*times, strict=True))
            print(f"{operation:8}{here:12.1f}{both:12.1f}{both - here:12.1f}")


if __name__ == "__main__":
    main()
