"""An open transport: its listening socket, the factory of its connections, TLS around it, and who may come in."""

import asyncio
from typing import Any

from ..connection_limits import ConnectionLimiter
from ..listener import Listener
from .ports import open_port
from .requests import TransportFactory
from .tls import TlsFactory, make_context


class Door:
    """What is there once for each transport that listens. TLS and limits may change while it does."""

    def __init__(self, factory: TransportFactory, listener: Listener, tls: TlsFactory | None) -> None:
        self.factory = factory
        self.listener = listener
        self.tls = tls
        self.port: Any = None

    @classmethod
    async def open(cls, server: Any, key: str, listener: Listener) -> "Door":
        """Listen. Raises TlsError, CannotListenError, OSError."""
        limiter = ConnectionLimiter(listener.max_connections)
        factory = TransportFactory(server, key, listener, limiter)
        door = cls(factory, listener, await _tls_around(factory, listener))
        door.port = open_port(door.tls or factory, listener, limiter)
        return door

    def fits(self, listener: Listener) -> bool:
        """Whether the socket can stay for this listener."""
        return self.listener.address == listener.address

    async def configure(self, listener: Listener) -> None:
        """Take what has changed but the socket; connections that are open keep what they began with.

        Raises TlsError, and goes on as before.
        """
        if listener.tls != self.listener.tls:
            self.tls = await _tls_around(self.factory, listener)
            self.port.factory = self.tls or self.factory
        self.factory.configure(listener)
        self.port.user_timeout = getattr(listener.endpoint, "user_timeout", None) or 0
        self.listener = listener


async def _tls_around(factory: TransportFactory, listener: Listener) -> TlsFactory | None:
    if listener.tls is None:
        return None
    return TlsFactory(factory, listener.tls, await asyncio.to_thread(make_context, listener.tls))
