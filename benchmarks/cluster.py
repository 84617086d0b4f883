"""Compare the nodes of a cluster with a node that is alone: ``python -m benchmarks.cluster [--duration 3]``.

Whole nodes run over a real Redis server, and the load comes from WAMP clients. The figures are:

- the CPU time for a call and for an event from one node to another, with 1 and with 64 outstanding, and the latency,
  beside the same on a node without a cluster
- the time until SUBSCRIBED arrives, with up to seven other nodes
- the time for registrations from many sessions, and until a new node knows all of them
- the memory for a topic with subscribers on another node, and for a registration

``--summarize RESULT.json ...`` prints the lowest and highest figures of several runs.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex
from statistics import median
from typing import Any

from tests.integration.servers import migrate
from tests.redis_server import RedisServer, redis_process
from wamp_transport.cluster.keys import ClusterKeys
from wamp_transport.cluster.ledger.layout import MemberRecord
from wamp_transport.cluster.member import ClusterMember
from wamp_transport.cluster.messages import PROTOCOLS
from wamp_transport.cluster.redis_address import RedisAddress
from wamp_transport.conf import app_settings
from wamp_transport.node.clustering import Clustering
from wamp_transport.node.membership import ClusterHandler
from wamp_transport.node.node import Node
from wamp_transport.testing.memory import anonymous_options

from .compare import RESULTS, circumstances
from .runs import extent
from .servers import GENERATOR_CORE, SERVER_CORE, Server, ours
from .wampload import wire as w
from .wampload.options import Options
from .wampload.procs import cpu_seconds, rss_bytes
from .wampload.scenarios import rpc
from .wampload.session import LoadError, Monitor, Session, close_all, join, join_many
from .wampload.stats import latency_ms

PROCEDURE, TOPIC = "com.benchmark.procedure", "com.benchmark.topic"
DEPTHS = (1, 64)
OTHERS = (1, 3, 7)
"""The numbers of other nodes with which SUBSCRIBE is measured."""

PAYLOAD = 64
SUBSCRIPTIONS = 200
PIPELINED = 1_000
TOPICS = 20_000
REGISTRATIONS = 10_000
CALLEES = 50
AT_ONCE = 500
LOST_SECONDS = 30.0
"""Messages that have not arrived after this time are lost."""

Figures = dict[str, float]
Result = dict[str, Figures]


class EventTally:
    """A publisher that keeps a number of events outstanding, and the latencies of those that have arrived."""

    def __init__(self, publisher: Session, subscriber: Session) -> None:
        self._publisher = publisher
        self._publish = publisher.wire.template(w.PUBLISH, {}, TOPIC, [w.filler(PAYLOAD)])
        self._sent: deque[float] = deque()
        self.is_running = True
        self.latencies: list[float] = []
        subscriber.receive = self._receive

    @property
    def pending(self) -> int:
        """The number of events that have not arrived."""
        return len(self._sent)

    def start(self, depth: int) -> None:
        """Publish the first events."""
        for _ in range(depth):
            self._next()

    def _next(self) -> None:
        self._sent.append(time.perf_counter())
        self._publisher.send(self._publish(self._publisher.take_id()))

    def _receive(self, _data: bytes) -> None:
        self.latencies.append(time.perf_counter() - self._sent.popleft())
        if self.is_running:
            self._next()


class CallTally(rpc.Tally):
    """A caller that keeps a number of calls outstanding, and the latencies of those that were answered."""

    def __init__(self, caller: Session, callee: Session) -> None:
        super().__init__()
        peers = [rpc.Peer(each, self, w.filler(PAYLOAD)) for each in (caller, callee)]
        for each in peers:
            each.session.receive = each.receive
        self._caller = peers[0]

    @property
    def pending(self) -> int:
        """The number of calls that were not answered."""
        return len(self._caller.pending)

    def start(self, depth: int) -> None:
        """Send the first calls."""
        self._caller.call_with(PROCEDURE, depth)

    @property
    def is_running(self) -> bool:
        """Whether an answer leads to another call."""
        return self.running

    @is_running.setter
    def is_running(self, is_running: bool) -> None:
        self.running = is_running


class Benchmark:
    """The processes of a run: ``alone`` has no cluster, ``nodes`` are the nodes of the cluster."""

    def __init__(
        self, rounds: int, duration: float, redis: RedisServer, alone: Server, nodes: Sequence[Server]
    ) -> None:
        if redis.process is None:
            raise LoadError("Redis has ended")
        self.rounds = rounds
        self.duration = duration
        self.redis = redis
        self.redis_pid = redis.process.pid
        self.alone = alone
        self.nodes = nodes
        self.monitor = Monitor()

    async def load(self, kind: str, depth: int, sender: Server, receiver: Server) -> Figures:
        """Measure calls or events from one node to another. Return CPU times in microseconds, and latencies in ms."""
        first, second = (
            await join(Options(sender.url), self.monitor),
            await join(Options(receiver.url), self.monitor),
        )
        tally: CallTally | EventTally
        if kind == "call":
            await second.request(w.REGISTER, {}, PROCEDURE)
            tally = CallTally(first, second)
        else:
            await second.request(w.SUBSCRIBE, {}, TOPIC)
            tally = EventTally(first, second)
        tally.start(depth)
        await self.monitor.wait(1.0)
        tally.latencies = []
        pids = {"sender": sender.pid, "receiver": receiver.pid, "redis": self.redis_pid}
        before = {name: cpu_seconds(pid) or 0.0 for name, pid in pids.items()}
        await self.monitor.wait(self.duration)
        latencies = tally.latencies
        count = len(latencies)
        figures = {name: ((cpu_seconds(pid) or 0.0) - before[name]) / count * 1e6 for name, pid in pids.items()}
        tally.is_running = False
        deadline = time.perf_counter() + LOST_SECONDS
        while tally.pending:
            if time.perf_counter() > deadline:
                raise LoadError(f"{tally.pending} messages were lost")
            await self.monitor.wait(0.01)
        for session in (first, second):
            session.receive = session.receive_reply
        await close_all([first, second])
        times = latency_ms(latencies)
        return {**figures, "p50": times["p50"], "p99": times["p99"]}

    async def compare(self, kind: str, depth: int) -> Figures:
        """Measure calls or events on one node and between two nodes, in turn."""
        rounds: dict[str, list[Figures]] = {"alone": [], "relayed": []}
        for _ in range(self.rounds):
            rounds["alone"].append(await self.load(kind, depth, self.alone, self.alone))
            rounds["relayed"].append(await self.load(kind, depth, self.nodes[0], self.nodes[1]))
        alone, relayed = (
            {name: median(each[name] for each in found) for name in found[0]} for found in rounds.values()
        )
        return {
            "one node": alone["sender"],
            "sender": relayed["sender"],
            "receiver": relayed["receiver"],
            "Redis": relayed["redis"],
            "added": relayed["sender"] + relayed["receiver"] - alone["sender"],
            "added p50": relayed["p50"] - alone["p50"],
            "added p99": relayed["p99"] - alone["p99"],
        }

    async def subscribe(self, server: Server) -> Figures:
        """Measure the time until SUBSCRIBED arrives, for single and for pipelined SUBSCRIBEs, in milliseconds."""
        session = await join(Options(server.url), self.monitor)
        times = []
        for number in range(SUBSCRIPTIONS):
            began = time.perf_counter()
            await session.request(w.SUBSCRIBE, {}, f"com.benchmark.single.{token_hex(4)}.{number}")
            times.append(time.perf_counter() - began)
        began = time.perf_counter()
        await asyncio.gather(
            *(session.start_request(w.SUBSCRIBE, {}, f"com.benchmark.many.{number}") for number in range(PIPELINED))
        )
        all_ms = (time.perf_counter() - began) * 1e3
        await close_all([session])
        single = latency_ms(times)
        return {"p50": single["p50"], "p99": single["p99"], f"{PIPELINED:,} pipelined": all_ms}

    async def memory(self) -> tuple[Figures, Figures, Figures]:
        """Measure registrations from many sessions and a new node, then topics with subscribers on the second node.

        Return the times in seconds, and the bytes for each registration and for each topic. "own node" is the node of
        the callees and subscribers.
        """
        sessions = await join_many(Options(self.nodes[1].url), self.monitor, CALLEES)
        subscriber = await join(Options(self.nodes[1].url), self.monitor)
        before = self._memory()
        began = time.perf_counter()
        await asyncio.gather(*(self._register(session, place) for place, session in enumerate(sessions)))
        times = {"registered": time.perf_counter() - began}
        await self.monitor.wait(1.0)
        registrations = self._memory_since(before, REGISTRATIONS)
        times["known to a new node"] = await asyncio.to_thread(time_until_known)
        await self.monitor.wait(1.0)
        before = self._memory()
        for start in range(0, TOPICS, AT_ONCE):
            names = [f"com.benchmark.topic.{number:06}.changed" for number in range(start, start + AT_ONCE)]
            await asyncio.gather(*(subscriber.start_request(w.SUBSCRIBE, {}, name) for name in names))
        topics = self._memory_since(before, TOPICS)
        await close_all([*sessions, subscriber])
        return times, registrations, topics

    async def _register(self, session: Session, place: int) -> None:
        for number in range(REGISTRATIONS // CALLEES):
            await session.request(w.REGISTER, {}, f"com.benchmark.{place:03}.procedure{number:05}", seconds=60)

    def _memory(self) -> Figures:
        pids = {"other node": self.nodes[0].pid, "own node": self.nodes[1].pid}
        with self.redis.client() as client:
            return {**{name: rss_bytes(pid) or 0 for name, pid in pids.items()}, "Redis": client.info()["used_memory"]}

    def _memory_since(self, before: Figures, count: int) -> Figures:
        return {name: (value - before[name]) / count for name, value in self._memory().items()}


class NewNode:
    """A node in this process, which joins the cluster of the project's settings."""

    def __init__(self) -> None:
        found = app_settings().cluster
        if found is None:
            raise LoadError("the settings have no cluster")
        self._settings = found
        loop = asyncio.get_running_loop()
        self.clustering = Clustering(Node(anonymous_options("realm1"), loop, is_clustered=True), loop, self._begin)

    def _begin(self, handler: ClusterHandler) -> ClusterMember:
        record = MemberRecord("benchmark", (PROTOCOLS[0], PROTOCOLS[-1]), 10_000)
        keys = ClusterKeys(self._settings.name, self._settings.key)
        return ClusterMember(RedisAddress(self._settings.url), keys, token_hex(8), record, 10.0, handler)


