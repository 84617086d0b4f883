"""``wamp keygen``: create a key pair for the authentication method cryptosign."""

import os
import secrets
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from wamp_transport.auth.cryptosign import KEY_BYTES, public_key_of
from wamp_transport.bootstrap.authentication import router_key


class KeygenCommand:
    """The subcommand ``keygen``.

    The private key is for the client; the public key is for the configuration or the admin.
    """

    name = "keygen"
    help = "Make an Ed25519 key pair for cryptosign, in hex: a private key for the client, a public key for the router."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--file",
            metavar="PATH",
            help="write the private key to a new file that only you can read, instead of the terminal",
        )

        parser.add_argument(
            "--router",
            action="store_true",
            help="make no keys; show the public key that this router uses if `router_key` is not configured",
        )

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        if options["router"]:
            command.stdout.write(f"public key: {public_key_of(router_key())}")
            return
        private = secrets.token_bytes(KEY_BYTES)
        path = options["file"]
        if path is None:
            command.stdout.write(f"private key: {private.hex()}")
        else:
            try:
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                    file.write(f"{private.hex()}\n")
            except OSError as error:
                raise CommandError(f"{path} cannot be written: {error.strerror}", returncode=1) from None
        command.stdout.write(f"public key: {public_key_of(private)}")
