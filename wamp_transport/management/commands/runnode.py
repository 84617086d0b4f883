"""``manage.py runnode``: run a node in production, on all configured endpoints, with graceful shutdown."""

import logging
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ...bootstrap.sources import choose_source, config_of_command
from ...config.report import ConfigError
from ...transports.listener import Listener
from ..logs import DATE_FORMAT
from ..serving import add_config_argument, check_libraries, cluster_status, project_application, run

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """The command ``runnode``. It serves all configured transports until it is stopped."""

    help = "Run a node: serve all configured transports, without autoreload. SIGTERM closes all sessions with GOODBYE."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ``--config``."""
        add_config_argument(parser)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command. With ``--config``, do not check that the project's own configuration has a transport."""
        with config_of_command(options.get("config")):
            output: str | None = super().execute(*args, **options)
            return output

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the node."""
        check_libraries()
        source = choose_source(options["config"])
        try:
            configuration = source.load()
        except ConfigError as error:
            raise CommandError(str(error)) from None
        for notice in configuration.report.notices:
            self.stderr.write(f"{configuration.source}: {notice}")
        if not configuration.transports:
            raise CommandError(
                "no transport is configured, so there is nothing to listen on: add one in the admin, "
                "import one with 'manage.py wamp import', or use --config PATH"
            )
        server = run(
            source,
            None,
            project_application(),
            self._announce,
            joins_cluster=True,
            root_path=getattr(settings, "FORCE_SCRIPT_NAME", "") or "",
        )
        if server.failure is not None:
            raise CommandError(str(server.failure))

    def _announce(self, open_listeners: Mapping[str, Listener]) -> None:
        """Print the cluster that this process has joined, and the address of each transport that was opened."""
        if status := cluster_status():
            self.stdout.write(f"{datetime.now():{DATE_FORMAT}} {status}")
        for key, listener in open_listeners.items():
            self.stdout.write(f"{datetime.now():{DATE_FORMAT}} Transport {key}: {listener}")
