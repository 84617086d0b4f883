"""Sockets that listen, and the sockets they accept: counted exactly, from the accept to the close.

Twisted's own, with a factory that can be exchanged while they listen and an :class:`Admission` of their own.
"""

import os
import socket
from typing import Any, Final

from twisted.internet import reactor, tcp, unix

from ...config.endpoint import TcpEndpoint
from ..admission import Admission
from ..listener import Listener

SOCKET_MODE: Final = 0o660
"""Permissions of a Unix socket."""


class CountedConnection:
    """A connection that its port's admission knows of."""

    server: Any

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.address = address_of(self.getPeer())  # type: ignore[attr-defined]
        self.admission: Admission | None = self.server.admission
        self.admission.enter(self.address)
        self.proxied_client: str | None = None
        if self.server.user_timeout:
            self.socket.setsockopt(  # type: ignore[attr-defined]
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self.server.user_timeout
            )

    def begin_client(self, client: str) -> str:
        """What a proxy sends here is from now on for ``client``. Why that cannot be, if so; nothing is counted then."""
        self.end_client()
        if self.admission is None:
            return ""
        refusal = self.admission.client_refusal(client)
        if not refusal:
            self.admission.enter_client(client)
            self.proxied_client = client
        return refusal

    def end_client(self) -> None:
        """The client that a proxy has served here is done."""
        if self.proxied_client is not None and self.admission is not None:
            self.admission.leave_client(self.proxied_client)
        self.proxied_client = None

    def connectionLost(self, reason: Any) -> None:
        """The socket is closed."""
        super().connectionLost(reason)  # type: ignore[misc]
        self.end_client()
        if self.admission is not None:
            self.admission.leave(self.address)
            self.admission = None


class TcpConnection(CountedConnection, tcp.Server):
    """An accepted TCP socket."""


class UnixConnection(CountedConnection, unix.Server):
    """An accepted Unix socket."""


class TcpPort(tcp.Port):
    """A TCP socket that listens."""

    transport: Any = TcpConnection

    def __init__(self, factory: Any, listener: Listener, admission: Admission) -> None:
        endpoint: Any = listener.endpoint
        super().__init__(endpoint.port, factory, endpoint.backlog, listener.interface, reactor)
        self.admission = admission
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

    def __init__(self, factory: Any, listener: Listener, admission: Admission) -> None:
        path: Any = os.fsencode(listener.path or "")
        super().__init__(path, factory, listener.endpoint.backlog, SOCKET_MODE, reactor, wantPID=1)
        self.admission = admission


def open_port(factory: Any, listener: Listener, admission: Admission) -> TcpPort | UnixPort:
    """Listen. Raises CannotListenError, OSError."""
    kind = TcpPort if isinstance(listener.endpoint, TcpEndpoint) else UnixPort
    port = kind(factory, listener, admission)
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
