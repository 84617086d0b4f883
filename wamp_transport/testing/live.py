"""A live server for tests with browsers and real clients: this product's own, with the project's application."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, ClassVar, Final

from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase, override_settings

from ..bootstrap import runtime as runtimes
from ..bootstrap.runtime import MAIN, Runtime
from ..bootstrap.sources import DatabaseSource, FileSource, MappingSource, Source
from ..conf import app_settings
from ..config.configuration import Configuration
from ..config.defaults import development_default
from ..config.endpoint import TcpEndpoint
from ..config.websocket import WebSocketSection
from ..management.serving import project_application
from ..stores import configuration as rows
from ..transports.listener import Listener
from .background_server import BackgroundServer
from .databases import databases_for_threads
from .router import DATABASE, Config

ADDRESS: Final = "127.0.0.1"
ENDPOINT: Final = TcpEndpoint.model_construct(type="tcp", port=0, interface=ADDRESS)
"""Any free port."""


class DatabaseOrDefault(DatabaseSource):
    """What is in the test's database; with nothing in it what a development server has."""

    def load(self) -> Configuration:
        """See :class:`~..bootstrap.sources.Source`."""
        return development_default() if rows.is_empty() else super().load()


def source_of(config: Config) -> Source:
    """Where the configuration of a live server comes from; None as for :class:`LiveServer`."""
    config = app_settings().config if config is None else config
    if config is None or config == DATABASE:
        return DatabaseOrDefault()
    return MappingSource(config) if isinstance(config, Mapping) else FileSource(config)


class LiveServer:
    """The server, from :meth:`start` to :meth:`stop` or within ``with``. It listens on a free port of 127.0.0.1.

    ``config`` is a mapping of the form of Crossbar's ``config.json``, or the path of such a file: its first transport
    is served, wherever it would listen. Without it the setting ``WAMP_TRANSPORT["CONFIG"]`` counts; without that too
    what is in the test's database, followed as always; with nothing there ``/ws``, realm ``realm1``, open to anonymous
    clients, as in development.

    It begins outside of transactions, and sees what tests commit: use it with ``TransactionTestCase``. An in-memory
    SQLite is copied into a file meanwhile. In the process of the test ``wamp_transport.api`` speaks to it.
    """

    def __init__(self, config: Config = None) -> None:
        self._source = source_of(config)
        self._stack = ExitStack()
        self._runtime: Runtime | None = None
        self._server: BackgroundServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The address of the pages, such as ``http://127.0.0.1:34567``."""
        return f"http://{ADDRESS}:{self.port}"

    @property
    def wamp_url(self) -> str:
        """The address for WAMP clients: that of the first WebSocket service, such as ``ws://127.0.0.1:34567/ws``."""
        snapshot = None if self._runtime is None else self._runtime.snapshot
        transports = () if snapshot is None else snapshot.configuration.transports[:1]
        found = [one.path for each in transports for one in each.paths if isinstance(one.settings, WebSocketSection)]
        if not found:
            raise RuntimeError("No WebSocket service is configured")
        return f"ws://{ADDRESS}:{self.port}{found[0]}"

    def start(self) -> "LiveServer":
        """Begin, and return when it listens."""
        if any(one.in_atomic_block for one in connections.all(initialized_only=True)):
            raise RuntimeError(
                "A live server cannot see what is in the transaction of a test: use WampLiveServerTestCase, or with"
                " pytest-django the fixture transactional_db, instead of TestCase or db."
            )
        with ExitStack() as stack:
            stack.enter_context(databases_for_threads())
            stack.enter_context(override_settings(ALLOWED_HOSTS=[*settings.ALLOWED_HOSTS, ADDRESS]))
            runtime = self._runtime = Runtime(self._source)
            stack.callback(runtimes.exchange, runtimes.exchange(runtime))
            server = self._server = BackgroundServer(
                project_application().with_finders(), runtime.find_service, self._begin, runtime.stop
            )
            stack.callback(server.halt)
            server.launch()
            self.port = server.listening_addresses[0][1]
            self._stack = stack.pop_all()
        return self

    def stop(self) -> None:
        """Say goodbye to all sessions, close, and leave everything as it was."""
        self._stack.close()

    def __enter__(self) -> "LiveServer":
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    async def _begin(self, server: Any) -> None:
        runtime = self._runtime
        assert runtime is not None  # noqa: S101 - made before
        await runtime.start()
        assert runtime.snapshot is not None  # noqa: S101 - started
        server.wanted = listeners(runtime.snapshot.configuration)
        runtime.on_applied = self._follow

    async def _follow(self, configuration: Configuration) -> None:
        """Another configuration is in the test's database."""
        if self._server is not None:
            self._server.refresh()
            await self._server.listen(listeners(configuration))


def listeners(configuration: Configuration) -> dict[str, Listener]:
    """The first transport, on the port of the test; whatever other transports there are stay closed."""
    first = configuration.transports[:1]
    return {MAIN: Listener.of(configuration, first[0], ENDPOINT) if first else Listener(ENDPOINT)}


class WampLiveServerTestCase(TransactionTestCase):
    """Django's ``TransactionTestCase`` with a :class:`LiveServer` for all tests of the class.

    ``wamp_config`` is the server's ``config``.
    """

    wamp_config: ClassVar[Config] = None
    live_server: ClassVar[LiveServer]

    @classmethod
    def setUpClass(cls) -> None:
        """Begin the server."""
        cls.live_server = LiveServer(cls.wamp_config)
        super().setUpClass()
        cls.enterClassContext(cls.live_server)

    @property
    def live_server_url(self) -> str:
        """See :attr:`LiveServer.url`."""
        return self.live_server.url

    @property
    def wamp_url(self) -> str:
        """See :attr:`LiveServer.wamp_url`."""
        return self.live_server.wamp_url
