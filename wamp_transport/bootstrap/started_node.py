"""A running node and the parts to which its configuration is applied."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..api import backends
from ..conf import ClusterSettings, app_settings
from ..config.configuration import Configuration
from ..node.dynamic_authorizer import DynamicAuthorizer
from ..node.local import ServiceSessions
from ..node.node import Node
from ..router.options import RouterOptions
from ..signals import AppliedConfiguration
from .authentication import Authentication
from .cluster import NodeCluster, SharedStoresPart
from .cookie_logins import CookieLogins
from .cookies import CookieStores
from .handlers import AppHandlers
from .history import DurableHistory
from .identity.identity_services import IdentityServices
from .mounts import Mounts
from .parts import FunctionsPart, LoginsPart, RouterPart, ServerPart
from .plan import PartsBehind, PlanRunner
from .poll_timer import PollTimer
from .session_impact import SessionCounter
from .signals import Signals
from .threads import Functions

logger = logging.getLogger(__name__)

GOODBYE_SECONDS: Final = 4.0
"""The time limit for clients to reply to GOODBYE when the process stops."""

OnApplied = Callable[[Configuration], Awaitable[None]]
"""A function that applies a configuration to the server."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The applied configuration. A snapshot is immutable; a new configuration gets a new snapshot.

    ``apply_count`` is the number of configurations that this process has applied, including this one. ``revision`` is
    the revision of the source.
    """

    configuration: Configuration
    revision: Hashable = None
    apply_count: int = 0


class StartedNode:
    """The node of a process and the parts to which its configuration is applied.

    Create the object on the event loop. Call :meth:`begin`, then :meth:`apply` for each newer configuration, and
    finally :meth:`stop`.

    ``name`` is the name of the node. ``follow`` applies a configuration to the server. Operators must prove that
    they know ``operator_key``, and can join with any role. If the key is None, operators cannot log in. ``cluster``
    contains the settings of the cluster to join; None if there is none.
    """

    def __init__(
        self,
        name: str,
        follow: OnApplied,
        operator_key: str | None = None,
        cluster: ClusterSettings | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        services = ServiceSessions()
        functions = Functions()
        cookie_logins = CookieLogins(cookies := CookieStores())
        self._name = name
        self._signals = Signals()
        self._identities = IdentityServices(name, self._signals.send_login_failed)
        authentication = Authentication(cookie_logins, services, self._identities)
        if operator_key is not None:
            authentication.admit_operators(operator_key)
        guard = self._identities.guard(authentication)
        authorizer = DynamicAuthorizer(services, functions.run)
        self.node = services.node = Node(RouterOptions(), loop, guard, authorizer, is_clustered=cluster is not None)
        self.cluster = None if cluster is None else NodeCluster(cluster, self.node, name)
        self._identities.attach(self.node)
        self._signals.watch(self.node, self._identities.session_watch.user_of)
        cookie_logins.watch(self.node)
        self.sessions = SessionCounter()
        self.node.observers.add(self.sessions)
        self._history = DurableHistory(self.node)
        self._handlers = AppHandlers(self.node, app_settings().handler_threads, self._identities.session_watch.user_of)
        self._cookies = cookies
        self.mounts = Mounts(self.node, cookies)
        # The order matters. Parts that restrict come first: logins, permissions and paths. They are applied without
        # waiting. Parts that wait for a disk, the database or the network follow, because their failure or delay must
        # not keep sessions open that are no longer allowed. A part comes after the parts on which it depends: cookie
        # stores after the mounts that use them, histories and handlers after the router's realms.
        self.plan = PlanRunner(
            [
                *([] if cluster is None else [SharedStoresPart()]),
                LoginsPart(self.node, authentication, cookie_logins, self._identities),
                RouterPart(self.node),
                self.mounts,
                ServerPart(follow),
                FunctionsPart(functions),
                cookies,
                self._history,
                self._handlers,
            ]
        )
        self.snapshot = Snapshot(Configuration("", Path(), (), ()))
        self._is_announced = False

    async def begin(self, configuration: Configuration, revision: Hashable) -> None:
        """Join the cluster, apply the first configuration, and make the node available to the API in this process.

        Raises ConfigError and PartsBehind, as :meth:`apply` does, and ImproperlyConfigured if the cluster cannot be
        joined.
        """
        await self._handlers.start()
        # Before the handlers are registered: the names of procedures are unique in the cluster.
        if self.cluster is not None:
            self.cluster.clustering.on_rejoined = self._handlers.wake
            users = self._handlers.remote_users = self.cluster.clustering.users
            users.user_key = self._identities.session_watch.user_of
            await self.cluster.join(configuration)
        try:
            await self.apply(configuration, revision)
        finally:
            if self.snapshot.apply_count:
                # Retained events can be stored only after the realms were opened.
                if self.cluster is not None:
                    await self.cluster.clustering.fetch_retained()
                backends.serve(self.node, asyncio.get_running_loop())

    async def apply(self, configuration: Configuration, revision: Hashable) -> None:
        """Apply a new configuration. Sessions that it does not affect stay open.

        Raises ConfigError if the configuration is refused; in this case nothing has changed. Raises PartsBehind if some
        parts failed; call :meth:`retry` later.
        """
        try:
            await self.plan.apply(configuration)
        except PartsBehind:
            self._set_snapshot(configuration, revision)
            raise
        self._set_snapshot(configuration, revision)
        self._announce()

    async def retry(self) -> None:
        """Retry the parts that have not applied the latest configuration. Raises PartsBehind if some still fail."""
        await self.plan.retry()
        self._announce()

    @property
    def identity_timer(self) -> PollTimer:
        """The timer of the loop that polls for changes of identities."""
        return self._identities.session_watch.timer

    def background(self) -> list[Coroutine[Any, Any, None]]:
        """Return the background tasks of the parts as coroutines. They run until they are canceled."""
        found = [self._history.run(), self._handlers.run(), self._cookies.run(), self._identities.run()]
        return found if self.cluster is None else [*found, self.cluster.clustering.run()]

    async def stop(self) -> None:
        """Send GOODBYE to all sessions, wait a few seconds for replies, and leave the cluster.

        Then write all queued data, and close the parts.
        """
        backends.leave(self.node)
        await self.node.stop(GOODBYE_SECONDS)
        if self.cluster is not None:
            await self.cluster.leave()
        try:
            await self._signals.close()
            await self._history.stop()
            await self._identities.audit.close()
        finally:
            self.plan.close()

    def _set_snapshot(self, configuration: Configuration, revision: Hashable) -> None:
        self.snapshot = Snapshot(configuration, revision, self.snapshot.apply_count + 1)
        self._is_announced = False

    def _announce(self) -> None:
        """Log that the configuration is completely applied, and send the signal, unless this was done already."""
        if self._is_announced:
            return
        self._is_announced = True
        count, source, revision = self.snapshot.apply_count, self.snapshot.configuration.source, self.snapshot.revision
        self._signals.send_configuration_applied(
            AppliedConfiguration(count, source, self._name, revision if isinstance(revision, int) else None)
        )
        logger.info("Configuration %d of this process is applied (%s)", count, source)