def time_until_known() -> float:
    """Return the seconds in which a new node joins the cluster and learns all registrations."""

    async def join_cluster() -> float:
        node = NewNode()
        began = time.perf_counter()
        await node.clustering.join()
        taken = time.perf_counter() - began
        await node.clustering.leave()
        return taken

    return asyncio.run(join_cluster())


async def measure(
    stack: ExitStack, directory: Path, redis: RedisServer, rounds: int, duration: float
) -> dict[str, Result]:
    """Start the nodes and measure everything."""

    def start(name: str, **environment: str) -> Server:
        place = directory / name
        place.mkdir()
        migrate(place / "db.sqlite3")
        return stack.enter_context(ours(place, {}, **environment))

    alone = start("alone", WAMPNODE_REDIS="")
    nodes = [start(f"node{number}", WAMPNODE_REDIS=redis.url) for number in range(2)]
    benchmark = Benchmark(rounds, duration, redis, alone, nodes)
    loads = {
        f"{kind}, {depth} outstanding": await benchmark.compare(kind, depth)
        for kind in ("call", "event")
        for depth in DEPTHS
    }
    times, registrations, topics = await benchmark.memory()
    subscribed = {"no cluster": await benchmark.subscribe(alone)}
    for others in OTHERS:
        while len(nodes) <= others:
            nodes.append(await asyncio.to_thread(start, f"node{len(nodes)}", WAMPNODE_REDIS=redis.url))
        await benchmark.monitor.wait(2.0)
        subscribed[f"{others} other node{'s' if others > 1 else ''}"] = await benchmark.subscribe(nodes[0])
    return {
        "CPU time in µs, and added latency in ms": loads,
        "SUBSCRIBED after ms": subscribed,
        f"seconds for {REGISTRATIONS:,} registrations": {"time": times},
        "bytes in memory": {"registration": registrations, "topic": topics},
    }


