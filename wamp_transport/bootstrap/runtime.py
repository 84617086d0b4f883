"""A running node in this process: it takes its configuration, follows its changes, and finds what answers a request."""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db import DatabaseError

from ..api import backends
from ..conf import app_settings
from ..config.configuration import Configuration, PathService, diff, router_options, service_options
from ..config.report import ConfigError
from ..node.authorizing import Authorizers
from ..node.local import ServiceSessions
from ..node.node import Node
from ..router.options import ServiceOptions
from ..router.records import PRESENT
from ..signals import AppliedConfiguration
from ..stores import nodes
from ..stores.connections import close_kept
from ..stores.operators import operator_key
from ..transports.listener import Listener
from ..wamp.errors import NO_SUCH_PRINCIPAL
from ..webservices.paths import PathTable, raw_path
from .authentication import Authentication
from .cookie_logins import CookieLogins
from .cookies import CookieStores
from .functions import Functions
from .handlers import AppHandlers
from .history import DurableHistory
from .identity.identities import Identities
from .mounting import Mount, mount
from .reachable import reachable
from .signals import Signals
from .sources import Source, choose_source
from .threads import finished, in_thread

logger = logging.getLogger(__name__)

MAIN: Final = "main"
"""Key of the listener whose address the command line gives; it serves the first transport."""

POLL_SECONDS: Final = 0.5
"""How often the source is asked for a new revision."""

HEARTBEAT_SECONDS: Final = 10.0
"""How often a node writes down that it is alive."""

GOODBYE_SECONDS: Final = 4.0
"""How long sessions have to say goodbye when the process stops."""

FORGET_SECONDS: Final = 1.0
"""How long the process then waits for what it still does with the database, and to be forgotten by it."""


