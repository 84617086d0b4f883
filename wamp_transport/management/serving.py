"""What runserver and runnode share: the project's application, the addresses, the server."""

import gc
import importlib
import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management.base import CommandError

from ..bootstrap.runtime import MAIN, Runtime, install
from ..bootstrap.sources import Source
from ..config.configuration import Configuration
from ..config.endpoint import TcpEndpoint, UnixEndpoint
from ..routing import WampApplication
from ..transports.daphne import WampServer


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


def tcp_description(host: str, port: int, *, backlog: int = 50) -> str:
    """A TCP address as Twisted writes it; an empty host means all interfaces."""
    return f"tcp:port={port}:backlog={backlog}" + (f":interface={_escaped(host.strip('[]'))}" if host else "")


def description(endpoint: TcpEndpoint | UnixEndpoint, configuration: Configuration) -> str:
    """A configured endpoint as Twisted writes it."""
    if isinstance(endpoint, UnixEndpoint):
        path = _escaped(str(configuration.resolve(endpoint.path)))
        return f"unix:{path}:mode=660:lockfile=1:backlog={endpoint.backlog}"
    interface = endpoint.interface or ("::" if endpoint.version == 6 else "")
    return tcp_description(interface, endpoint.port, backlog=endpoint.backlog)


def _escaped(value: str) -> str:
    return re.sub(r"[\\:=]", r"\\\g<0>", value)


def listeners(configuration: Configuration, main: str | None) -> dict[str, str]:
    """Transport keys to addresses. ``main`` is the command line's address for the first transport, if it gives one."""
    addresses = {one.key: description(one.listening, configuration) for one in configuration.transports}
    if main is None:
        return addresses
    for transport in configuration.transports[:1]:
        del addresses[transport.key]
    return {MAIN: main, **addresses}


def run(source: Source, main: str | None, application: Any, **options: Any) -> WampServer:
    """Serve until stopped; follow the configuration meanwhile. The server returned tells of a ``failure`` to start."""
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

    async def follow(configuration: Configuration) -> None:
        server.refresh()
        await server.listen(addresses(configuration))

    def addresses(configuration: Configuration) -> Mapping[str, str]:
        return listeners(configuration, main)

    server = WampServer(application, runtime.find_options, on_start, runtime.stop, **options)
    server.run()
    return server
