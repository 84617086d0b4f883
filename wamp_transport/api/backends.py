"""The backends of the API. A backend owns the sessions of Django code on the local node or on a remote router.

A node calls :func:`serve` when it starts. In a process without a node, a thread with an event loop connects sessions to
the router at ``settings.WAMP_TRANSPORT["API"]["URL"]``.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, Protocol

from django.core.exceptions import ImproperlyConfigured

from ..auth.credentials import Anonymous, Credential, SharedSecret, Ticket
from ..conf import ApiSettings, app_settings
from ..node.local import join
from ..node.node import Node
from ..node.remote import connect
from ..node.session import Session
from ..project_code import guard_loop
from ..router.options import TRUSTED
from ..wamp.errors import WampError
from .bridge import LoopBridge
from .reconnecting_session import ReconnectingSession
from .threads import awaitable

DEFAULT_AUTHID: Final = "django"
GOODBYE_SECONDS: Final = 2.0
"""The time limit for replies to GOODBYE when the process ends."""

Handler = Callable[[Any], object]
AsyncHandler = Callable[[Any], Awaitable[Any]]


class NotConfigured(ImproperlyConfigured):
    """Raised if no router is configured for Django code, or if no realm is given and there is no default realm.

    Also raised if a role is given in a process that uses a remote router. The message says what to change.
    """


class ApiBackend(Protocol):
    """The interface of a backend, which owns the sessions of Django code."""

    @property
    def bridge(self) -> LoopBridge:
        """The bridge to the event loop that runs the sessions of this backend."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether the router is in this process."""
        ...

    def session(self, realm: str | None, role: str | None) -> ReconnectingSession:
        """Return the session for a realm and a role; None means the default.

        Raises NotConfigured if there is no default realm, or if the backend does not support a choice of the role.
        """
        ...

    def prepare_handler(self, handler: Handler, *, in_order: bool = False) -> AsyncHandler:
        """Return ``handler`` as a coroutine function that does not block the event loop.

        If ``in_order`` is true, a synchronous handler handles one message at a time, in order of arrival. A coroutine
        function can handle several at the same time.
        """
        ...


class InProcessBackend:
    """The backend of a process with a node. Its sessions run on that node."""

    is_local = True

    def __init__(self, node: Node, bridge: LoopBridge) -> None:
        self.node = node
        self.bridge = bridge
        self._sessions: dict[tuple[str, str, str], ReconnectingSession] = {}

    def session(self, realm: str | None, role: str | None) -> ReconnectingSession:
        """Return the session for a realm and a role; None means the default.

        Raises NotConfigured if no realm is given, the settings name none, and the node does not have exactly one.
        """
        settings = app_settings().api
        realm = realm or settings.realm or self._only_realm()
        key = (realm, settings.authid or DEFAULT_AUTHID, role or settings.role or TRUSTED)
        if key not in self._sessions:  # setdefault: several threads can run this at the same time
            self._sessions.setdefault(key, ReconnectingSession(self.bridge, partial(self.open_session, *key)))
        return self._sessions[key]

    async def open_session(self, realm: str, authid: str, role: str) -> Session:
        """Open a session. Raises SessionClosed if the realm is full, or if it or the role does not exist."""
        return await join(self.node, realm, authid=authid, authrole=role)

    def prepare_handler(self, handler: Handler, *, in_order: bool = False) -> AsyncHandler:
        """Return ``handler`` as a coroutine function. Synchronous handlers run in a thread."""
        return awaitable(handler, in_order=in_order)

    def close(self) -> None:
        """Prevent sessions from reconnecting. The node closes the open sessions."""
        for session in self._sessions.values():
            with suppress(RuntimeError):  # the loop is closed, and its sessions with it
                self.bridge.loop.call_soon_threadsafe(session.stop)

    def _only_realm(self) -> str:
        return only_realm(list(self.node.router.realms))


