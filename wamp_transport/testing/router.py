"""An in-memory router for one test. It is the real router with the project's handlers.

While the router is active, ``wamp_transport.api`` uses it. It has no network and no threads, and the test controls its
clock.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from contextvars import Context
from dataclasses import replace
from functools import cache
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation

from ..api.backends import only_realm, override_backend
from ..bootstrap.handlers import AppHandlers
from ..bootstrap.sources import base_directory
from ..bootstrap.threads import Functions
from ..conf import app_settings
from ..config.configuration import router_options
from ..config.defaults import development_default
from ..config.reader import read_file, read_mapping
from ..handlers import declarations, discovery
from ..handlers.declarations import Declaration
from ..handlers.discovery import Discovery
from ..node.decision_tasks import DENY_ALL
from ..node.dynamic_authorizer import DynamicAuthorizer
from ..node.local import ServiceSessions
from ..node.node import Node
from ..router.options import TRUSTED, RealmOptions, RouterOptions
from ..stores import configuration as rows
from .api_backend import InMemoryBackend
from .clock import Clock
from .inline_threads import InlineThreads
from .loop import MemoryLoop
from .recording import Recording
from .records import RecordedCall, RecordedFailure, RecordedPublication

Config = Mapping[str, Any] | str | os.PathLike[str] | None

DATABASE: Final = "database"
"""The value of ``config`` that selects the configuration in the test's database."""
OPEN_REALM: Final = "realm1"
OPEN_ROLE: Final = "anonymous"


