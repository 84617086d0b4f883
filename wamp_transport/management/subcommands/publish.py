"""``wamp publish``: publishes an event."""

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
    "eligible": ("to this session alone", int, "SESSION"),
    "eligible-authid": ("to sessions of this authid alone", str, "AUTHID"),
    "eligible-authrole": ("to sessions of this role alone", str, "ROLE"),
    "exclude": ("not to this session", int, "SESSION"),
    "exclude-authid": ("not to sessions of this authid", str, "AUTHID"),
    "exclude-authrole": ("not to sessions of this role", str, "ROLE"),
}
"""Options that say who hears it; each may be repeated."""


class PublishCommand:
    """It waits for the router unless told otherwise, so that the exit code says whether the event was taken."""

    name = "publish"
    help = "Publish an event."

    def add_arguments(self, parser: CommandParser) -> None:
        """See :class:`Subcommand`."""
        add_payload_arguments(parser, "topic")
        parser.add_argument(
            "--acknowledge",
            action=BooleanOptionalAction,
            default=True,
            help="wait until the router has taken it (the default), so that a refusal is told",
        )
        parser.add_argument("--retain", action="store_true", help="keep it for those who subscribe later")
        for name, (what, kind, metavar) in RECEIVERS.items():
            parser.add_argument(
                f"--{name}", action="append", type=kind, metavar=metavar, help=f"{what}; may be repeated"
            )
        parser.add_argument("--disclose-me", action="store_true", help="let subscribers know who you are")
        parser.add_argument("--json", action="store_true", help="write a JSON object with the publication's id")
        add_target_arguments(parser)

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        """See :class:`Subcommand`."""
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