def print_tables(runs: Sequence[dict[str, Any]]) -> None:
    """Print the figures of one run, or the lowest and highest of several, in Markdown."""
    for title, rows in runs[0]["tables"].items():
        columns = list(next(iter(rows.values())))
        print(f"\n| {title} | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
        for name in rows:
            values = [[run["tables"][title][name][column] for run in runs] for column in columns]
            print(f"| {name} | {' | '.join(extent(each) for each in values)} |")


def main() -> None:
    """Measure, print and save the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", type=float, default=3.0, help="seconds for each measurement of a load")
    parser.add_argument("--summarize", nargs="+", metavar="RESULT.json")
    options = parser.parse_args()
    if options.summarize:
        print_tables([json.loads(Path(path).read_text()) for path in options.summarize])
        return
    about = circumstances(options.rounds, {"duration": options.duration})
    os.sched_setaffinity(0, {GENERATOR_CORE})
    with (
        redis_process() as redis,
        tempfile.TemporaryDirectory(prefix="wampnode-bench-") as directory,
        ExitStack() as stack,
    ):
        os.environ |= {"DJANGO_SETTINGS_MODULE": "wampnode.settings", "WAMPNODE_REDIS": redis.url}
        os.sched_setaffinity(redis.process.pid if redis.process else 0, {SERVER_CORE})
        result = {
            **about,
            "tables": asyncio.run(measure(stack, Path(directory), redis, options.rounds, options.duration)),
        }
    print(f"{about['date']}: {about['commit']}, load average {about['load_average']:.1f}")
    print_tables([result])
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"cluster-{about['date'].replace(':', '')[:17]}.json"
    path.write_text(json.dumps(result, indent=1))
    print(f"\nall results: {path}")


if __name__ == "__main__":
    main()
