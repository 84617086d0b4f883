"""A router in memory for one test: the real one, with the project's handlers, in the place of any other.

While it is active, ``wamp_transport.api`` speaks to it. There is no network, no thread, and no time but its clock's.
"""

import asyncio
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from contextvars import Context
from dataclasses import replace
from functools import cache
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation

from ..api import backends
from ..bootstrap.functions import Functions
from ..bootstrap.handlers import AppHandlers
from ..bootstrap.sources import base_directory
from ..conf import app_settings
from ..config.configuration import router_options
from ..config.defaults import development_default
from ..config.reader import read_file, read_mapping
from ..handlers import declarations, discovery
from ..handlers.declarations import Declaration
from ..handlers.discovery import Discovery
from ..node.authorizing import Authorizers
from ..node.deciding import NOBODY
from ..node.local import ServiceSessions
from ..node.node import Node
from ..router.options import TRUSTED, RealmOptions, RouterOptions
from ..stores import configuration as rows
from .api_backend import MemoryHome
from .clock import Clock
from .inline_threads import NoThreads
from .loop import MemoryLoop
from .recording import Recording
from .records import Call, Failure, Publication

Config = Mapping[str, Any] | str | os.PathLike[str] | None

DATABASE: Final = "database"
"""As a configuration: what is in the test's database."""
OPEN_REALM: Final = "realm1"
OPEN_ROLE: Final = "anonymous"


class InMemoryRouter:
    """A router for one test, active from :meth:`start` to :meth:`stop`, or within ``with`` or ``async with``.

    ``config``: its realms, roles and permissions, as a mapping of the form of Crossbar's ``config.json``, the path of
    such a file, or ``"database"`` for the rows in the test's database. Without it the setting
    ``WAMP_TRANSPORT["CONFIG"]`` counts; without that too there is one realm, in which every role may do everything
    but use ``wamp.`` URIs of its own: the setting ``REALM``, or ``realm1``.

    ``handlers``: whether the ``wamp.py`` modules of the project's apps take part. Raises ConfigError where ``config``
    is not valid, and in the first use ImproperlyConfigured where a handler is at fault.
    """

    def __init__(self, config: Config = None, *, handlers: bool = True) -> None:
        self._config = config
        self._has_handlers = handlers
        self.recording = Recording(self._settle_if_possible)
        self._users: dict[int, str] = {}
        self._loop: MemoryLoop | None = None
        self._outer: backends.Home | None = None
        self._starting: asyncio.Task[None] | None = None
        self._handlers: AppHandlers | None = None
        self._functions = Functions()
        self._options = RouterOptions()
        self._is_open = False

    # --- its life ------------------------------------------------------------------------------------------------

    def start(self) -> "InMemoryRouter":
        """Take the place of any other router."""
        if self._loop is not None:
            raise RuntimeError("This router has been started already")
        self._options = self._configured()
        loop = self._loop = MemoryLoop()
        services = ServiceSessions()
        authorizers = Authorizers(services, self._functions.run)
        self.node = services.node = Node(self._options, loop, NOBODY, authorizers)
        self.clock = Clock(loop)
        self._outer = backends.substitute(MemoryHome(self.node, loop, self.recording, self.ready))
        _active.append(self)
        return self

    def stop(self) -> None:
        """Give way to what was there before. All that still runs is cancelled."""
        loop = self.loop
        loop.refuse_coroutines()
        if self in _active:
            _active.remove(self)
            backends.substitute(self._outer)
        loop.jumps = True
        loop.settle()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        try:
            loop.drive(lambda: not asyncio.all_tasks(loop))
            loop.post(loop.shutdown_asyncgens()).result()
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
        """The loop that it runs on. Raises RuntimeError before the start."""
        if self._loop is None:
            raise RuntimeError("This router has not been started")
        return self._loop

    def settle(self) -> None:
        """Let all happen that can without time passing."""
        self.loop.settle()

    def _settle_if_possible(self) -> None:
        """In a coroutine what is to happen has happened as far as the coroutine has waited for it."""
        if self._loop is not None and not self._loop.is_closed():
            with suppress(SynchronousOnlyOperation):
                self._loop.settle()

    async def asettle(self) -> None:
        """:meth:`settle` for coroutines."""
        await sync_to_async(self.settle)()

    # --- what it has seen ----------------------------------------------------------------------------------------

    @property
    def publications(self) -> list[Publication]:
        """What the code under test has published by ``wamp_transport.api``, in order; not what clients have."""
        return self.recording.publications

    @property
    def calls(self) -> list[Call]:
        """The calls that the code under test has made by ``wamp_transport.api``, in order."""
        return self.recording.calls

    @property
    def failures(self) -> list[Failure]:
        """What handlers have raised that they should not, in order."""
        return self.recording.failures

    # --- for clients, and the api --------------------------------------------------------------------------------

    async def ready(self, realm: str, role: str) -> None:
        """The handlers are in their places, and there is such a role where every role may do everything."""
        if self._starting is None:
            self._starting = self.loop.create_task(self._start(), context=Context())
        await asyncio.shield(self._starting)
        self._open(realm, role)

    @property
    def realm(self) -> str:
        """The realm that is meant where none is said. Raises NotConfigured."""
        wanted = app_settings().api.realm
        names = sorted(self.node.router.realms)
        if wanted is None and len(names) != 1:
            there = f"there are {', '.join(names)}" if names else "there is none"
            raise backends.NotConfigured(
                f"Which realm is meant? Here {there}. Set WAMP_TRANSPORT['REALM'], or say realm=..."
            )
        return wanted or names[0]

    @property
    def has_any_role(self) -> bool:
        """Whether there is no configuration, so that every role may do everything."""
        return self._is_open

    def knows(self, session_id: int, user_key: str) -> None:
        """The user behind a session of a client."""
        self._users[session_id] = user_key

    async def _start(self) -> None:
        if not self._has_handlers:
            return
        self._handlers = AppHandlers(self.node, NoThreads(), self._users.get, self._failed)
        found = await self._handlers.start(_discovered)
        if found.problems:
            raise ImproperlyConfigured("\n".join(f"Handler at fault: {one}" for one in found.problems))
        for realm in _realms_of(one.declaration for one in found.found):
            self._open(realm, OPEN_ROLE)
        await self._handlers.settle(self._options.realms)

    def _failed(self, declaration: Declaration, error: Exception) -> None:
        self.failures.append(Failure(declaration.uri, declaration.name, error))

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
        """Where there is no configuration, a realm and a role are there as soon as they are named."""
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
    """What :func:`discover` finds; looked at again only where other apps are installed, or other things declared."""
    global _last_discovery  # noqa: PLW0603 - tests of one process follow each other
    installed = tuple(one.name for one in apps.get_app_configs())
    if _last_discovery is None or _last_discovery[0] != (installed, declarations.REGISTRY.declarations):
        found = discovery.discover()
        _last_discovery = (installed, list(declarations.REGISTRY.declarations)), found
    return _last_discovery[1]


def _realms_of(declarations: Iterable[Declaration]) -> set[str]:
    return {realm for one in declarations for realm in one.realms or ()}


_active: list[InMemoryRouter] = []


def active_router() -> InMemoryRouter:
    """The router of this test. Raises RuntimeError where there is none."""
    if not _active:
        raise RuntimeError(
            "No router in memory is active here: let the test case inherit from WampTestMixin (or WampTestCase), use"
            " a pytest fixture such as wamp_client or wamp_publications, or 'with InMemoryRouter():'."
        )
    return _active[-1]
