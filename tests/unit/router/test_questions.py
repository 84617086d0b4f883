import pytest

from wamp_transport.router import waiting
from wamp_transport.router.decisions import Deny, Permit, Skip
from wamp_transport.router.effects import AuthorizationRequest, Pause, Resume, Withdraw
from wamp_transport.router.options import AuthorizerOptions, RealmOptions, RoleOptions
from wamp_transport.router.questions import Questions
from wamp_transport.router.realm import Realm
from wamp_transport.router.session import move
from wamp_transport.router.tickets import Tickets
from wamp_transport.router.waiting import Question, Undecided
from wamp_transport.wamp.messages import Subscribe, SubscribeOptions

ROLES = {"all": RoleOptions("all", authorizer=AuthorizerOptions("com.a"))}
UNDECIDED = Undecided(Question("subscribe", "com.x", "exact", b"", ""), "com.a", 3.0, SubscribeOptions())
MESSAGES = [Subscribe(number, SubscribeOptions(), "com.x") for number in range(5)]


class World:
    def __init__(self, outbox, environment, session):
        self.received = []
        self.asks_for = []
        self.ends_at = None
        self.tickets = Tickets(outbox)
        self.session = session
        self.realm = Realm(RealmOptions("realm1", ROLES), outbox, environment, lambda *each: None)
        self.realm.sessions[session.id] = session
        self.questions = Questions(outbox, environment.deadlines, self.tickets, self.receive)

    def receive(self, session_id, message):
        decided = self.session.waiting is not None and UNDECIDED.question in self.session.waiting.decisions
        self.received.append((message.request_id, decided))
        if message in self.asks_for and not decided:
            self.questions.ask(self.session, message, UNDECIDED)
        if message is self.ends_at:
            self.questions.drop(self.session)
            move(self.session, "end")

    def answer(self, answer):
        self.tickets.take(self.session.ticket)
        self.questions.answered(self.session, self.realm, answer)


@pytest.fixture
def here(outbox, environment, new_session):
    return World(outbox, environment, new_session())


def test_question_is_asked(here, outbox, environment):
    here.questions.ask(here.session, MESSAGES[0], UNDECIDED)
    (asked,) = outbox
    assert isinstance(asked, AuthorizationRequest)
    assert (asked.ticket, asked.authorizer, asked.uri) == (here.session.ticket, "com.a", "com.x")
    assert here.session.state == "deciding"
    assert environment.deadlines.next() == 3.0


@pytest.mark.parametrize(
    ("answer", "allowed", "failure"),
    [
        (Permit(True), True, None),
        (Permit(False), False, None),
        (Deny("com.reason", "text"), False, ("com.reason", "text")),
        (
            Skip(),
            False,
            ("wamp.error.authorization_failed", "the authorizer gave no valid answer"),
        ),
    ],
)
def test_answer_is_at_hand_when_the_message_is_handled_again(here, answer, allowed, failure):
    here.questions.ask(here.session, MESSAGES[0], UNDECIDED)
    held = here.session.waiting
    here.answer(answer)
    decision = held.decisions[UNDECIDED.question]
    assert (decision.allowed, decision.failure) == (allowed, failure)
    assert here.received == [(0, True)]
    assert here.session.waiting is None
    assert here.session.state == "established"


def test_held_messages_follow_up_to_the_next_question(here):
    here.asks_for = [MESSAGES[2]]
    here.questions.ask(here.session, MESSAGES[0], UNDECIDED)
    for message in MESSAGES[1:]:
        here.questions.hold(here.session, message)
    here.answer(Permit(True))
    assert here.received == [(0, True), (1, False), (2, False)]
    assert here.session.state == "deciding"
    here.answer(Permit(True))
    assert here.received[3:] == [(2, True), (3, False), (4, False)]


def test_end_of_the_session_stops_what_is_held(here):
    here.ends_at = MESSAGES[1]
    here.questions.ask(here.session, MESSAGES[0], UNDECIDED)
    for message in MESSAGES[1:]:
        here.questions.hold(here.session, message)
    here.answer(Permit(True))
    assert [number for number, _ in here.received] == [0, 1]
    assert here.session.waiting is None


def test_answer_may_be_remembered(here):
    here.questions.ask(here.session, MESSAGES[0], UNDECIDED)
    here.answer(Permit(True, cache=True))
    assert UNDECIDED.question in here.realm.roles["all"]._authorizer_cache


def test_late_answer_is_a_refusal(here, outbox):
    here.questions.ask(here.session, MESSAGES[0], UNDECIDED)
    ticket = here.session.ticket
    held = here.session.waiting
    here.questions.on_deadline(here.session, here.realm)
    assert outbox[-1] == Withdraw(ticket, is_late=True)
    assert held.decisions[UNDECIDED.question].failure[0] == "wamp.error.authorization_failed"


def test_session_is_not_read_while_much_is_held(here, outbox, monkeypatch):
    monkeypatch.setattr(waiting, "HELD_MESSAGES", 2)
    here.questions.ask(here.session, MESSAGES[0], UNDECIDED)
    for message in MESSAGES[1:]:
        here.questions.hold(here.session, message)
    assert outbox[1:] == [Pause(here.session.id)]
    here.answer(Permit(True))
    assert outbox[2:] == [Resume(here.session.id)]


def test_session_is_not_read_on_while_something_is_held(here, outbox, monkeypatch):
    monkeypatch.setattr(waiting, "HELD_MESSAGES", 2)
    here.asks_for = MESSAGES
    here.questions.ask(here.session, MESSAGES[0], UNDECIDED)
    for message in MESSAGES[1:4]:
        here.questions.hold(here.session, message)
    here.answer(Permit(True))
    assert Resume(here.session.id) not in outbox
    here.answer(Permit(True))
    here.answer(Permit(True))
    assert outbox[-1] == Resume(here.session.id)


def test_new_rules_decide_what_waits(here, new_session):
    other = new_session()
    here.realm.sessions[other.id] = other
    here.asks_for = [MESSAGES[0]]
    here.questions.ask(here.session, MESSAGES[0], UNDECIDED)
    ticket = here.session.ticket
    here.questions.renew(here.realm)
    assert here.session.ticket != ticket
    assert here.received == [(0, False)]
    assert other.state == "established"


def test_dropped_session_leaves_nothing(here, outbox, environment):
    here.questions.ask(here.session, MESSAGES[0], UNDECIDED)
    ticket = here.session.ticket
    here.questions.hold(here.session, MESSAGES[1])
    here.questions.drop(here.session)
    here.questions.drop(here.session)
    assert outbox[-1] == Withdraw(ticket)
    assert here.session.waiting is None
    assert environment.deadlines.next() is None
