"""Listening sockets and accepted connections: Twisted's classes with limits, and with faster reads.

Each connection is counted from the moment it is accepted until it is closed. The factory of a listening socket can be
replaced while the socket is open.
"""

import errno
import os
import socket
from time import monotonic
from typing import Any, Final

from twisted.internet import main, reactor, tcp, unix

from ...compat.twisted import DirectSocket
from ...config.endpoint import TcpEndpoint
from ..connection_limits import ConnectionLimiter
from ..listener import Listener

FIRST_READ, MIN_READ, MAX_READ = 4 * 1024, 1024, 256 * 1024
"""The initial, minimum and maximum size of a read in bytes.

The size is doubled if a read returns as many bytes as possible and they are handled quickly.
"""

SLOW_READ_SECONDS: Final = 0.005
"""The time limit in seconds for handling the bytes of one read. If it is exceeded, the size of the next read is halved.

Even a few bytes can contain an event for thousands of subscribers, and other peers must wait until it is handled.
"""

SOCKET_MODE: Final = 0o660
"""The permissions of the file of a Unix socket."""


class CountedConnection(DirectSocket):
    """An accepted connection that counts toward the limits of its port.

    The event loop calls :meth:`doRead` directly.
    """

    server: Any
    socket: Any
    protocol: Any

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
        """Return the IP address of the peer; None if it has none."""
        return None

    def begin_client(self, client: str) -> str:
        """Count this connection from a proxy toward the limit for ``client``, and return an empty string.

        If the limit is reached, do not count the connection, and return the reason for refusing the client.
        """
        self.end_client()
        if self.limiter is None:
            return ""
        refusal = self.limiter.client_refusal(client)
        if not refusal:
            self.limiter.acquire_client(client)
            self.proxied_client = client
        return refusal

    def end_client(self) -> None:
        """Stop counting this connection for the client behind the proxy."""
        if self.proxied_client is not None and self.limiter is not None:
            self.limiter.release_client(self.proxied_client)
        self.proxied_client = None

    # Hot path: once per read, and once per peer and turn of the loop.

    def doRead(self) -> Any:
        """Read from the socket and pass the bytes to the protocol.

        Return the reason if the connection has ended, otherwise None.
        """
        # Read once per turn of the loop, even if the socket has more bytes, so that no peer makes the others wait.
        try:
            data = self.socket.recv(self.bufferSize)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        if not data:
            return main.CONNECTION_DONE
        begin = monotonic()
        # This call can close the connection or replace the protocol, so only the size is used afterwards.
        self.protocol.dataReceived(data)
        size = len(data)
        if monotonic() - begin > SLOW_READ_SECONDS:
            self.bufferSize = max(size // 2, MIN_READ)
        elif size == self.bufferSize < MAX_READ:
            self.bufferSize = 2 * size
        return None

    def writeSomeData(self, data: bytes) -> Any:
        """Write to the socket. Return the number of bytes written, or the reason if the connection has ended."""
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            return 0 if error.errno == errno.ENOBUFS else main.CONNECTION_LOST

    # End of the hot path.

    def connectionLost(self, reason: Any) -> None:
        """Stop counting the connection, because its socket is closed."""
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        self.end_client()
        if self.limiter is not None:
            self.limiter.release(self.address)
            self.limiter = None


class TcpConnection(CountedConnection, tcp.Server):
    """An accepted TCP connection."""

    def peer_address(self) -> str:
        """Return the IP address of the peer."""
        return str(self.client[0])


class UnixConnection(CountedConnection, unix.Server):
    """An accepted connection on a Unix socket."""


class TcpPort(tcp.Port):
    """A listening TCP socket."""

    transport: Any = TcpConnection

    def __init__(self, factory: Any, listener: Listener, limiter: ConnectionLimiter) -> None:
        endpoint: Any = listener.endpoint
        super().__init__(endpoint.port, factory, endpoint.backlog, listener.interface, reactor)
        self.limiter = limiter
        self.user_timeout = endpoint.user_timeout or 0
        self.shared = endpoint.shared

    def createInternetSocket(self) -> socket.socket:
        """Return an unbound socket."""
        new_socket: socket.socket = super().createInternetSocket()  # type: ignore[no-untyped-call]
        if self.shared:
            new_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return new_socket


class UnixPort(unix.Port):
    """A listening Unix socket.

    A lock file shows whether an existing socket is in use, or is a remnant of an earlier process.
    """

    transport = UnixConnection
    user_timeout = 0

    def __init__(self, factory: Any, listener: Listener, limiter: ConnectionLimiter) -> None:
        path: Any = os.fsencode(listener.path or "")
        super().__init__(path, factory, listener.endpoint.backlog, SOCKET_MODE, reactor, wantPID=1)
        self.limiter = limiter


def open_port(factory: Any, listener: Listener, limiter: ConnectionLimiter) -> TcpPort | UnixPort:
    """Start listening, and return the port. Raises CannotListenError or OSError if the socket cannot be opened."""
    kind = TcpPort if isinstance(listener.endpoint, TcpEndpoint) else UnixPort
    port = kind(factory, listener, limiter)
    port.startListening()
    return port


def address_of(peer: Any) -> str | None:
    """Return the IP address of a peer; None if it is on a Unix socket."""
    host: str | None = getattr(peer, "host", None)
    return host


def counted(transport: Any) -> CountedConnection | None:
    """Return the accepted connection of ``transport``, which can be wrapped in TLS; None if there is none."""
    while not isinstance(transport, CountedConnection):
        transport = getattr(transport, "transport", None)
        if transport is None:
            return None
    return transport
