"""``wamp check``: what is wrong with a configuration file."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.config.reader import read_file
from wamp_transport.config.report import ConfigError
from wamp_transport.management.subcommands.subcommand import faulty, show_report


class Check:
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
            raise faulty(error.report) from None
        show_report(command, report)
        command.stdout.write(command.style.SUCCESS(f"{report.source}: no faults"))
