"""What a new connection is: usual WebSocket handshakes go straight to their service, all else to the HTTP server."""

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
"""How a TLS client begins. No HTTP request does, and waiting for the rest of one would help nobody."""


class FirstBytes(Protocol):
    """A connection that has sent nothing yet, not even through TLS.

    It hands the transport on with the first bytes that come. ``patience`` are the seconds for the whole head of the
    first request, TLS included.
    """

    factory: Any

    def __init__(self, address: IAddress, patience: float) -> None:
        self._address = address
        self._patience = patience
        self._begun = monotonic()
        self._give_up: asyncio.TimerHandle | None = None

    def connectionMade(self) -> None:
        """Wait, but not for ever."""
        transport: Any = self.transport
        self._give_up = self.factory.server.loop.call_later(self._patience, transport.abortConnection)

    def dataReceived(self, data: bytes) -> None:
        """The first bytes."""
        seconds = self._stop_waiting()
        if data.startswith(TLS_HANDSHAKE):
            transport: Any = self.transport
            logger.info("%s speaks TLS to a port that does not", transport.getPeer())
            transport.loseConnection()
            return
        request = parse_simple_upgrade(data, self.factory.listener.options.max_request_head)
        protocol = None if request is None else self.factory.server.websocket_for(self.factory.key, request)
        if protocol is not None:
            self._hand_on(protocol)
            protocol.begin(self.transport, request)
        else:
            protocol = self.factory.build_http(self._address, seconds)
            self._hand_on(protocol)
            protocol.makeConnection(self.transport)
            protocol.dataReceived(data)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Gone before anything came."""
        self._stop_waiting()

    def _hand_on(self, protocol: Any) -> None:
        transport: Any = self.transport
        transport.wamp_transport_factory = self.factory
        if isinstance(transport, ProtocolWrapper):  # TLS
            transport.wrappedProtocol = protocol
        else:
            transport.protocol = protocol

    def _stop_waiting(self) -> float:
        """The seconds that are left of the patience."""
        if self._give_up is not None:
            self._give_up.cancel()
            self._give_up = None
        return max(self._patience - (monotonic() - self._begun), 0.1)
