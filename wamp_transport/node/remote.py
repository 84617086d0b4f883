"""Sessions at a router elsewhere, over WebSocket: ours or any other that speaks WAMP v2.

    session = await connect("wss://example.com/ws", "realm1", Ticket("worker", "s3cret"))
    result = await session.call("com.example.add", [2, 3])

Section of the specification: Basic Profile, "WebSocket Transport".
"""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, cast
from urllib.parse import urlsplit

from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Origin, Subprotocol

from ..auth.credentials import Anonymous, Credential, UnusableChallenge
from ..serializers.registry import BY_SUBPROTOCOL, SERIALIZERS
from ..serializers.serializer import Serializer
from ..wamp import errors
from ..wamp.errors import PayloadError, ProtocolViolation, TransportError
from ..wamp.messages import CODES, Authenticate, Call, Challenge, Error, ErrorDetails, Goodbye, Hello, Message, Result
from ..wamp.messages import Invocation as InvocationMessage
from ..wamp.payload import PYTHON, positional
from .inbox import Delivery, Inbox, LocalMessageEncoder
from .session import Session

logger = logging.getLogger(__name__)

OFFERED_SERIALIZERS: Final = ("msgpack", "json")
"""Serializers, the one that is liked best first."""
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Bytes of one message from the router, from which on the connection is closed."""
MAX_UNSENT_BYTES: Final = 1024 * 1024
"""Bytes that may wait to be sent, from which on whoever sends has to wait."""
PING_SECONDS: Final = 20.0
"""How often the router is asked whether it is there, and how long it may take to answer."""
GOODBYE_SECONDS: Final = 5.0
"""How long the connection stays after GOODBYE, for the answer."""


class Socket(Protocol):
    """A WebSocket connection that is open."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """The messages that come, until it is closed."""
        ...

    async def send(self, message: str | bytes) -> None:
        """Send a message: text, or binary."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it. Safe to call again."""
        ...


class WebSocketLine:
    """A WebSocket that carries the messages of one session."""

    def __init__(self, socket: Socket, serializer: Serializer, credential: Credential, inbox: Inbox) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = socket
        self._serializer = serializer
        self._credential = credential
        self._inbox = inbox
        self._encoder = LocalMessageEncoder()
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._is_closing = False
        self._problem = ""
        self._to_do = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._tasks = [self._loop.create_task(self._read()), self._loop.create_task(self._write())]

    def open(self, hello: Hello) -> None:
        """See :class:`~.session.Line`."""
        self.send(hello)

    def send(self, message: Message) -> None:
        """See :class:`~.session.Line`. Raises PayloadError where the payload cannot be said in the serialization."""
        if self._is_closing:
            return
        data = self._serializer.encode(message, PYTHON)
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if self._unsent_bytes > MAX_UNSENT_BYTES:
            self._inbox.pause()
        self._to_do.set()
        if isinstance(message, Goodbye):
            self._loop.call_later(GOODBYE_SECONDS, self.close)

    def challenged(self, challenge: Challenge, session_id: int) -> None:
        """Prove who this is."""
        try:
            self.send(Authenticate(self._credential.answer(challenge.extra), {}))
        except UnusableChallenge as fault:
            self._problem = str(fault)
            self.close()

    def congested(self, is_congested: bool) -> None:
        """While too much waits, nothing is read: then it is the router's turn to hold back."""
        if is_congested:
            self._may_read.clear()
        else:
            self._may_read.set()

    def close(self) -> None:
        """Close the socket, after what was sent."""
        self._is_closing = True
        self._to_do.set()
        self._may_read.set()

    async def _write(self) -> None:
        try:
            while self._unsent or not self._is_closing:
                await self._to_do.wait()
                self._to_do.clear()
                while self._unsent:
                    data = self._unsent.popleft()
                    await self._socket.send(data if self._serializer.is_binary else data.decode())
                    self._unsent_bytes -= len(data)
                    if self._inbox.is_paused and self._unsent_bytes <= MAX_UNSENT_BYTES // 2:
                        self._inbox.resume()
        except ConnectionClosed:
            self._unsent.clear()  # the reader tells of it
        finally:
            await self._socket.close()

    async def _read(self) -> None:
        problem = ""
        try:
            async for data in self._socket:
                self._take(data.encode() if isinstance(data, str) else data)
                await self._may_read.wait()
        except (ConnectionClosed, ProtocolViolation) as fault:
            problem = f": {fault}"
        finally:
            text = self._problem or f"the connection to the router was lost{problem}"
            self._inbox.close(errors.AUTHENTICATION_FAILED if self._problem else errors.CLOSE_TRANSPORT_LOST, text)
            self.close()

    def _take(self, data: bytes) -> None:
        message = self._serializer.decode(data)
        try:
            self._inbox.write(self._encoder.encode(message, self._serializer.name))
        except PayloadError as fault:
            self._unreadable(message, fault)

    def _unreadable(self, message: Message, fault: PayloadError) -> None:
        """A payload holds what no Python value is: whoever waits is told."""
        logger.error("%s from the router cannot be read: %s", type(message).__name__, fault)
        error = partial(Error, details=ErrorDetails(), error=fault.uri, args=positional(str(fault)))
        if isinstance(message, InvocationMessage):
            self.send(error(CODES[InvocationMessage], message.request_id))
        elif isinstance(message, Result):
            answer = Delivery(error(CODES[Call], message.request_id), [str(fault)])
            self._inbox.write(cast(bytes, answer))  # as LocalMessageEncoder does


