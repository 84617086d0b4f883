"""Publications to a topic with many subscribers."""

import argparse
import time
from typing import Any

from .. import wire as w
from ..options import Options
from ..procs import CpuMeter
from ..session import Monitor, close_all, join_many
from ..stats import latency_ms
from .fanout import Publisher, Subscriber

NAME = "pubsub"
HELP = "publications to one topic with many subscribers"
METRICS = {
    "events_per_s": "higher",
    "server_cpu_us_each": "lower",
    "latency_ms.p50": "lower",
    "latency_ms.p99": "lower",
}

TOPIC = "com.wampload.topic"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--subscribers", type=int, default=10)
    parser.add_argument("--publishers", type=int, default=1)
    parser.add_argument("--window", type=int, default=16, help="publications a publisher may be ahead")
    parser.add_argument("--acknowledge", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--payload", type=int, default=64, help="characters (at least 32) in the one argument")


async def drain(monitor: Monitor, publishers: list[Publisher], seconds: float) -> None:
    """Stop publishing and wait until every publication is acknowledged and delivered."""
    for publisher in publishers:
        publisher.running = False
    deadline = time.perf_counter() + seconds
    while not all(publisher.settled for publisher in publishers) and time.perf_counter() < deadline:
        await monitor.wait(0.02)


async def run(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    publisher_sessions = await join_many(options, monitor, args.publishers)
    subscriber_sessions = await join_many(options, monitor, args.subscribers)
    for session in subscriber_sessions:
        await session.request(w.SUBSCRIBE, {}, TOPIC)
    publishers = [
        Publisher(session, number, TOPIC, args.payload, args.subscribers, args.window, args.acknowledge)
        for number, session in enumerate(publisher_sessions)
    ]
    subscribers = [Subscriber(session, publishers) for session in subscriber_sessions]

    for publisher in publishers:
        publisher.start()
    await monitor.wait(options.warmup)
    for subscriber in subscribers:
        subscriber.take_latencies()
    cpu = CpuMeter(options.server_pid)
    sent = sum(publisher.sent for publisher in publishers)
    started = time.perf_counter()
    await monitor.wait(options.duration)
    elapsed = time.perf_counter() - started
    sent = sum(publisher.sent for publisher in publishers) - sent
    latencies = [latency for subscriber in subscribers for latency in subscriber.take_latencies()]
    cpu_figures = cpu.read(len(latencies))

    await drain(monitor, publishers, options.timeout)
    await close_all(publisher_sessions + subscriber_sessions)
    missing = sum(p.sent for p in publishers) * args.subscribers - sum(s.received for s in subscribers)
    return {
        "seconds": round(elapsed, 3),
        "publishes_per_s": round(sent / elapsed, 1),
        "events_per_s": round(len(latencies) / elapsed, 1),
        "latency_ms": latency_ms(latencies),
        "errors": sum(publisher.errors for publisher in publishers),
        "error_text": next((p.error_text for p in publishers if p.error_text), ""),
        "lost": max(0, missing),
        "disordered": sum(subscriber.disordered for subscriber in subscribers),
        **cpu_figures,
    }
