"""``wamp bench``: measure the performance of a router briefly, and explain the results."""

import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.management.client.benchmark import Measure, calls, events, measure
from wamp_transport.management.client.failures import FAILED, USAGE, Failure, failure_of
from wamp_transport.management.client.session_runner import join, leave_quietly, run
from wamp_transport.management.client.tables import is_stderr_terminal, table, width_of
from wamp_transport.management.client.targets import Target, add_target_arguments, target_of
from wamp_transport.management.client.values import as_json
from wamp_transport.node.remote import printable_url
from wamp_transport.wamp.errors import WampError

HEAD = ("WHAT", "AT A TIME", "PER SECOND", "P50 ms", "P99 ms", "NODE µs")
BUSY_CPU_SHARE: Final = 0.85
"""The CPU share of one core above which a process is considered saturated."""


class BenchCommand:
    """The subcommand ``bench``. Two sessions in one process exchange calls and events through the router.

    The results show the performance for a single client process, not the capacity of the router.
    """

    name = "bench"
    help = "Measure calls and events for a few seconds: rate, latency, and the CPU time of this project's node."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seconds",
            type=float,
            default=2.0,
            metavar="S",
            help="duration of each of the four measurements (default: %(default)g)",
        )
        parser.add_argument(
            "--concurrency",
            type=int,
            default=32,
            metavar="N",
            help="number of calls or events in flight in the second and fourth measurement (default: %(default)s)",
        )
        parser.add_argument(
            "--size", type=int, default=64, metavar="BYTES", help="size of the payload in bytes (default: %(default)s)"
        )
        parser.add_argument(
            "--uri-prefix",
            default="com.wampnode.bench.",
            metavar="URI",
            help="prefix of the URIs to use; your role must be allowed to register, call, publish and subscribe",
        )
        parser.add_argument(
            "--json", action="store_true", help="write a JSON object with router, is_own_node, size and measures"
        )
        add_target_arguments(parser)

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        if options["seconds"] <= 0 or options["concurrency"] < 1 or options["size"] < 0:
            raise Failure("--seconds and --concurrency must be positive, --size must not be negative", USAGE)
        target = target_of(options)
        measures = run(lambda: _measured(target, options))
        if options["json"]:
            is_own_node = target.pid is not None
            header = {"router": printable_url(target.url), "is_own_node": is_own_node, "size": options["size"]}
            command.stdout.write(
                as_json({**header, "measures": [one.as_mapping() for one in measures]}, is_indented=True)
            )
            return
        for line in table(HEAD, [_row(one) for one in measures], width_of(command.stdout), right=HEAD[1:]):
            command.stdout.write(line)
        for line in meaning(measures):
            command.stdout.write(line)


async def _measured(target: Target, options: Mapping[str, Any]) -> list[Measure]:
    uri = options["uri_prefix"] + secrets.token_hex(4)
    server, client = await join(target), await join(target)
    payload = "x" * options["size"]
    try:
        ways = {
            "calls": await calls(server, client, uri + ".call", payload),
            "events": await events(server, client, uri + ".event", payload),
        }
        return [
            await measure(
                what, exchange, options["seconds"], concurrency, target.pid, _telling(what, concurrency, options)
            )
            for what, exchange in ways.items()
            for concurrency in (1, options["concurrency"])
        ]
    except TimeoutError:
        raise Failure("An event did not arrive", FAILED) from None
    except WampError as fault:
        raise failure_of(fault) from None
    finally:
        if is_stderr_terminal():
            sys.stderr.write("\r\x1b[K")
        for session in (server, client):
            await leave_quietly(session)


def _telling(what: str, concurrency: int, options: Mapping[str, Any]) -> Callable[[float], None]:
    """Return a function that shows the progress of a measurement on a terminal."""
    if not is_stderr_terminal():
        return lambda passed: None

    def tell(passed: float) -> None:
        sys.stderr.write(f"\r\x1b[K{what}, {concurrency} at a time: {passed:.1f} of {options['seconds']:g} s\r")
        sys.stderr.flush()

    return tell


def _row(one: Measure) -> tuple[str, ...]:
    cost = "-" if one.node_cost is None else f"{one.node_cost:.0f}"
    times = f"{one.percentile(0.5):.2f}", f"{one.percentile(0.99):.2f}"
    return one.what, str(one.concurrency), f"{one.rate:,.0f}", *times, cost


def meaning(measures: list[Measure]) -> Iterator[str]:
    """Yield lines of text that interpret the results on the basis of the node's CPU usage; none if it is unknown."""
    shares = [one.node_share for one in measures if one.node_share is not None and one.concurrency > 1]
    if not shares:
        return
    busiest = max(shares)
    costs = {one.what: one.node_cost for one in measures if one.concurrency > 1 and one.node_cost}
    yield ""
    yield f"The node used at most {busiest:.0%} of one core. " + (
        "The node was the bottleneck: this is its maximum on this machine."
        if busiest >= BUSY_CPU_SHARE
        else "This command, a single process, or the machine was the bottleneck: the node can do more."
    )
    if costs:
        most = " or ".join(f"some {_rounded(1_000_000 / cost):,} {what}" for what, cost in costs.items())
        yield f"Extrapolated from the CPU time of one exchange (NODE µs), a whole core would handle {most} a second."
    slowest = max(one.percentile(0.99) for one in measures if one.concurrency == 1)
    if slowest > SLOW_CALL_MS:
        yield (
            f"With one exchange at a time, 1 % took {slowest:.0f} ms or more: something delays the node (such as a"
            " handler that blocks the event loop), or the machine is busy."
        )


SLOW_CALL_MS: Final = 20.0
"""The latency of a call or event, in milliseconds, that is suspiciously high if the host is otherwise idle."""


def _rounded(rate: float) -> int:
    """Return the rate rounded to two significant digits."""
    digits = len(str(int(rate))) - 2
    return int(round(rate, -digits)) if digits > 0 else int(rate)
