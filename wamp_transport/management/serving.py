"""What runserver and runnode share: the project's application, the addresses, the server."""

import gc
import importlib
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management.base import CommandError

from ..bootstrap.runtime import MAIN, Runtime, install
from ..bootstrap.sources import Source
from ..conf import app_settings
from ..config.configuration import Configuration
from ..config.endpoint import TcpEndpoint, UnixEndpoint
from ..routing import WampApplication
from ..transports.daphne import WampServer
from ..transports.listener import Listener
from .open_files import make_room

COLLECTED_AFTER: Final = (10_000, 10, 10)
"""The collector's thresholds. Sessions leave nothing for it; by Python's own it would look at thousands for nothing."""


def project_application(*, serve_static: bool = True) -> WampApplication:
    """The application of ASGI_APPLICATION with WAMP in front, or plain Django where the setting is missing.

    Raises CommandError where the setting names nothing that can be imported.
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


def listeners(configuration: Configuration, main: TcpEndpoint | UnixEndpoint | None) -> dict[str, Listener]:
    """Transport keys to where they listen. ``main`` is where the command line has the first one listen, if it says."""
    own = {one.key: Listener.of(configuration, one) for one in configuration.transports}
    if main is None:
        return own
    first = configuration.transports[:1]
    for transport in first:
        del own[transport.key]
        return {MAIN: Listener.of(configuration, transport, main), **own}
    return {MAIN: Listener(main)}


def run(source: Source, main: TcpEndpoint | UnixEndpoint | None, application: Any, **options: Any) -> WampServer:
    """Serve until stopped; follow the configuration meanwhile. The server returned tells of a ``failure`` to start."""
    make_room()
    runtime = install(Runtime(source))
    limits = {
        "websocket_max_message_size": getattr(settings, "DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE", None),
        "websocket_max_frame_size": getattr(settings, "DAPHNE_WEBSOCKET_MAX_FRAME_SIZE", None),
    }
    options = {name: limit for name, limit in limits.items() if limit is not None} | options
    server: WampServer

    async def on_start(started: WampServer) -> None:
        await runtime.start()
        assert runtime.snapshot is not None  # noqa: S101 - started
        started.wanted = addresses(runtime.snapshot.configuration)
        runtime.on_applied = follow
        # What is loaded by now stays: the collector need not walk through all of Django for every thousand sessions.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTED_AFTER)

    async def follow(configuration: Configuration) -> None:
        server.refresh()
        wanted = addresses(configuration)
        await server.listen(wanted)
        runtime.announce(wanted)

    def announce() -> None:
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
