"""Measurement of the rate and latency of calls and events, as seen by a client."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wamp_transport.node.client_types import Event
from wamp_transport.node.session import Session

Exchange = Callable[[], Awaitable[None]]
"""A function that makes one call and awaits its result, or publishes one event and awaits its delivery."""

ANSWER_SECONDS: Final = 10.0
"""The time limit for the delivery of an event, in seconds."""


@dataclass(frozen=True, slots=True)
class Measure:
    """The result of a measurement.

    An exchange is a call with its result, or an event with its delivery. ``latencies`` contains the durations of all
    exchanges in seconds, sorted. ``node_seconds`` is the CPU time that the node used, in seconds; None if unknown.
    """

    what: str
    concurrency: int
    seconds: float
    latencies: tuple[float, ...]
    node_seconds: float | None = None

    @property
    def rate(self) -> float:
        """The number of exchanges per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return a percentile of the latency, in milliseconds.

        ``share`` is the fraction of exchanges that took no longer than the returned time, for example 0.95.
        """
        index = min(len(self.latencies) - 1, int(share * len(self.latencies)))
        return 1000 * self.latencies[index]

    @property
    def node_cost(self) -> float | None:
        """The CPU time of the node for one exchange, in microseconds; None if unknown."""
        return None if self.node_seconds is None else 1_000_000 * self.node_seconds / len(self.latencies)

    @property
    def node_share(self) -> float | None:
        """The CPU usage of the node, where 1 is one whole core; None if unknown."""
        return None if self.node_seconds is None else self.node_seconds / self.seconds

    def as_mapping(self) -> dict[str, Any]:
        """Return the results as JSON data."""
        return {
            "what": self.what,
            "concurrency": self.concurrency,
            "count": len(self.latencies),
            "seconds": round(self.seconds, 3),
            "rate": round(self.rate, 1),
            "p50_ms": round(self.percentile(0.5), 3),
            "p99_ms": round(self.percentile(0.99), 3),
            "node_cpu_us": None if self.node_cost is None else round(self.node_cost, 1),
        }


async def calls(callee: Session, caller: Session, uri: str, payload: str) -> Exchange:
    """Register a procedure that returns its argument. Return a function that calls the procedure once."""
    await callee.register(uri, lambda invocation: invocation.args[0])

    async def exchange() -> None:
        await caller.call(uri, [payload])

    return exchange


async def events(subscriber: Session, publisher: Session, uri: str, payload: str) -> Exchange:
    """Subscribe to a topic. Return a function that publishes one event and waits for its delivery.

    The function raises TimeoutError if the event is not delivered within ANSWER_SECONDS.
    """
    waiting: dict[int, asyncio.Future[None]] = {}
    count = 0

    def hear(event: Event) -> None:
        heard = waiting.pop(event.args[0], None)
        if heard is not None and not heard.done():
            heard.set_result(None)

    await subscriber.subscribe(uri, hear)

    async def exchange() -> None:
        nonlocal count
        count += 1
        heard = waiting[count] = asyncio.get_running_loop().create_future()
        await publisher.publish(uri, [count, payload])
        async with asyncio.timeout(ANSWER_SECONDS):
            await heard

    return exchange


async def measure(
    what: str, exchange: Exchange, seconds: float, concurrency: int, pid: int | None, tell: Callable[[float], None]
) -> Measure:
    """Run exchanges for ``seconds``, with up to ``concurrency`` at the same time, and return the measured values.

    ``what`` is the name of the measurement. ``pid`` is the process ID of the node; None if it is unknown. ``tell`` is
    called with the elapsed seconds while the measurement runs.
    """
    await exchange()  # warm up the caches
    latencies: list[float] = []
    before = cpu_seconds(pid)
    start = time.perf_counter()

    async def repeat() -> None:
        while (begin := time.perf_counter()) < start + seconds:
            await exchange()
            latencies.append(time.perf_counter() - begin)

    async def watch() -> None:
        while True:
            tell(time.perf_counter() - start)
            await asyncio.sleep(0.2)

    watching = asyncio.ensure_future(watch())
    working = [asyncio.ensure_future(repeat()) for _ in range(concurrency)]
    try:
        await asyncio.gather(*working)
    finally:
        for task in (watching, *working):
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
    took = time.perf_counter() - start
    after = cpu_seconds(pid)
    used = None if before is None or after is None else after - before
    return Measure(what, concurrency, took, tuple(sorted(latencies)), used)


def cpu_seconds(pid: int | None) -> float | None:
    """Return the CPU time of a process on this host, in seconds; None if the system does not report it."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8")
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / float(os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, AttributeError):
        return None
