"""``wamp registrations`` and ``wamp subscriptions``: list URIs and their sessions through the meta API."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.management.client.lists import call_for_each, write_table
from wamp_transport.management.client.session_runner import run_with_session
from wamp_transport.management.client.targets import add_target_arguments
from wamp_transport.management.client.values import as_json
from wamp_transport.node.session import Session


class UriList:
    """A subcommand that lists registrations or subscriptions.

    ``kind`` is "registration" or "subscription", as in the URIs of the meta API. ``holders`` is the word for the
    sessions that have registered or subscribed: "callees" or "subscribers".
    """

    def __init__(self, name: str, kind: str, holders: str, columns: tuple[str, ...]) -> None:
        self.name = name
        self.help = f"List the {name} of a realm, with their {holders}."
        self._kind = kind
        self._holders = holders
        self._columns = columns

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "uri", nargs="?", metavar="URI", help="list only those whose URI or pattern begins with URI"
        )
        parser.add_argument("--json", action="store_true", help=f"write a JSON object with realm and {self.name}")
        add_target_arguments(parser)

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        realm, found = run_with_session(options, self._all)
        found = [one for one in found if str(one.get("uri")).startswith(options["uri"] or "")]
        if options["json"]:
            command.stdout.write(as_json({"realm": realm, self.name: found}, is_indented=True))
            return
        columns = ("uri", "match", *self._columns, "id")
        head = ("URI", "MATCH", *(name.upper() for name in self._columns), "ID", "COUNT", self._holders.upper())
        rows = [
            (
                *("-" if one.get(name) is None else str(one[name]) for name in columns),
                str(len(one[self._holders])),
                " ".join(map(str, one[self._holders])),
            )
            for one in found
        ]
        write_table(command, head, rows, f"There are no such {self.name} in realm {realm}.", right=("COUNT",))

    async def _all(self, session: Session) -> tuple[str, list[dict[str, Any]]]:
        """Return the name of the realm, and all registrations or subscriptions with their sessions, sorted by URI."""
        listed = (await session.call(f"wamp.{self._kind}.list")).value
        ids = [id for match in ("exact", "prefix", "wildcard") for id in listed.get(match) or ()]
        details = await call_for_each(session, f"wamp.{self._kind}.get", ids)
        holders = await call_for_each(session, f"wamp.{self._kind}.list_{self._holders}", ids)
        found = [
            {**one, self._holders: sorted(each)}
            for one, each in zip(details, holders, strict=True)
            if one is not None and each is not None
        ]
        return session.realm, sorted(found, key=lambda one: (str(one.get("uri")), str(one.get("match"))))


def registrations() -> UriList:
    """Return the subcommand ``wamp registrations``."""
    return UriList("registrations", "registration", "callees", ("invoke",))


def subscriptions() -> UriList:
    """Return the subcommand ``wamp subscriptions``."""
    return UriList("subscriptions", "subscription", "subscribers", ())
