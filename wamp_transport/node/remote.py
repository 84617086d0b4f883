"""Client sessions with a router in another process or on another host, over WebSocket.

Any router that implements WAMP v2 is supported.

    session = await connect("wss://example.com/ws", "realm1", Ticket("worker", "s3cret"))
    result = await session.call("com.example.add", [2, 3])

See the WAMP specification, Basic Profile, "WebSocket Transport".
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
from ..wamp import errors, messages
from ..wamp.errors import PayloadError, ProtocolViolation, TransportError
from ..wamp.payload import PYTHON, positional
from .inbox import DecodedMessage, Inbox, LocalMessageEncoder
from .session import Session

logger = logging.getLogger(__name__)

OFFERED_SERIALIZERS: Final = ("msgpack", "json")
"""The serializers to offer, in order of preference."""
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Maximum size in bytes of a message from the router. A larger message closes the connection."""
MAX_UNSENT_BYTES: Final = 1024 * 1024
"""The number of queued bytes above which tasks that send must wait."""
PING_SECONDS: Final = 20.0
"""The interval between pings in seconds, and the time limit for each answer."""
GOODBYE_SECONDS: Final = 5.0
"""The time limit in seconds for the router's answer to GOODBYE. Afterwards, the connection is closed."""


class Socket(Protocol):
    """An open WebSocket connection."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Iterate over incoming messages until the connection is closed."""
        ...

    async def send(self, message: str | bytes) -> None:
        """Send a text or binary message."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection. Further calls have no effect."""
        ...


class WebSocketClientTransport:
    """A session's transport over a WebSocket. One task reads messages, and another task writes them."""

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
        self._has_work = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._tasks = [self._loop.create_task(self._read()), self._loop.create_task(self._write())]

    def open(self, hello: messages.Hello) -> None:
        """Send HELLO."""
        self.send(hello)

    def send(self, message: messages.Message) -> None:
        """Queue a message. Do nothing if the transport is closing.

        Raises PayloadError if the serializer cannot encode the payload.
        """
        if self._is_closing:
            return
        data = self._serializer.encode(message, PYTHON)
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if self._unsent_bytes > MAX_UNSENT_BYTES:
            self._inbox.pause()
        self._has_work.set()
        if isinstance(message, messages.Goodbye):
            self._loop.call_later(GOODBYE_SECONDS, self.close)

    def answer_challenge(self, challenge: messages.Challenge, session_id: int) -> None:
        """Answer a CHALLENGE with the credential. If the credential cannot answer it, close the transport."""
        try:
            self.send(messages.Authenticate(self._credential.answer(challenge.extra), {}))
        except UnusableChallenge as fault:
            self._problem = str(fault)
            self.close()

    def set_congested(self, is_congested: bool) -> None:
        """Stop reading from the router, because the session's queue is long. If ``is_congested`` is False, resume."""
        if is_congested:
            self._may_read.clear()
        else:
            self._may_read.set()

    def close(self) -> None:
        """Close the socket after sending all queued messages."""
        self._is_closing = True
        self._has_work.set()
        self._may_read.set()

    async def _write(self) -> None:
        try:
            while self._unsent or not self._is_closing:
                await self._has_work.wait()
                self._has_work.clear()
                while self._unsent:
                    data = self._unsent.popleft()
                    await self._socket.send(data if self._serializer.is_binary else data.decode())
                    self._unsent_bytes -= len(data)
                    if self._inbox.is_send_paused and self._unsent_bytes <= MAX_UNSENT_BYTES // 2:
                        self._inbox.resume()
        except ConnectionClosed:
            self._unsent.clear()  # the task that reads reports the lost connection
        finally:
            await self._socket.close()

    async def _read(self) -> None:
        problem = ""
        try:
            async for data in self._socket:
                self._on_message(data.encode() if isinstance(data, str) else data)
                await self._may_read.wait()
        except (ConnectionClosed, ProtocolViolation) as fault:
            problem = f": {fault}"
        finally:
            text = self._problem or f"the connection to the router was lost{problem}"
            self._inbox.close(errors.AUTHENTICATION_FAILED if self._problem else errors.CLOSE_TRANSPORT_LOST, text)
            self.close()

    def _on_message(self, data: bytes) -> None:
        message = self._serializer.decode(data)
        try:
            self._inbox.write(self._encoder.encode(message, self._serializer.name))
        except PayloadError as fault:
            self._on_undecodable(message, fault)

    def _on_undecodable(self, message: messages.Message, fault: PayloadError) -> None:
        """Report a payload that cannot be decoded, so that no caller waits forever.

        Answer an INVOCATION with an ERROR. Pass an ERROR to this session in place of a RESULT.
        """
        logger.error("%s from the router cannot be decoded: %s", type(message).__name__, fault)
        error = partial(messages.Error, details=messages.ErrorDetails(), error=fault.uri, args=positional(str(fault)))
        if isinstance(message, messages.Invocation):
            self.send(error(messages.CODES[messages.Invocation], message.request_id))
        elif isinstance(message, messages.Result):
            answer = DecodedMessage(error(messages.CODES[messages.Call], message.request_id), [str(fault)])
            self._inbox.write(cast(bytes, answer))  # an inbox accepts a DecodedMessage, as in LocalMessageEncoder


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """The options of a connection to a router.

    - ``serializers``: the names of the serializers to offer, in order of preference
    - ``tls``: the TLS settings for ``wss:``; None verifies certificates with Python's defaults
    - ``socket``: the path of a Unix socket to use instead of the URL's host and port
    - ``origin``: the value of the header ``Origin``, None for no header
    - ``open_seconds``: the time limit for the handshake, None for no limit
    - ``uses_proxy``: whether to use the proxy from the environment variables, if there is one
    """

    serializers: tuple[str, ...] = OFFERED_SERIALIZERS
    tls: ssl.SSLContext | None = None
    socket: str | None = None
    origin: str | None = None
    open_seconds: float | None = None
    uses_proxy: bool = True

    def websocket_arguments(self, url: str) -> dict[str, Any]:
        """Return the options as keyword arguments for the WebSocket library."""
        address = {} if self.socket is None else {"unix": True, "path": self.socket}
        security = {"ssl": self.tls} if self.tls is not None and url.startswith("wss:") else {}
        origin = None if self.origin is None else Origin(self.origin)
        proxy = True if self.uses_proxy and self.socket is None else None
        return {**address, **security, "origin": origin, "open_timeout": self.open_seconds, "proxy": proxy}


