"""Remote calls: callers keep a fixed number of calls outstanding."""

import argparse
import asyncio
import time
from types import SimpleNamespace
from typing import Any

from .. import wire as w
from ..options import Options
from ..procs import CpuMeter
from ..session import Monitor, Session, close_all, join_many
from ..stats import latency_ms

NAME = "rpc"
HELP = "calls with a fixed number outstanding per caller"
METRICS = {"calls_per_s": "higher", "server_cpu_us_each": "lower", "latency_ms.p50": "lower", "latency_ms.p99": "lower"}

PROCEDURE = "com.wampload.echo"


def add_arguments(parser: argparse.ArgumentParser, depth: int = 32) -> None:
    parser.add_argument("--callers", type=int, default=1)
    parser.add_argument("--callees", type=int, default=1)
    parser.add_argument("--depth", type=int, default=depth, help="outstanding calls per caller")
    parser.add_argument("--payload", type=int, default=64, help="characters in the one argument")
    parser.add_argument("--shared", action="store_true", help="callers are the callees as well")
    parser.add_argument(
        "--invoke",
        choices=["single", "roundrobin", "random", "first", "last"],
        default="single",
        help="single: a procedure per callee; otherwise one procedure shared by all callees",
    )


class Tally:
    """The counters that all peers of a run share."""

    def __init__(self) -> None:
        self.running = True
        self.latencies: list[float] = []
        self.errors = 0
        self.error_text = ""
        self.drained = asyncio.Event()


class Peer:
    """A session that answers invocations and, if given a procedure, calls it."""

    def __init__(self, session: Session, tally: Tally, payload: str) -> None:
        self.session = session
        self.tally = tally
        self.payload = payload.encode()
        self.pending: dict[int, float] = {}
        self._head = session.wire.head
        self._yield = session.wire.template(w.YIELD, {}, [payload])
        self._call = None

    def call_with(self, procedure: str, depth: int) -> None:
        self._call = self.session.wire.template(w.CALL, {}, procedure, [self.payload.decode()])
        for _ in range(depth):
            self._next_call()

    def _next_call(self) -> None:
        request = self.session.take_id()
        self.pending[request] = time.perf_counter()
        self.session.send(self._call(request))

    def receive(self, data: bytes) -> None:
        kind, request = self._head(data)
        if kind == w.INVOCATION:
            self.session.send(self._yield(request))
        elif kind == w.RESULT:
            self.tally.latencies.append(time.perf_counter() - self.pending.pop(request))
        elif kind == w.ERROR:
            message = self.session.wire.decode(data)
            self.pending.pop(message[2], None)
            self.tally.errors += 1
            self.tally.error_text = str(message[4:])
        else:
            raise ValueError("unexpected message")
        if kind != w.ERROR and self.payload not in data:
            self.tally.errors += 1
            self.tally.error_text = "arguments changed on the way"
        if kind != w.INVOCATION:
            if self.tally.running:
                self._next_call()
            elif not self.pending:
                self.tally.drained.set()


async def _register(sessions: list[Session], invoke: str) -> list[str]:
    """Register a procedure for each session, or a shared one for all. Return the URI for each session."""
    names = []
    for number, session in enumerate(sessions):
        name = PROCEDURE if invoke != "single" else f"{PROCEDURE}.{number}"
        await session.request(w.REGISTER, {} if invoke == "single" else {"invoke": invoke}, name)
        names.append(name)
    return names


async def run(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    callers = await join_many(options, monitor, args.callers)
    callees = callers[: args.callees] if args.shared else await join_many(options, monitor, args.callees)
    everyone = callers if args.shared else callers + callees
    procedures = await _register(callees, args.invoke)

    tally = Tally()
    payload = w.filler(args.payload)
    peers = {session: Peer(session, tally, payload) for session in everyone}
    for session, peer in peers.items():
        session.receive = peer.receive
    # With --shared, each session calls the procedure of the next session, not its own.
    for number, session in enumerate(callers):
        peers[session].call_with(procedures[(number + 1) % len(procedures)], args.depth)

    await monitor.wait(options.warmup)
    tally.latencies = []
    cpu = CpuMeter(options.server_pid)
    started = time.perf_counter()
    await monitor.wait(options.duration)
    elapsed = time.perf_counter() - started
    latencies = tally.latencies
    cpu_figures = cpu.read(len(latencies))

    tally.running = False
    tally.latencies = []
    deadline = time.perf_counter() + options.timeout
    while any(peer.pending for peer in peers.values()) and time.perf_counter() < deadline:
        tally.drained.clear()
        await monitor.wait(0.1, tally.drained)
    lost = sum(len(peer.pending) for peer in peers.values())
    await close_all(everyone)

    return {
        "calls": len(latencies),
        "seconds": round(elapsed, 3),
        "calls_per_s": round(len(latencies) / elapsed, 1),
        "latency_ms": latency_ms(latencies),
        "errors": tally.errors,
        "error_text": tally.error_text,
        "lost": lost,
        **cpu_figures,
    }


# The scenario with one call at a time.
latency = SimpleNamespace(
    NAME="rpc-latency",
    HELP="one call at a time per caller",
    METRICS=METRICS,
    add_arguments=lambda parser: add_arguments(parser, depth=1),
    run=run,
)
