import pytest

from wamp_transport.router.effects import Withdraw
from wamp_transport.router.tickets import Tickets, cancel_deadline


@pytest.fixture
def tickets(outbox):
    return Tickets(outbox)


def test_ticket_counts_once(tickets, new_session):
    session = new_session()
    ticket = tickets.issue(session)
    assert session.ticket == ticket
    assert tickets.take(ticket) is session
    assert session.ticket == 0
    assert tickets.take(ticket) is None


def test_tickets_are_not_given_again(tickets, new_session):
    assert len({tickets.issue(new_session()) for _ in range(10)}) == 10


def test_withdrawn_ticket_does_not_count(tickets, new_session, outbox):
    session = new_session()
    ticket = tickets.issue(session)
    tickets.withdraw(session)
    tickets.withdraw(session)
    assert outbox == [Withdraw(ticket)]
    assert tickets.take(ticket) is None


@pytest.mark.parametrize("end", ["take", "withdraw"])
def test_nothing_is_due_any_more(tickets, new_session, environment, end):
    session = new_session()
    ticket = tickets.issue(session)
    session.deadline = environment.deadlines.after(1, "authorizer", session)
    if end == "take":
        tickets.take(ticket)
    else:
        tickets.withdraw(session)
    assert session.deadline is None
    assert environment.deadlines.next() is None
    cancel_deadline(session)
