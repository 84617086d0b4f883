"""``wamp export``: write the configuration in the database as a config.json."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.config.dialects import with_dialect
from wamp_transport.config.report import ConfigError
from wamp_transport.management.subcommands.files import write
from wamp_transport.management.subcommands.subcommand import report_error, show_report
from wamp_transport.models import Transport
from wamp_transport.stores import configuration as store


class ExportCommand:
    """The subcommand ``export``. It writes the stored configuration to a file or to standard output.

    Disabled transports are left out.
    """

    name = "export"
    help = "Write the configuration in the database as a config.json."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", nargs="?", help="the file to write (default: standard output)")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        try:
            mapping = with_dialect(store.to_mapping(), "specification")
        except ConfigError as error:
            show_report(command, error.report)
            raise report_error(error.report) from None
        for transport in Transport.objects.filter(enabled=False):
            command.stderr.write(f"Left out because it is disabled: {transport}")
        write(command, options["file"], json.dumps(mapping, indent=2, ensure_ascii=False) + "\n")
