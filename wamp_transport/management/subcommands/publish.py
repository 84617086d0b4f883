"""``wamp publish``: publish an event."""

from argparse import BooleanOptionalAction
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.management.client.session_runner import run_with_session
from wamp_transport.management.client.tables import is_terminal
from wamp_transport.management.client.targets import add_target_arguments
from wamp_transport.management.client.values import as_json
from wamp_transport.management.subcommands.call import add_payload_arguments, payload_of
from wamp_transport.node.session import Session
from wamp_transport.wamp.messages import PublishOptions

RECEIVERS = {
    "eligible": ("send only to this session", int, "SESSION"),
    "eligible-authid": ("send only to sessions with this authid", str, "AUTHID"),
    "eligible-authrole": ("send only to sessions with this role", str, "ROLE"),
    "exclude": ("do not send to this session", int, "SESSION"),
    "exclude-authid": ("do not send to sessions with this authid", str, "AUTHID"),
    "exclude-authrole": ("do not send to sessions with this role", str, "ROLE"),
}
"""The options that select the receivers. Each can be repeated."""


class PublishCommand:
    """The subcommand ``publish``.

    By default it waits for the acknowledgment, so that the exit code shows the outcome.
    """

    name = "publish"
    help = "Publish an event."

    def add_arguments(self, parser: CommandParser) -> None:
        add_payload_arguments(parser, "topic")
        parser.add_argument(
            "--acknowledge",
            action=BooleanOptionalAction,
            default=True,
            help="wait for the router's acknowledgment (the default), so that errors are reported",
        )
        parser.add_argument("--retain", action="store_true", help="retain the event for later subscribers")
        for name, (what, kind, metavar) in RECEIVERS.items():
            parser.add_argument(
                f"--{name}", action="append", type=kind, metavar=metavar, help=f"{what}; may be repeated"
            )
        parser.add_argument("--disclose-me", action="store_true", help="disclose your identity to subscribers")
        parser.add_argument("--json", action="store_true", help="print a JSON object with the publication id")
        add_target_arguments(parser)

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        uri, args, kwargs = payload_of(options)
        receivers = {name.replace("-", "_"): options[name.replace("-", "_")] for name in RECEIVERS}
        publish_options = PublishOptions(
            acknowledge=options["acknowledge"] or None,
            retain=options["retain"] or None,
            disclose_me=options["disclose_me"] or None,
            **receivers,
        )

        async def work(session: Session) -> int | None:
            return await session.publish(uri, args, kwargs, options=publish_options)

        publication = run_with_session(options, work)
        if options["json"]:
            command.stdout.write(as_json({"publication": publication}))
        elif publication is not None and is_terminal(command.stdout):
            command.stdout.write(f"Publication {publication}")
