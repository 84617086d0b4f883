"""What a new connection is: usual WebSocket handshakes go straight to their service, all else to the HTTP server."""

import asyncio
from typing import Any, Final

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure

from ..upgrade import ordinary_upgrade

PATIENCE: Final = 60.0
"""Seconds for the first byte."""


class FirstBytes(Protocol):
    """A connection that has sent nothing yet. It hands the transport on with the first bytes that come."""

    factory: Any

    def __init__(self, address: IAddress) -> None:
        self._address = address
        self._give_up: asyncio.TimerHandle | None = None

    def connectionMade(self) -> None:
        """Wait, but not for ever."""
        transport: Any = self.transport
        self._give_up = self.factory.server.loop.call_later(PATIENCE, transport.abortConnection)

    def dataReceived(self, data: bytes) -> None:
        """The first bytes."""
        self._stop_waiting()
        request = ordinary_upgrade(data)
        protocol = None if request is None else self.factory.server.websocket_for(self.factory.key, request)
        if protocol is not None:
            self._hand_on(protocol)
            protocol.begin(self.transport, request)
        else:
            protocol = self.factory.build_http(self._address)
            self._hand_on(protocol)
            protocol.makeConnection(self.transport)
            protocol.dataReceived(data)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Gone before anything came."""
        self._stop_waiting()

    def _hand_on(self, protocol: Any) -> None:
        transport: Any = self.transport
        transport.wamp_transport_key = self.factory.key
        if isinstance(transport, ProtocolWrapper):  # TLS
            transport.wrappedProtocol = protocol
        else:
            transport.protocol = protocol

    def _stop_waiting(self) -> None:
        if self._give_up is not None:
            self._give_up.cancel()
            self._give_up = None