@dataclass(frozen=True, slots=True)
class Way:
    """How a router is reached. ``socket`` is the path of a Unix socket to use instead of the URL's host and port.

    ``tls`` None: certificates are checked as Python does. ``open_seconds``: how long the handshake may take; None for
    ever. ``uses_proxy``: through the proxy that the environment names, if it does.
    """

    serializers: tuple[str, ...] = OFFERED_SERIALIZERS
    tls: ssl.SSLContext | None = None
    socket: str | None = None
    origin: str | None = None
    open_seconds: float | None = None
    uses_proxy: bool = True

    def options(self, url: str) -> dict[str, Any]:
        """What this means for the WebSocket library."""
        place = {} if self.socket is None else {"unix": True, "path": self.socket}
        secured = {"ssl": self.tls} if self.tls is not None and url.startswith("wss:") else {}
        origin = None if self.origin is None else Origin(self.origin)
        proxy = True if self.uses_proxy and self.socket is None else None
        return {**place, **secured, "origin": origin, "open_timeout": self.open_seconds, "proxy": proxy}


USUAL_WAY: Final = Way()


async def connect(url: str, realm: str, credential: Credential | None = None, way: Way = USUAL_WAY) -> Session:
    """Open a session at the router at ``url`` (``ws:`` or ``wss:``), as whom the credential says.

    Raises TransportError where nobody answers there as a WAMP router does, SessionEnded where it does not let this
    client join.
    """
    credential = credential or Anonymous()
    offered = [Subprotocol(SERIALIZERS[name].subprotocol) for name in way.serializers]
    try:
        socket = await open_websocket(
            url,
            subprotocols=offered,
            compression=None,
            max_size=MAX_MESSAGE_BYTES,
            ping_interval=PING_SECONDS,
            ping_timeout=PING_SECONDS,
            **way.options(url),
        )
    except (OSError, WebSocketException, ValueError) as fault:
        raise TransportError(f"no WAMP router can be reached at {place(url)}: {fault}") from fault
    serializer = BY_SUBPROTOCOL.get(socket.subprotocol or "")
    if serializer is None:
        await socket.close()
        raise TransportError(f"what answers at {place(url)} speaks none of {', '.join(offered)}")
    session = Session(realm, lambda inbox: WebSocketLine(socket, serializer, credential, inbox))
    await session.open([credential.authmethod], credential.authid, credential.authextra)
    return session


def place(url: str) -> str:
    """A URL as it may be told: without user and password, and without what follows the path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
