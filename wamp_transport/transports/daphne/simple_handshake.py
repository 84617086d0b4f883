"""The handshake for a request that was parsed in one step, without the parsers of Daphne and Autobahn.

The handshake sets the same attributes of the protocol as these parsers, but takes only a fraction of the time.
"""

import time
from typing import Any, NamedTuple

from ...compat.autobahn import timer_of
from ..fast_handshake import UpgradeRequest, switching_protocols
from .options import restart_pings, tune_socket


class LoggedRequest(NamedTuple):
    """The attributes of a request that Daphne's log needs."""

    path: str


class SimpleHandshake:
    """The handshake of one connection. The class of its protocol must come from :func:`~.protocol.protocol_with`."""

    __slots__ = ("_protocol", "_request")

    def __init__(self, protocol: Any, request: UpgradeRequest) -> None:
        self._protocol = protocol
        self._request = request

    def begin(self, transport: Any) -> None:
        """Start the application for the request."""
        protocol, request = self._protocol, self._request
        server = protocol.server = protocol.factory.server_class
        self._adopt_transport(transport)
        tune_socket(transport, protocol._options)
        protocol.request = LoggedRequest(request.path.decode())
        protocol.target = protocol.path = request.path
        protocol.root_path = protocol.mount_path = server.root_path
        protocol.websocket_version = 13
        protocol.websocket_protocols = request.subprotocols
        protocol.socket_opened = protocol.last_ping = time.time()
        protocol.data = request.rest
        peer, host = transport.getPeer(), transport.getHost()
        is_internet = hasattr(peer, "port")
        protocol.client_addr = [peer.host, peer.port] if is_internet else None
        protocol.server_addr = [host.host, host.port] if is_internet else None
        server.protocol_connected(protocol)
        scope = {
            "type": "websocket",
            "root_path": protocol.root_path,
            "headers": request.headers,
            "query_string": request.query,
            "client": protocol.client_addr,
            "server": protocol.server_addr,
        }
        protocol.applicationCreateWorked(server.create_application(protocol, scope))

    def accept(self, subprotocol: str | None, headers: list[tuple[bytes, bytes]]) -> None:
        """Accept the request and open the connection."""
        protocol = self._protocol
        if subprotocol:
            headers = [*headers, (b"Sec-WebSocket-Protocol", subprotocol.encode())]
        protocol.websocket_protocol_in_use = subprotocol
        protocol.websocket_extensions_in_use = []
        protocol.inside_message = False
        protocol.current_frame = None
        protocol.sendData(switching_protocols(self._request.key, headers))
        protocol.state = protocol.STATE_OPEN
        if protocol.openHandshakeTimeoutCall is not None:
            protocol.openHandshakeTimeoutCall.cancel()
            protocol.openHandshakeTimeoutCall = None
        restart_pings(protocol)
        protocol.onOpen()
        if protocol.data:
            protocol.consumeData()

    def _adopt_transport(self, transport: Any) -> None:
        """Set up a new connection as Autobahn does, without the steps that only logging or clients need."""
        protocol = self._protocol
        protocol.transport = transport
        protocol.connected = 1
        protocol.peer = ""
        if protocol.openHandshakeTimeout > 0:
            protocol.openHandshakeTimeoutCall = timer_of(protocol.factory).call_later(
                protocol.openHandshakeTimeout, protocol.onOpenHandshakeTimeout
            )
        protocol.factory.countConnections += 1
