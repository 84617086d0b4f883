"""Open sessions as fast as possible."""

import argparse
import asyncio
import time
from typing import Any

from ..options import Options
from ..procs import CpuMeter
from ..session import JoinError, Monitor, Session, close_all, join
from ..stats import latency_ms

NAME = "connect"
HELP = "open sessions (TCP, WebSocket, HELLO, WELCOME) as fast as possible"
METRICS = {"sessions_per_s": "higher", "server_cpu_us_each": "lower", "join_ms.p50": "lower", "join_ms.p99": "lower"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=16, help="joins under way at the same time")


async def open_sessions(
    options: Options, monitor: Monitor, count: int, at_once: int
) -> tuple[list[Session], list[float], list[str]]:
    """Return the opened sessions, the seconds that each join took, and the failures."""
    sessions: list[Session] = []
    seconds: list[float] = []
    failures: list[str] = []
    numbers = iter(range(count))

    async def worker() -> None:
        for _ in numbers:
            started = time.perf_counter()
            try:
                session = await join(options, monitor)
            except JoinError as error:
                failures.append(str(error))
                if not sessions or len(failures) > 100:
                    raise
                continue
            seconds.append(time.perf_counter() - started)
            sessions.append(session)

    await asyncio.gather(*(worker() for _ in range(min(at_once, count))))
    return sessions, seconds, failures


async def run(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    cpu = CpuMeter(options.server_pid)
    started = time.perf_counter()
    sessions, seconds, failures = await open_sessions(options, monitor, args.sessions, args.at_once)
    elapsed = time.perf_counter() - started
    cpu_figures = cpu.read(len(sessions))
    started = time.perf_counter()
    await close_all(sessions)
    return {
        "sessions": len(sessions),
        "sessions_per_s": round(len(sessions) / elapsed, 1),
        "join_ms": latency_ms(seconds),
        "close_seconds": round(time.perf_counter() - started, 3),
        "errors": len(failures),
        "error_text": failures[0] if failures else "",
        "lost": 0,
        **cpu_figures,
    }