class InMemoryRouter:
    """A router for one test. It is active from :meth:`start` to :meth:`stop`, or inside ``with`` or ``async with``.

    ``config`` contains realms, roles and permissions. It is a mapping in the format of Crossbar's ``config.json``, the
    path of such a file, or ``"database"`` for the rows in the test's database. The default is the setting
    ``WAMP_TRANSPORT["CONFIG"]``. If that is not set either, there is one realm (the setting ``REALM``, or ``realm1``),
    and other realms are created on first use. In these realms, every role may do everything except use URIs that begin
    with ``wamp.``.

    ``handlers`` sets whether the handlers in the ``wamp.py`` modules of the apps are registered. :meth:`start` raises
    ConfigError if ``config`` is not valid. Opening a session raises ImproperlyConfigured if a handler is invalid.
    """

    def __init__(self, config: Config = None, *, handlers: bool = True) -> None:
        self._config = config
        self._has_handlers = handlers
        self.recording = Recording(self._run_until_idle_if_possible)
        self._users: dict[int, str] = {}
        self._loop: MemoryLoop | None = None
        self._override = ExitStack()
        self._starting: asyncio.Task[None] | None = None
        self._handlers: AppHandlers | None = None
        self._functions = Functions()
        self._options = RouterOptions()
        self._is_open = False

    # --- start and stop ------------------------------------------------------------------------------------------

    def start(self) -> "InMemoryRouter":
        """Start the router and make it the active router."""
        if self._loop is not None:
            raise RuntimeError("This router has been started already")
        self._options = self._configured()
        loop = self._loop = MemoryLoop()
        services = ServiceSessions()
        authorizer = DynamicAuthorizer(services, self._functions.run)
        self.node = services.node = Node(self._options, loop, DENY_ALL, authorizer)
        self.clock = Clock(loop)
        self._override.enter_context(override_backend(InMemoryBackend(self.node, loop, self.recording, self._prepare)))
        _active.append(self)
        return self

    def stop(self) -> None:
        """Stop the router, and restore the previously active router. Running tasks are canceled."""
        loop = self.loop
        loop.forbid_in_coroutine()
        if self in _active:
            _active.remove(self)
        self._override.close()
        loop.auto_advance = True
        loop.run_until_idle()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        try:
            loop.drive(lambda: not asyncio.all_tasks(loop))
            loop.run_on_loop(loop.shutdown_asyncgens()).result()
        finally:
            if self._handlers is not None:
                self._handlers.close()
            self._functions.close()
            loop.close()

    def __enter__(self) -> "InMemoryRouter":
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    async def __aenter__(self) -> "InMemoryRouter":
        return self.start()

    async def __aexit__(self, *exception: object) -> None:
        await sync_to_async(self.stop)()

    @property
    def loop(self) -> MemoryLoop:
        """The loop on which the router runs. Raises RuntimeError before the start."""
        if self._loop is None:
            raise RuntimeError("This router has not been started")
        return self._loop

    def run_until_idle(self) -> None:
        """Run everything that can run without advancing the clock."""
        self.loop.run_until_idle()

    async def arun_until_idle(self) -> None:
        """Run everything that can run without advancing the clock. See :meth:`run_until_idle`."""
        await sync_to_async(self.run_until_idle)()

    def _run_until_idle_if_possible(self) -> None:
        """Run until idle, unless the router has stopped or the caller is a coroutine, which must not be blocked."""
        if self._loop is not None and not self._loop.is_closed():
            with suppress(SynchronousOnlyOperation):
                self._loop.run_until_idle()

    # --- records -------------------------------------------------------------------------------------------------

    @property
    def publications(self) -> list[RecordedPublication]:
        """The publications of the code under test through ``wamp_transport.api``.

        Publications of test clients are not included.
        """
        return self.recording.publications

    @property
    def calls(self) -> list[RecordedCall]:
        """The calls of the code under test through ``wamp_transport.api``, in order."""
        return self.recording.calls

    @property
    def failures(self) -> list[RecordedFailure]:
        """The unexpected exceptions of handlers, in order."""
        return self.recording.failures

    # --- for clients, and the API --------------------------------------------------------------------------------

    @property
    def realm(self) -> str:
        """The default realm. Raises NotConfigured if the settings name none and there is not exactly one realm."""
        return app_settings().api.realm or only_realm(list(self.node.router.realms))

    async def _prepare(self, realm: str, role: str) -> None:
        """Prepare the router for a session: on first use, start the handlers.

        If there is no configuration, create the realm and the role.
        """
        if self._starting is None:
            self._starting = self.loop.create_task(self._start(), context=Context())
        await asyncio.shield(self._starting)
        self._open(realm, role)

    async def _start(self) -> None:
        if not self._has_handlers:
            return
        self._handlers = AppHandlers(self.node, InlineThreads(), self._users.get, self._failed)
        found = await self._handlers.start(_discovered)
        if found.problems:
            raise ImproperlyConfigured("\n".join(f"Faulty handler: {one}" for one in found.problems))
        for realm in _realms_of(one.declaration for one in found.entries):
            self._open(realm, OPEN_ROLE)
        await self._handlers.register_handlers(self._options.realms)

    def _failed(self, declaration: Declaration, error: Exception) -> None:
        self.failures.append(RecordedFailure(declaration.uri, declaration.name, error))

    def _configured(self) -> RouterOptions:
        config = self._config if self._config is not None else app_settings().config
        if config is None:
            self._is_open = True
            return self._open_options()
        if config == DATABASE:
            return router_options(rows.load(base_directory()))
        if isinstance(config, Mapping):
            return router_options(read_mapping(config, base_directory(), source="the test's config"))
        return router_options(read_file(config))

    def _open_options(self) -> RouterOptions:
        options = _default_options()
        name = app_settings().api.realm or OPEN_REALM
        return replace(options, realms={name: replace(options.realms[OPEN_REALM], name=name)})

    def _open(self, realm: str, role: str) -> None:
        """If there is no configuration, create the realm and the role. The role may do everything."""
        if not self._is_open or role == TRUSTED:
            return
        realms = dict(self._options.realms)
        model = next(iter(realms.values()))
        wanted: RealmOptions = realms.get(realm) or replace(model, name=realm)
        if role not in wanted.roles or realm not in realms:
            everything = model.roles[OPEN_ROLE]
            realms[realm] = replace(wanted, roles={**wanted.roles, role: replace(everything, name=role)})
            self._options = replace(self._options, realms=realms)
            self.node.configure(self._options)


@cache
def _default_options() -> RouterOptions:
    return router_options(development_default())


_last_discovery: tuple[object, Discovery] | None = None


def _discovered() -> Discovery:
    """Return the result of ``discover()``, cached until the installed apps or the declared handlers change."""
    global _last_discovery  # noqa: PLW0603 - tests in one process run one after the other
    installed = tuple(one.name for one in apps.get_app_configs())
    if _last_discovery is None or _last_discovery[0] != (installed, declarations.REGISTRY.declarations):
        found = discovery.discover()
        _last_discovery = (installed, list(declarations.REGISTRY.declarations)), found
    return _last_discovery[1]


def _realms_of(declarations: Iterable[Declaration]) -> set[str]:
    return {realm for one in declarations for realm in one.realms or ()}


_active: list[InMemoryRouter] = []


def active_router() -> InMemoryRouter:
    """Return the router of this test. Raises RuntimeError if there is none."""
    if not _active:
        raise RuntimeError(
            "No router in memory is active: derive the test case from WampTestMixin (or WampTestCase), use a pytest"
            " fixture such as wamp_client or wamp_recording, or 'with InMemoryRouter():'."
        )
    return _active[-1]
