"""``manage.py wamp``: configuration files, their way into the database and out of it, cookies, tokens, secrets."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from wamp_transport.management.subcommands import SUBCOMMANDS


class Command(BaseCommand):
    """Hands over to a subcommand. System checks stay out: they would stop what is there to mend a configuration."""

    help = "Make, check, import and export the configuration of the WAMP router."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """A parser for each subcommand."""
        parsers = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True)
        for subcommand in SUBCOMMANDS:
            subcommand.add_arguments(
                parsers.add_parser(subcommand.name, help=subcommand.help, description=subcommand.help)
            )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the one that was named."""
        subcommand = next(one for one in SUBCOMMANDS if one.name == options["subcommand"])
        try:
            subcommand.run(self, options)
        except DatabaseError as error:
            raise CommandError(str(error), returncode=1) from None
