"""``wamp check``: find the errors in a configuration file."""

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
    """Yield the locations of plain-text secrets in the file."""
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
    """The subcommand ``check``. It reads a configuration file and reports all errors and notices."""

    name = "check"
    help = "Check a configuration file and report all faults. The exit code is 1 if there are any."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", metavar="PATH", help="a node directory, a .crossbar directory or a file")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        try:
            report = read_file(options["path"]).report
        except ConfigError as error:
            show_report(command, error.report)
            raise report_error(error.report) from None
        show_report(command, report)
        clear = [path_text(place) for place in _in_the_clear(json.loads(Path(report.source).read_text("utf-8-sig")))]
        if clear:
            command.stdout.write(f"Secrets in plain text: {', '.join(clear)}")
            command.stdout.write(
                'Use "${NAME}" to read a secret from the environment, or `wamp hash-secret` to store only its hash.'
            )
        command.stdout.write(command.style.SUCCESS(f"{report.source}: no faults"))
