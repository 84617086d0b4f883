"""``wamp clearhistory``: delete the stored events of a history from the database."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from wamp_transport.config.realm import MATCHES
from wamp_transport.models import StoredEvent
from wamp_transport.stores import history


class ClearHistoryCommand:
    """The subcommand ``clearhistory``.

    A node deletes old events only from the histories in its configuration. It leaves other histories in the database,
    because other nodes or a later configuration may need them.
    """

    name = "clearhistory"
    help = (
        "Delete the stored events of a history, for example one that is no longer configured. A running node that "
        "still uses the history has its events in memory until it is restarted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("realm", help="name of the realm")
        parser.add_argument("uri", help="topic or pattern of the history")
        parser.add_argument("--match", choices=MATCHES, default="exact", help="match policy of the history")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        realm, uri, match = options["realm"], options["uri"], options["match"]
        count = history.clear(realm, match, uri)
        if not count:
            stored = StoredEvent.objects.order_by().values_list("realm", "match", "uri").distinct()[:20]
            known = "\n".join(f"  {realm} {uri} --match {match}" for realm, match, uri in stored) or "  none"
            raise CommandError(f"No events are stored of {uri} ({match}) in realm {realm}. Stored histories:\n{known}")
        command.stdout.write(f"{count} {'event' if count == 1 else 'events'} deleted.")
