"""``wamp secret``: derives from a password what a configuration has of it, so that the password itself stays out."""

import json
import sys
from collections.abc import Mapping
from getpass import getpass
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from wamp_transport.auth.credential_kinds import CREDENTIAL_KINDS
from wamp_transport.stores.identity.credentials import keep

NAMES: Final = {"hash": "ticket_hash", "key": "derived_key", "stored_key": "stored-key", "server_key": "server-key"}
"""What the configuration calls attributes of a credential."""


class Secret:
    """The password is read from a prompt, or from standard input where that is no terminal: never an argument."""

    name = "secret"
    help = "Derive the attributes of a principal in config.json from a password, which is asked for or read from stdin."

    def add_arguments(self, parser: CommandParser) -> None:
        """See :class:`Subcommand`."""
        parser.add_argument(
            "method",
            choices=[kind.name for kind in CREDENTIAL_KINDS.values() if not kind.is_public],
            help="ticket; wampcra; SCRAM by Argon2id as the specification has it (wamp-scram) or as Autobahn and "
            "Crossbar have it (scram), or by PBKDF2 for both",
        )

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        """See :class:`Subcommand`."""
        try:
            data = keep(options["method"], _password()).data
        except ValueError as fault:
            raise CommandError(str(fault), returncode=1) from None
        command.stdout.write(json.dumps({NAMES.get(key, key): value for key, value in data.items()}, indent=2))


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass("Password: ")
    if getpass("Password (again): ") != password:
        raise CommandError("the two are not the same", returncode=1)
    return password
