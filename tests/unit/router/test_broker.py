from itertools import count

import pytest

from wamp_transport.router import broker as broker_module
from wamp_transport.router.broker import Broker
from wamp_transport.router.effects import Send
from wamp_transport.wamp.errors import RequestRefused
from wamp_transport.wamp.messages import (
    Event,
    EventDetails,
    Publish,
    Published,
    PublishOptions,
    Subscribe,
    Subscribed,
    SubscribeOptions,
    Unsubscribe,
    Unsubscribed,
)


@pytest.fixture
def broker(roles, outbox):
    ids = count(1001)
    return Broker("realm1", roles, outbox, lambda: next(ids))


@pytest.fixture
def subscribe(broker, outbox):
    def subscribe(session, topic, match=None):
        broker.on_subscribe(session, Subscribe(1, SubscribeOptions(match=match), topic))
        sent = outbox.pop()
        assert sent.recipients == (session.id,)
        assert isinstance(sent.message, Subscribed)
        return sent.message.subscription_id

    return subscribe


def publish(broker, session, topic, **options):
    broker.on_publish(session, Publish(5, PublishOptions(**options), topic))


def test_event_goes_to_all_subscribers_at_once(broker, subscribe, outbox, new_session):
    publisher, first, second = new_session(), new_session(), new_session()
    subscription = subscribe(first, "com.x")
    assert subscribe(second, "com.x") == subscription
    publish(broker, publisher, "com.x")
    assert outbox == [Send((first.id, second.id), Event(subscription, 1001, EventDetails()), "json")]


def test_published_comes_first(broker, subscribe, outbox, new_session):
    session = new_session()
    subscribe(session, "com.x")
    publish(broker, session, "com.x", acknowledge=True, exclude_me=False)
    assert outbox[0] == Send((session.id,), Published(5, 1001), "python")
    assert isinstance(outbox[1].message, Event)


def test_nobody_to_receive_is_nothing_to_send(broker, subscribe, outbox, new_session):
    session = new_session()
    publish(broker, session, "com.x")
    subscribe(session, "com.x")
    publish(broker, session, "com.x")
    subscribe(session, "com", "prefix")
    publish(broker, session, "com.x")
    assert outbox == []


def test_patterns_get_events_with_the_topic(broker, subscribe, outbox, new_session):
    session = new_session()
    ids = [subscribe(session, "com.", "prefix"), subscribe(session, "com.", "wildcard")]
    publish(broker, new_session(), "com.x")
    assert [each.message.subscription_id for each in outbox] == ids
    assert all(each.message.details == EventDetails(topic="com.x") for each in outbox)


@pytest.mark.parametrize(
    ("role", "topic", "options", "disclosed"),
    [("all", "com.x", {}, False), ("all", "com.x", {"disclose_me": True}, True), ("some", "com.known", {}, True)],
)
def test_publisher_is_disclosed_by_wish_or_rule(
    broker, subscribe, outbox, new_session, role, topic, options, disclosed
):
    publisher = new_session(role)
    subscribe(new_session(), topic)
    publish(broker, publisher, topic, **options)
    expected = EventDetails(publisher=publisher.id, publisher_authid=publisher.authid, publisher_authrole=role)
    assert outbox[-1].message.details == (expected if disclosed else EventDetails())


@pytest.mark.parametrize("options", [{"transaction_hash": "x"}, {"enc_algo": "mqtt", "enc_key": "k"}])
def test_options_to_pass_on_are_passed_on(broker, subscribe, outbox, new_session, options):
    subscribe(new_session(), "com.x")
    publish(broker, new_session(), "com.x", **options)
    assert outbox[-1].message.details == EventDetails(**options)


@pytest.mark.parametrize(
    ("role", "topic", "uri"),
    [
        ("none", "com.x", "wamp.error.not_authorized"),
        ("all", "com..x", "wamp.error.invalid_uri"),
        ("all", "wamp.x", "wamp.error.invalid_uri"),
    ],
)
def test_publication_that_is_not_allowed_is_refused(broker, outbox, new_session, role, topic, uri):
    for _ in range(2):
        with pytest.raises(RequestRefused) as caught:
            publish(broker, new_session(role), topic)
        assert caught.value.uri == uri
    assert outbox == []


def test_subscription_that_is_not_allowed_is_refused(broker, new_session):
    with pytest.raises(RequestRefused) as caught:
        broker.on_subscribe(new_session("none"), Subscribe(1, SubscribeOptions(), "com.x"))
    assert caught.value.uri == "wamp.error.not_authorized"
    assert not broker.subscriptions


def test_pattern_subscriber_gets_only_what_its_role_may(broker, subscribe, outbox, new_session):
    allowed = new_session("all")
    subscribe(new_session("some"), "com.", "prefix")
    subscribe(allowed, "com.", "prefix")
    publish(broker, new_session(), "com.secret")
    assert [each.recipients for each in outbox] == [[allowed.id]]


def test_unsubscribed_session_is_out(broker, subscribe, outbox, new_session):
    first, second = new_session(), new_session()
    subscription = subscribe(first, "com.x")
    subscribe(second, "com.x")
    broker.on_unsubscribe(first, Unsubscribe(9, subscription))
    assert outbox == [Send((first.id,), Unsubscribed(9), "python")]
    assert broker.subscriptions[subscription].receivers == (second.id,)
    broker.on_unsubscribe(second, Unsubscribe(9, subscription))
    assert not broker.subscriptions


def test_unsubscribe_of_what_is_not_held_is_refused(broker, subscribe, new_session):
    subscription = subscribe(new_session(), "com.x")
    with pytest.raises(RequestRefused) as caught:
        broker.on_unsubscribe(new_session(), Unsubscribe(9, subscription))
    assert caught.value.uri == "wamp.error.no_such_subscription"


def test_session_that_leaves_is_out_of_everything(broker, subscribe, outbox, new_session):
    session, other = new_session(), new_session()
    subscribe(session, "com.x")
    subscribe(session, "com.", "prefix")
    kept = subscribe(other, "com.x")
    broker.detach(session)
    assert list(broker.subscriptions) == [kept]
    assert not session.subscriptions
    broker.detach(other)
    publish(broker, new_session(), "com.x")
    assert outbox == []


def test_ids_that_collide_are_salted(broker, subscribe, new_session, monkeypatch):
    monkeypatch.setattr(broker_module, "stable_id", lambda realm, kind, match, uri, salt: 100 + salt)
    session = new_session()
    assert [subscribe(session, topic) for topic in ("com.x", "com.y", "com.z")] == [100, 101, 102]
