"""Where the sessions of Django code live: on the loop of the node of this process, or on a loop of their own.

The node, when it begins, tells :func:`serve`. A process without one keeps a thread with an event loop, in which its
sessions reach the router at ``settings.WAMP_TRANSPORT["URL"]``.
"""

import asyncio
import atexit
import os
import threading
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

from django.core.exceptions import ImproperlyConfigured

from ..auth.credentials import Anonymous, Credential, SharedSecret, Ticket
from ..conf import ApiSettings, app_settings
from ..node.local import join
from ..node.node import Node
from ..node.remote import connect
from ..node.session import Session
from ..router.options import TRUSTED
from ..wamp.errors import WampError
from .reconnecting_session import Lasting

DEFAULT_AUTHID: Final = "django"
GOODBYE_SECONDS: Final = 2.0
"""How long a process waits at its end for its sessions to say goodbye, each."""


class NotConfigured(ImproperlyConfigured):
    """Django code has no router to speak to, or it is not clear which realm is meant. The message says what to set."""


class Home(Protocol):
    """A loop, and the sessions on it."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that all of its sessions belong to."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether the router is in this process."""
        ...

    def lasting(self, realm: str | None, role: str | None) -> Lasting:
        """The session for a realm and a role, None for the default ones. Raises NotConfigured."""
        ...


class NodeHome:
    """The sessions of Django code at the node of this process."""

    is_local = True

    def __init__(self, node: Node, loop: asyncio.AbstractEventLoop) -> None:
        self.node = node
        self.loop = loop
        self._lasting: dict[tuple[str, str, str], Lasting] = {}

    def lasting(self, realm: str | None, role: str | None) -> Lasting:
        """See :class:`Home`."""
        settings = app_settings().api
        realm = realm or settings.realm or self._only_realm()
        key = (realm, settings.authid or DEFAULT_AUTHID, role or settings.role or TRUSTED)
        if key not in self._lasting:  # setdefault: threads may come at the same time
            self._lasting.setdefault(key, Lasting(self.loop, partial(self.open_session, *key)))
        return self._lasting[key]

    async def open_session(self, realm: str, authid: str, role: str) -> Session:
        """A new session. Raises SessionEnded where the realm or the role does not exist."""
        return await join(self.node, realm, authid=authid, authrole=role)

    def close(self) -> None:
        """The sessions are not to come back; what they are is the node's to end."""
        for lasting in self._lasting.values():
            with suppress(RuntimeError):  # the loop is over, and they with it
                self.loop.call_soon_threadsafe(lasting.end)

    def _only_realm(self) -> str:
        realms = list(self.node.router.realms)
        if len(realms) == 1:
            return realms[0]
        there = f"there are {', '.join(sorted(realms))}" if realms else "there is none yet"
        raise NotConfigured(
            f"Which realm is meant? {there[0].upper()}{there[1:]}. Set WAMP_TRANSPORT['REALM'], or say realm=..."
        )


class RemoteHome:
    """The sessions of Django code at a router elsewhere, in a thread of their own that begins on first use."""

    is_local = False

    def __init__(self, settings: ApiSettings) -> None:
        assert settings.url is not None  # noqa: S101 - looked at before
        self.settings = settings
        self._url = settings.url
        self._credential = credential_of(settings)
        self._lasting: dict[str, Lasting] = {}
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="wamp-api", daemon=True)
        self._thread.start()

    def lasting(self, realm: str | None, role: str | None) -> Lasting:
        """See :class:`Home`."""
        if role is not None:
            raise NotConfigured(
                "The router at WAMP_TRANSPORT['URL'] gives this process its role, by its credential; role=... is for"
                " the process that serves."
            )
        name = realm or self.settings.realm
        if name is None:
            raise NotConfigured("Which realm is meant? Set WAMP_TRANSPORT['REALM'], or say realm=...")
        realm_name = name

        async def open_session() -> Session:
            return await connect(self._url, realm_name, self._credential)

        if name not in self._lasting:
            self._lasting.setdefault(name, Lasting(self.loop, open_session))
        return self._lasting[name]

    def close(self) -> None:
        """Say goodbye and end the thread."""
        for lasting in self._lasting.values():
            with suppress(NotInTime, WampError):
                asyncio.run_coroutine_threadsafe(lasting.close(), self.loop).result(GOODBYE_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(2 * GOODBYE_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        tasks = asyncio.all_tasks(self.loop)
        if tasks:  # sockets are being closed; who does not answer that must not hold up the process
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=GOODBYE_SECONDS))
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


def credential_of(settings: ApiSettings) -> Credential:
    """Who this process is at a router elsewhere."""
    if settings.authid and settings.secret:
        return SharedSecret(settings.authid, settings.secret)
    if settings.authid and settings.ticket:
        return Ticket(settings.authid, settings.ticket)
    return Anonymous(settings.authid)


_changing = threading.RLock()
_node_home: NodeHome | None = None
_remote_home: RemoteHome | None = None
_substitute: Home | None = None
_inherited: list[Home] = []


def serve(node: Node, loop: asyncio.AbstractEventLoop) -> None:
    """From now on this process has a node."""
    global _node_home  # noqa: PLW0603 - one node a process is the design
    _node_home = NodeHome(node, loop)


def leave(node: Node) -> None:
    """The node has stopped."""
    global _node_home  # noqa: PLW0603 - as above
    if _node_home is not None and _node_home.node is node:
        _node_home.close()
        _node_home = None


def substitute(home: Home | None) -> Home | None:
    """Let ``home`` stand for whatever this process is configured for, as tests do; None ends that. Returns the last."""
    global _substitute
    last, _substitute = _substitute, home
    return last


def current_home() -> Home:
    """Where the sessions of Django code live in this process now. Raises NotConfigured."""
    global _remote_home  # noqa: PLW0603 - as above
    if _substitute is not None:
        return _substitute
    if _node_home is not None:
        return _node_home
    settings = app_settings().api
    if settings.url is None:
        raise NotConfigured(
            "This process serves no WAMP, so it needs to be told where a router is: set WAMP_TRANSPORT = {'URL':"
            " 'ws://127.0.0.1:8000/ws', 'REALM': 'realm1', ...}, with AUTHID and TICKET or SECRET unless anonymous"
            " clients are let in there."
        )
    with _changing:
        if _remote_home is None or _remote_home.settings != settings:
            disconnect()
            _remote_home = RemoteHome(settings)
        return _remote_home


def disconnect() -> None:
    """End the sessions at a router elsewhere; what comes next connects anew."""
    global _remote_home
    with _changing:
        home, _remote_home = _remote_home, None
        if home is not None:
            home.close()


def _forget() -> None:
    """In a process that was forked off: neither the threads nor the node of its parent are there."""
    global _changing, _node_home, _remote_home
    # Kept, as taking them apart would disturb the parent: both processes share the sockets.
    _inherited.extend(home for home in (_node_home, _remote_home) if home is not None)
    _changing, _node_home, _remote_home = threading.RLock(), None, None


atexit.register(disconnect)
os.register_at_fork(after_in_child=_forget)
