"""``wamp subscribe``: print the events of topics as they arrive."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.management.client.reconnect_loop import ReconnectLoop, add_reconnect_arguments
from wamp_transport.management.client.session_runner import run_until_session_closes
from wamp_transport.management.client.targets import add_target_arguments
from wamp_transport.management.client.values import as_json, format_arguments, printable
from wamp_transport.node.client_types import Event
from wamp_transport.node.session import Session
from wamp_transport.wamp.messages import SubscribeOptions

MAX_QUEUED_EVENTS: Final = 1_000
"""The maximum number of events queued for output. When it is reached, reading from the router pauses."""


class SubscribeCommand:
    """The subcommand ``subscribe``.

    It prints events until Ctrl-C (exit code 0) or until it has printed ``--count`` events. After a lost connection, it
    reconnects.
    """

    name = "subscribe"
    help = "Print the events of topics as they arrive, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("topics", nargs="+", metavar="TOPIC", help="a topic, or a pattern with --match")
        parser.add_argument("--match", choices=["exact", "prefix", "wildcard"], default="exact")
        parser.add_argument("--count", type=int, metavar="N", help="exit after N events")
        parser.add_argument("--get-retained", action="store_true", help="first print the retained event, if any")
        parser.add_argument(
            "--json",
            action="store_true",
            help="print each event as one line of JSON with topic, args, kwargs and details",
        )
        add_reconnect_arguments(parser)
        add_target_arguments(parser)

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        match = None if options["match"] == "exact" else options["match"]
        subscribe_options = SubscribeOptions(match=match, get_retained=options["get_retained"] or None)

        lines = Lines(command, options)

        async def work(session: Session, on_established: Callable[[str], None]) -> None:
            events: asyncio.Queue[Event] = asyncio.Queue(MAX_QUEUED_EVENTS)
            for topic in options["topics"]:
                await session.subscribe(topic, events.put, options=subscribe_options)
            on_established(f"Subscribed to {', '.join(map(printable, options['topics']))}")
            await run_until_session_closes(session, lines.write(events))

        ReconnectLoop(command, options, work).run()


class Lines:
    """A writer that prints events. After ``--count`` events, it stops. Reconnecting does not reset the count."""

    def __init__(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        self._command = command
        self._is_json = options["json"]
        self._count: int | None = options["count"]
        self._written = 0

    async def write(self, events: "asyncio.Queue[Event]") -> None:
        """Print events from the queue until the count is reached."""
        while self._count is None or self._written < self._count:
            event = await events.get()
            self._command.stdout.write(as_json(as_mapping(event)) if self._is_json else line(event))
            self._command.stdout.flush()
            self._written += 1


def as_mapping(event: Event) -> dict[str, Any]:
    """Return an event as a dictionary for JSON."""
    return {"topic": event.topic, "args": event.args, "kwargs": event.kwargs, "details": event.details}


def line(event: Event) -> str:
    """Return an event as a line for display."""
    return "  ".join(
        [f"{datetime.now():%H:%M:%S}", printable(event.topic), *format_arguments(event.args, event.kwargs)]
    )
