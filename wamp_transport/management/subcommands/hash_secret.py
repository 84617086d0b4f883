"""``wamp hash-secret``: derive the hash or the keys that a configuration contains instead of a password."""

import json
import sys
from collections.abc import Mapping
from getpass import getpass
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from wamp_transport.auth.credential_kinds import CREDENTIAL_KINDS
from wamp_transport.stores.identity.credentials import keep

NAMES: Final = {"hash": "ticket_hash", "key": "derived_key", "stored_key": "stored-key", "server_key": "server-key"}
"""The attributes in ``config.json`` for the keys of a stored credential. Keys that are not listed keep their names."""


class HashSecretCommand:
    """The subcommand ``hash-secret``. It reads the password from a prompt or from a pipe, never from an argument."""

    name = "hash-secret"
    help = "Derive the attributes of a principal in config.json from a password, read from a prompt or from stdin."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "method",
            choices=[kind.name for kind in CREDENTIAL_KINDS.values() if not kind.is_public],
            help="the method; wamp-scram: SCRAM with Argon2id as in the specification; scram: SCRAM with Argon2id as "
            "in Autobahn and Crossbar; scram-pbkdf2: SCRAM with PBKDF2, for all clients",
        )

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
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
        raise CommandError("the two passwords are not the same", returncode=1)
    return password
