"""Issue tickets for requests that are answered from outside the core, at most one open ticket per session.

These are requests to authenticators and authorizers and, in a cluster, requests for registrations.
"""

from itertools import count

from .effects import Effect, Withdraw
from .records import Session


class Tickets:
    """The open tickets of a router.

    A ticket is a number that identifies a request. The node passes the answer to the router together with the ticket. A
    ticket is valid for one answer, and only while its session waits for that answer.
    """

    def __init__(self, outbox: list[Effect]) -> None:
        self._outbox = outbox
        self._numbers = count(1)
        self._open: dict[int, Session] = {}

    def issue(self, session: Session) -> int:
        """Return a new ticket for a request. ``session`` waits for the answer."""
        ticket = session.ticket = next(self._numbers)
        self._open[ticket] = session
        return ticket

    def take(self, ticket: int) -> Session | None:
        """Close a ticket and return the session that waits for the answer, or None if the ticket is no longer valid."""
        session = self._open.pop(ticket, None)
        if session is not None:
            session.ticket = 0
            cancel_deadline(session)
        return session

    def withdraw(self, session: Session, *, is_late: bool = False) -> None:
        """If the session has an open ticket, close it without an answer.

        Call this if the answer is no longer needed or, with ``is_late``, if none came in time.
        """
        if session.ticket:
            del self._open[session.ticket]
            self._outbox.append(Withdraw(session.ticket, is_late))
            session.ticket = 0
            cancel_deadline(session)


def cancel_deadline(session: Session) -> None:
    """Cancel the deadline of a session, if it has one."""
    if session.deadline is not None:
        session.deadline.cancel()
        session.deadline = None
