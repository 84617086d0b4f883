"""``wamp clearcookies``: drops expired cookies from the database."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from wamp_transport.models import TrackedCookie


class ClearCookiesCommand:
    """For a database that no node with cookies uses now: running nodes do this every minute."""

    name = "clearcookies"
    help = "Delete expired cookies from the database; with --all every cookie, so that all clients get new ones."

    def add_arguments(self, parser: CommandParser) -> None:
        """See :class:`Subcommand`."""
        parser.add_argument("--all", action="store_true", help="delete those that have not expired as well")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        """See :class:`Subcommand`."""
        rows = TrackedCookie.objects.all()
        if not options["all"]:
            rows = rows.filter(expires_at__lte=timezone.now())
        count = rows.delete()[0]
        command.stdout.write(f"{count} {'cookie' if count == 1 else 'cookies'} deleted.")
