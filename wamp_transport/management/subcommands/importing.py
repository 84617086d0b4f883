"""``wamp import``: load a configuration file into the database."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from wamp_transport.bootstrap.sources import base_directory
from wamp_transport.config.configuration import Configuration, Difference, diff
from wamp_transport.config.dialects import OF_FILES, with_dialect
from wamp_transport.config.endpoint import UnixEndpoint
from wamp_transport.config.reader import find_file, read_file
from wamp_transport.config.report import ConfigError
from wamp_transport.config.webservices import StaticService
from wamp_transport.management.subcommands.subcommand import report_error, show_notices, show_report
from wamp_transport.stores import configuration as store


class ImportCommand:
    """The subcommand ``import``. It replaces the stored configuration with the configuration in a file."""

    name = "import"
    help = "Load a configuration file into the database, to be edited in the admin."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", metavar="PATH", help="a node directory, a .crossbar directory or a file")
        parser.add_argument("--replace", action="store_true", help="replace the configuration in the database")
        parser.add_argument("--dry-run", action="store_true", help="show the changes without making them")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        if not store.is_migrated():
            raise store.NotMigrated
        try:
            file = find_file(Path(options["path"]))
            new = read_file(file)
        except ConfigError as error:
            show_report(command, error.report)
            raise report_error(error.report) from None
        show_notices(command, new)
        self._show_changes(command, new)
        if options["dry_run"]:
            command.stdout.write("Nothing was changed: --dry-run.")
            return
        if not store.is_empty() and not options["replace"]:
            raise CommandError(
                "the database already contains a configuration; use --replace to replace it", returncode=1
            )
        try:
            mapping = with_dialect(json.loads(file.read_text("utf-8-sig")), OF_FILES)
            store.replace(mapping, file.parent, source=str(file))
        except ConfigError as error:
            show_report(command, error.report)
            raise report_error(error.report) from None
        command.stdout.write(command.style.SUCCESS(f"Imported as revision {store.revision()}"))

    def _show_changes(self, command: BaseCommand, new: Configuration) -> None:
        """Print the changes and, if the file contains relative paths, the directory to which they are relative."""
        old = Configuration("database", base_directory(), (), ())
        try:
            old = store.load(base_directory())
        except ConfigError:
            command.stdout.write("The stored configuration has faults, so no node runs it; it is replaced as a whole.")
        lines = list(_lines(diff(old, new)))
        for line in lines:
            command.stdout.write(line)
        if not lines:
            command.stdout.write("No transport, service or realm changes.")
        if _has_relative_paths(new):
            command.stdout.write(
                f"Relative paths are resolved from {new.base_dir.resolve()}, the directory of the file."
            )


def _lines(difference: Difference) -> Iterator[str]:
    for kind in ("realm", "transport", "service"):
        for mark, change in (("+", "added"), ("-", "removed"), ("~", "changed")):
            for item in getattr(difference, f"{kind}s_{change}"):
                one = item[0] if isinstance(item, tuple) else item
                yield f"  {mark} {kind} {one.name if kind == 'realm' else one.key}"


def _has_relative_paths(configuration: Configuration) -> bool:
    paths = [one.settings.directory for one in configuration.services if isinstance(one.settings, StaticService)]
    paths += [one.endpoint.path for one in configuration.transports if isinstance(one.endpoint, UnixEndpoint)]
    return any(path is not None and not os.path.isabs(path) for path in paths)
