"""``wamp call``: calls a procedure and writes its result."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.management.client.speaking import speak
from wamp_transport.management.client.tables import is_terminal
from wamp_transport.management.client.targets import add_target_arguments
from wamp_transport.management.client.values import VALUES, as_json, named_values, text_of, value
from wamp_transport.node.client_types import Result
from wamp_transport.node.session import Session
from wamp_transport.wamp.messages import CallOptions


class Call:
    """Text that a procedure returns is written as it is, so that it can be used in scripts."""

    name = "call"
    help = "Call a procedure and write its result."

    def add_arguments(self, parser: CommandParser) -> None:
        """See :class:`Subcommand`."""
        add_payload_arguments(parser, "procedure")
        parser.add_argument("--progress", action="store_true", help="write progressive results too, as they come")
        parser.add_argument("--timeout", type=float, metavar="SECONDS", help="cancel the call after this time")
        parser.add_argument("--disclose-me", action="store_true", help="let the callee know who you are")
        parser.add_argument(
            "--json", action="store_true", help="write each result as a JSON object on a line: args, kwargs, progress"
        )
        add_target_arguments(parser)

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        """See :class:`Subcommand`."""
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

        speak(options, work)


def add_payload_arguments(parser: CommandParser, what: str) -> None:
    """URI, positional and named values."""
    parser.add_argument("uri", metavar="URI", help=f"the {what}")
    parser.add_argument("values", nargs="*", metavar="VALUE", type=value, help=VALUES)
    parser.add_argument(
        "-k",
        "--kwargs",
        action="append",
        type=named_values,
        default=[],
        metavar="NAME=VALUE",
        help="a named value, or a JSON object of them; may be repeated",
    )


def payload_of(options: Mapping[str, Any]) -> tuple[str, list[Any], dict[str, Any]]:
    """URI, positional and named values."""
    kwargs: dict[str, Any] = {}
    for named in options["kwargs"]:
        kwargs |= named
    return options["uri"], options["values"], kwargs


def lines(result: Result, *, is_json: bool, is_raw: bool) -> list[str]:
    """A result as it is written."""
    if is_json:
        is_part = bool(result.details.get("progress"))
        return [as_json({"args": list(result.args), "kwargs": dict(result.kwargs), "progress": is_part})]
    named = [f"{text_of(name)}: {text_of(one, is_raw=is_raw)}" for name, one in result.kwargs.items()]
    return [*(text_of(one, is_raw=is_raw) for one in result.args), *named]
