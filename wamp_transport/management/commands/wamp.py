"""``manage.py wamp``: check, import and export configurations, create secrets, and use WAMP from the command line."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from wamp_transport.management.client.failures import BROKEN_PIPE, INTERRUPTED, Failure
from wamp_transport.management.client.values import as_json
from wamp_transport.management.subcommands import SUBCOMMANDS


class Command(BaseCommand):
    """The command ``wamp``, which runs a subcommand.

    Django's system checks are disabled, so that the command can be used to repair an invalid configuration.
    """

    help = "Configure the WAMP router, look into the one that runs, and use WAMP from the command line."
    requires_system_checks = []
    is_process = False
    """Whether the command was started from the command line. If so, a failure ends the process with an exit code."""

    def run_from_argv(self, argv: list[str]) -> None:
        """Run the command with arguments from the command line. If it fails, end the process with an exit code."""
        self.is_process = True
        super().run_from_argv(argv)

    def add_arguments(self, parser: CommandParser) -> None:
        """Add a parser for each subcommand."""
        parsers = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True)
        for subcommand in SUBCOMMANDS:
            subcommand.add_arguments(
                parsers.add_parser(subcommand.name, help=subcommand.help, description=subcommand.help)
            )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the chosen subcommand."""
        subcommand = next(one for one in SUBCOMMANDS if one.name == options["subcommand"])
        try:
            subcommand.run(self, options)
        except DatabaseError as error:
            raise CommandError(str(error), returncode=1) from None
        except Failure as failure:
            if not self.is_process:
                raise
            if str(failure):
                is_json = options.get("json")
                self.stderr.write(as_json(failure.as_mapping()) if is_json else str(failure))
            sys.exit(failure.returncode)
        except BrokenPipeError:
            if not self.is_process:
                raise
            # The reader has closed the pipe. Redirect the output that Python writes at exit, so that it causes no
            # further error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(BROKEN_PIPE)
        except KeyboardInterrupt:
            if not self.is_process:
                raise
            sys.exit(INTERRUPTED)
