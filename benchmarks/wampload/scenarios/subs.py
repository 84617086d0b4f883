"""Measure how fast many subscriptions are made, and how they affect publishing."""

import argparse
import asyncio
import random
import time
from typing import Any

from .. import wire as w
from ..options import Options
from ..procs import rss_bytes
from ..session import LoadError, Monitor, join
from ..stats import latency_ms
from .fanout import Publisher, Subscriber
from .pubsub import drain

NAME = "subs"
HELP = "one session with many subscriptions; publishing to random ones of them"
METRICS = {"slowest_publishes_per_s": "higher", "slowest_subscribes_per_s": "higher"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--match", choices=["exact", "prefix", "wildcard"], default="exact")
    parser.add_argument(
        "--counts",
        type=lambda text: [int(item) for item in text.split(",")],
        default=[10, 1000, 100000],
        help="how many subscriptions, comma separated",
    )
    parser.add_argument("--depth", type=int, default=64, help="outstanding SUBSCRIBE requests")
    parser.add_argument("--window", type=int, default=16, help="publications the publisher may be ahead")
    parser.add_argument("--payload", type=int, default=64, help="characters (at least 32) in the one argument")
    parser.add_argument("--give-up", type=float, default=60.0, help="seconds after which subscribing ends")


def pattern(match: str, number: int) -> str:
    """Return the topic or pattern to subscribe to. Each matches exactly one `topic`."""
    if match == "wildcard":
        return f"com.wampload..k{number:07d}.event"
    return f"com.wampload.{number % 100:02d}.k{number:07d}" + (".event" if match == "exact" else "")


def topic(number: int) -> str:
    return f"com.wampload.{number % 100:02d}.k{number:07d}.event"


async def _subscribe(options: Options, args: argparse.Namespace, session: Any, count: int) -> tuple[int, float]:
    """Subscribe `count` times, until --give-up. Return the number of subscriptions and the seconds they took."""
    details = {} if args.match == "exact" else {"match": args.match}
    numbers = iter(range(count))
    started = time.perf_counter()
    made = 0

    async def worker() -> None:
        nonlocal made
        for number in numbers:
            if time.perf_counter() - started > args.give_up:
                return
            await session.request(w.SUBSCRIBE, details, pattern(args.match, number), seconds=args.give_up)
            made += 1

    await asyncio.gather(*(worker() for _ in range(min(args.depth, count))))
    return made, time.perf_counter() - started


async def _one(options: Options, monitor: Monitor, args: argparse.Namespace, count: int) -> dict[str, Any]:
    subscriber_session = await join(options, monitor)
    publisher_session = await join(options, monitor)
    before = rss_bytes(options.server_pid)
    made, elapsed = await _subscribe(options, args, subscriber_session, count)
    after = rss_bytes(options.server_pid)

    dice = random.Random(1)  # noqa: S311 - which topic is chosen is no secret
    publisher = Publisher(
        publisher_session, 0, lambda: topic(dice.randrange(made)), args.payload, 1, args.window, acknowledge=True
    )
    subscriber = Subscriber(subscriber_session, [publisher])
    publisher.start()
    await monitor.wait(options.warmup)
    subscriber.take_latencies()
    sent, started = publisher.sent, time.perf_counter()
    await monitor.wait(options.duration)
    publish_rate = (publisher.sent - sent) / (time.perf_counter() - started)
    latencies = subscriber.take_latencies()
    await drain(monitor, [publisher], options.timeout)

    # Measure how long the router does not respond to others while it removes the subscriptions.
    publisher_session.receive = publisher_session.receive_reply
    await subscriber_session.close(goodbye=False)
    started = time.perf_counter()
    await publisher_session.request(w.PUBLISH, {"acknowledge": True}, topic(0), seconds=args.give_up)
    drop_stall = time.perf_counter() - started
    await publisher_session.close()

    return {
        "subscriptions": made,
        "subscribes_per_s": round(made / elapsed, 1),
        "publishes_per_s": round(publish_rate, 1),
        "latency_ms": latency_ms(latencies),
        "drop_stall_ms": round(1e3 * drop_stall, 2),
        "rss_bytes_per_subscription": None
        if before is None or after is None
        else round((after - before) / max(1, made)),
        "errors": publisher.errors,
        "lost": max(0, publisher.sent - subscriber.received),
        "disordered": subscriber.disordered,
    }


async def run(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    rows = []
    for count in args.counts:
        rows.append(await _one(options, monitor, args, count))
        if rows[-1]["subscriptions"] < count:
            break
    if not rows:
        raise LoadError("no --counts")
    return {
        "match": args.match,
        "by_count": rows,
        "slowest_publishes_per_s": min(row["publishes_per_s"] for row in rows),
        "slowest_subscribes_per_s": min(row["subscribes_per_s"] for row in rows),
        "errors": sum(row["errors"] for row in rows),
        "lost": sum(row["lost"] for row in rows),
    }