DEFAULT_CONNECT_OPTIONS: Final = ConnectOptions()


async def connect(
    url: str, realm: str, credential: Credential | None = None, options: ConnectOptions = DEFAULT_CONNECT_OPTIONS
) -> Session:
    """Open a session with the router at ``url`` (``ws:`` or ``wss:``), with a credential or anonymously.

    Raises TransportError if no WAMP router answers at the URL, and SessionClosed if the router refuses the session.
    """
    credential = credential or Anonymous()
    offered = [Subprotocol(SERIALIZERS[name].subprotocol) for name in options.serializers]
    try:
        socket = await open_websocket(
            url,
            subprotocols=offered,
            compression=None,
            max_size=MAX_MESSAGE_BYTES,
            ping_interval=PING_SECONDS,
            ping_timeout=PING_SECONDS,
            **options.websocket_arguments(url),
        )
    except (OSError, WebSocketException, ValueError) as fault:
        raise TransportError(f"no WAMP router can be reached at {printable_url(url)}: {fault}") from fault
    serializer = BY_SUBPROTOCOL.get(socket.subprotocol or "")
    if serializer is None:
        await socket.close()
        raise TransportError(
            f"the server at {printable_url(url)} accepts none of the subprotocols {', '.join(offered)}"
        )
    session = Session(realm, lambda inbox: WebSocketClientTransport(socket, serializer, credential, inbox))
    await session.open([credential.authmethod], credential.authid, credential.authextra)
    return session


def printable_url(url: str) -> str:
    """Return a URL without user, password, query and fragment, for logs and messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
