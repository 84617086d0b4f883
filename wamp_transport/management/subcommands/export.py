"""``wamp export``: the configuration in the database as a config.json."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.config.report import ConfigError
from wamp_transport.management.subcommands.files import write
from wamp_transport.management.subcommands.subcommand import report_error, show_report
from wamp_transport.models import Transport
from wamp_transport.stores import configuration as store


class ExportCommand:
    """Writes what is stored, as it was imported and edited."""

    name = "export"
    help = "Write the configuration in the database as a config.json."

    def add_arguments(self, parser: CommandParser) -> None:
        """See :class:`Subcommand`."""
        parser.add_argument("file", metavar="FILE", nargs="?", help="the file to write; without it standard output")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        """See :class:`Subcommand`."""
        try:
            mapping = store.to_mapping()
        except ConfigError as error:
            show_report(command, error.report)
            raise report_error(error.report) from None
        for transport in Transport.objects.filter(enabled=False):
            command.stderr.write(f"Left out, as it is not enabled: {transport}")
        write(command, options["file"], json.dumps(mapping, indent=2, ensure_ascii=False) + "\n")
