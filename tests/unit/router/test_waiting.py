import pytest

from wamp_transport.router import waiting
from wamp_transport.router.waiting import Login, Question, Undecided, Waiting, payload_size
from wamp_transport.wamp.messages import Hello, HelloDetails, Publish, PublishOptions, Unsubscribe

PUBLISH = Publish(1, PublishOptions(), "com.x", b"[12345678]")


def test_held_messages_are_taken_in_order():
    held = Waiting()
    others = [Unsubscribe(number, 1) for number in range(3)]
    for each in others:
        held.hold(each)
    assert [held.take() for _ in others] == others


def test_next_message_has_decisions_of_its_own():
    held = Waiting()
    held.message = PUBLISH
    held.decisions[Question("publish", "com.x", "exact", b"", "")] = True
    held.hold(Unsubscribe(1, 1))
    held.take()
    assert not held.decisions
    assert held.message is None


def test_many_messages_are_too_many(monkeypatch):
    monkeypatch.setattr(waiting, "HELD_MESSAGES", 2)
    held = Waiting()
    held.hold(Unsubscribe(1, 1))
    assert not held.is_full
    held.hold(Unsubscribe(2, 1))
    assert held.is_full
    held.take()
    assert not held.is_full


def test_much_payload_is_too_much(monkeypatch):
    monkeypatch.setattr(waiting, "HELD_BYTES", 20)
    held = Waiting()
    held.hold(PUBLISH)
    assert not held.is_full
    held.hold(PUBLISH)
    assert held.is_full
    held.take()
    assert not held.is_full


@pytest.mark.parametrize(("message", "size"), [(PUBLISH, 10), (Unsubscribe(1, 1), 0)])
def test_payload_is_counted_where_there_is_one(message, size):
    assert payload_size(message) == size


def test_undecided_names_the_question():
    question = Question("call", "com.x", "exact", b"{}", "")
    undecided = Undecided(question, "com.authorizer", 3.0, None)
    assert (str(undecided), undecided.question, undecided.timeout) == ("com.x", question, 3.0)


def test_login_begins_with_nothing_pending():
    assert Login(Hello("realm1", HelloDetails()), "ticket").pending is None
