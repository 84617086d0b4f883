"""Messages that wait for an authorizer: each is handled when it was decided on, those after it in their order.

What a handler does before its permission check changes nothing, so a message is simply handled again, with the answer
at hand. Whatever goes wrong outside counts as a refusal.
Section of the specification: Advanced Profile, "Authorization"; Basic Profile, "Ordering Guarantees".
"""

from collections.abc import Callable

from ..wamp import errors
from ..wamp.messages import Message
from .deadlines import Deadlines
from .decisions import Answer, Deny, Permit
from .effects import AuthorizationRequest, Effect, Pause, Resume
from .meta.sessions import session_details
from .permissions import Decision
from .realm import Realm
from .records import Session
from .session import move
from .tickets import Tickets
from .waiting import Undecided, Waiting


class Questions:
    """The questions of a router to authorizers. ``receive(session_id, message)`` handles a message."""

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

    def ask(self, session: Session, message: Message, undecided: Undecided) -> None:
        """``message`` waits for an answer, and with it what its session sends from now on."""
        waiting = session.waiting = session.waiting or Waiting()
        waiting.message = message
        question = waiting.question = undecided.question
        move(session, "ask")
        ticket = self._tickets.issue(session)
        session.deadline = self._deadlines.after(undecided.timeout, "authorizer", session)
        self._outbox.append(
            AuthorizationRequest(
                ticket,
                session.id,
                session.realm,
                {**session_details(session), "authextra": session.authextra},
                undecided.authorizer,
                question.action,
                question.uri,
                question.match,
                undecided.options,
            )
        )

    def hold(self, session: Session, message: Message) -> None:
        """A message of a session that waits. When they become many, the session is not read further."""
        waiting = session.waiting
        assert waiting is not None  # noqa: S101 - that is what its state says
        waiting.hold(message)
        if waiting.is_full and not waiting.is_paused:
            waiting.is_paused = True
            self._outbox.append(Pause(session.id))

    def answered(self, session: Session, realm: Realm, answer: Answer) -> None:
        """The authorizer has answered. What is no answer to it counts as a failure."""
        waiting = session.waiting
        assert waiting is not None  # noqa: S101 - it was asked about
        assert waiting.question is not None  # noqa: S101
        if isinstance(answer, Permit):
            decision = Decision(answer.allow, answer.disclose, is_valid=True)
            if answer.cache:
                realm.roles[session.authrole].remember(waiting.question, decision)
        else:
            text = "the authorizer gave no valid answer"
            denial = answer if isinstance(answer, Deny) else Deny(errors.AUTHORIZATION_FAILED, text)
            decision = Decision(False, False, is_valid=True, failure=(denial.reason, denial.message))
        waiting.decisions[waiting.question] = decision
        self._go_on(session, waiting)

    def on_deadline(self, session: Session, realm: Realm) -> None:
        """The authorizer takes too long."""
        self._tickets.withdraw(session, is_late=True)
        self.answered(session, realm, Deny(errors.AUTHORIZATION_FAILED, "the authorizer did not answer in time"))

    def renew(self, realm: Realm) -> None:
        """The rules of a realm have changed: what waits is decided by the new ones."""
        for session in list(realm.sessions.values()):
            if session.state == "deciding" and session.waiting is not None:
                self._tickets.withdraw(session)
                session.waiting.decisions.clear()
                self._go_on(session, session.waiting)

    def drop(self, session: Session) -> None:
        """The session ends: what waits is not handled any more."""
        self._tickets.withdraw(session)
        waiting, session.waiting = session.waiting, None
        if waiting is not None:
            waiting.held.clear()
            self._read_on(session, waiting)

    def _go_on(self, session: Session, waiting: Waiting) -> None:
        """Handle the message that waited, then those after it, up to the next that has to wait."""
        move(session, "decided")
        message = waiting.message
        while message is not None:
            self._receive(session.id, message)
            message = waiting.take() if session.state == "established" and waiting.held else None
        if session.state == "established":
            session.waiting = None
        if not waiting.held:
            self._read_on(session, waiting)

    def _read_on(self, session: Session, waiting: Waiting) -> None:
        if waiting.is_paused:
            waiting.is_paused = False
            self._outbox.append(Resume(session.id))