class RemoteBackend:
    """The backend for a remote router. Its sessions run in a separate thread, which is started on first use."""

    is_local = False

    def __init__(self, settings: ApiSettings) -> None:
        assert settings.url is not None  # noqa: S101 - current_backend() has checked it
        self.settings = settings
        self._url = settings.url
        self._credential = credential_of(settings)
        self._sessions: dict[str, ReconnectingSession] = {}
        self._is_closing = False
        loop = asyncio.new_event_loop()
        guard_loop(loop, lambda: not self._is_closing)
        self.bridge = LoopBridge(loop)
        self._thread = threading.Thread(target=self._run, name="wamp-api", daemon=True)
        self._thread.start()

    def session(self, realm: str | None, role: str | None) -> ReconnectingSession:
        """Return the session for a realm; None means the default.

        Raises NotConfigured if there is no default realm, or if a role is given.
        """
        if role is not None:
            raise NotConfigured(
                "The router at WAMP_TRANSPORT['API']['URL'] chooses the role of this process by its credential; role="
                " can only be used in the process that serves."
            )
        name = realm or self.settings.realm
        if name is None:
            raise NotConfigured("Which realm is meant? Set WAMP_TRANSPORT['API']['REALM'], or pass realm=...")
        if name not in self._sessions:  # setdefault: several threads can run this at the same time
            self._sessions.setdefault(name, ReconnectingSession(self.bridge, partial(self._open_session, name)))
        return self._sessions[name]

    def prepare_handler(self, handler: Handler, *, in_order: bool = False) -> AsyncHandler:
        """Return ``handler`` as a coroutine function. Synchronous handlers run in a thread."""
        return awaitable(handler, in_order=in_order)

    def close(self) -> None:
        """Close the sessions and stop the thread."""
        for session in self._sessions.values():
            with suppress(FutureTimeout, WampError):
                self.bridge.run_on_loop(session.close()).result(GOODBYE_SECONDS)
        self._is_closing = True
        self.bridge.loop.call_soon_threadsafe(self.bridge.loop.stop)
        self._thread.join(2 * GOODBYE_SECONDS)

    async def _open_session(self, realm: str) -> Session:
        return await connect(self._url, realm, self._credential)

    def _run(self) -> None:
        loop = self.bridge.loop
        asyncio.set_event_loop(loop)
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        if tasks:  # sockets are closing; an unresponsive peer must not keep the process from exiting
            loop.run_until_complete(asyncio.wait(tasks, timeout=GOODBYE_SECONDS))
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def only_realm(realms: list[str]) -> str:
    """Return the only realm. Raises NotConfigured if there are several, or none."""
    if len(realms) == 1:
        return realms[0]
    existing = f"There are {', '.join(sorted(realms))}" if realms else "There is none yet"
    raise NotConfigured(f"Which realm is meant? {existing}. Set WAMP_TRANSPORT['API']['REALM'], or pass realm=...")


def credential_of(settings: ApiSettings) -> Credential:
    """Return the credential with which this process logs in to a remote router."""
    if settings.authid and settings.secret:
        return SharedSecret(settings.authid, settings.secret)
    if settings.authid and settings.ticket:
        return Ticket(settings.authid, settings.ticket)
    return Anonymous(settings.authid)


_changing = threading.RLock()
_process_backend: InProcessBackend | None = None
_remote_backend: RemoteBackend | None = None
_overrides: list[ApiBackend] = []
_inherited: list[InProcessBackend | RemoteBackend] = []


def serve(node: Node, loop: asyncio.AbstractEventLoop) -> None:
    """Use ``node``, which runs on ``loop``, for all sessions of the API in this process."""
    global _process_backend  # noqa: PLW0603 - a process has only one node
    _process_backend = InProcessBackend(node, LoopBridge(loop))


def leave(node: Node) -> None:
    """Stop using a node for the API. Call this when the node shuts down."""
    global _process_backend  # noqa: PLW0603 - as above
    if _process_backend is not None and _process_backend.node is node:
        _process_backend.close()
        _process_backend = None


@contextmanager
def override_backend(backend: ApiBackend) -> Iterator[None]:
    """Use ``backend`` for the API inside the block, regardless of the configuration."""
    _overrides.append(backend)
    try:
        yield
    finally:
        _overrides.remove(backend)


def current_backend() -> ApiBackend:
    """Return the API's current backend in this process.

    Raises NotConfigured if the process has no node and the settings contain no URL of a router.
    """
    global _remote_backend  # noqa: PLW0603 - as above
    if _overrides:
        return _overrides[-1]
    if _process_backend is not None:
        return _process_backend
    settings = app_settings().api
    if settings.url is None:
        raise NotConfigured(
            "This process does not serve WAMP, so it needs the address of a router: set WAMP_TRANSPORT = {'API':"
            " {'URL': 'ws://127.0.0.1:8000/ws', 'REALM': 'realm1', ...}}, with AUTHID and TICKET or SECRET unless"
            " anonymous clients may log in there."
        )
    with _changing:
        if _remote_backend is None or _remote_backend.settings != settings:
            disconnect()
            _remote_backend = RemoteBackend(settings)
        return _remote_backend


def disconnect() -> None:
    """Close the API's sessions on a remote router, if there are any. The next use of the API opens new ones."""
    global _remote_backend
    with _changing:
        backend, _remote_backend = _remote_backend, None
        if backend is not None:
            backend.close()


def _forget_inherited() -> None:
    """Forget the backends in a forked process, which has neither the threads nor the node of its parent."""
    global _changing, _process_backend, _remote_backend
    # Keep references to the backends: their destructors would close sockets that the parent still uses.
    _inherited.extend(backend for backend in (_process_backend, _remote_backend) if backend is not None)
    _changing, _process_backend, _remote_backend = threading.RLock(), None, None


atexit.register(disconnect)
os.register_at_fork(after_in_child=_forget_inherited)
