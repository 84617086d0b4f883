"""A bare WebSocket echo server: the limit below any WAMP router."""

import argparse
import time
from collections import deque
from typing import Any

from picows import WSMsgType

from .. import wire as w
from ..options import Options
from ..procs import CpuMeter
from ..session import Connection, Monitor, close_all, connect
from ..stats import latency_ms

NAME = "echo"
HELP = "messages to and from a plain WebSocket echo server (no WAMP)"
METRICS = {
    "messages_per_s": "higher",
    "server_cpu_us_each": "lower",
    "latency_ms.p50": "lower",
    "latency_ms.p99": "lower",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--depth", type=int, default=32, help="outstanding messages per connection")
    parser.add_argument("--payload", type=int, default=64)
    parser.add_argument("--binary", action="store_true")


class Echoer:
    def __init__(self, connection: Connection, message: bytes) -> None:
        self.connection = connection
        self.message = message
        self.running = True
        self.latencies: list[float] = []
        self.wrong = 0
        self.sent_at: deque[float] = deque()
        connection.receive = self.receive

    def send(self) -> None:
        self.sent_at.append(time.perf_counter())
        self.connection.send(self.message)

    def receive(self, data: bytes) -> None:
        self.latencies.append(time.perf_counter() - self.sent_at.popleft())
        if data != self.message:
            self.wrong += 1
        if self.running:
            self.send()


async def run(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    kind = WSMsgType.BINARY if args.binary else WSMsgType.TEXT
    connections = [await connect(options, monitor, kind) for _ in range(args.connections)]
    message = w.filler(args.payload).encode()
    echoers = [Echoer(connection, message) for connection in connections]
    for echoer in echoers:
        for _ in range(args.depth):
            echoer.send()

    await monitor.wait(options.warmup)
    for echoer in echoers:
        echoer.latencies = []
    cpu = CpuMeter(options.server_pid)
    started = time.perf_counter()
    await monitor.wait(options.duration)
    elapsed = time.perf_counter() - started
    latencies = [latency for echoer in echoers for latency in echoer.latencies]
    cpu_figures = cpu.read(len(latencies))

    for echoer in echoers:
        echoer.running = False
    deadline = time.perf_counter() + options.timeout
    while any(echoer.sent_at for echoer in echoers) and time.perf_counter() < deadline:
        await monitor.wait(0.02)
    lost = sum(len(echoer.sent_at) for echoer in echoers)
    await close_all(connections)
    return {
        "messages_per_s": round(len(latencies) / elapsed, 1),
        "seconds": round(elapsed, 3),
        "latency_ms": latency_ms(latencies),
        "errors": sum(echoer.wrong for echoer in echoers),
        "lost": lost,
        **cpu_figures,
    }
