import pytest

from wamp_transport.router import pattern_registry
from wamp_transport.router.broker import Broker
from wamp_transport.router.effects import Produce, Record, Send
from wamp_transport.router.limits import SessionLimits
from wamp_transport.router.options import HistoryOptions, Limits, RealmOptions
from wamp_transport.wamp.errors import ProtocolViolation, RequestRefused
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
    UnsubscribedDetails,
)


@pytest.fixture
def broker(roles, outbox, environment, announce):
    return Broker("realm1", roles, outbox, environment, announce)


@pytest.fixture
def subscribe(broker, outbox):
    def subscribe(session, topic, match=None, **options):
        broker.on_subscribe(session, Subscribe(1, SubscribeOptions(match=match, **options), topic))
        sent = outbox.pop()
        assert sent.recipients == (session.id,)
        assert isinstance(sent.message, Subscribed)
        return sent.message.subscription_id

    return subscribe


def sent(outbox):
    """The effects, with those messages that are produced one by one."""
    effects = []
    for effect in outbox:
        effects += [each for each in effect.messages if each] if isinstance(effect, Produce) else [effect]
    return effects


def publish(broker, session, topic, **options):
    broker.on_publish(session, Publish(5, PublishOptions(**options), topic))


def test_event_is_one_effect_for_all_subscribers(broker, subscribe, outbox, new_session):
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


