"""Choose the protocol of a new connection by its first bytes.

If the module :mod:`~wamp_transport.transports.fast_handshake` can parse the bytes, and the request and the options of
its service are simple enough, the connection is passed directly to the WebSocket protocol of the service. A TLS
handshake on a port without TLS is logged, and the connection is closed. All other connections are passed to the HTTP
server.
"""

import asyncio
import logging
from time import monotonic
from typing import Any, Final

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure

from ..fast_handshake import parse_simple_upgrade

logger = logging.getLogger(__name__)

TLS_HANDSHAKE: Final = b"\x16\x03"
"""The first bytes that a TLS client sends. No HTTP request begins with them."""


class ProtocolDetector(Protocol):
    """The protocol of a connection until its first bytes arrive. It then passes the transport to the chosen protocol.

    ``timeout`` is the time limit in seconds for the TLS handshake and the complete head of the first request.
    """

    factory: Any

    def __init__(self, address: IAddress, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._started = monotonic()
        self._timer: asyncio.TimerHandle | None = None

    def connectionMade(self) -> None:
        """Start the timeout."""
        transport: Any = self.transport
        self._timer = self.factory.server.loop.call_later(self._timeout, transport.abortConnection)

    def dataReceived(self, data: bytes) -> None:
        """Choose the protocol and pass the bytes to it."""
        seconds = self._stop_timer()
        if data.startswith(TLS_HANDSHAKE):
            transport: Any = self.transport
            logger.info("%s sent a TLS handshake to a port without TLS", transport.getPeer())
            transport.loseConnection()
            return
        request = parse_simple_upgrade(data, self.factory.listener.options.max_request_head)
        protocol = None if request is None else self.factory.server.websocket_for(self.factory.key, request)
        if protocol is not None:
            self._hand_over(protocol)
            protocol.begin(self.transport, request)
        else:
            protocol = self.factory.build_http(self._address, seconds)
            self._hand_over(protocol)
            protocol.makeConnection(self.transport)
            protocol.dataReceived(data)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Stop the timeout, because the peer has disconnected without sending anything."""
        self._stop_timer()

    def _hand_over(self, protocol: Any) -> None:
        transport: Any = self.transport
        transport.wamp_transport_factory = self.factory
        if isinstance(transport, ProtocolWrapper):  # TLS
            transport.wrappedProtocol = protocol
        else:
            transport.protocol = protocol

    def _stop_timer(self) -> float:
        """Stop the timeout. Return the remaining time in seconds, at least 0.1."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return max(self._timeout - (monotonic() - self._started), 0.1)
