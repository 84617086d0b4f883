"""``wamp subscribe``: writes the events of topics as they come."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.management.client.lasting import Lasting, add_lasting_arguments
from wamp_transport.management.client.speaking import unless_ended
from wamp_transport.management.client.targets import add_target_arguments
from wamp_transport.management.client.values import as_json, said, shown
from wamp_transport.node.client_types import Event
from wamp_transport.node.session import Session
from wamp_transport.wamp.messages import SubscribeOptions

MAX_WAITING: Final = 1_000
"""Events that may wait to be written; then the router is let wait."""


class Subscribe:
    """It ends by Ctrl-C, which is no failure, or after ``--count`` events; and comes back when the router does."""

    name = "subscribe"
    help = "Write the events of topics as they come, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        """See :class:`Subcommand`."""
        parser.add_argument("topics", nargs="+", metavar="TOPIC", help="a topic, or with --match a pattern")
        parser.add_argument("--match", choices=["exact", "prefix", "wildcard"], default="exact")
        parser.add_argument("--count", type=int, metavar="N", help="end after so many events")
        parser.add_argument("--get-retained", action="store_true", help="begin with the event that the router has kept")
        parser.add_argument(
            "--json",
            action="store_true",
            help="write each event as a JSON object on a line: topic, args, kwargs, details",
        )
        add_lasting_arguments(parser)
        add_target_arguments(parser)

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        """See :class:`Subcommand`."""
        match = None if options["match"] == "exact" else options["match"]
        subscribe_options = SubscribeOptions(match=match, get_retained=options["get_retained"] or None)

        lines = Lines(command, options)

        async def work(session: Session, in_force: Callable[[str], None]) -> None:
            events: asyncio.Queue[Event] = asyncio.Queue(MAX_WAITING)
            for topic in options["topics"]:
                await session.subscribe(topic, events.put, options=subscribe_options)
            in_force(f"Listening to {', '.join(map(shown, options['topics']))}")
            await unless_ended(session, lines.write(events))

        Lasting(command, options, work).run()


class Lines:
    """What is written: a line for each event, ``--count`` of them, of one session or several."""

    def __init__(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        self._command = command
        self._is_json = options["json"]
        self._count: int | None = options["count"]
        self._written = 0

    async def write(self, events: "asyncio.Queue[Event]") -> None:
        """Write events until there are enough."""
        while self._count is None or self._written < self._count:
            event = await events.get()
            self._command.stdout.write(as_json(as_mapping(event)) if self._is_json else line(event))
            self._command.stdout.flush()
            self._written += 1


def as_mapping(event: Event) -> dict[str, Any]:
    """An event for programs."""
    return {"topic": event.topic, "args": event.args, "kwargs": event.kwargs, "details": event.details}


def line(event: Event) -> str:
    """An event for people."""
    return "  ".join([f"{datetime.now():%H:%M:%S}", shown(event.topic), *said(event.args, event.kwargs)])
