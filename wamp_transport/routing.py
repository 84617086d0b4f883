"""An ASGI application that serves WAMP and the other configured paths in front of the project's own application.

In ``asgi.py``: ``application = wamp_application(get_asgi_application())``. If you use a Channels
``ProtocolTypeRouter``, wrap each of its values.
"""

import asyncio
import logging
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler

from .bootstrap.runtime import Runtime, current_runtime
from .compat.requirements import IncompatibleLibraryError
from .compat.serving import require_compatible
from .config.report import ConfigError
from .project_code import run_guarded
from .transports.consumer import refuse
from .transports.negotiation import Refusal
from .transports.unsupported_options import describe_unsupported
from .webservices.django_static import DjangoStaticFiles
from .webservices.paths import mounted

logger = logging.getLogger(__name__)


class WampApplication:
    """An ASGI application that serves the configured paths and passes all other requests to ``application``.

    If ``application`` is Django's own ASGI handler, WebSockets on other paths are refused, and Django's static files
    are served if ``serve_static`` is True and ``django.contrib.staticfiles`` is installed. Any other application
    receives these requests itself. ``use_finders`` sets whether to look for static files in the apps' directories; None
    means the value of ``DEBUG``.
    """

    def __init__(self, application: Any, *, serve_static: bool = True, use_finders: bool | None = None) -> None:
        self._takes_websockets = not isinstance(application, ASGIHandler)
        self._serve_static = serve_static and not self._takes_websockets
        self._application = application
        self._use_finders = use_finders
        self._is_started = False
        self._static: asyncio.Future[Any] | None = None

    def without_static(self) -> "WampApplication":
        """Return a WampApplication for the same ``application`` that does not serve Django's static files."""
        return WampApplication(self._application, serve_static=False)

    def with_finders(self) -> "WampApplication":
        """Return a WampApplication that also serves static files from the apps' directories, as in development."""
        return WampApplication(self._application, use_finders=True)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Handle one request, WebSocket or lifespan."""
        kind = scope["type"]
        runtime = current_runtime()
        if kind == "lifespan":
            await self._lifespan(runtime, receive, send)
            return
        if runtime.snapshot is None:
            await self._start(runtime)
        found = runtime.resolve(scope) if kind in ("http", "websocket") else None
        if found is not None:
            mount, rest = found
            if kind == "http":
                await mount.http(mounted(scope, rest), receive, send)
                return
            if mount.websocket is not None:
                await mount.websocket(scope, receive, send)
                return
        if kind == "websocket" and not self._takes_websockets:
            await refuse(scope, send, Refusal(404, "there is no WebSocket service at this path"))
            return
        await run_guarded((await self._fallback())(scope, receive, send))

    async def _start(self, runtime: Runtime, *, waits: bool = False) -> None:
        """Start the node under an ASGI server such as uvicorn. This product's own server starts the node itself.

        Log a warning that names the configured options that have no effect under this server. ``waits`` is True if the
        server makes the application wait while a client reads slowly; the limits for slow clients have no effect
        otherwise. Raises IncompatibleLibraryError if a library cannot be used, ConfigError if the configuration is
        invalid, and ImproperlyConfigured if the cluster in the settings cannot be joined.
        """
        require_compatible(with_server=False)
        await runtime.start()
        if not self._is_started and runtime.snapshot is not None:
            self._is_started = True
            names = describe_unsupported(runtime.snapshot.configuration, waits=waits)
            if names:
                logger.warning(
                    "This ASGI server does not support all WebSocket options; 'manage.py runnode' does. %s", names
                )

    async def _fallback(self) -> Any:
        """Return the project's application, combined with Django's static files if they are served.

        The static files are prepared in a thread, because their directories must be read.
        """
        if not self._serve_static or not apps.is_installed("django.contrib.staticfiles"):
            return self._application
        if self._static is None:
            self._static = asyncio.ensure_future(asyncio.to_thread(self._static_files))
        return await self._static

    def _static_files(self) -> DjangoStaticFiles:
        return DjangoStaticFiles(self._application, use_finders=self._use_finders)

    async def _lifespan(self, runtime: Runtime, receive: Any, send: Any) -> None:
        """Start and stop the node together with a server that supports ASGI's lifespan protocol."""
        while True:
            event = (await receive())["type"]
            if event == "lifespan.startup":
                try:
                    # Daphne is the only server that does not wait for slow clients, and it does not support lifespan.
                    await self._start(runtime, waits=True)
                except (ConfigError, IncompatibleLibraryError, ImproperlyConfigured) as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif event == "lifespan.shutdown":
                await runtime.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def wamp_application(application: Any) -> WampApplication:
    """Wrap ``application`` with WAMP and the other configured paths; see :class:`WampApplication`."""
    return WampApplication(application)
