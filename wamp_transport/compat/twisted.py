"""Undocumented members of Twisted: its reactor and socket buffers, its TLS and its HTTP channel."""

import asyncio
from collections import deque
from functools import cache
from operator import attrgetter
from typing import Any, Final

from .requirements import Members
from .versions import TWISTED

MEMBERS: Final = (
    Members(
        "twisted.internet.asyncioreactor",
        "AsyncioSelectorReactor",
        called={"_disconnectSelectable": "selectable why isRead"},
        instance="_asyncioEventloop _readers",
    ),
    Members(
        "twisted.internet.tcp",
        "Server",
        called={"fileno": "", "stopReading": "", "startReading": ""},
        overridden={
            "__init__": "sock protocol client server sessionno reactor",
            "doRead": "",
            "writeSomeData": "data",
            "startReading": "",
            "stopReading": "",
            "startWriting": "",
            "stopWriting": "",
            "write": "bytes",
            "connectionLost": "reason",
        },
        attributes={"dataBuffer": bytes, "offset": int, "connected": int, "bufferSize": int},
        instance="_tempDataLen reactor protocol socket server client",
    ),
    Members(
        "twisted.internet.unix", "Server", overridden={"__init__": "sock protocol client server sessionno reactor"}
    ),
    Members(
        "twisted.internet.tcp",
        "Port",
        overridden={"__init__": "port factory backlog interface reactor", "createInternetSocket": ""},
        attributes={"transport": type},
        instance="factory",
    ),
    Members(
        "twisted.internet.unix",
        "Port",
        overridden={"__init__": "fileName factory backlog mode reactor wantPID"},
        attributes={"transport": type},
    ),
    Members(
        "twisted.web.http",
        "HTTPChannel",
        called={"setTimeout": "period", "resetTimeout": ""},
        overridden={
            "connectionMade": "",
            "dataReceived": "data",
            "lineReceived": "line",
            "lineLengthExceeded": "line",
            "headerReceived": "line",
            "allHeadersReceived": "",
            "rawDataReceived": "data",
            "allContentReceived": "",
            "requestDone": "request",
            "timeoutConnection": "",
            "_respondToBadRequestAndDisconnect": "",
        },
        attributes={"maxHeaders": int, "totalHeadersSize": int, "MAX_LENGTH": int, "persistent": int},
        instance="_receivedHeaderSize _receivedHeaderCount _handlingRequest _command _version _networkProducer"
        " requests length",
    ),
    Members(
        "twisted.web.http",
        "Request",
        called={"registerProducer": "producer streaming", "unregisterProducer": ""},
        overridden={"handleContentChunk": "data", "setResponseCode": "code message"},
        attributes={"sentLength": int, "code": int, "finished": int},
        instance="channel content clientproto requestHeaders",
    ),
    Members(
        "twisted.protocols.tls",
        "TLSMemoryBIOProtocol",
        overridden={"_shutdownTLS": "", "_tlsShutdownFinished": "reason"},
        attributes={"_handshakeDone": int},
    ),
    Members(
        "twisted.protocols.tls",
        "TLSMemoryBIOFactory",
        overridden={"__init__": "contextFactory isClient wrappedFactory clock", "buildProtocol": "addr"},
        attributes={"protocol": type},
        instance="wrappedFactory",
    ),
)

TWISTED.require(MEMBERS)

with TWISTED.imports():
    from twisted.internet.abstract import FileDescriptor
    from twisted.logger import Logger
    from twisted.protocols.tls import TLSMemoryBIOProtocol
    from twisted.web.http import HTTPChannel

log = Logger()

DISCONNECTIONS_PER_TURN: Final = 4
"""Maximum number of connections that are ended in one turn of the event loop after their peers have disconnected.

If thousands of clients disconnect at the same moment, other clients wait only for those that are ended in one turn.
"""


def loop_of(reactor: Any) -> asyncio.AbstractEventLoop:
    """Return the asyncio event loop of a reactor."""
    loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop
    return loop


