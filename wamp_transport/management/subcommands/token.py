"""``wamp token``: print a signed token for a login."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from wamp_transport.models import has_users
from wamp_transport.tokens import DEFAULT_LIFETIME_SECONDS, make_token


class TokenCommand:
    """The subcommand ``token``, for tests, scripts and devices. In code, use ``wamp_transport.tokens.make_token``."""

    name = "token"
    help = "Print a signed token for the authentication method 'token'."

    def add_arguments(self, parser: CommandParser) -> None:
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--user", metavar="NAME", help="username of the Django user")
        who.add_argument("--authid", help="authid of the holder; requires --realm and --role")
        parser.add_argument("--realm", help="limit the token to this realm")
        parser.add_argument("--role", help="role in the realm (default: the user's own)")
        parser.add_argument(
            "--lifetime",
            type=float,
            default=DEFAULT_LIFETIME_SECONDS,
            metavar="SECONDS",
            help="lifetime of the token (default: %(default)g)",
        )
        parser.add_argument("--once", action="store_true", help="allow only one login")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        principal: Any = options["authid"]
        if options["user"] is not None:
            if not has_users():
                raise CommandError("this project has no users: use --authid", returncode=1)
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
