import pytest

from wamp_transport.router import pending
from wamp_transport.router.memory_size import size_of_values
from wamp_transport.router.pending import PendingLogin, PendingMessages
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
    monkeypatch.setattr(pending, "MAX_QUEUED_BYTES", 3 * size_of_values(PUBLISH) // 2)
    messages = PendingMessages()
    messages.append(PUBLISH)
    assert not messages.is_full
    messages.append(PUBLISH)
    assert messages.is_full
    messages.pop()
    assert not messages.is_full


@pytest.mark.parametrize("options", [{"eligible": [1] * 1000}, {"exclude_authid": ["x" * 5000]}])
def test_options_count_as_well(monkeypatch, options):
    monkeypatch.setattr(pending, "MAX_QUEUED_BYTES", 6000)
    messages = PendingMessages()
    messages.append(Publish(1, PublishOptions(), "com.x"))
    assert not messages.is_full
    messages.append(Publish(1, PublishOptions(**options), "com.x"))
    assert messages.is_full


def test_login_starts_without_state_of_a_challenge():
    assert PendingLogin(Hello("realm1", HelloDetails()), "ticket").pending is None
