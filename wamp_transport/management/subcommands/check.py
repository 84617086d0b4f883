"""``wamp check``: what is wrong with a configuration file."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.auth import sealing
from wamp_transport.config.reader import read_file
from wamp_transport.config.report import ConfigError, Location, path_text
from wamp_transport.management.subcommands.subcommand import report_error, show_report


def _in_the_clear(value: Any, place: Location = ()) -> Iterator[Location]:
    """Where secrets stand in the file that need not."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "auth":
                yield from ((*place, key, *found) for found in sealing.in_the_clear(item))
            else:
                yield from _in_the_clear(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _in_the_clear(item, (*place, index))


class CheckCommand:
    """Reads a configuration and tells all that is to be said of it."""

    name = "check"
    help = "Check a configuration file; every fault is told. The exit code is 1 where there is one."

    def add_arguments(self, parser: CommandParser) -> None:
        """See :class:`Subcommand`."""
        parser.add_argument("path", metavar="PATH", help="a node directory, a .crossbar directory or a file")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        """See :class:`Subcommand`."""
        try:
            report = read_file(options["path"]).report
        except ConfigError as error:
            show_report(command, error.report)
            raise report_error(error.report) from None
        show_report(command, report)
        clear = [path_text(place) for place in _in_the_clear(json.loads(Path(report.source).read_text("utf-8-sig")))]
        if clear:
            command.stdout.write(f"In the clear: {', '.join(clear)}")
            command.stdout.write('"${NAME}" takes a secret from the environment; `wamp hash-secret` hashes one.')
        command.stdout.write(command.style.SUCCESS(f"{report.source}: no faults"))
