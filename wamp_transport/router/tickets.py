"""What was asked of the world outside and is not yet answered: one ticket a session at most."""

from itertools import count

from .effects import Effect, Withdraw
from .records import Session


class Tickets:
    """Numbers that an answer has to name. Each counts once, and only while its session waits for it."""

    def __init__(self, outbox: list[Effect]) -> None:
        self._outbox = outbox
        self._numbers = count(1)
        self._open: dict[int, Session] = {}

    def issue(self, session: Session) -> int:
        """A ticket for what ``session`` waits for now."""
        ticket = session.ticket = next(self._numbers)
        self._open[ticket] = session
        return ticket

    def take(self, ticket: int) -> Session | None:
        """Who waits for the answer with this ticket; None where nobody does any more."""
        session = self._open.pop(ticket, None)
        if session is not None:
            session.ticket = 0
            cancel_deadline(session)
        return session

    def withdraw(self, session: Session, *, is_late: bool = False) -> None:
        """``session`` waits no longer, as it has gone or, ``is_late``, as it has waited long enough."""
        if session.ticket:
            del self._open[session.ticket]
            self._outbox.append(Withdraw(session.ticket, is_late))
            session.ticket = 0
            cancel_deadline(session)


def cancel_deadline(session: Session) -> None:
    """Nothing is due for ``session`` any more."""
    if session.deadline is not None:
        session.deadline.cancel()
        session.deadline = None
