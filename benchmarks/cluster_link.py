"""Measure events between two nodes of a cluster: ``python -m benchmarks.cluster_link [--messages 50000]``.

The sender is this process, the receiver is a second one, and Redis is a third one on a Unix socket. The figures are:

- the CPU time of each of the three for an event, with 1 and with 64 events per batch. The sender waits when the
  receiver is far behind. Each batch is one command, but the receiver can read several batches at a time.
- the same for an event and its answer at depth 1: each event is sent when the answer to the one before has come
- the latency of such a round trip
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from wamp_transport.cluster import link_events
from wamp_transport.cluster.keys import ClusterKeys
from wamp_transport.cluster.ledger.client import Outcome
from wamp_transport.cluster.ledger.layout import MemberRecord
from wamp_transport.cluster.ledger.table import TableChange
from wamp_transport.cluster.member import ClusterMember
from wamp_transport.cluster.redis_address import RedisAddress
from wamp_transport.router.relayed import RelayedEvent
from wamp_transport.wamp.messages import PublishOptions

BATCHES = (1, 64)
MAX_BEHIND = 2000
"""The sender waits while this many events are not acknowledged by the receiver."""

WARM_UP = 2000
TIME = datetime(2026, 1, 1, tzinfo=UTC)
PAYLOAD = json.dumps(["x" * 96]).encode()


class Node:
    """A member that sends events with a topic and counts those that it receives.

    It answers an event with the topic ``ask`` with the topic ``answer``, and an event with the topic ``report`` with
    its CPU time.
    """

    def __init__(self, url: str) -> None:
        name = token_hex(8)
        record = MemberRecord("benchmark", (1, 1), 10_000)
        self.member = ClusterMember(RedisAddress(url), ClusterKeys("benchmark", "x"), name, record, 10.0, self)
        self.link = self.member.link
        self.is_open = asyncio.Event()
        self.answer = asyncio.Event()
        self.report = b""
        self.received = 0

    def on_table_changes(self, changes: Sequence[TableChange]) -> None:
        pass

    def on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        pass

    def on_unreachable(self, reason: str) -> None:
        sys.exit(reason)

    def on_reachable(self) -> None:
        pass

    def on_link_events(self, events: Sequence[link_events.LinkEvent]) -> None:
        for event in events:
            if isinstance(event, link_events.Received) and isinstance(event.message, RelayedEvent):
                self.on_event(event.message)
            elif isinstance(event, link_events.SnapshotWanted):
                self.link.send_snapshot(event.peer, {})
            elif isinstance(event, link_events.PeerOpened):
                self.is_open.set()

    def on_event(self, event: RelayedEvent) -> None:
        if event.topic == "count":
            self.received += 1
        elif event.topic == "ask":
            self.send("answer", event.args)
        elif event.topic == "report":
            self.send("times", json.dumps([self.received, time.process_time()]).encode())
        else:
            self.report = event.args
            self.answer.set()

    def send(self, topic: str, payload: bytes) -> None:
        """Send an event to the other node."""
        event = RelayedEvent(
            "realm1", 1, TIME, topic, 1234567890, "ann", "user", None, False, PublishOptions(), "json", payload
        )  # fmt: skip
        self.link.send_event(self.link.peers, event)
        self.member.flush_soon()

    async def ask(self, topic: str, payload: bytes = b"") -> bytes:
        """Send an event and return the payload of its answer."""
        self.answer.clear()
        self.send(topic, payload)
        await self.answer.wait()
        return self.report


@contextmanager
def redis() -> Iterator[tuple[str, int]]:
    """Run a Redis server. Yield its URL and its process id."""
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        socket = Path(directory) / "s"
        command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
        try:
            while not socket.exists():
                time.sleep(0.01)
            yield f"unix://{socket}", process.pid
        finally:
            process.terminate()
            process.wait()


def process_time(pid: int) -> float:
    """Return the CPU time of another process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def receive(url: str) -> None:
    """Run the receiver until it is killed."""
    Node(url).member.start()
    await asyncio.Event().wait()


class Meter:
    """The CPU times of sender, receiver and Redis."""

    def __init__(self, node: Node, redis_pid: int) -> None:
        self.node = node
        self.redis_pid = redis_pid
        self.before: list[float] = []

    async def read(self) -> list[float]:
        _, receiver = json.loads(await self.node.ask("report"))
        return [time.process_time(), receiver, process_time(self.redis_pid)]

    async def start(self) -> None:
        self.before = await self.read()

    async def print_row(self, name: str, count: int) -> None:
        """Print the CPU times per event since the start."""
        used = [(now - before) / count * 1e6 for now, before in zip(await self.read(), self.before, strict=True)]
        print(f"| {name} | {used[0]:.2f} | {used[1]:.2f} | {used[2]:.2f} | {sum(used):.2f} |", flush=True)


async def send_batches(node: Node, size: int, messages: int) -> None:
    (peer,) = node.link.peers.values()
    window = peer.window
    for _ in range(messages // size):
        for _ in range(size):
            node.send("count", PAYLOAD)
        await asyncio.sleep(0)
        while (window.number - window.acknowledged) * size > MAX_BEHIND:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def ping(node: Node, count: int) -> list[float]:
    """Return the times of round trips in microseconds, sorted."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        await node.ask("ask", PAYLOAD)
        times.append((time.perf_counter() - began) * 1e6)
    return sorted(times)


async def measure(url: str, redis_pid: int, messages: int) -> None:
    node = Node(url)
    node.member.start()
    await node.is_open.wait()
    await send_batches(node, 1, WARM_UP)
    await ping(node, WARM_UP)
    meter = Meter(node, redis_pid)
    print("| CPU per event, µs | sender | receiver | Redis | sum |\n|---|---|---|---|---|")
    expected = WARM_UP
    for size in BATCHES:
        (peer,) = node.link.peers.values()
        number, count = peer.window.number, messages // size * size
        await meter.start()
        await send_batches(node, size, count)
        await meter.print_row(f"batches of {count / (peer.window.number - number - 1):.1f}", count)
        expected += count
        received, _ = json.loads(await node.ask("report"))
        if received != expected:
            sys.exit("events were dropped")
    count = messages // 10
    await meter.start()
    times = await ping(node, count)
    await meter.print_row("event and answer, depth 1", count)
    places = [times[count // 2], times[count * 99 // 100]]
    print(f"\nround trip at depth 1: p50 {places[0]:.0f} µs, p99 {places[1]:.0f} µs")
    await node.member.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--receive", metavar="URL", help="run the receiver")
    options = parser.parse_args()
    if options.receive:
        asyncio.run(receive(options.receive))
        return
    with redis() as (url, pid):
        receiver = subprocess.Popen([sys.executable, "-m", "benchmarks.cluster_link", "--receive", url])  # noqa: S603
        try:
            asyncio.run(measure(url, pid, options.messages))
        finally:
            receiver.kill()
            receiver.wait()


if __name__ == "__main__":
    main()
