"""Suspended messages with a question of the test's own, without authorizers."""

import pytest

from wamp_transport.router import pending
from wamp_transport.router.decisions import Deny, Permit
from wamp_transport.router.effects import Close, Pause, Resume, Withdraw
from wamp_transport.router.session import move
from wamp_transport.router.suspension import MessageSuspended, SuspendedMessages
from wamp_transport.router.tickets import Tickets
from wamp_transport.wamp.messages import Subscribe, SubscribeOptions

MESSAGES = [Subscribe(number, SubscribeOptions(), "com.x") for number in range(5)]


class Question:
    """A suspension whose request is an effect with the ticket, and which does not convert its answer."""

    key = "question"
    timeout = 3.0
    timeout_answer = Deny("com.late")

    def request(self, ticket):
        return Close(ticket, "com.asked")

    def resolve(self, answer):
        return answer


QUESTION = Question()


class Receiver:
    """Receives messages as the router would: those in ``suspends`` raise until their question has its answer."""

    def __init__(self, outbox, environment, session):
        self.received = []
        self.suspends = []
        self.ends_at = None
        self.tickets = Tickets(outbox)
        self.session = session
        self.messages = SuspendedMessages(outbox, environment.deadlines, self.tickets, self.receive)

    def receive(self, session_id, message):
        answer = self.session.pending.answers.get(QUESTION.key)
        self.received.append((message.request_id, answer))
        if message in self.suspends and answer is None:
            self.messages.suspend(self.session, message, QUESTION)
        if message is self.ends_at:
            self.messages.cancel(self.session)
            move(self.session, "end")

    def suspend(self, *queued):
        """Suspend the first message, and queue others behind it."""
        self.messages.suspend(self.session, MESSAGES[0], QUESTION)
        for message in queued:
            self.messages.queue(self.session, message)

    def answer(self, answer):
        self.tickets.take(self.session.ticket)
        self.messages.resume(self.session, answer)


@pytest.fixture
def receiver(outbox, environment, new_session):
    return Receiver(outbox, environment, new_session())


YES = Permit(True)


def test_suspending_makes_the_request_with_a_ticket(receiver, outbox, environment):
    receiver.suspend()
    assert outbox == [Close(receiver.session.ticket, "com.asked")]
    assert receiver.session.state == "suspended"
    assert environment.deadlines.next() == 3.0


def test_exception_names_the_question():
    suspended = MessageSuspended(QUESTION)
    assert (str(suspended), suspended.suspension) == ("question", QUESTION)


def test_resumed_message_is_handled_again_with_its_answer(receiver):
    receiver.suspend()
    receiver.answer(YES)
    assert receiver.received == [(0, YES)]
    assert receiver.session.pending is None
    assert receiver.session.state == "established"


def test_queue_is_handled_in_order_up_to_the_next_suspension(receiver):
    receiver.suspends = [MESSAGES[2]]
    receiver.suspend(*MESSAGES[1:])
    receiver.answer(YES)
    assert receiver.received == [(0, YES), (1, None), (2, None)]
    assert receiver.session.state == "suspended"
    receiver.answer(YES)
    assert receiver.received[3:] == [(2, YES), (3, None), (4, None)]


def test_session_that_ends_while_its_queue_is_handled_drops_the_rest(receiver):
    receiver.ends_at = MESSAGES[1]
    receiver.suspend(*MESSAGES[1:])
    receiver.answer(YES)
    assert [number for number, _ in receiver.received] == [0, 1]
    assert receiver.session.pending is None


def test_timeout_counts_as_the_answer_that_the_suspension_has_for_it(receiver, outbox):
    receiver.suspend()
    ticket = receiver.session.ticket
    receiver.messages.on_deadline(receiver.session)
    assert outbox[-1] == Withdraw(ticket, is_late=True)
    assert receiver.received == [(0, QUESTION.timeout_answer)]


def test_reading_is_paused_while_the_queue_is_full(receiver, outbox, monkeypatch):
    monkeypatch.setattr(pending, "MAX_QUEUED_MESSAGES", 2)
    receiver.suspend(*MESSAGES[1:])
    assert outbox[1:] == [Pause(receiver.session.id)]
    receiver.answer(YES)
    assert outbox[2:] == [Resume(receiver.session.id)]


def test_reading_is_not_resumed_before_the_queue_is_empty(receiver, outbox, monkeypatch):
    monkeypatch.setattr(pending, "MAX_QUEUED_MESSAGES", 2)
    receiver.suspends = MESSAGES
    receiver.suspend(*MESSAGES[1:4])
    receiver.answer(YES)
    assert Resume(receiver.session.id) not in outbox
    receiver.answer(YES)
    receiver.answer(YES)
    assert outbox[-1] == Resume(receiver.session.id)


def test_restart_asks_again_and_leaves_other_sessions_alone(receiver, new_session):
    other = new_session()
    receiver.suspends = [MESSAGES[0]]
    receiver.suspend()
    ticket = receiver.session.ticket
    receiver.messages.restart([receiver.session, other])
    assert receiver.session.ticket != ticket
    assert receiver.received == [(0, None)]
    assert other.state == "established"


def test_canceled_session_leaves_nothing(receiver, outbox, environment):
    receiver.suspend(MESSAGES[1])
    ticket = receiver.session.ticket
    receiver.messages.cancel(receiver.session)
    receiver.messages.cancel(receiver.session)
    assert outbox[-1] == Withdraw(ticket)
    assert receiver.session.pending is None
    assert not receiver.messages._suspended
    assert environment.deadlines.next() is None
