"""Measure whether costs stay constant as a node grows: ``python -m benchmarks.growth [--rounds 3] [--only crowd]``.

It measures calls beside many idle sessions, a publication to many subscribers, the end of a session with many
subscriptions, and publications and calls with many subscriptions and registrations. Only this project's node is
measured. ``benchmarks.matching`` measures look-ups alone.
"""

import argparse
import json
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from . import generator
from .compare import RESULTS, circumstances, show
from .generator import LoadFailed
from .servers import Server, ours, prepare

SIZES = (1, 100, 1_000, 10_000)
SUBSCRIPTIONS = (10, 1_000, 100_000)
MOST_DELAY, MOST_STALL = 50.0, 10.0
"""The limits for the latency of calls, in milliseconds: p99 during publications to 10,000 subscribers, and the maximum
while the 100,000 subscriptions of a closed session are removed."""

Measure = Callable[[Server, float], dict[str, Any]]


def crowd(size: int) -> Measure:
    """Return the measurement of calls beside ``size`` idle sessions."""
    return lambda server, duration: generator.run(server, "/crowd", sessions=size, duration=duration)


def fan_out(server: Server, duration: float) -> dict[str, Any]:
    """Measure publications to 10,000 subscribers, and the calls of other sessions meanwhile."""
    return generator.run(server, "/fan-out", subscribers=10_000, duration=max(duration, 6.0))


def leave(match: str) -> Measure:
    """Return the measurement of calls while a session with 100,000 subscriptions disconnects."""
    return lambda server, duration: generator.run(server, "/leave", subscriptions=100_000, match=match)


def many(match: str) -> Measure:
    """Return the measurement of publications, each to a random one of many subscriptions."""
    counts = ",".join(map(str, SUBSCRIPTIONS))
    return lambda server, duration: generator.run(server, "subs", match=match, counts=counts, duration=duration)


def registered(match: str) -> Measure:
    """Return the measurement of calls with many registrations."""
    counts = ",".join(map(str, SUBSCRIPTIONS))
    return lambda server, duration: generator.run(server, "/registered", match=match, counts=counts, duration=duration)


MEASURES: dict[str, Measure] = (
    {f"crowd-{size}": crowd(size) for size in SIZES}
    | {"fan-out": fan_out}
    | {f"leave-{match}": leave(match) for match in ("exact", "prefix", "wildcard")}
    | {f"subscriptions-{match}": many(match) for match in ("exact", "prefix", "wildcard")}
    | {f"registrations-{match}": registered(match) for match in ("exact", "prefix", "wildcard")}
)


def rounds_of(name: str, rounds: int, duration: float) -> list[dict[str, Any]]:
    """Measure all rounds, each with a new node, and return the results."""
    results = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="wampnode-bench-") as directory:
            place = Path(directory) / "ours"
            prepare(place)
            with ours(place, {}) as server:
                try:
                    results.append(MEASURES[name](server, duration))
                except LoadFailed as failure:
                    raise LoadFailed(f"{failure}; the node printed: {server.process.output[-1500:]}") from failure
    return results


def verdict(value: float, limit: float) -> str:
    """Return a text that says whether a value is within its limit."""
    return f"{'met' if value <= limit else 'MISSED'} (<= {limit:g} ms)"


def line(name: str, results: list[dict[str, Any]]) -> str:
    """Return the results of a measurement as a line of text."""

    def middle(path: str) -> float:
        return median(generator.figure(result, path) for result in results)

    kind = name.partition("-")[0]
    if kind == "crowd":
        return (
            f"{name}: {show(middle('server_cpu_us_each'))} µs a call, {show(middle('bytes_per_session'))} bytes a "
            f"session, {show(middle('idle_server_cpu_percent'))} % of a core while all are idle"
        )
    if kind == "fan":
        p99 = middle("calls.latency_ms.p99")
        return (
            f"{name}: calls p50 {show(middle('calls.latency_ms.p50'))}, p99 {show(p99)}, max "
            f"{show(middle('calls.latency_ms.max'))} ms: {verdict(p99, MOST_DELAY)}; a publication is with all after "
            f"{show(middle('delivered_ms.p50'))} ms, {show(middle('server_cpu_us_each'))} µs an event"
        )
    if kind == "leave":
        stall = middle("stall_ms")
        before = show(middle("before_ms.max"))
        return f"{name}: longest call {show(stall)} ms, before that {before} ms: {verdict(stall, MOST_STALL)}"
    if kind == "registrations":
        rows = results[-1]["by_count"]
        return f"{name}: " + "; ".join(
            f"{row['registrations']:,}: {row['ten']:g} µs a call of one of ten, {row['any']:g} of any" for row in rows
        )
    rates = [(row["subscriptions"], row["publishes_per_s"], row["drop_stall_ms"]) for row in results[-1]["by_count"]]
    return f"{name}: " + "; ".join(
        f"{count:,}: {rate:,.0f} publishes/s, deaf {stall} ms" for count, rate, stall in rates
    )


def main() -> int:
    """Measure, print and save the results. Return the exit code, which is 1 if a measurement failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", type=float, default=2.0, help="seconds measured in a run")
    parser.add_argument("--only", help=f"some of {', '.join(MEASURES)}, or their beginnings")
    args = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if 0 < hard < max(SIZES) + 500:
        print(f"Only {hard} files may be open (ulimit -Hn): {max(SIZES):,} sessions do not fit.", file=sys.stderr)
        return 1
    wanted = tuple(args.only.split(",")) if args.only else ("",)
    about = circumstances(args.rounds, {"duration": args.duration})
    measured: dict[str, list[dict[str, Any]]] = {}
    failed = False
    for name in MEASURES:
        if name.startswith(wanted):
            try:
                measured[name] = rounds_of(name, args.rounds, args.duration)
            except LoadFailed as failure:
                failed = True
                print(f"{name}: not measured: {failure}", flush=True)
            else:
                print(line(name, measured[name]), flush=True)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"growth-{about['date'].replace(':', '')[:17]}.json"
    path.write_text(json.dumps({**about, "measured": measured}, indent=1))
    print(f"all results: {path}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
