"""An open transport: its listening socket, the factory of its connections, TLS and limits."""

import asyncio
from typing import Any

from ..connection_limits import ConnectionLimiter
from ..listener import Listener
from .requests import TransportFactory
from .sockets import open_port
from .tls import TlsFactory, make_context


class OpenTransport:
    """An open, listening transport. Its TLS and limits can change while its socket stays open."""

    def __init__(self, factory: TransportFactory, listener: Listener, tls: TlsFactory | None) -> None:
        self.factory = factory
        self.listener = listener
        self.tls = tls
        self.port: Any = None

    @classmethod
    async def open(cls, server: Any, key: str, listener: Listener) -> "OpenTransport":
        """Start listening, and return the transport.

        Raises TlsError if the TLS files cannot be used, and CannotListenError or OSError if the socket cannot be
        opened.
        """
        limiter = ConnectionLimiter(listener.max_connections)
        factory = TransportFactory(server, key, listener, limiter)
        transport = cls(factory, listener, await _tls_around(factory, listener))
        transport.port = open_port(transport.tls or factory, listener, limiter)
        return transport

    def can_keep_socket(self, listener: Listener) -> bool:
        """Return whether the open socket already has the address and the socket options of ``listener``."""
        return self.listener.address == listener.address

    async def apply_listener(self, listener: Listener) -> None:
        """Apply the TLS files, limits and options of ``listener`` while the socket stays open.

        Changes of TLS do not affect open connections. If the TLS files cannot be used, raise TlsError and change
        nothing.
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
