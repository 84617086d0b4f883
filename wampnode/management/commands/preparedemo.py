"""``manage.py preparedemo``: create a superuser for the demo, and print the addresses."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

USERNAME = "admin"


class Command(BaseCommand):
    """Create a superuser for the demo, unless there is one. Its random password is printed once."""

    help = "Create a superuser for the demo with a random password, and print the addresses of the demo."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ``--address``."""
        parser.add_argument("--address", default="127.0.0.1:8080", help="Address at which the demo will be served.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create the user if there is no superuser, and print the addresses."""
        address = options["address"]
        users = get_user_model()._default_manager
        login = "the password was printed at the first start; change it with 'manage.py changepassword admin'"
        if not users.filter(is_superuser=True).exists():
            password = secrets.token_urlsafe(12)
            users.create_superuser(USERNAME, email=None, password=password)
            login = f"user {USERNAME}, password {password} (printed only once)"
        self.stdout.write(
            f"\n  Demo page    http://{address}/\n"
            f"  WAMP         ws://{address}/ws   realm realm1\n"
            f"  Admin        http://{address}/admin/   {login}\n\n"
        )
