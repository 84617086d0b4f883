"""A live server for tests with browsers and external clients. It serves the project's application."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar, Final

from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase, override_settings

from ..bootstrap.mounts import MAIN_LISTENER
from ..bootstrap.runtime import Runtime, install, uninstall
from ..bootstrap.sources import DatabaseSource, FileSource, MappingSource, Source
from ..conf import app_settings
from ..config.configuration import Configuration
from ..config.endpoint import TcpEndpoint
from ..config.websocket import WebSocketSection
from ..management.serving import project_application
from ..transports.listener import Listener
from .background_server import BackgroundServer
from .databases import databases_for_threads
from .router import DATABASE, Config

ADDRESS: Final = "127.0.0.1"
ENDPOINT: Final = TcpEndpoint.model_construct(type="tcp", port=0, interface=ADDRESS)
"""The endpoint of the server: any free port."""


class DatabaseOrDefault(DatabaseSource):
    """A source that reads the configuration from the test's database.

    Until a transport in the database has a path, the source has the built-in service of the development server.
    """

    has_builtin_service = True


def source_of(config: Config) -> Source:
    """Return the configuration source for the ``config`` of a :class:`LiveServer`."""
    config = app_settings().config if config is None else config
    if config is None or config == DATABASE:
        return DatabaseOrDefault()
    return MappingSource(config) if isinstance(config, Mapping) else FileSource(config)


class LiveServer:
    """A server on a free port of 127.0.0.1. It runs from :meth:`start` to :meth:`stop`, or inside a ``with`` block.

    ``config`` is a mapping in the format of Crossbar's ``config.json``, or the path of such a file. Only the first
    transport is served, on the server's port instead of its own endpoint. The default is the setting
    ``WAMP_TRANSPORT["CONFIG"]``. If it is not set, the server uses the configuration in the test's database, and
    applies later changes. Until a transport in the database has a path, ``/ws`` is served as in development: with the
    realms in the database or, if there are none, with realm ``realm1``, which is open to anonymous clients.

    Start the server outside of transactions. The server sees only committed data, so use it with
    ``TransactionTestCase``. While the server runs, an in-memory SQLite database is replaced with a copy in a file, and
    ``wamp_transport.api`` in the test's process uses the router of the server.
    """

    def __init__(self, config: Config = None) -> None:
        self._source = source_of(config)
        self._stack = ExitStack()
        self._runtime: Runtime | None = None
        self._server: BackgroundServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The URL of the server, such as ``http://127.0.0.1:34567``."""
        return f"http://{ADDRESS}:{self.port}"

    @property
    def wamp_url(self) -> str:
        """The URL of the first WebSocket service, such as ``ws://127.0.0.1:34567/ws``.

        Raises RuntimeError if there is none.
        """
        snapshot = None if self._runtime is None else self._runtime.snapshot
        transports = () if snapshot is None else snapshot.configuration.transports[:1]
        found = [one.path for each in transports for one in each.paths if isinstance(one.settings, WebSocketSection)]
        if not found:
            raise RuntimeError("No WebSocket service is configured")
        return f"ws://{ADDRESS}:{self.port}{found[0]}"

    def start(self) -> "LiveServer":
        """Start the server and return once it listens. Raises RuntimeError if a transaction is open."""
        if any(one.in_atomic_block for one in connections.all(initialized_only=True)):
            raise RuntimeError(
                "A live server cannot see the transaction of a test: use WampLiveServerTestCase instead of TestCase,"
                " or with pytest-django the fixture transactional_db instead of db."
            )
        with ExitStack() as stack:
            stack.enter_context(databases_for_threads())
            stack.enter_context(override_settings(ALLOWED_HOSTS=[*settings.ALLOWED_HOSTS, ADDRESS]))
            runtime = self._runtime = Runtime(self._source)
            stack.enter_context(installed(runtime))
            server = self._server = BackgroundServer(
                project_application().with_finders(), runtime.find_service, self._on_start, runtime.stop
            )
            stack.callback(server.halt)
            server.launch()
            self.port = server.listening_addresses[0][1]
            self._stack = stack.pop_all()
        return self

    def stop(self) -> None:
        """Close all sessions, stop the server, and restore the previous state."""
        self._stack.close()

    def __enter__(self) -> "LiveServer":
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    async def _on_start(self, server: Any) -> None:
        runtime = self._runtime
        assert runtime is not None  # noqa: S101 - start() has set it
        node = await runtime.start()
        server.wanted = listeners(node.snapshot.configuration)
        runtime.on_applied = self._on_applied

    async def _on_applied(self, configuration: Configuration) -> None:
        """Apply a configuration that was saved in the test's database."""
        if self._server is not None:
            self._server.refresh()
            await self._server.listen(listeners(configuration))


def listeners(configuration: Configuration) -> dict[str, Listener]:
    """Return a listener for the first transport, on a free port of 127.0.0.1. Other transports are not opened."""
    first = configuration.transports[:1]
    return {MAIN_LISTENER: Listener.of(configuration, first[0], ENDPOINT) if first else Listener(ENDPOINT)}


@contextmanager
def installed(runtime: Runtime) -> Iterator[None]:
    """Context manager: make ``runtime`` the runtime of this process inside the block, instead of the current one."""
    previous = uninstall()
    install(runtime)
    try:
        yield
    finally:
        uninstall()
        if previous is not None:
            install(previous)


class WampLiveServerTestCase(TransactionTestCase):
    """Django's ``TransactionTestCase`` with a :class:`LiveServer` that all tests of the class share.

    ``wamp_config`` is the ``config`` of the server.
    """

    wamp_config: ClassVar[Config] = None
    live_server: ClassVar[LiveServer]

    @classmethod
    def setUpClass(cls) -> None:
        """Start the server."""
        cls.live_server = LiveServer(cls.wamp_config)
        super().setUpClass()
        cls.enterClassContext(cls.live_server)

    @property
    def live_server_url(self) -> str:
        """The URL of the server, such as ``http://127.0.0.1:34567``."""
        return self.live_server.url

    @property
    def wamp_url(self) -> str:
        """The WebSocket URL for WAMP clients, such as ``ws://127.0.0.1:34567/ws``."""
        return self.live_server.wamp_url
