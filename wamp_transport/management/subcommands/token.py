"""``wamp token``: prints a token with which somebody can join."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from wamp_transport.tokens import LIFETIME, make_token


class TokenCommand:
    """For tries, scripts and devices; programs call ``wamp_transport.tokens.make_token``."""

    name = "token"
    help = "Print a signed token with which its holder joins, for the authentication method token."

    def add_arguments(self, parser: CommandParser) -> None:
        """See :class:`Subcommand`."""
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--user", metavar="NAME", help="the Django user it is for")
        who.add_argument("--authid", help="the authid it is for; needs --realm and --role")
        parser.add_argument("--realm", help="the only realm it is good for")
        parser.add_argument("--role", help="the role there; without it the user's own")
        parser.add_argument("--lifetime", type=float, default=LIFETIME, metavar="SECONDS", help="default: %(default)s")
        parser.add_argument("--once", action="store_true", help="it is good for one login")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        """See :class:`Subcommand`."""
        principal: Any = options["authid"]
        if options["user"] is not None:
            users = get_user_model()
            try:
                principal = users._default_manager.get_by_natural_key(options["user"])
            except users.DoesNotExist:
                raise CommandError(f"there is no user {options['user']!r}", returncode=1) from None
        try:
            token = make_token(
                principal, options["realm"], options["role"], lifetime=options["lifetime"], once=options["once"]
            )
        except ValueError as fault:
            raise CommandError(str(fault), returncode=1) from None
        command.stdout.write(token)