Table = PathTable[Mount]
OnApplied = Callable[[Configuration], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A configuration as it runs: immutable, replaced as a whole. ``generation`` counts from 1 in this process."""

    configuration: Configuration
    revision: Hashable = None
    generation: int = 0
    mounts: Mapping[str, Mount] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    first: Table | None = None

    def table(self, key: str) -> Table | None:
        """The paths of a transport; those of the first one for the listener that the command line names."""
        return self.first if key == MAIN else self.tables.get(key)


class Runtime:
    """The node of this process. Everything runs on one event loop but what reads the configuration."""

    def __init__(self, source: Source, on_applied: OnApplied | None = None) -> None:
        self.source = source
        self.on_applied = on_applied
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.node: Node | None = None
        self.history: DurableHistory | None = None
        self.handlers: AppHandlers | None = None
        self.cookies = CookieStores()
        self.services = ServiceSessions()
        self.functions = Functions()
        self.authentication: Authentication | None = None
        self._cookie_logins = CookieLogins(self.cookies)
        self._signals = Signals()
        self._identities = Identities(self.name, self._signals.failed)
        self.snapshot: Snapshot | None = None
        self.problem = ""
        self._operator_salt = secrets.token_hex(32)
        self._listeners: Mapping[str, Listener] = {}
        self._has_news = asyncio.Event()
        self._reporting = asyncio.Lock()
        self._is_silent = False
        self._tasks: list[asyncio.Task[None]] = []
        self._starting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the configuration and begin. Safe to call again. Raises ConfigError."""
        if self._starting is None or (self._starting.done() and self.snapshot is None):
            self._starting = asyncio.ensure_future(self._start())
        await asyncio.shield(self._starting)

    async def stop(self) -> None:
        """Say GOODBYE to all sessions, wait a little, end."""
        ending = [task for task in (self._starting, *self._tasks) if task is not None and not task.done()]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        if self.node is not None:
            backends.leave(self.node)
            await self.node.stop(GOODBYE_SECONDS)
        await self._signals.close()
        if self.handlers is not None:
            self.handlers.close()
        if self.history is not None:
            await self.history.flush()
        await self._identities.audit.flush()
        self.cookies.close()
        self.functions.close()
        if self.authentication is not None:
            self.authentication.close()
        await finished(FORGET_SECONDS)  # a report that came after would be remembered
        if self._tasks:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._tell(nodes.forget, self.name), FORGET_SECONDS)
        await finished(FORGET_SECONDS)
        await asyncio.to_thread(close_kept)

    def resolve(self, scope: Mapping[str, Any]) -> tuple[Mount, tuple[str, ...]] | None:
        """What answers a request, and the path segments left to it; None where that is Django's."""
        if self.snapshot is None:
            return None
        table = self.snapshot.table(scope.get("wamp_transport", MAIN))
        return None if table is None else table.resolve(raw_path(scope))

    def find_service(self, key: str, path: bytes) -> PathService | None:
        """The WAMP service at a path, for the server before the handshake."""
        found = self.resolve({"wamp_transport": key, "raw_path": path, "path": ""})
        return None if found is None or found[0].websocket is None else found[0].service

    # --- configuration -------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        revision = await in_thread(self.source.revision)
        configuration = await in_thread(self.source.load)
        authorizers = Authorizers(self.services, self.functions.run)
        self.authentication = Authentication(self._cookie_logins, self.services, self._identities)
        if app_settings().local_operators:
            self.authentication.let_in_operators(operator_key(self._operator_salt))
        door = self._identities.door(self.authentication)
        self.node = self.services.node = Node(
            router_options(configuration), asyncio.get_running_loop(), door, authorizers
        )
        self._identities.attach(self.node)
        self._signals.watch(self.node, self._identities.live.user_of)
        self._cookie_logins.watch(self.node)
        self.history = DurableHistory(self.node)
        self.handlers = AppHandlers(self.node, app_settings().handler_threads, self._identities.live.user_of)
        await self.handlers.start()
        await self._apply(configuration, revision)
        backends.serve(self.node, asyncio.get_running_loop())
        self._tasks = [
            asyncio.ensure_future(each)
            for each in (
                self._watch(),
                self._report_regularly(),
                self.history.run(),
                self.handlers.run(),
                self.cookies.run(),
                self._identities.run(),
            )
        ]

    async def _watch(self) -> None:
        """Follow the source: apply what is new, keep what runs when that is faulty."""
        seen = self.snapshot.revision if self.snapshot is not None else None
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                revision = await in_thread(self.source.revision)
                if revision != seen:
                    await self._follow(revision)
            except Exception as error:
                if str(error) != self.problem:
                    self.problem = str(error)
                    logger.exception("Looking for a new configuration failed; it is tried again")
            else:
                seen = revision

    async def _follow(self, revision: Hashable) -> None:
        """There is something new: use it, or keep what runs and say why."""
        try:
            await self._apply(await in_thread(self.source.load), revision)
            self.problem = ""
        except ConfigError as error:
            self.problem = str(error)
            logger.error("The new configuration is not used, the old one still runs. %s", error)
        except OSError as error:
            self.problem = str(error)
            logger.error("Not all of the new configuration can be put in place: %s", error)
        await self._report()

    async def _apply(self, configuration: Configuration, revision: Hashable) -> None:
        """Put a configuration in place of the one that runs; sessions it does not touch go on."""
        assert self.node is not None  # noqa: S101 - started before
        old = self.snapshot or Snapshot(Configuration("", configuration.base_dir, (), ()))
        difference = diff(old.configuration, configuration)
        mounts = await asyncio.to_thread(self._mounts, configuration, old)
        await self._configure_logins(configuration)
        tables = {
            transport.key: PathTable((service.segments, mounts[service.key]) for service in transport.paths)
            for transport in configuration.transports
        }
        first = next(iter(tables.values()), None)
        self.snapshot = Snapshot(configuration, revision, old.generation + 1, mounts, tables, first)
        options = router_options(configuration)
        await self.cookies.settle(configuration)
        services = [(service_options(old), service_options(new)) for old, new in difference.services_changed]
        limited = {new.key: new for old, new in services if not is_narrowed(old, new)}
        self.node.configure(options, limited)
        if self.history is not None:
            await self.history.restore(options)
        if self.handlers is not None:
            await self.handlers.settle(options.realms)
        for service in difference.services_removed:
            self.node.leave_service(service.key, f"the service at {service.path} was removed")
        for before, after in difference.services_changed:
            if before.key not in limited:
                self.node.leave_service(before.key, f"who may use the service at {after.path} has changed")
        self._end_stale_logins()
        if self.on_applied is not None:
            await self.on_applied(configuration)
        self._signals.applied(
            AppliedConfiguration(
                self.snapshot.generation,
                configuration.source,
                self.name,
                revision if isinstance(revision, int) else None,
            )
        )
        logger.info("Configuration generation %d runs (%s)", self.snapshot.generation, configuration.source)

    async def _configure_logins(self, configuration: Configuration) -> None:
        """Who may log in where, from now on."""
        assert self.authentication is not None  # noqa: S101 - started before
        services = {service.key: service for service in configuration.services}
        await asyncio.to_thread(self.authentication.configure, services)
        self._cookie_logins.configure(configuration.services)
        self._identities.configure(configuration.services)

    def _end_stale_logins(self) -> None:
        """End the sessions of principals that are no more, or have another role now."""
        assert self.node is not None and self.authentication is not None  # noqa: S101, PT018 - started before
        for session in list(self.node.router.sessions.values()):
            if session.state in PRESENT and self.authentication.is_stale(session):
                self.node.leave(session.id, NO_SUCH_PRINCIPAL, "who this principal is has changed: log in again")

    def _mounts(self, configuration: Configuration, old: Snapshot) -> dict[str, Mount]:
        """What answers at each service's path; what has not changed is kept. Functions that are missing are told."""
        assert self.node is not None  # noqa: S101 - started before
        for fault in self.functions.faults(configuration):
            logger.error("%s", fault)
        kept = {
            key: mounted for key, mounted in old.mounts.items() if old.configuration.base_dir == configuration.base_dir
        }
        return {
            service.key: self._kept(kept.get(service.key), service)
            or mount(service, configuration, self.node, self.cookies)
            for service in configuration.services
        }

    @staticmethod
    def _kept(old: Mount | None, service: PathService) -> Mount | None:
        return old if old is not None and old.service == service else None

    # --- reports -------------------------------------------------------------------------------------------------

    async def _report_regularly(self) -> None:
        while True:
            self._has_news.clear()
            await self._report()
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._has_news.wait()

    def announce(self, listeners: Mapping[str, Listener]) -> None:
        """This is where the process is reached from now on: it is written down soon."""
        self._listeners = listeners
        self._has_news.set()

    async def _report(self) -> None:
        async with self._reporting:  # a later report must not be overtaken
            snapshot = self.snapshot
            if snapshot is None:
                return
            has_operators = app_settings().local_operators
            await self._tell(
                nodes.report,
                self.name,
                snapshot.generation,
                snapshot.revision,
                self.problem,
                source=snapshot.configuration.source,
                services=reachable(snapshot.configuration, self._listeners) if has_operators else (),
                operator_salt=self._operator_salt if has_operators else "",
            )

    async def _tell(self, function: Callable[..., object], *args: object, **kwargs: object) -> None:
        """Write something down for the admin. A node works without, so where that fails it is only told, once."""
        try:
            await in_thread(function, *args, **kwargs)
        except DatabaseError as error:
            if not self._is_silent:
                logger.warning("This node cannot tell the database how it is: %s", error)
            self._is_silent = True
        else:
            self._is_silent = False


def is_narrowed(before: ServiceOptions, after: ServiceOptions) -> bool:
    """Whether sessions of a service could not have come as they have. More methods take nothing from anybody."""
    rest = replace(before, authmethods=after.authmethods, limits=after.limits)
    return rest != after or bool(before.authmethods - after.authmethods)


_runtime: Runtime | None = None


def install(runtime: Runtime) -> Runtime:
    """Make ``runtime`` the one of this process."""
    global _runtime  # noqa: PLW0603 - one node a process is the design
    _runtime = runtime
    return runtime


def uninstall() -> Runtime | None:
    """Remove the runtime of this process and return it. The next use makes another one from the settings."""
    global _runtime
    removed, _runtime = _runtime, None
    return removed


def current_runtime() -> Runtime:
    """Return the runtime of this process. The first use makes it from the settings."""
    return _runtime or install(Runtime(choose_source()))
