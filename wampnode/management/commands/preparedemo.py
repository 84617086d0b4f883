"""``manage.py preparedemo``: a superuser for the demo, and a word on what is where."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

USERNAME = "admin"


class Command(BaseCommand):
    """Makes the demo's superuser once, with a random password that is shown once."""

    help = "Prepares the demo: a superuser with a random password, and a list of what is where."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """``--address``."""
        parser.add_argument("--address", default="127.0.0.1:8080", help="Where the demo will be served.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the user unless there is one, and say what is where."""
        address = options["address"]
        users = get_user_model()._default_manager
        login = "password as first shown; 'manage.py changepassword admin' sets another"
        if not users.filter(is_superuser=True).exists():
            password = secrets.token_urlsafe(12)
            users.create_superuser(USERNAME, email=None, password=password)
            login = f"user {USERNAME}, password {password} (shown only this once)"
        self.stdout.write(
            f"\n  Demo page    http://{address}/\n"
            f"  WAMP         ws://{address}/ws   realm realm1\n"
            f"  Admin        http://{address}/admin/   {login}\n\n"
        )
