"""``wamp schema``: write the configuration reference or the JSON Schema of configurations."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.config.reference import json_schema, markdown
from wamp_transport.management.subcommands.files import write


class SchemaCommand:
    """The subcommand ``schema``. It writes the reference page or the JSON Schema."""

    name = "schema"
    help = "Write the reference of config.json as Markdown, or its JSON Schema for editors."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", nargs="?", help="the file to write (default: standard output)")
        parser.add_argument("--json-schema", action="store_true", help="write the JSON Schema instead of the page")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        text = json.dumps(json_schema(), indent=2) if options["json_schema"] else markdown()
        write(command, options["file"], text.rstrip("\n") + "\n")