class DirectSocket(FileDescriptor):
    """A base class for accepted sockets that the event loop calls directly when they are readable.

    A call through Twisted's reactor would also set up a context for Twisted's log, which takes as long as the rest of a
    read.
    """

    reactor: Any

    is_writing = False
    """Whether Twisted's buffers contain bytes. While this is true, do not write to the socket directly: new bytes would
    overtake the buffered ones.
    """

    _is_read_directly = False

    @property
    def unsent_bytes(self) -> int:
        """The number of bytes in Twisted's buffers."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    # Hot path: once per read and, for a slow peer, once per write.

    def startReading(self) -> None:
        """Make the event loop call ``doRead`` whenever the socket is readable."""
        if self._is_read_directly:
            return
        loop = getattr(self.reactor, "_asyncioEventloop", None)
        if loop is None:
            super().startReading()  # type: ignore[no-untyped-call]
            return
        descriptor = self.fileno()  # type: ignore[no-untyped-call]
        loop.add_reader(descriptor, self._read)
        self.reactor._readers[self] = descriptor  # the reactor's record of the sockets that it must close
        self._is_read_directly = True

    def stopReading(self) -> None:
        """Stop reading until :meth:`startReading`."""
        self._is_read_directly = False
        super().stopReading()  # type: ignore[no-untyped-call]

    def _read(self) -> None:
        try:
            end = self.doRead()  # type: ignore[no-untyped-call]
        except Exception as bug:  # noqa: BLE001 - as in Twisted, the connection ends
            log.failure("A connection is closed after an error")
            end = bug
        if end is not None:
            self.stopReading()
            disconnections_of(self.reactor._asyncioEventloop).put(self, end)

    def write(self, data: bytes) -> None:
        """Send bytes after the bytes in Twisted's buffers."""
        # Set this first: during write(), Twisted can call the object that supplies the data (its "producer"), which
        # must see that bytes are buffered.
        self.is_writing = True
        super().write(data)

    def startWriting(self) -> None:
        """Write the buffered bytes when the socket is writable."""
        self.is_writing = True
        super().startWriting()  # type: ignore[no-untyped-call]

    def stopWriting(self) -> None:
        """Stop writing until :meth:`startWriting`, because the buffers are empty."""
        self.is_writing = False
        super().stopWriting()  # type: ignore[no-untyped-call]

    # End of the hot path.


class Disconnections:
    """A queue of connections that must be ended, because their peers have disconnected or a read has failed.

    A few of them are ended in each turn of the event loop. The first ones in a turn are ended immediately, so that a
    client can reconnect without delay even if a limit on connections is reached.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._room = DISCONNECTIONS_PER_TURN
        self._waiting: deque[tuple[DirectSocket, Any]] = deque()

    def put(self, ended: DirectSocket, reason: Any) -> None:
        """End a connection in this turn of the event loop or a later one.

        The caller must have stopped reading from its socket.
        """
        if self._room == DISCONNECTIONS_PER_TURN:
            self._loop.call_soon(self._begin_turn)
        if self._room and not self._waiting:
            self._room -= 1
            self._end(ended, reason)
        else:
            self._waiting.append((ended, reason))

    def _begin_turn(self) -> None:
        some = [self._waiting.popleft() for _ in range(min(DISCONNECTIONS_PER_TURN, len(self._waiting)))]
        self._room = DISCONNECTIONS_PER_TURN - len(some)
        if some:
            self._loop.call_soon(self._begin_turn)
        for ended, reason in some:
            self._end(ended, reason)

    def _end(self, ended: DirectSocket, reason: Any) -> None:
        if not ended.connected:
            return  # it has ended because a write has failed
        try:
            ended.reactor._disconnectSelectable(ended, reason, True)
        except Exception:  # noqa: BLE001 - a bug of one connection must not keep the others open
            log.failure("An error while a connection was ended")


@cache
def disconnections_of(loop: asyncio.AbstractEventLoop) -> Disconnections:
    """Return the queue of connections that must be ended in an event loop. Each loop has one queue."""
    return Disconnections(loop)


class HttpChannel(HTTPChannel):
    """Twisted's HTTP parser with public names for its state."""

    header_size = property(attrgetter("_receivedHeaderSize"))
    """The size of the current request head in bytes, without its incomplete last line."""

    header_count = property(attrgetter("_receivedHeaderCount"))
    """The number of header lines in the current request head."""

    is_handling_request = property(attrgetter("_handlingRequest"))
    """Whether a complete request is being handled."""

    version = property(attrgetter("_version"))
    """The version in the request line, for example ``b"HTTP/1.1"``."""

    @property
    def has_request_line(self) -> bool:
        """Whether the first line of a request has been read."""
        return hasattr(self, "_command")

    def read_without_producer(self) -> None:
        """Resume reading, and exclude the request from flow control from now on."""
        producer: Any = self._networkProducer
        producer.unregisterProducer()
        producer.resumeProducing()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse_bad_request()

    def refuse_bad_request(self) -> None:
        """Respond to a request that cannot be parsed, and close the connection."""
        super()._respondToBadRequestAndDisconnect()  # type: ignore[no-untyped-call]


class TlsConnection(TLSMemoryBIOProtocol):
    """A TLS connection. Subclasses override :meth:`on_tls_closed` and :meth:`on_handshake_failed`."""

    def _shutdownTLS(self) -> None:
        super()._shutdownTLS()  # type: ignore[no-untyped-call]
        self.on_tls_closed()

    def _tlsShutdownFinished(self, reason: Any) -> None:
        if reason is not None and not self._handshakeDone:
            self.on_handshake_failed(reason.value)
        super()._tlsShutdownFinished(reason)  # type: ignore[no-untyped-call]

    def on_tls_closed(self) -> None:
        """Called after the closing alert was sent to the peer."""

    def on_handshake_failed(self, error: BaseException) -> None:
        """Called when the handshake has failed."""