def test_event_without_receivers_is_not_sent(broker, subscribe, outbox, new_session):
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
def test_publisher_is_disclosed_by_its_option_or_by_its_role(
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


def test_pattern_subscriber_gets_only_topics_that_its_role_may_subscribe_to(broker, subscribe, outbox, new_session):
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


def test_unsubscribe_of_another_subscription_is_refused(broker, subscribe, new_session):
    subscription = subscribe(new_session(), "com.x")
    with pytest.raises(RequestRefused) as caught:
        broker.on_unsubscribe(new_session(), Unsubscribe(9, subscription))
    assert caught.value.uri == "wamp.error.no_such_subscription"


def test_removed_subscriber_is_out_and_may_be_removed_again(broker, subscribe, outbox, new_session, announced):
    session, other = new_session(), new_session()
    subscription = broker.subscriptions[subscribe(session, "com.x")]
    subscribe(other, "com.x")
    announced.clear()
    for _ in range(2):
        broker.remove_subscriber(session, subscription)
    assert not session.subscriptions
    assert subscription.receivers == (other.id,)
    assert announced == [("wamp.subscription.on_unsubscribe", "com.x", session.id, subscription.id)]


def test_ids_that_collide_are_salted(broker, subscribe, new_session, monkeypatch):
    monkeypatch.setattr(pattern_registry, "stable_id", lambda realm, kind, match, uri, salt: 100 + salt)
    session = new_session()
    assert [subscribe(session, topic) for topic in ("com.x", "com.y", "com.z")] == [100, 101, 102]


class TestAnnouncing:
    def test_new_subscription_is_announced_before_its_subscriber(self, broker, subscribe, new_session, announced):
        session = new_session()
        subscription_id = subscribe(session, "com.x")
        details = {"id": subscription_id, "created": "2026-01-01T00:00:00.000Z", "uri": "com.x", "match": "exact"}
        assert announced == [
            ("wamp.subscription.on_create", "com.x", session.id, details),
            ("wamp.subscription.on_subscribe", "com.x", session.id, subscription_id),
        ]

    def test_subscribing_again_is_not_announced(self, subscribe, new_session, announced):
        session = new_session()
        subscribe(session, "com.x")
        announced.clear()
        subscribe(session, "com.x")
        assert announced == []
        subscribe(new_session(), "com.x")
        assert [event[0] for event in announced] == ["wamp.subscription.on_subscribe"]

    def test_subscription_is_removed_with_its_last_subscriber(self, broker, subscribe, new_session, announced):
        session = new_session()
        subscription_id = subscribe(session, "com.x")
        announced.clear()
        broker.on_unsubscribe(session, Unsubscribe(9, subscription_id))
        assert [event[0] for event in announced] == [
            "wamp.subscription.on_unsubscribe",
            "wamp.subscription.on_delete",
        ]

    def test_event_of_the_router_goes_to_who_listens(self, broker, subscribe, outbox, new_session):
        broker.publish_own("wamp.session.on_join", "nobody listens")
        assert outbox == []
        exact = subscribe(new_session(), "wamp.session.on_join")
        pattern = subscribe(new_session(), "wamp.", "prefix")
        broker.publish_own("wamp.session.on_join", 7)
        assert [(each.message.subscription_id, each.message.args) for each in outbox] == [(exact, [7]), (pattern, [7])]
        assert {each.payload_format for each in outbox} == {"python"}
        assert outbox[0].message.publication_id == 1001

    def test_pattern_alone_gets_events_of_the_router(self, broker, subscribe, outbox, new_session):
        subscribe(new_session(), "wamp.", "prefix")
        broker.publish_own("wamp.session.on_join", 7)
        assert outbox[0].message.details == EventDetails(topic="wamp.session.on_join")


class TestLimits:
    def test_subscriptions_beyond_the_limit_are_refused(self, broker, subscribe, new_session):
        session = new_session()
        session.limits = SessionLimits(("realm1", Limits(subscriptions=1)))
        subscribe(session, "com.x")
        with pytest.raises(RequestRefused) as caught:
            subscribe(session, "com.y")
        assert caught.value.uri == "wamp.error.quota_exceeded"
        assert subscribe(session, "com.x")
        subscribe(new_session(), "com.y")

    def test_retained_topics_beyond_the_limit_are_refused(self, broker, new_session):
        broker.configure(RealmOptions("realm1", max_retained=1))
        for _ in range(2):
            publish(broker, new_session(), "com.x", retain=True)
        with pytest.raises(RequestRefused) as caught:
            publish(broker, new_session(), "com.y", retain=True)
        assert caught.value.uri == "wamp.error.quota_exceeded"

    def test_disclosing_oneself_is_refused_where_not_allowed(self, broker, new_session):
        broker.configure(RealmOptions("realm1", allow_disclose_me=False))
        with pytest.raises(RequestRefused) as caught:
            publish(broker, new_session(), "com.x", disclose_me=True)
        assert caught.value.uri == "wamp.error.option_disallowed.disclose_me"


def test_passthru_needs_to_be_announced(broker, subscribe, outbox, new_session):
    subscribe(new_session(), "com.x")
    with pytest.raises(ProtocolViolation, match="payload_passthru_mode"):
        publish(broker, new_session(), "com.x", ppt_scheme="x_a")
    publish(broker, new_session(publisher=["payload_passthru_mode"]), "com.x", ppt_scheme="x_a")
    assert outbox[-1].message.details == EventDetails(ppt_scheme="x_a")


def test_trustlevel_is_sent(broker, subscribe, outbox, new_session):
    publisher = new_session()
    publisher.trustlevel = 3
    subscribe(new_session(), "com.x")
    publish(broker, publisher, "com.x")
    assert outbox[-1].message.details == EventDetails(trustlevel=3)


@pytest.mark.parametrize(
    ("features", "told"), [({}, False), ({"subscriber": ["subscription_revocation"]}, True)], ids=["silent", "told"]
)
def test_revoked_subscriber_with_the_feature_is_notified(broker, subscribe, outbox, new_session, features, told):
    session = new_session(**features)
    subscription = broker.subscriptions[subscribe(session, "com.x")]
    broker.revoke(session, subscription, "com.reason")
    details = UnsubscribedDetails(subscription=subscription.id, reason="com.reason")
    assert outbox == ([Send((session.id,), Unsubscribed(0, details), "python")] if told else [])
    assert not session.subscriptions
    assert not broker.subscriptions


def test_subscriptions_are_found_by_topic(broker, subscribe, new_session, roles):
    session = new_session("some")
    exact, pattern = subscribe(session, "com.x"), subscribe(session, "com.", "prefix")
    assert broker.lookup("prefix", "com.").id == pattern
    assert broker.lookup("exact", "com.") is None
    assert [each.id for each in broker.matching_subscriptions("com.x")] == [exact, pattern]
    assert [each.id for each in broker.matching_subscriptions("com.y")] == [pattern]
    assert broker.role_of(session) is roles["some"]


class TestRetained:
    def test_event_is_replayed_to_who_asks(self, broker, subscribe, outbox, new_session):
        publish(broker, new_session(), "com.x", retain=True)
        session = new_session()
        broker.on_subscribe(session, Subscribe(1, SubscribeOptions(), "com.x"))
        broker.on_subscribe(session, Subscribe(2, SubscribeOptions(get_retained=True), "com.x"))
        subscription_id = broker.lookup("exact", "com.x").id
        effects = sent(outbox)
        assert [type(each.message) for each in effects] == [Subscribed, Subscribed, Event]
        event = Event(subscription_id, 1001, EventDetails(retained=True))
        assert effects[-1] == Send((session.id,), event, "json")

    def test_event_is_replayed_to_a_pattern_with_its_topic(self, broker, outbox, new_session):
        publish(broker, new_session(), "com.x", retain=True)
        broker.on_subscribe(new_session(), Subscribe(1, SubscribeOptions(match="prefix", get_retained=True), "com."))
        assert sent(outbox)[-1].message.details == EventDetails(retained=True, topic="com.x")

    def test_event_is_not_replayed_to_who_may_not_see_it(self, broker, outbox, new_session):
        session = new_session("some")
        publish(broker, new_session(), "com.secret", retain=True)
        publish(broker, new_session(), "com.x", retain=True, eligible=[99])
        broker.on_subscribe(session, Subscribe(1, SubscribeOptions(match="prefix", get_retained=True), "com."))
        assert [type(each.message) for each in sent(outbox)] == [Subscribed]

    def test_replay_is_made_step_by_step_from_what_is_retained_then(self, broker, outbox, new_session):
        publisher, session = new_session(), new_session()
        for name in "abcd":
            publish(broker, publisher, f"com.{name}", retain=True)
        broker.on_subscribe(session, Subscribe(1, SubscribeOptions(match="prefix", get_retained=True), "com."))
        messages = outbox.pop().messages
        assert next(messages).message.details.topic == "com.a"
        # A later event is sent as all events are, and must not be followed by the one that it has replaced.
        publish(broker, publisher, "com.b", retain=True)
        publish(broker, publisher, "com.e", retain=True)
        broker.retained.clear("com.c")
        assert [each and each.message.details.topic for each in messages] == [None, None, "com.d"]

    def test_replay_ends_with_its_subscription(self, broker, outbox, new_session):
        publisher, session = new_session(), new_session()
        for name in "ab":
            publish(broker, publisher, f"com.{name}", retain=True)
        broker.on_subscribe(session, Subscribe(1, SubscribeOptions(match="prefix", get_retained=True), "com."))
        messages = outbox.pop().messages
        assert next(messages)
        broker.remove_subscriber(session, broker.lookup("prefix", "com."))
        assert list(messages) == []

    @pytest.mark.parametrize(("exclude_me", "replayed"), [(None, 0), (True, 0), (False, 1)])
    def test_own_event_is_replayed_only_if_it_was_wanted(self, broker, outbox, new_session, exclude_me, replayed):
        session = new_session()
        publish(broker, session, "com.x", retain=True, exclude_me=exclude_me)
        broker.on_subscribe(session, Subscribe(1, SubscribeOptions(get_retained=True), "com.x"))
        assert len(sent(outbox)) == 1 + replayed


class TestHistory:
    @staticmethod
    def kept(broker, match="exact", uri="com.x"):
        return [each.id for each in broker.histories[broker.lookup(match, uri).id].publications()]

    @staticmethod
    def configure(broker, *history):
        broker.configure(RealmOptions("realm1", history=history))

    def test_events_are_kept_by_topic_and_pattern(self, broker, new_session, world):
        self.configure(broker, HistoryOptions("com.x"), HistoryOptions("com.", "prefix"))
        world.now = 5.0
        publish(broker, new_session(), "com.x")
        publish(broker, new_session(), "com.y")
        publish(broker, new_session(), "org.y")
        assert self.kept(broker) == [1001]
        assert self.kept(broker, "prefix", "com.") == [1001, 1002]
        (publication,) = broker.histories[broker.lookup("exact", "com.x").id].publications()
        assert publication.time == world.time()

    def test_event_with_lists_of_sessions_is_not_kept(self, broker, new_session):
        self.configure(broker, HistoryOptions("com.x"))
        publish(broker, new_session(), "com.x", exclude=[99])
        assert self.kept(broker) == []

    def test_durable_event_is_recorded(self, broker, outbox, new_session):
        self.configure(broker, HistoryOptions("com.x", is_durable=True))
        publish(broker, new_session(), "com.x")
        (record,) = outbox
        assert isinstance(record, Record)
        assert (record.realm, record.match, record.uri, record.publication.id) == ("realm1", "exact", "com.x", 1001)

    def test_subscription_of_a_history_stays_without_subscribers(self, broker, subscribe, new_session, announced):
        self.configure(broker, HistoryOptions("com.x"))
        session = new_session()
        subscription_id = subscribe(session, "com.x")
        announced.clear()
        broker.on_unsubscribe(session, Unsubscribe(9, subscription_id))
        assert [event[0] for event in announced] == ["wamp.subscription.on_unsubscribe"]
        assert subscription_id in broker.subscriptions

    def test_history_that_is_still_wanted_keeps_its_events(self, broker, new_session):
        self.configure(broker, HistoryOptions("com.x"))
        history = broker.histories[broker.lookup("exact", "com.x").id]
        for _ in range(3):
            publish(broker, new_session(), "com.x")
        self.configure(broker, HistoryOptions("com.x"))
        assert broker.histories[history.subscription.id] is history
        self.configure(broker, HistoryOptions("com.x", limit=2))
        assert self.kept(broker) == [1002, 1003]

    def test_removed_history_leaves_its_subscribers(self, broker, subscribe, new_session):
        self.configure(broker, HistoryOptions("com.x"), HistoryOptions("com.y"))
        subscription_id = subscribe(new_session(), "com.x")
        self.configure(broker)
        assert not broker.histories
        assert list(broker.subscriptions) == [subscription_id]
        assert not broker.subscriptions[subscription_id].is_persistent

    def test_history_takes_over_a_subscription_that_is_there(self, broker, subscribe, new_session):
        subscription_id = subscribe(new_session(), "com.x")
        self.configure(broker, HistoryOptions("com.x"))
        assert list(broker.histories) == [subscription_id]


def test_pattern_subscriber_without_a_role_gets_nothing(broker, subscribe, outbox, new_session, roles):
    subscribe(new_session("some"), "com.", "prefix")
    del roles["some"]
    publish(broker, new_session(), "com.x")
    assert outbox == []
