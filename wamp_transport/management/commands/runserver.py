"""``manage.py runserver``: the development server, with WAMP at its configured paths and Django at all others."""

import os
import sys
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from daphne import __version__ as daphne_version
from daphne.management.commands.runserver import Command as DaphneRunserver
from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands.runserver import Command as DjangoRunserver
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV

from ...bootstrap.sources import choose_source, config_of_command
from ...conf import app_settings
from ...config.configuration import Configuration
from ...config.endpoint import TcpEndpoint, UnixEndpoint
from ...config.report import ConfigError
from ..logs import add_times_to_requests
from ..serving import add_config_argument, check_libraries, cluster_status, project_application, run


class Command(DaphneRunserver):  # type: ignore[misc]
    """Daphne's ``runserver``, with the server of this app. By default, it uses the address of the first transport."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add Daphne's arguments, ``--config`` and ``--cluster``."""
        super().add_arguments(parser)
        add_config_argument(parser)
        parser.add_argument(
            "--cluster",
            action="store_true",
            help="Join the cluster in the setting WAMP_TRANSPORT['CLUSTER']. By default, the server is on its own.",
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command. With ``--config``, do not check that the project's own configuration has a transport."""
        with config_of_command(options.get("config")):
            output: str | None = super().execute(*args, **options)
            return output

    def handle(self, *args: Any, **options: Any) -> str | None:
        """Determine the address, then run the server as Django's command does, by default with autoreload."""
        self.source = choose_source(options["config"])
        self.main: TcpEndpoint | UnixEndpoint | None = None
        if options["cluster"] and app_settings().cluster is None and not app_settings().is_cluster_invalid:
            raise CommandError("--cluster needs the setting WAMP_TRANSPORT['CLUSTER'], with the NAME of the cluster")
        if options["use_asgi"]:
            check_libraries()
            try:
                self._take_address(self.source.load(), options)
            except ConfigError as error:
                raise CommandError(str(error)) from None
        return DjangoRunserver.handle(self, *args, **options)

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Run the checks and the server, and print the address as soon as the server listens."""
        if not options["use_asgi"]:
            super().inner_run(*args, **options)
            return
        self.stdout.write("Performing system checks...\n\n")
        self.check(display_num_errors=True)
        self.check_migrations()
        application = project_application(serve_static=options.get("use_static_handler", True))
        add_times_to_requests()  # afterwards, because get_asgi_application() configures logging again
        limits = {
            name: options[name]
            for name in ("websocket_max_message_size", "websocket_max_frame_size")
            if options.get(name) is not None
        }
        server = run(
            self.source,
            self.main or TcpEndpoint.model_construct(type="tcp", port=int(self.port), interface=self.addr),
            application,
            lambda listeners: self._greet(),
            **limits,
            joins_cluster=options["cluster"],
            signal_handlers=not options["use_reloader"],
            action_logger=self.log_action,
            http_timeout=options["http_timeout"],
            root_path=getattr(settings, "FORCE_SCRIPT_NAME", "") or "",
            websocket_handshake_timeout=options["websocket_handshake_timeout"],
        )
        if server.failure is not None:
            self.stderr.write(f"Error: {server.failure}")
            if options["use_reloader"]:
                os._exit(1)  # sys.exit would only end the reloader's thread
            sys.exit(1)

    def _take_address(self, configuration: Configuration, options: dict[str, Any]) -> None:
        """Print the configuration's notices, and use the endpoint of the first transport.

        The endpoint is not used if it is a default, or if the command line contains an address.
        """
        is_parent = options["use_reloader"] and os.environ.get(DJANGO_AUTORELOAD_ENV) != "true"
        for notice in () if is_parent else configuration.report.notices:
            self.stderr.write(f"{configuration.source}: {notice}")
        if options["addrport"] or not self.source.has_endpoint or not configuration.transports:
            return
        endpoint = configuration.transports[0].listening
        if isinstance(endpoint, UnixEndpoint):
            endpoint = endpoint.model_copy(update={"path": str(configuration.resolve(endpoint.path))})
        self.main = endpoint
        if isinstance(endpoint, TcpEndpoint):
            host = endpoint.interface or ("::" if endpoint.version == 6 else "0.0.0.0")  # noqa: S104 - as configured
            options["use_ipv6"] = options["use_ipv6"] or ":" in host
            options["addrport"] = f"[{host}]:{endpoint.port}" if ":" in host else f"{host}:{endpoint.port}"

    def _greet(self) -> None:
        protocol = "https" if isinstance(self.main, TcpEndpoint) and self.main.tls is not None else self.protocol
        address = f"{protocol}://{f'[{self.addr}]' if self._raw_ipv6 else self.addr}:{self.port}/"
        self.stdout.write(
            f"{datetime.now():%B %d, %Y - %X}\n"
            f"Django version {self.get_version()}, using settings {settings.SETTINGS_MODULE!r}\n"
            f"Starting ASGI/Daphne version {daphne_version} development server at "
            f"{f'unix:{self.main.path}' if isinstance(self.main, UnixEndpoint) else address}\n"
            f"Quit the server with {'CTRL-BREAK' if sys.platform == 'win32' else 'CONTROL-C'}.\n"
        )
        if status := cluster_status():
            self.stdout.write(status)
