"""``wamp clearcookies``: delete expired cookies from the database."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from wamp_transport.models import TrackedCookie


class ClearCookiesCommand:
    """The subcommand ``clearcookies``. Running nodes delete expired cookies every minute, so it is rarely needed."""

    name = "clearcookies"
    help = "Delete expired cookies from the database. With --all, delete every cookie: all clients get new ones."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="also delete cookies that have not expired")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        rows = TrackedCookie.objects.all()
        if not options["all"]:
            rows = rows.filter(expires_at__lte=timezone.now())
        count = rows.delete()[0]
        command.stdout.write(f"{count} {'cookie' if count == 1 else 'cookies'} deleted.")
