"""Sockets that listen, and the sockets they accept: counted exactly, from the accept to the close.

Twisted's own, with a factory that can be exchanged while they listen and an :class:`ConnectionLimiter` of their own.
"""

import errno
import os
import socket
from time import monotonic
from typing import Any, Final

from twisted.internet import main, reactor, tcp, unix
from twisted.logger import Logger

from ...config.endpoint import TcpEndpoint
from ..connection_limits import ConnectionLimiter
from ..listener import Listener

log = Logger()

FIRST_READ, LEAST_READ, MOST_READ = 4 * 1024, 1024, 256 * 1024
"""Bytes that are read at a time. As long as a peer fills that, and it is quickly done with, it is doubled."""

LONG_READ: Final = 0.005
"""Seconds. What took longer is followed by half as much: a few bytes may be an event for thousands, and others wait."""

SOCKET_MODE: Final = 0o660
"""Permissions of a Unix socket."""


class CountedConnection:
    """A connection that its port's limiter knows of, read and written without a detour."""

    server: Any
    socket: Any
    protocol: Any
    reactor: Any
    fileno: Any
    _is_read_directly = False

    bufferSize = FIRST_READ

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.address = self.peer_address()
        self.limiter: ConnectionLimiter | None = self.server.limiter
        self.limiter.acquire(self.address)
        self.proxied_client: str | None = None
        if self.server.user_timeout:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self.server.user_timeout)

    def peer_address(self) -> str | None:
        """The IP address of the peer; None where it has none."""
        return None

    def begin_client(self, client: str) -> str:
        """What a proxy sends here is from now on for ``client``. Why that cannot be, if so; nothing is counted then."""
        self.end_client()
        if self.limiter is None:
            return ""
        refusal = self.limiter.client_refusal(client)
        if not refusal:
            self.limiter.acquire_client(client)
            self.proxied_client = client
        return refusal

    def end_client(self) -> None:
        """The client that a proxy has served here is done."""
        if self.proxied_client is not None and self.limiter is not None:
            self.limiter.release_client(self.proxied_client)
        self.proxied_client = None

    # Hot path: once per read, and once per peer and turn of the loop.

    def startReading(self) -> None:
        """Be called by the event loop itself: Twisted's way there, with a context for its log, takes as long as the
        rest of a read.
        """
        if self._is_read_directly:
            return
        loop = getattr(self.reactor, "_asyncioEventloop", None)
        if loop is None:
            super().startReading()  # type: ignore[misc]
            return
        descriptor = self.fileno()
        loop.add_reader(descriptor, self._read)
        self.reactor._readers[self] = descriptor  # as Twisted notes it, so that it finds what it has to end
        self._is_read_directly = True

    def stopReading(self) -> None:
        """Be called no more."""
        self._is_read_directly = False
        super().stopReading()  # type: ignore[misc]

    def _read(self) -> None:
        try:
            end = self.doRead()
        except Exception as bug:  # noqa: BLE001 - as Twisted does: the connection that met it ends
            log.failure("A connection is closed after an error")
            end = bug
        if end is not None:
            self.reactor._disconnectSelectable(self, end, True)

    def doRead(self) -> Any:
        """Hand on what has come. Returns why there is no more, if so."""
        try:
            data = self.socket.recv(self.bufferSize)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        if not data:
            return main.CONNECTION_DONE
        begin = monotonic()
        self.protocol.dataReceived(data)
        size = len(data)
        if monotonic() - begin > LONG_READ:
            self.bufferSize = max(size // 2, LEAST_READ)
        elif size == self.bufferSize < MOST_READ:
            self.bufferSize = 2 * size
        return None

    def writeSomeData(self, data: bytes) -> Any:
        """Write what the socket takes. Returns how much that was, or why it takes no more."""
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            return 0 if error.errno == errno.ENOBUFS else main.CONNECTION_LOST

    # End of the hot path.

    def connectionLost(self, reason: Any) -> None:
        """The socket is closed."""
        super().connectionLost(reason)  # type: ignore[misc]
        self.end_client()
        if self.limiter is not None:
            self.limiter.release(self.address)
            self.limiter = None


class TcpConnection(CountedConnection, tcp.Server):
    """An accepted TCP socket."""

    def peer_address(self) -> str:
        """See :class:`CountedConnection`."""
        return str(self.client[0])


class UnixConnection(CountedConnection, unix.Server):
    """An accepted Unix socket."""


class TcpPort(tcp.Port):
    """A TCP socket that listens."""

    transport: Any = TcpConnection

    def __init__(self, factory: Any, listener: Listener, limiter: ConnectionLimiter) -> None:
        endpoint: Any = listener.endpoint
        super().__init__(endpoint.port, factory, endpoint.backlog, listener.interface, reactor)
        self.limiter = limiter
        self.user_timeout = endpoint.user_timeout or 0
        self.shared = endpoint.shared

    def createInternetSocket(self) -> socket.socket:
        """The socket, before it is bound."""
        made: socket.socket = super().createInternetSocket()  # type: ignore[no-untyped-call]
        if self.shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return made


class UnixPort(unix.Port):
    """A Unix socket that listens. A lock file tells one that is left over from one in use."""

    transport = UnixConnection
    user_timeout = 0

    def __init__(self, factory: Any, listener: Listener, limiter: ConnectionLimiter) -> None:
        path: Any = os.fsencode(listener.path or "")
        super().__init__(path, factory, listener.endpoint.backlog, SOCKET_MODE, reactor, wantPID=1)
        self.limiter = limiter


def open_port(factory: Any, listener: Listener, limiter: ConnectionLimiter) -> TcpPort | UnixPort:
    """Listen. Raises CannotListenError, OSError."""
    kind = TcpPort if isinstance(listener.endpoint, TcpEndpoint) else UnixPort
    port = kind(factory, listener, limiter)
    port.startListening()
    return port


def address_of(peer: Any) -> str | None:
    """The IP address of a peer; None for one on a Unix socket."""
    host: str | None = getattr(peer, "host", None)
    return host


def counted(transport: Any) -> CountedConnection | None:
    """The accepted socket below a transport, which may be TLS around it; None where nobody counts."""
    while not isinstance(transport, CountedConnection):
        transport = getattr(transport, "transport", None)
        if transport is None:
            return None
    return transport
