"""What waits for an answer from outside: a login, or a message and those that its session has sent after it."""

from collections import deque
from typing import Any, Final, NamedTuple

from ..wamp.messages import Hello, Message
from .options import Action, Match

HELD_MESSAGES: Final = 100
"""Messages of a waiting session from which on it is not read further."""
HELD_BYTES: Final = 1 << 20
"""The same for the bytes of their payload."""


class Question(NamedTuple):
    """May a session do this? ``options`` are those of its message, encoded: other options make another question.

    ``authid`` is empty where all of a role are answered alike.
    """

    action: Action
    uri: str
    match: Match
    options: bytes
    authid: str


class Undecided(Exception):
    """An authorizer must be asked before a message can be handled. Nothing has been changed by it so far."""

    def __init__(self, question: Question, authorizer: str, timeout: float, options: Any) -> None:
        super().__init__(question.uri)
        self.question = question
        self.authorizer = authorizer
        self.timeout = timeout
        self.options = options


class Login:
    """A HELLO on its way to a session. ``method`` is the first offered that is available and not ``skipped``."""

    __slots__ = ("hello", "is_challenged", "method", "pending", "skipped")

    def __init__(self, hello: Hello, method: str) -> None:
        self.hello = hello
        self.method = method
        self.pending: Any = None
        self.is_challenged = False
        self.skipped: set[str] = set()


class Waiting:
    """A message that an authorizer decides on, and what its session has sent after it.

    ``decisions`` are the answers for this message and for no other.
    """

    __slots__ = ("_size", "decisions", "held", "is_paused", "message", "question")

    def __init__(self) -> None:
        self.message: Message | None = None
        self.question: Question | None = None
        self.decisions: dict[Question, Any] = {}
        self.held: deque[Message] = deque()
        self.is_paused = False
        self._size = 0

    def hold(self, message: Message) -> None:
        """Keep a message until those before it have been handled."""
        self.held.append(message)
        self._size += payload_size(message)

    def take(self) -> Message:
        """The next message; the decisions on the one before it are forgotten."""
        self.decisions.clear()
        self.message = None
        message = self.held.popleft()
        self._size -= payload_size(message)
        return message

    @property
    def is_full(self) -> bool:
        """Whether no more should be read for now."""
        return len(self.held) >= HELD_MESSAGES or self._size >= HELD_BYTES


def payload_size(message: Message) -> int:
    """The bytes of a message's payload."""
    return len(getattr(message, "args", b"")) + len(getattr(message, "kwargs", b""))
