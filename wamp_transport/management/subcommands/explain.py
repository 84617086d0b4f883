"""``wamp explain``: why a role may do something, or may not."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from wamp_transport.bootstrap.sources import DatabaseSource, choose_source
from wamp_transport.config.explain import Explanation, explain
from wamp_transport.config.report import ConfigError
from wamp_transport.management.subcommands.subcommand import faulty, show_report
from wamp_transport.models import ConfigurationRow, Principal
from wamp_transport.router.options import ACTIONS
from wamp_transport.stores.rendering import Rows, render


class Explain:
    """Asks the rules as the router does, and tells which one decides."""

    name = "explain"
    help = "Tell whether a role may do something, which rule decides, and which rules that one beats."

    def add_arguments(self, parser: CommandParser) -> None:
        """See :class:`Subcommand`."""
        parser.add_argument("realm", metavar="REALM")
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument("uri", metavar="URI", help="the procedure or topic")
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--role", help="the role that does it")
        who.add_argument("--principal", metavar="AUTHID", help="a principal of the database that does it")
        parser.add_argument("--match", choices=("exact", "prefix", "wildcard"), default="exact", help="for patterns")
        parser.add_argument("--node", metavar="PATH", help="a node directory or file, not what the project is set to")
        parser.add_argument("--json", action="store_true", help="write JSON")
        parser.add_argument(
            "--expect", choices=("allowed", "denied", "asked"), help="exit code 1 if it is another outcome, for scripts"
        )

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        """See :class:`Subcommand`."""
        source = choose_source(options["node"])
        try:
            configuration = source.load()
        except ConfigError as error:
            show_report(command, error.report)
            raise faulty(error.report) from None
        realm = next((one for one in configuration.realms if one.name == options["realm"]), None)
        if realm is None:
            names = ", ".join(one.name for one in configuration.realms) or "none"
            raise CommandError(f"there is no realm {options['realm']!r}; there are: {names}", returncode=1)
        role = options["role"] or _role_of(options["principal"], realm.name)
        place = configuration.realm_places.get(realm.name, "")
        try:
            told = explain(realm, place, role, options["action"], options["uri"], options["match"])
        except KeyError:
            names = ", ".join(one.name for one in realm.roles) or "none"
            raise CommandError(f"realm {realm.name!r} has no role {role!r}; it has: {names}", returncode=1) from None
        rows = _rows(told) if isinstance(source, DatabaseSource) else {}
        if options["json"]:
            command.stdout.write(json.dumps({**told.as_mapping(), "rows": rows}, indent=2))
        else:
            command.stdout.write(str(told))
            for path, pk in rows.items():
                command.stdout.write(f"  {path} is permission {pk} in the database")
        if options["expect"] not in (None, told.outcome):
            raise CommandError(f"expected it to be {options['expect']}, but it is {told.outcome}", returncode=1)


def _role_of(authid: str, realm: str) -> str:
    """The role of a stored principal."""
    principal = Principal.objects.filter(realm=realm, authid=authid).first()
    if principal is None:
        raise CommandError(f"realm {realm!r} has no stored principal {authid!r}; give --role", returncode=1)
    return principal.role


def _rows(told: Explanation) -> dict[str, int]:
    """The primary key of the permission that each rule told is."""
    rendered = render(Rows.stored())
    rows: dict[str, int] = {}
    for rule in (told.rule, *told.beaten):
        row: ConfigurationRow | None = rendered.places.get(rule.path) if rule is not None else None
        if rule is not None and row is not None:
            rows[rule.path] = row.pk
    return rows
