"""The runtime of this process.

It starts and stops the node, finds the service for each request, and reports the node's state to the database.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from django.db import DatabaseError

from ..cluster import node_state
from ..cluster.node_state import NodeState
from ..conf import app_settings
from ..config.configuration import Configuration, PathService
from ..models.commits import CONFIGURATION, IDENTITY
from ..stores import nodes
from ..stores.connections import close_kept, has_database
from ..stores.operators import operator_key
from ..stores.session_groups import SessionCounts, to_json
from ..transports.listener import Listener
from ..webservices.paths import raw_path, site_prefix
from .cluster import cluster_to_join
from .hint_listener import HintListener
from .local_endpoints import local_endpoints
from .mounts import MAIN_LISTENER, Mount
from .other_nodes import OtherNodes
from .sources import DatabaseSource, Source, choose_source
from .started_node import OnApplied, Snapshot, StartedNode
from .threads import in_thread, wait_for_jobs
from .watcher import ConfigurationWatcher

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = 10.0
"""The interval between two reports of the node's state to the database."""

FORGET_SECONDS: Final = 1.0
"""The time limit for each step of deleting the node's report from the database when the process stops."""


class Runtime:
    """The runtime of the node in this process. Call its methods on the event loop.

    ``on_applied`` is called with each configuration that is applied. The server sets it when the first configuration
    has been applied. If ``joins_cluster`` is true, the node joins the cluster in the settings, if there is one.
    """

    def __init__(self, source: Source, on_applied: OnApplied | None = None, *, joins_cluster: bool = False) -> None:
        self.source = source
        self._joins_cluster = joins_cluster
        self.on_applied = on_applied
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.started: StartedNode | None = None
        self._watcher: ConfigurationWatcher | None = None
        self._operator_salt = secrets.token_hex(32)
        self._listeners: Mapping[str, Listener] = {}
        self._must_report = asyncio.Event()
        self._reporting = asyncio.Lock()
        self._others = OtherNodes(self.name)
        self._is_failure_logged = False
        self._tasks: list[asyncio.Task[None]] = []
        self._starting: asyncio.Task[StartedNode] | None = None

    @property
    def snapshot(self) -> Snapshot | None:
        """The applied configuration; None before the start."""
        return None if self.started is None else self.started.snapshot

    @property
    def problem(self) -> str:
        """The reason why the newest configuration is not completely applied; empty if there is none."""
        return "" if self._watcher is None else self._watcher.problem

    @property
    def cluster_status(self) -> str:
        """A description of the cluster that this process has joined; empty if it is a standalone router."""
        cluster = None if self.started is None else self.started.cluster
        return "" if cluster is None else cluster.status

    @property
    def cluster_state(self) -> NodeState | None:
        """The state of this process in its cluster; None if it is a standalone router."""
        cluster = None if self.started is None else self.started.cluster
        return None if cluster is None else cluster.state()

    @property
    def session_counts(self) -> SessionCounts:
        """The number of clients' sessions in each group. Other threads may read this property."""
        return {} if self.started is None else self.started.sessions.counts()

    async def start(self) -> StartedNode:
        """Read the configuration, join the cluster and start the node. Later calls return the started node.

        Raises ConfigError if the configuration is invalid, and ImproperlyConfigured if the cluster cannot be joined.
        """
        if self._starting is None or (self._starting.done() and self.started is None):
            self._starting = asyncio.ensure_future(self._start())
        return await asyncio.shield(self._starting)

    async def stop(self) -> None:
        """Send GOODBYE to all sessions, wait up to a few seconds for their replies, and stop the node."""
        ending = [task for task in (self._starting, *self._tasks) if task is not None and not task.done()]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        if self.started is not None:
            await self.started.stop()
        await wait_for_jobs(FORGET_SECONDS)  # otherwise a late report could be written after the deletion
        if self._tasks and has_database():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._store_report(nodes.forget, self.name), FORGET_SECONDS)
        await wait_for_jobs(FORGET_SECONDS)
        await asyncio.to_thread(close_kept)

    def resolve(self, scope: Mapping[str, Any]) -> tuple[Mount, tuple[str, ...]] | None:
        """Return the mount for a request and the remaining path segments; None if Django handles the request."""
        if self.started is None:
            return None
        key, prefix = scope.get("wamp_transport", MAIN_LISTENER), site_prefix(scope.get("root_path"))
        return self.started.mounts.table.resolve(key, raw_path(scope), prefix)

    def find_service(self, key: str, path: bytes, root_path: str) -> PathService | None:
        """Return the WAMP service at a path; None if there is none.

        The server calls this before the opening handshake. ``key`` is the key of the listener, and ``root_path`` is the
        value in the ASGI scope.
        """
        found = self.resolve({"wamp_transport": key, "raw_path": path, "path": "", "root_path": root_path})
        return None if found is None or found[0].websocket is None else found[0].service

    async def _start(self) -> StartedNode:
        key = operator_key(self._operator_salt) if app_settings().local_operators else None
        cluster = cluster_to_join() if self._joins_cluster else None
        started = StartedNode(self.name, self._follow, key, cluster)
        watcher = ConfigurationWatcher(self.source, started, self._report)
        try:
            await watcher.begin()
        except BaseException:
            await started.stop()
            raise
        self.started, self._watcher = started, watcher
        timers = {IDENTITY: started.identity_timer}
        if isinstance(self.source, DatabaseSource):  # there are no hints about changes of a file
            timers[CONFIGURATION] = watcher.timer
        running = (watcher.run(), HintListener(timers).run(), self._report_regularly(), *started.background())
        self._tasks = [asyncio.ensure_future(each) for each in running]
        return started

    async def _follow(self, configuration: Configuration) -> None:
        if self.on_applied is not None:
            await self.on_applied(configuration)

    # --- reports -------------------------------------------------------------------------------------------------

    async def _report_regularly(self) -> None:
        while True:
            self._must_report.clear()
            await self._report()
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._must_report.wait()

    def announce(self, listeners: Mapping[str, Listener]) -> None:
        """Set the addresses on which this process listens, and report them to the database soon."""
        self._listeners = listeners
        self._must_report.set()

    async def _report(self) -> None:
        async with self._reporting:  # an older report must not overwrite a newer one
            snapshot = self.snapshot
            if snapshot is None or not has_database():
                return
            has_operators = app_settings().local_operators
            cluster = self.cluster_state
            await self._store_report(
                self._report_and_look,
                "" if cluster is None else cluster.prefix,
                self.name,
                snapshot.apply_count,
                snapshot.revision,
                self.problem,
                source=snapshot.configuration.source,
                services=local_endpoints(snapshot.configuration, self._listeners) if has_operators else (),
                operator_salt=self._operator_salt if has_operators else "",
                sessions=to_json(self.session_counts),
                cluster=node_state.to_json(cluster),
            )

    def _report_and_look(self, prefix: str, /, *args: Any, **kwargs: Any) -> None:
        """Store the report of this node, and look for nodes of other routers. ``prefix`` identifies its cluster."""
        nodes.report(*args, **kwargs)
        self._others.look(nodes.running(), prefix)

    async def _store_report(self, function: Callable[..., object], *args: object, **kwargs: object) -> None:
        """Call ``function``, which accesses the nodes' reports in the database, in a thread.

        If the database fails, log this once and otherwise ignore it.
        """
        try:
            await in_thread(function, *args, **kwargs)
        except DatabaseError as error:
            if not self._is_failure_logged:
                logger.warning("Reporting the state of this node to the database failed: %s", error)
            self._is_failure_logged = True
        else:
            self._is_failure_logged = False


_runtime: Runtime | None = None


def install(runtime: Runtime) -> Runtime:
    """Set the runtime of this process, and return it."""
    global _runtime  # noqa: PLW0603 - a process has one node by design
    _runtime = runtime
    return runtime


def uninstall() -> Runtime | None:
    """Remove the runtime of this process and return it.

    :func:`current_runtime` then creates a new one from the settings.
    """
    global _runtime
    removed, _runtime = _runtime, None
    return removed


def installed_runtime() -> Runtime | None:
    """Return the runtime of this process; None if there is none."""
    return _runtime


def current_runtime() -> Runtime:
    """Return the runtime of this process. Create it from the settings if there is none."""
    return _runtime or install(Runtime(choose_source(), joins_cluster=True))
