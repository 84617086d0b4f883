"""Measure the server's memory per idle session."""

import argparse
from typing import Any

from ..options import Options
from ..procs import CpuMeter, rss_bytes
from ..session import Monitor, close_all
from .connect import open_sessions

NAME = "idle"
HELP = "memory per idle session (needs --server-pid)"
METRICS = {"bytes_per_session": "lower"}

# These sessions are opened and closed first, so that memory that the server allocates only once is not counted.
WARM_UP_SESSIONS = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--at-once", type=int, default=16, help="joins under way at the same time")


async def run(options: Options, monitor: Monitor, args: argparse.Namespace) -> dict[str, Any]:
    sessions, _, _ = await open_sessions(options, monitor, WARM_UP_SESSIONS, args.at_once)
    await close_all(sessions)
    await monitor.wait(options.warmup)
    before = rss_bytes(options.server_pid)
    sessions, _, failures = await open_sessions(options, monitor, args.sessions, args.at_once)
    joined = rss_bytes(options.server_pid)
    cpu = CpuMeter(options.server_pid)
    await monitor.wait(options.duration)
    cpu_figures = cpu.read()
    held = rss_bytes(options.server_pid)
    await close_all(sessions)
    await monitor.wait(options.warmup)
    closed = rss_bytes(options.server_pid)
    per_session = None if before is None or held is None else round((held - before) / max(1, len(sessions)))
    return {
        "sessions": len(sessions),
        "bytes_per_session": per_session,
        "server_rss_bytes": {"before": before, "joined": joined, "held": held, "closed": closed},
        "errors": len(failures),
        "lost": 0,
        **cpu_figures,
    }
