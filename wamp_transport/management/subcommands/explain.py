"""``wamp explain``: why a role may do something, or may not."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from wamp_transport.bootstrap.sources import DatabaseSource, choose_source
from wamp_transport.config.configuration import Configuration
from wamp_transport.config.explain import Explanation, explain
from wamp_transport.config.report import ConfigError
from wamp_transport.management.subcommands.subcommand import faulty, show_report
from wamp_transport.models import ConfigurationRow
from wamp_transport.router.options import ACTIONS
from wamp_transport.stores.config_document import Rows, to_document
from wamp_transport.stores.identity.principals_by_name import find_by_name


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
        who.add_argument("--principal", metavar="AUTHID", help="who does it: a principal, or a Django user")
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
        role = options["role"] or _role_of(options["principal"], realm.name, configuration)
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


def _role_of(name: str, realm: str, configuration: Configuration) -> str:
    """The role of whoever goes by a name."""
    found = find_by_name(configuration, realm, name)
    roles = {one.role for one in found}
    if not found:
        raise CommandError(
            f"nobody who goes by {name!r} may join realm {realm!r}, neither a principal of the configuration or the "
            "database nor a Django user; whom an authenticator knows is not known here: give --role",
            returncode=1,
        )
    if len(roles) > 1:
        said = ", ".join(f"{one.role} ({one.who})" for one in found)
        raise CommandError(f"{name!r} has more than one role in realm {realm!r}: {said}; give --role", returncode=1)
    return roles.pop()


def _rows(told: Explanation) -> dict[str, int]:
    """The primary key of the permission that each rule told is."""
    rendered = to_document(Rows.stored())
    rows: dict[str, int] = {}
    for rule in (told.rule, *told.beaten):
        row: ConfigurationRow | None = rendered.places.get(rule.path) if rule is not None else None
        if rule is not None and row is not None:
            rows[rule.path] = row.pk
    return rows
