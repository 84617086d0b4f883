"""Measure how the other subscribers are affected if one subscriber stops reading."""

import argparse
import time
from typing import Any

from .. import wire as w
from ..options import Options
from ..procs import rss_bytes
from ..session import Monitor, close_all, join, join_many
from ..stats import latency_ms
from . import pubsub
from .fanout import Publisher, Subscriber

NAME = "slow"
HELP = "a subscriber that stops reading: effect on the others and on server memory"
METRICS = {"healthy.events_per_s": "higher", "stalled.events_per_s": "higher", "stalled.kept": "higher"}

MEBIBYTE = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pubsub.add_arguments(parser)
    parser.set_defaults(payload=1024)
    parser.add_argument("--memory-limit", type=int, default=2048, help="stop when the server holds more MiB than this")


def _mebibytes(count: int | None) -> float | None:
    return None if count is None else round(count / MEBIBYTE, 1)


async def _phase(
    monitor: Monitor, options: Options, subscribers: list[Subscriber], publishers: list[Publisher], limit: int
) -> dict[str, Any]:
    """Publish for options.duration seconds. Read the server's memory twice a second."""
    for subscriber in subscribers:
        subscriber.take_latencies()
    sent = sum(publisher.sent for publisher in publishers)
    samples = []
    started = time.perf_counter()
    while time.perf_counter() - started < options.duration:
        await monitor.wait(min(0.5, max(0.01, options.duration - (time.perf_counter() - started))))
        memory = _mebibytes(rss_bytes(options.server_pid))
        samples.append(memory)
        if memory is not None and memory > limit:
            break
    elapsed = time.perf_counter() - started
    latencies = [latency for subscriber in subscribers for latency in subscriber.take_latencies()]
    sent = sum(publisher.sent for publisher in publishers) - sent
    return {
        "seconds": round(elapsed, 3),
        "publishes_per_s": round(sent / elapsed, 1),
        "events_per_s": round(len(latencies) / elapsed, 1),
        "latency_ms": latency_ms(latencies),
        "server_rss_mib": [sample for sample in samples if sample is not None],
    }


async def run(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    publisher_sessions = await join_many(options, monitor, args.publishers)
    sessions = await join_many(options, monitor, args.subscribers - 1)
    stalled_session = await join(options, monitor)
    stalled_session.may_be_lost = True
    for session in [*sessions, stalled_session]:
        await session.request(w.SUBSCRIBE, {}, pubsub.TOPIC)
    publishers = [
        Publisher(session, number, pubsub.TOPIC, args.payload, len(sessions), args.window, args.acknowledge)
        for number, session in enumerate(publisher_sessions)
    ]
    subscribers = [Subscriber(session, publishers) for session in sessions]
    stalled = Subscriber(stalled_session, publishers, counted=False)

    for publisher in publishers:
        publisher.start()
    await monitor.wait(options.warmup)
    before = rss_bytes(options.server_pid)
    healthy = await _phase(monitor, options, subscribers, publishers, args.memory_limit)

    stalled_session.transport.underlying_transport.pause_reading()
    received_before = stalled.received
    during = await _phase(monitor, options, subscribers, publishers, args.memory_limit)
    after = rss_bytes(options.server_pid)
    await pubsub.drain(monitor, publishers, options.timeout)

    # Resume reading, to see whether the server has kept the session and its events.
    if not stalled_session.lost.is_set():
        stalled_session.transport.underlying_transport.resume_reading()
    deadline = time.perf_counter() + options.timeout
    total = sum(publisher.sent for publisher in publishers)
    while stalled.received < total and not stalled_session.lost.is_set() and time.perf_counter() < deadline:
        await monitor.wait(0.05)
    dropped = stalled_session.lost.is_set()
    reason = stalled_session.lost_reason
    await close_all([*publisher_sessions, *sessions, stalled_session])

    lost = total * len(sessions) - sum(subscriber.received for subscriber in subscribers)
    kept = during["events_per_s"] / healthy["events_per_s"] if healthy["events_per_s"] else 0.0
    return {
        "healthy": healthy,
        "stalled": {**during, "kept": round(kept, 3)},
        "server_rss_growth_mib": None if before is None or after is None else _mebibytes(after - before),
        "slow_reader": {
            "dropped_by_server": dropped,
            "reason": reason,
            "events_after_resuming": stalled.received - received_before,
            "events_missing": total - stalled.received,
            "seconds_to_catch_up": round(options.timeout - (deadline - time.perf_counter()), 3),
        },
        "errors": sum(publisher.errors for publisher in publishers),
        "lost": max(0, lost),
        "disordered": sum(subscriber.disordered for subscriber in subscribers),
    }
