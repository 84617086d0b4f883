"""The shared code of ``runserver`` and ``runnode``: the project's application, the listeners, and the server."""

import gc
import importlib
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management.base import CommandError

from ..bootstrap.mounts import MAIN_LISTENER
from ..bootstrap.runtime import Runtime, install, installed_runtime
from ..bootstrap.sources import Source
from ..compat.requirements import IncompatibleLibraryError
from ..compat.serving import require_compatible
from ..conf import app_settings
from ..config.configuration import Configuration
from ..config.endpoint import TcpEndpoint, UnixEndpoint
from ..routing import WampApplication
from ..transports.listener import Listener
from .logs import add_times_to_logs
from .open_files import raise_open_file_limit

if TYPE_CHECKING:
    from ..transports.daphne import WampServer

GC_THRESHOLDS: Final = (10_000, 10, 10)
"""The thresholds of the garbage collector. Sessions create no reference cycles, so collections can be rare."""


def add_config_argument(parser: ArgumentParser) -> None:
    """Add the option ``--config`` to a parser."""
    parser.add_argument(
        "--config",
        "--node",  # the name before 1.0
        metavar="PATH",
        help="Run this Crossbar.io node directory, .crossbar directory or configuration file.",
    )


def check_libraries() -> None:
    """Raise CommandError if the server does not support the installed versions of other libraries."""
    try:
        require_compatible(with_server=True)
    except IncompatibleLibraryError as error:
        raise CommandError(str(error)) from None


def project_application(*, serve_static: bool = True) -> WampApplication:
    """Return the application in ASGI_APPLICATION, or Django's default application, as a WampApplication.

    Raises CommandError if the setting cannot be imported.
    """
    name = getattr(settings, "ASGI_APPLICATION", None)
    if not name:
        return WampApplication(get_asgi_application(), serve_static=serve_static)
    module, _, attribute = name.rpartition(".")
    try:
        application = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise CommandError(f"ASGI_APPLICATION = {name!r} cannot be imported: {error}") from error
    if isinstance(application, WampApplication):
        return application if serve_static else application.without_static()
    return WampApplication(application, serve_static=serve_static)


def cluster_status() -> str:
    """Return a sentence that says which cluster this process has joined; an empty string if it has joined none."""
    runtime = installed_runtime()
    return "" if runtime is None else runtime.cluster_status


def listeners(configuration: Configuration, main: TcpEndpoint | UnixEndpoint | None) -> dict[str, Listener]:
    """Return the listener of each transport, by key.

    ``main`` is the address from the command line, or None. If it is given, the first transport listens on ``main``
    instead of on its configured endpoint, and has the key MAIN_LISTENER. If there is no transport, a listener on
    ``main`` serves only the project's application.
    """
    own = {one.key: Listener.of(configuration, one) for one in configuration.transports}
    if main is None:
        return own
    first = configuration.transports[:1]
    for transport in first:
        del own[transport.key]
        return {MAIN_LISTENER: Listener.of(configuration, transport, main), **own}
    return {MAIN_LISTENER: Listener(main)}


def run(
    source: Source,
    main: TcpEndpoint | UnixEndpoint | None,
    application: Any,
    on_listening: Callable[[Mapping[str, Listener]], None],
    *,
    joins_cluster: bool = False,
    **options: Any,
) -> "WampServer":
    """Run the server until it is stopped, and apply configuration changes.

    ``on_listening`` is called with the listeners when all of them are open. If the server cannot start,
    ``on_listening`` is not called, and the attribute ``failure`` of the returned server is set. If ``joins_cluster`` is
    true, the server joins the cluster in the settings, if there is one, before it listens.
    """
    # Imported here, so that check_libraries() can report incompatible libraries before the import fails.
    from ..transports.daphne import WampServer  # noqa: PLC0415

    add_times_to_logs()
    raise_open_file_limit()
    runtime = install(Runtime(source, joins_cluster=joins_cluster))
    limits = {
        "websocket_max_message_size": getattr(settings, "DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE", None),
        "websocket_max_frame_size": getattr(settings, "DAPHNE_WEBSOCKET_MAX_FRAME_SIZE", None),
    }
    options = {name: limit for name, limit in limits.items() if limit is not None} | options
    server: WampServer

    async def on_start(started: "WampServer") -> None:
        node = await runtime.start()
        started.wanted = addresses(node.snapshot.configuration)
        runtime.on_applied = follow
        # The modules that are loaded now stay in memory. After freezing, the collector does not scan these objects.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    async def follow(configuration: Configuration) -> None:
        server.refresh()
        wanted = addresses(configuration)
        await server.listen(wanted)
        runtime.announce(wanted)

    def announce() -> None:
        on_listening(server.wanted)
        runtime.announce(server.wanted)

    def addresses(configuration: Configuration) -> Mapping[str, Listener]:
        return listeners(configuration, main)

    server = WampServer(
        application,
        runtime.find_service,
        on_start,
        runtime.stop,
        busy_poll=app_settings().busy_poll_microseconds / 1_000_000,
        ready_callable=announce,
        **options,
    )
    server.run()
    return server
