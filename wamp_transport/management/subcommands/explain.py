"""``wamp explain``: explain whether a role may perform an action, and why."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from wamp_transport.bootstrap.sources import DatabaseSource, choose_source
from wamp_transport.config.configuration import Configuration
from wamp_transport.config.explain import Explanation, explain
from wamp_transport.config.report import ConfigError
from wamp_transport.management.subcommands.subcommand import report_error, show_report
from wamp_transport.models import ConfigurationRow
from wamp_transport.router.options import ACTIONS
from wamp_transport.stores.config_document import Rows, to_document
from wamp_transport.stores.identity.principals_by_name import find_by_name


class ExplainCommand:
    """The subcommand ``explain``.

    It evaluates the permission rules as the router does, and shows the rule that decides.
    """

    name = "explain"
    help = "Explain whether a role may do something: show the deciding rule and the rules it overrides."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("realm", metavar="REALM")
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument("uri", metavar="URI", help="the procedure or topic")
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--role", help="the role to check")
        who.add_argument("--principal", metavar="AUTHID", help="the principal or Django user to check")
        parser.add_argument(
            "--match", choices=("exact", "prefix", "wildcard"), default="exact", help="match policy, to check a pattern"
        )
        parser.add_argument(
            "--config", metavar="PATH", help="a node directory or file to use instead of the project's configuration"
        )
        parser.add_argument("--json", action="store_true", help="write JSON")
        parser.add_argument(
            "--expect",
            choices=("allowed", "denied", "asked"),
            help="exit with code 1 on any other outcome (for scripts)",
        )

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        source = choose_source(options["config"])
        try:
            configuration = source.load()
        except ConfigError as error:
            show_report(command, error.report)
            raise report_error(error.report) from None
        realm = next((one for one in configuration.realms if one.name == options["realm"]), None)
        if realm is None:
            names = ", ".join(one.name for one in configuration.realms) or "none"
            raise CommandError(f"there is no realm {options['realm']!r}; there are: {names}", returncode=1)
        role = options["role"] or _role_of(options["principal"], realm.name, configuration)
        place = configuration.realm_places.get(realm.name, "")
        try:
            explanation = explain(realm, place, role, options["action"], options["uri"], options["match"])
        except KeyError:
            names = ", ".join(one.name for one in realm.roles) or "none"
            raise CommandError(f"realm {realm.name!r} has no role {role!r}; it has: {names}", returncode=1) from None
        rows = _rows(explanation) if isinstance(source, DatabaseSource) else {}
        if options["json"]:
            command.stdout.write(json.dumps({**explanation.as_mapping(), "rows": rows}, indent=2))
        else:
            command.stdout.write(str(explanation))
            for path, pk in rows.items():
                command.stdout.write(f"  {path} is permission {pk} in the database")
        if options["expect"] not in (None, explanation.outcome):
            raise CommandError(f"expected it to be {options['expect']}, but it is {explanation.outcome}", returncode=1)


def _role_of(name: str, realm: str, configuration: Configuration) -> str:
    """Return the role of the principal or Django user with this name.

    Raises CommandError if nobody with this name may join the realm, or if the name has more than one role there.
    """
    found = find_by_name(configuration, realm, name)
    roles = {one.role for one in found}
    if not found:
        raise CommandError(
            f"no principal of the configuration or the database and no Django user named {name!r} may join realm "
            f"{realm!r}; identities known only to an authenticator cannot be found here: use --role",
            returncode=1,
        )
    if len(roles) > 1:
        found_roles = ", ".join(f"{one.role} ({one.who})" for one in found)
        raise CommandError(
            f"{name!r} has more than one role in realm {realm!r}: {found_roles}; use --role", returncode=1
        )
    return roles.pop()


def _rows(explanation: Explanation) -> dict[str, int]:
    """Map the path of each rule in an explanation to the primary key of the permission row that contains it."""
    rendered = to_document(Rows.stored())
    rows: dict[str, int] = {}
    for rule in (explanation.rule, *explanation.beaten):
        row: ConfigurationRow | None = rendered.places.get(rule.path) if rule is not None else None
        if rule is not None and row is not None:
            rows[rule.path] = row.pk
    return rows
