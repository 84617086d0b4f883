"""``wamp init``: create a node directory with an initial configuration."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from wamp_transport.config.defaults import template


class InitCommand:
    """The subcommand ``init``. It writes ``.crossbar/config.json``."""

    name = "init"
    help = "Create a node directory with a first .crossbar/config.json."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", metavar="DIR", help="the node directory; created if missing")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        node = Path(options["directory"]).expanduser()
        file = node / ".crossbar" / "config.json"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as stream:
                stream.write(json.dumps(template(), indent=2) + "\n")
        except FileExistsError:
            raise CommandError(f"{file} exists already; nothing was changed", returncode=1) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CommandError(f"{file} cannot be written: {reason}", returncode=1) from None
        command.stdout.write(command.style.SUCCESS(f"Written: {file}"))
        command.stdout.write("It serves WAMP on /ws (realm1) and the files of the node directory on every other path.")
        command.stdout.write(
            "Therefore the pages of Django, the admin among them, cannot be reached on its port. To change that, give "
            'the service at "/" another path.'
        )
        command.stdout.write(f"Run it:   manage.py runserver --config {options['directory']}")
        command.stdout.write(f"Check it: manage.py wamp check {options['directory']}")
