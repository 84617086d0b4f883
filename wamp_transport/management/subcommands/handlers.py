"""``wamp handlers``: list the handlers and model events in the apps' ``wamp.py`` modules, with their errors."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from wamp_transport.handlers.discovery import DiscoveredHandler, Discovery, discover
from wamp_transport.management.client.lists import write_table
from wamp_transport.model_events import ModelEventPublisher, registered_publishers

HEAD = ("KIND", "URI", "MATCH", "REALM", "FUNCTION", "OPTIONS", "DEFINED AT")


class HandlersCommand:
    """The subcommand ``handlers``.

    It imports the ``wamp.py`` modules, as a server does, and lists their declarations.
    """

    name = "handlers"
    help = (
        "List the procedures, subscribers and model events that the apps declare in wamp.py. The exit code is 1 if any "
        "of them has faults, or a wamp.py cannot be imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="write JSON")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        discovery = discover()
        if options["json"]:
            command.stdout.write(json.dumps(as_mapping(discovery), indent=2))
        else:
            rows = [*map(_row, discovery.entries), *map(_row_of_events, registered_publishers())]
            write_table(command, HEAD, rows, "No app declares a procedure or a subscriber in a wamp.py.")
            for problem in discovery.problems:
                command.stdout.write(f"{command.style.ERROR('fault')}   {problem}")
        count = len(discovery.problems)
        if count:
            raise CommandError(f"{count} {'fault' if count == 1 else 'faults'}", returncode=1)


def as_mapping(discovery: Discovery) -> dict[str, Any]:
    """Return the declarations and their errors as JSON data."""
    return {
        "handlers": [
            {
                "kind": one.declaration.kind,
                "uri": one.declaration.uri,
                "match": one.declaration.match,
                "realms": one.declaration.realms,
                "function": one.declaration.name,
                "invoke": one.declaration.invoke,
                "concurrency": one.declaration.concurrency,
                "each_node": one.declaration.each_node,
                "permissions": one.declaration.permissions,
                "defined_at": one.declaration.where,
                "faults": one.faults,
            }
            for one in discovery.entries
        ],
        "model_events": [
            {
                "model": one.model._meta.label,
                "topic": one.topic_name,
                "events": sorted(one.events),
                "fields": one.fields,
                "realm": one.realm,
                "defined_at": one.where,
            }
            for one in registered_publishers()
        ],
        "broken_modules": [{"module": one.module, "error": str(one.error)} for one in discovery.broken],
    }


def _row(found: DiscoveredHandler) -> tuple[str, ...]:
    one = found.declaration
    options = {
        "invoke": one.invoke,
        "concurrency": one.concurrency,
        "each_node": one.each_node,
        "permission": ", ".join(one.permissions),
    }
    return (
        one.kind,
        one.uri,
        one.match,
        "all" if one.realms is None else ", ".join(one.realms),
        one.name,
        " ".join(f"{name}={value}" for name, value in options.items() if value) or "-",
        one.where,
    )


def _row_of_events(one: ModelEventPublisher[Any]) -> tuple[str, ...]:
    options = {"events": ",".join(sorted(one.events)), "fields": ",".join(one.fields)}
    return (
        "model events",
        f"{one.topic_name}.",
        "prefix",
        one.realm or "default",
        one.model._meta.label,
        " ".join(f"{name}={value}" for name, value in options.items() if value),
        one.where,
    )
