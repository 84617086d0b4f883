"""The queue of messages from the router to a session inside the process.

Messages are delivered in order, in a later turn of the loop, so that the session's handlers never run while the router
handles a message.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from sys import maxsize
from typing import Any, Final, cast

from msgspec import Struct

from ..serializers.registry import is_deeper
from ..wamp.errors import PayloadError, ProtocolViolation
from ..wamp.messages import PAYLOAD_MESSAGES, Message
from ..wamp.payload import PYTHON
from .connection import MessageEncoder
from .payload_values import copy_payload, from_payload

logger = logging.getLogger(__name__)

MESSAGES_PER_TURN: Final = 500
"""The maximum number of messages delivered in one turn of the loop."""


class DecodedMessage(Struct, gc=False):
    """A message with its payload as Python values. Each receiver has its own copies of the values."""

    message: Message
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None


class SessionEnd(Struct, gc=False):
    """The last item of an inbox: the session was closed, or its connection was lost."""

    reason: str
    message: str


class PythonSerializer:
    """The serializer of sessions inside the process. Payload is not converted to bytes, but remains Python values."""

    name = PYTHON
    subprotocol = ""
    is_binary = True

    def decode(self, data: bytes) -> Message:
        """Raise ProtocolViolation, because messages inside the process are not bytes."""
        raise ProtocolViolation("a session inside the process has no bytes")

    def encode(self, message: Message, payload_format: str) -> bytes:
        """Raise PayloadError, because messages inside the process are not converted to bytes."""
        raise PayloadError("a session inside the process has no bytes")

    def is_deeper(self, raw: Any, depth: int) -> bool:
        """Return whether values are nested deeper than ``depth``."""
        return is_deeper(PYTHON, raw, depth)

    def values(self, raw: Any) -> Any:
        """Return a copy of a payload, which already consists of Python values."""
        return copy_payload(raw)


class LocalMessageEncoder(MessageEncoder):
    """An encoder that returns a DecodedMessage instead of bytes.

    Each session has its own encoder. Sessions with the same encoder would receive the same (mutable) objects.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(PythonSerializer())

    def encode(self, message: Message, payload_format: str) -> bytes:
        """Return the message with a copy of its payload. Raises PayloadError if the payload cannot be decoded."""
        delivery = DecodedMessage(message)
        if isinstance(message, PAYLOAD_MESSAGES):
            delivery.args = from_payload(payload_format, message.args)
            delivery.kwargs = from_payload(payload_format, message.kwargs)
        # The type is wrong on purpose: only an Inbox uses this encoder, and an Inbox expects a DecodedMessage.
        return cast(bytes, delivery)


class Inbox:
    """The transport of a session inside the process.

    ``handle`` is called with each message, and ``on_end`` after the last message. ``on_size_changed`` is called when
    the number of queued messages changes.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handle: Callable[[DecodedMessage], None],
        on_end: Callable[[SessionEnd], None],
        on_size_changed: Callable[[], None],
    ) -> None:
        self._loop = loop
        # Handlers run in the context of the code that opened the session, not in that of a message's sender.
        self._context = copy_context()
        self._handle = handle
        self._on_end = on_end
        self._on_size_changed = on_size_changed
        self._queue: deque[DecodedMessage | SessionEnd] = deque()
        self._is_draining = False
        self._is_closed = False
        self._may_send = asyncio.Event()
        self._may_send.set()

    def __len__(self) -> int:
        return len(self._queue)

    def write(self, data: bytes) -> None:
        """Queue a message that :meth:`LocalMessageEncoder.encode` has returned."""
        if not self._is_closed:
            self._put(cast(DecodedMessage, data))
            self._on_size_changed()

    def close(self, reason: str, message: str) -> None:
        """End the session after the queued messages have been delivered. A second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._put(SessionEnd(reason, message))

    def pause(self) -> None:
        """Pause sending. The router currently accepts no messages, or too many bytes are queued for it."""
        self._may_send.clear()

    def resume(self) -> None:
        """Resume sending after :meth:`pause`."""
        self._may_send.set()

    @property
    def queued_bytes(self) -> int:
        """Always 0: messages to a session inside the process are not encoded."""
        return 0

    @property
    def outgoing_limit(self) -> int:
        """``sys.maxsize`` bytes, because there is no limit."""
        return maxsize

    @property
    def is_send_paused(self) -> bool:
        """Whether sending is paused; see :meth:`pause`."""
        return not self._may_send.is_set()

    async def wait_until_writable(self) -> None:
        """Wait until sending is not paused."""
        await self._may_send.wait()

    def _put(self, item: DecodedMessage | SessionEnd) -> None:
        self._queue.append(item)
        if not self._is_draining:
            self._is_draining = True
            self._loop.call_soon(self._drain, context=self._context)

    def _drain(self) -> None:
        queue = self._queue
        for _ in range(min(len(queue), MESSAGES_PER_TURN)):
            item = queue.popleft()
            try:
                if isinstance(item, SessionEnd):
                    self._on_end(item)
                else:
                    self._handle(item)
            except Exception:  # a bug in the handling of one message must not block the others
                logger.exception("A session inside the process failed to handle %s", type(item).__name__)
        self._is_draining = bool(queue)
        if queue:
            self._loop.call_soon(self._drain, context=self._context)
        self._on_size_changed()
