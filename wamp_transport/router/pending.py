"""Store the pending work of a session: a login, or a suspended message and the messages after it."""

from collections import deque
from collections.abc import Hashable
from typing import Any, Final

from ..wamp.messages import Hello, Message
from .memory_size import size_of_values

MAX_QUEUED_MESSAGES: Final = 100
"""Number of queued messages at which reading from the client pauses."""
MAX_QUEUED_BYTES: Final = 1 << 20
"""Size in bytes of the queued messages, including their options, at which reading from the client pauses."""


class PendingLogin:
    """A login in progress: a HELLO that has not been answered with WELCOME or ABORT.

    ``method`` is the authentication method in use: the first of the client's methods that the service supports and that
    is not in ``skipped``. ``pending`` is the value that the authenticator needs to check the client's answer to the
    challenge.
    """

    __slots__ = ("hello", "is_challenged", "method", "pending", "skipped")

    def __init__(self, hello: Hello, method: str) -> None:
        self.hello = hello
        self.method = method
        self.pending: Any = None
        self.is_challenged = False
        self.skipped: set[str] = set()


class PendingMessages:
    """The suspended message of a session, and the queue of messages that its client sent afterwards.

    A message can be suspended several times, once for each decision that it needs. ``answers`` contains the decisions
    that were made so far for ``message``, by :attr:`.Suspension.key`.
    """

    __slots__ = ("_queued_bytes", "answers", "is_reading_paused", "message", "queue")

    def __init__(self) -> None:
        self.message: Message | None = None
        self.answers: dict[Hashable, Any] = {}
        self.queue: deque[Message] = deque()
        self.is_reading_paused = False
        self._queued_bytes = 0

    def append(self, message: Message) -> None:
        """Add a message to the end of the queue."""
        self.queue.append(message)
        self._queued_bytes += size_of_values(message)

    def pop(self) -> Message:
        """Remove and return the oldest queued message. Forget the decisions on the previous message."""
        self.answers.clear()
        self.message = None
        message = self.queue.popleft()
        self._queued_bytes -= size_of_values(message)
        return message

    @property
    def is_full(self) -> bool:
        """Whether reading from the client should pause."""
        return len(self.queue) >= MAX_QUEUED_MESSAGES or self._queued_bytes >= MAX_QUEUED_BYTES
