"""The command line of the load generator."""

import argparse
import asyncio
import gc
import json
import resource
import sys
from typing import Any

import uvloop

from . import stats
from .options import Options
from .scenarios import SCENARIOS
from .session import JoinError, LoadError, Monitor

# Exit codes. argparse uses 2.
OK, BAD_RESULT, NO_SESSION, FAILED = 0, 1, 3, 4

# If the generator uses more than this share of a core, it may be the limit instead of the server.
BUSY_PERCENT = 90.0


def build_parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--url", required=True, help="ws://127.0.0.1:8080/ws")
    common.add_argument("--realm", default="realm1")
    common.add_argument("--serializer", choices=["json", "msgpack"], default="json")
    common.add_argument("--subprotocol", help="instead of the serializer's own (wamp.2.json, wamp.2.msgpack)")
    common.add_argument("--duration", type=float, default=5.0, help="seconds measured")
    common.add_argument("--warmup", type=float, default=1.0, help="seconds before that")
    common.add_argument("--timeout", type=float, default=10.0, help="seconds for a reply, a join or a drain")
    common.add_argument("--time-limit", type=float, default=300.0, help="seconds for a whole run")
    common.add_argument("--server-pid", type=int, help="report this process's memory and CPU, children included")
    common.add_argument("--rounds", type=int, default=1, help="repeat (with --compare: pairs of runs)")
    common.add_argument("--compare", metavar="URL", help="a second server; runs alternate A B A B, A being --url")
    common.add_argument("--compare-server-pid", type=int, help="the second server's process")
    common.add_argument("--json", action="store_true", help="print one JSON object instead of a table")

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.wampload", description="Load generator for WAMP v2 WebSocket routers."
    )
    commands = parser.add_subparsers(dest="scenario", required=True, metavar="SCENARIO")
    for name, scenario in SCENARIOS.items():
        command = commands.add_parser(
            name,
            parents=[common],
            help=scenario.HELP,
            description=scenario.HELP,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        scenario.add_arguments(command)
    return parser


def raise_file_limit() -> None:
    """Raise the limit of open files: the usual 1,024 is not enough for thousands of connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run_once(options: Options, args: argparse.Namespace) -> dict[str, Any]:
    async def limited() -> dict[str, Any]:
        monitor = Monitor()
        try:
            return await asyncio.wait_for(SCENARIOS[args.scenario].run(options, monitor, args), args.time_limit)
        except TimeoutError as error:
            raise LoadError(f"not done within {args.time_limit} s") from error
        finally:
            await monitor.drop_connections()

    gc.collect()
    gc.disable()  # the latencies must not contain pauses of the generator
    try:
        return uvloop.run(limited())
    finally:
        gc.enable()


def faults(result: dict[str, Any]) -> int:
    return sum(result.get(key, 0) for key in ("errors", "lost", "disordered"))


def median_row(results: list[dict[str, Any]], metrics: dict[str, str]) -> dict[str, Any]:
    rows = stats.compare(results, results, metrics)
    return {row["metric"]: row["a"] for row in rows}


def warn_if_busy(results: list[dict[str, Any]]) -> None:
    busiest = max((result.get("generator_cpu_percent", 0.0) for result in results), default=0.0)
    if busiest > BUSY_PERCENT:
        print(f"warning: the generator used {busiest} % of a core; it may be the limit", file=sys.stderr)


def main(argv: list[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    raise_file_limit()
    metrics = SCENARIOS[args.scenario].METRICS
    options_a = Options(
        url=args.url,
        realm=args.realm,
        serializer=args.serializer,
        subprotocol=args.subprotocol,
        timeout=args.timeout,
        warmup=args.warmup,
        duration=args.duration,
        server_pid=args.server_pid,
    )
    options_b = options_a.with_server(args.compare, args.compare_server_pid) if args.compare else None

    a: list[dict[str, Any]] = []
    b: list[dict[str, Any]] = []
    try:
        for number in range(args.rounds):
            for label, options, results in (("A", options_a, a), ("B", options_b, b)):
                if options is None:
                    continue
                results.append(run_once(options, args))
                if not args.json:
                    title = f"{args.scenario} {args.serializer} {options.url}"
                    print(f"{title} (round {number + 1}{label})" if args.compare or args.rounds > 1 else title)
                    print(stats.report(results[-1]), flush=True)
    except JoinError as error:
        print(f"no session: {error}", file=sys.stderr)
        return NO_SESSION
    except LoadError as error:
        print(f"failed: {error}", file=sys.stderr)
        return FAILED

    document: dict[str, Any] = {"scenario": args.scenario, "arguments": vars(args), "results": a}
    document["medians"] = median_row(a, metrics)
    if args.compare:
        document["compare_results"] = b
        document["comparison"] = stats.compare(a, b, metrics)
    if args.json:
        print(json.dumps(document))
    elif args.compare:
        print(f"\nA = {args.url}   B = {args.compare}")
        print(stats.table(document["comparison"]))
    elif args.rounds > 1:
        print("\nmedians")
        print(stats.report(document["medians"]))
    warn_if_busy(a + b)
    return BAD_RESULT if any(faults(result) for result in a + b) else OK
