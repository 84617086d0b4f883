import pytest

from wamp_transport.router import pending
from wamp_transport.router.pending import PendingLogin, PendingMessages, payload_size
from wamp_transport.wamp.messages import Hello, HelloDetails, Publish, PublishOptions, Unsubscribe

PUBLISH = Publish(1, PublishOptions(), "com.x", b"[12345678]")


def test_queued_messages_are_popped_in_order():
    messages = PendingMessages()
    others = [Unsubscribe(number, 1) for number in range(3)]
    for each in others:
        messages.append(each)
    assert [messages.pop() for _ in others] == others


def test_next_message_has_answers_of_its_own():
    messages = PendingMessages()
    messages.message = PUBLISH
    messages.answers["key"] = True
    messages.append(Unsubscribe(1, 1))
    messages.pop()
    assert not messages.answers
    assert messages.message is None


def test_queue_of_many_messages_is_full(monkeypatch):
    monkeypatch.setattr(pending, "MAX_QUEUED_MESSAGES", 2)
    messages = PendingMessages()
    messages.append(Unsubscribe(1, 1))
    assert not messages.is_full
    messages.append(Unsubscribe(2, 1))
    assert messages.is_full
    messages.pop()
    assert not messages.is_full


def test_queue_with_much_payload_is_full(monkeypatch):
    monkeypatch.setattr(pending, "MAX_QUEUED_BYTES", 20)
    messages = PendingMessages()
    messages.append(PUBLISH)
    assert not messages.is_full
    messages.append(PUBLISH)
    assert messages.is_full
    messages.pop()
    assert not messages.is_full


@pytest.mark.parametrize(("message", "size"), [(PUBLISH, 10), (Unsubscribe(1, 1), 0)])
def test_payload_is_counted_if_there_is_one(message, size):
    assert payload_size(message) == size


def test_login_starts_without_state_of_a_challenge():
    assert PendingLogin(Hello("realm1", HelloDetails()), "ticket").pending is None
