"""What the router says to a session inside the process: kept in order, and handed over in a later turn of the loop.

So nothing that the session's code does happens in the middle of the router's work.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, Final, cast

from msgspec import Struct

from ..serializers.registry import is_deeper
from ..wamp.errors import PayloadError, ProtocolViolation
from ..wamp.messages import PAYLOAD_MESSAGES, Message
from ..wamp.payload import PYTHON
from .connection import MessageEncoder
from .payload_values import from_payload, to_payload

logger = logging.getLogger(__name__)

MESSAGES_PER_TURN: Final = 500
"""Messages handed over in one turn of the loop."""


class Delivery(Struct, gc=False):
    """A message, and its payload as values that are the receiver's own."""

    message: Message
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None


class Ended(Struct, gc=False):
    """The router has closed the session."""

    reason: str
    message: str


class PythonSerializer:
    """Stands where other sessions have a serializer; nobody sends bytes."""

    name = PYTHON
    subprotocol = ""
    is_binary = True

    def decode(self, data: bytes) -> Message:
        """There is none. Raises ProtocolViolation."""
        raise ProtocolViolation("a session inside the process has no bytes")

    def encode(self, message: Message, payload_format: str) -> bytes:
        """There are none. Raises PayloadError."""
        raise PayloadError("a session inside the process has no bytes")

    def is_deeper(self, raw: Any, depth: int) -> bool:
        """Whether values are nested deeper."""
        return is_deeper(PYTHON, raw, depth)

    def values(self, raw: Any) -> Any:
        """A copy of what is values already."""
        return to_payload(raw)


class LocalMessageEncoder(MessageEncoder):
    """The encoder of one session, so that no two sessions share values. It returns a Delivery instead of bytes."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(PythonSerializer())

    def encode(self, message: Message, payload_format: str) -> bytes:
        """The Delivery. Raises PayloadError."""
        delivery = Delivery(message)
        if isinstance(message, PAYLOAD_MESSAGES):
            delivery.args = from_payload(payload_format, message.args)
            delivery.kwargs = from_payload(payload_format, message.kwargs)
        # Only an Inbox is written to with this encoder, and it expects a Delivery.
        return cast(bytes, delivery)


class Inbox:
    """The transport of a session inside the process. ``handle`` gets what has come, ``weigh`` is
    called when more waits, or less."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handle: Callable[[Delivery], None],
        ended: Callable[[Ended], None],
        weigh: Callable[[], None],
    ) -> None:
        self._loop = loop
        # Of whoever opened the session: what runs for it must not see the context of a sender.
        self._context = copy_context()
        self._handle = handle
        self._ended = ended
        self._weigh = weigh
        self._waiting: deque[Delivery | Ended] = deque()
        self._is_draining = False
        self._is_closed = False
        self._readable = asyncio.Event()
        self._readable.set()

    def __len__(self) -> int:
        return len(self._waiting)

    def write(self, data: bytes) -> None:
        """Keep what :meth:`LocalMessageEncoder.encode` has made."""
        if not self._is_closed:
            self._put(cast(Delivery, data))
            self._weigh()

    def close(self, reason: str, message: str) -> None:
        """The session is over once it has got what was written."""
        if not self._is_closed:
            self._is_closed = True
            self._put(Ended(reason, message))

    def pause(self) -> None:
        """The router takes no more for now."""
        self._readable.clear()

    def resume(self) -> None:
        """The router takes more."""
        self._readable.set()

    @property
    def queued_bytes(self) -> int:
        """What waits for a session inside the process is no bytes."""
        return 0

    @property
    def is_paused(self) -> bool:
        """Whether the router takes no more for now."""
        return not self._readable.is_set()

    async def readable(self) -> None:
        """Wait until the router takes more."""
        await self._readable.wait()

    def _put(self, item: Delivery | Ended) -> None:
        self._waiting.append(item)
        if not self._is_draining:
            self._is_draining = True
            self._loop.call_soon(self._drain, context=self._context)

    def _drain(self) -> None:
        waiting = self._waiting
        for _ in range(min(len(waiting), MESSAGES_PER_TURN)):
            item = waiting.popleft()
            try:
                if isinstance(item, Ended):
                    self._ended(item)
                else:
                    self._handle(item)
            except Exception:  # a bug of ours with one message must not keep the others back
                logger.exception("A session inside the process cannot take %s", type(item).__name__)
        self._is_draining = bool(waiting)
        if waiting:
            self._loop.call_soon(self._drain, context=self._context)
        self._weigh()
