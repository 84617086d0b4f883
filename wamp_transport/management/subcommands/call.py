"""``wamp call``: call a procedure and print its result."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.management.client.session_runner import run_with_session
from wamp_transport.management.client.tables import is_terminal
from wamp_transport.management.client.targets import add_target_arguments
from wamp_transport.management.client.values import VALUES, as_json, format_value, named_values, value
from wamp_transport.node.client_types import Result
from wamp_transport.node.session import Session
from wamp_transport.wamp.messages import CallOptions


class CallCommand:
    """The subcommand ``call``. Unless it writes to a terminal, it prints text results unchanged, for use in scripts."""

    name = "call"
    help = "Call a procedure and print its result."

    def add_arguments(self, parser: CommandParser) -> None:
        add_payload_arguments(parser, "procedure")
        parser.add_argument("--progress", action="store_true", help="print progressive results as they arrive")
        parser.add_argument("--timeout", type=float, metavar="SECONDS", help="cancel the call after SECONDS")
        parser.add_argument("--disclose-me", action="store_true", help="disclose your identity to the callee")
        parser.add_argument(
            "--json", action="store_true", help="print each result as one line of JSON with args, kwargs and progress"
        )
        add_target_arguments(parser)

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        uri, args, kwargs = payload_of(options)
        call_options = CallOptions(disclose_me=options["disclose_me"] or None)

        def write(result: Result) -> None:
            for line in lines(result, is_json=options["json"], is_raw=not is_terminal(command.stdout)):
                command.stdout.write(line)
            command.stdout.flush()

        async def work(session: Session) -> None:
            if not options["progress"]:
                write(await session.call(uri, args, kwargs, timeout=options["timeout"], options=call_options))
                return
            async for part in session.stream(uri, args, kwargs, timeout=options["timeout"], options=call_options):
                write(part)

        run_with_session(options, work)


def add_payload_arguments(parser: CommandParser, what: str) -> None:
    """Add the arguments for a URI, positional values and keyword values."""
    parser.add_argument("uri", metavar="URI", help=f"the {what}")
    parser.add_argument("values", nargs="*", metavar="VALUE", type=value, help=VALUES)
    parser.add_argument(
        "-k",
        "--kwargs",
        action="append",
        type=named_values,
        default=[],
        metavar="NAME=VALUE",
        help="a keyword argument, or a JSON object with several; may be repeated",
    )


def payload_of(options: Mapping[str, Any]) -> tuple[str, list[Any], dict[str, Any]]:
    """Return the URI, the positional values and the keyword values from the options."""
    kwargs: dict[str, Any] = {}
    for named in options["kwargs"]:
        kwargs |= named
    return options["uri"], options["values"], kwargs


def lines(result: Result, *, is_json: bool, is_raw: bool) -> list[str]:
    """Return a result for display, as one or more lines."""
    if is_json:
        is_part = bool(result.details.get("progress"))
        return [as_json({"args": list(result.args), "kwargs": dict(result.kwargs), "progress": is_part})]
    named = [f"{format_value(name)}: {format_value(one, is_raw=is_raw)}" for name, one in result.kwargs.items()]
    return [*(format_value(one, is_raw=is_raw) for one in result.args), *named]
