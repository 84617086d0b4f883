"""Suspend a message until an answer from outside the core arrives, and resume it with that answer.

A handler raises :class:`MessageSuspended` before it has changed anything. When the answer arrives, the same message is
handled again from the start; the handler then finds the answer in ``session.pending.answers``. Until then, later
messages of the session are queued to keep their order. Other sessions are not affected.
See the WAMP specification, Basic Profile, "Ordering Guarantees".
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Protocol

from ..wamp.messages import Message
from .deadlines import Deadlines
from .decisions import Answer
from .effects import Effect, Pause, Resume
from .pending import PendingMessages
from .records import Session
from .session import move
from .tickets import Tickets


class Suspension(Protocol):
    """The reason why a message is suspended: a question that must be answered before the message can be handled.

    An example is the question whether an authorizer allows the action. If there is no answer after ``timeout`` seconds,
    ``timeout_answer`` is used instead. A message can be suspended several times, each time with a different ``key``.
    """

    @property
    def key(self) -> Hashable:
        """The key under which the result of :meth:`resolve` is stored in ``session.pending.answers``."""

    @property
    def timeout(self) -> float:
        """Seconds to wait for the answer."""

    @property
    def timeout_answer(self) -> Answer:
        """The answer to use if none arrives in time."""

    def request(self, ticket: int) -> Effect:
        """Return the effect that makes the node ask the question, for example by calling an authorizer.

        The node passes the answer to :meth:`.Router.decide` together with ``ticket``.
        """

    def resolve(self, answer: Answer) -> Any:
        """Convert the answer to the value that the handler of the message needs.

        The value is stored under ``key`` in ``session.pending.answers``. If the answer has an unexpected type, treat it
        as a failure instead of raising an exception.
        """


class MessageSuspended(Exception):
    """Raised if a message cannot be handled until a question is answered, for example by an authorizer.

    Raise it before changing any state, because the message will be handled again from the start.
    """

    def __init__(self, suspension: Suspension) -> None:
        super().__init__(suspension.key)
        self.suspension = suspension


class SuspendedMessages:
    """The suspended messages of a router, at most one per session.

    ``receive(session_id, message)`` is the router's function that handles a message.

    Invariants: a session is in ``_suspended`` as long as its state is ``suspended``. The messages of a session are
    handled in the order of arrival. Reading from the client pauses when the queue is full, and resumes when it is
    empty.
    """

    def __init__(
        self,
        outbox: list[Effect],
        deadlines: Deadlines,
        tickets: Tickets,
        receive: Callable[[int, Message], object],
    ) -> None:
        self._outbox = outbox
        self._deadlines = deadlines
        self._tickets = tickets
        self._receive = receive
        self._suspended: dict[int, tuple[PendingMessages, Suspension]] = {}

    def suspend(self, session: Session, message: Message, suspension: Suspension) -> None:
        """Suspend ``message`` and request the answer that it needs.

        Pass the session's later messages to :meth:`queue`.
        """
        # A resumed message can be suspended again. The earlier answers and the queue are then kept.
        pending = session.pending = session.pending or PendingMessages()
        pending.message = message
        self._suspended[session.id] = (pending, suspension)
        move(session, "suspend")
        ticket = self._tickets.issue(session)
        session.deadline = self._deadlines.after(suspension.timeout, "suspension", session)
        self._outbox.append(suspension.request(ticket))

    def queue(self, session: Session, message: Message) -> None:
        """Queue a message of a suspended session; pause reading from the client if the queue is full."""
        pending, _ = self._suspended[session.id]
        pending.append(message)
        if pending.is_full and not pending.is_reading_paused:
            pending.is_reading_paused = True
            self._outbox.append(Pause(session.id))

    def resume(self, session: Session, answer: Answer) -> None:
        """Resume the suspended message, now that ``answer`` has arrived. Then handle the queued messages."""
        pending, suspension = self._suspended.pop(session.id)
        pending.answers[suspension.key] = suspension.resolve(answer)
        self._handle(session, pending)

    def restart(self, sessions: Iterable[Session]) -> None:
        """Handle the suspended messages of these sessions again, because the permissions have changed.

        Decisions on these messages that were made earlier are discarded.
        """
        for session in list(sessions):
            if session.state == "suspended":
                self._tickets.withdraw(session)
                pending, _ = self._suspended.pop(session.id)
                pending.answers.clear()
                self._handle(session, pending)

    def cancel(self, session: Session) -> None:
        """Drop the suspended message and the queued messages of a session that ends, if it has any."""
        self._tickets.withdraw(session)
        self._suspended.pop(session.id, None)
        pending, session.pending = session.pending, None
        if pending is not None:
            # If the session ends while _handle works through this queue, the loop must find it empty.
            pending.queue.clear()
            self._resume_reading(session, pending)

    def on_deadline(self, session: Session) -> None:
        """Resume a suspended message with its ``timeout_answer``, because no answer arrived in time."""
        self._tickets.withdraw(session, is_late=True)
        _, suspension = self._suspended[session.id]
        self.resume(session, suspension.timeout_answer)

    def _handle(self, session: Session, pending: PendingMessages) -> None:
        """Handle the suspended message, and then the queued messages until one is suspended or the session ends."""
        move(session, "resume")
        message = pending.message
        while message is not None:
            self._receive(session.id, message)
            message = pending.pop() if session.state == "established" and pending.queue else None
        if session.state == "established":
            session.pending = None
        if not pending.queue:
            self._resume_reading(session, pending)

    def _resume_reading(self, session: Session, pending: PendingMessages) -> None:
        if pending.is_reading_paused:
            pending.is_reading_paused = False
            self._outbox.append(Resume(session.id))
