import pytest

from wamp_transport.router.options import HistoryOptions, RealmOptions
from wamp_transport.wamp.messages import Publish, PublishOptions, UnsubscribedDetails


def test_subscriptions_are_listed_by_way_of_matching(ask, caller, subscribe):
    assert ask("subscription.list") == {"exact": [], "prefix": [], "wildcard": []}
    ids = {"exact": [subscribe(caller, "com.x")], "prefix": [subscribe(caller, "com.", "prefix")], "wildcard": []}
    assert ask("subscription.list") == ids


def test_subscription_is_looked_up_by_exact_pattern(ask, caller, subscribe, refused):
    exact, prefix = subscribe(caller, "com.x"), subscribe(caller, "com.", "prefix")
    assert ask("subscription.lookup", "com.x") == exact
    assert ask("subscription.lookup", "com.", {"match": "prefix"}) == prefix
    assert ask("subscription.lookup", "com.") is None
    assert refused("subscription.lookup", "com.", {"match": "any"}) == "invalid_argument"


def test_all_subscriptions_that_get_an_event_are_matched(ask, caller, subscribe):
    exact, prefix = subscribe(caller, "com.x"), subscribe(caller, "com.", "prefix")
    assert ask("subscription.match", "com.x") == [exact, prefix]
    assert ask("subscription.match", "com.y") == [prefix]
    assert ask("subscription.match", "org.x") is None


def test_subscription_is_described(ask, caller, subscribe):
    subscription = subscribe(caller, "com.x")
    assert ask("subscription.get", subscription) == {
        "id": subscription,
        "created": "2026-01-01T00:00:00.000Z",
        "uri": "com.x",
        "match": "exact",
    }


def test_subscribers_are_listed_and_counted(ask, caller, join, subscribe):
    other = join()
    (subscription,) = {subscribe(session, "com.x") for session in (other, caller)}
    assert ask("subscription.list_subscribers", subscription) == [other.id, caller.id]
    assert ask("subscription.count_subscribers", subscription) == 2


@pytest.mark.parametrize(
    "procedure", ["get", "list_subscribers", "count_subscribers", "remove_subscriber", "get_events"]
)
def test_subscription_that_is_not_there_is_an_error(refused, procedure):
    assert refused(f"subscription.{procedure}", 99, 1) == "no_such_subscription"
    assert refused(f"subscription.{procedure}", "com.x") == "invalid_argument"


@pytest.mark.parametrize(
    ("args", "kwargs", "reason"),
    [
        ([], {}, "wamp.error.unregistered"),
        (["com.reason"], {}, "com.reason"),
        ([], {"reason": "com.reason"}, "com.reason"),
    ],
)
def test_removed_subscriber_gets_the_reason(ask, join, subscribe, outbox, context, args, kwargs, reason):
    session = join(subscriber=["subscription_revocation"])
    subscription = subscribe(session, "com.x")
    assert ask("subscription.remove_subscriber", subscription, session.id, *args, **kwargs) is None
    assert not context.broker.subscriptions
    details = UnsubscribedDetails(subscription=subscription, reason=reason)
    assert (outbox[0].recipients, outbox[0].message.details) == ((session.id,), details)


def test_session_that_is_no_subscriber_cannot_be_removed(refused, caller, join, subscribe):
    assert refused("subscription.remove_subscriber", subscribe(join(), "com.x"), caller.id) == "no_such_session"


class TestEvents:
    @pytest.fixture
    def publish(self, context, join, world):
        """Publishes, one second after the last time; 1001 is the first id."""
        publisher = join()
        context.broker.configure(
            RealmOptions("realm1", history=(HistoryOptions("com.x"), HistoryOptions("com.", "prefix")))
        )

        def publish(topic, *payload, **options):
            world.now += 1
            context.broker.on_publish(publisher, Publish(1, PublishOptions(**options), topic, *payload))

        return publish

    @pytest.fixture
    def events(self, ask, context):
        """Asks for the events of ``com.x``."""
        lookup = context.broker.lookup
        return lambda *args, **kwargs: ask("subscription.get_events", lookup("exact", "com.x").id, *args, **kwargs)

    @pytest.fixture
    def five(self, publish):
        for _ in range(5):
            publish("com.x")

    def test_event_is_returned_with_its_payload(self, publish, events, context):
        publish("com.x", b'["\\u0000aGk=", 1]', b'{"a": 2}')
        publish("com.x")
        subscription = context.broker.lookup("exact", "com.x").id
        first, second = events()
        assert first == {
            "timestamp": "2026-01-01T00:00:01.000Z",
            "subscription": subscription,
            "publication": 1001,
            "topic": "com.x",
            "details": {},
            "args": [b"hi", 1],
            "kwargs": {"a": 2},
        }
        assert second.keys() == {"timestamp", "subscription", "publication", "topic", "details"}

    def test_event_that_cannot_be_read_hides_no_other(self, publish, events):
        publish("com.x", b'["\\u0000no base64!"]')
        publish("com.x", b"[1]")
        assert [event["publication"] for event in events()] == [1002]

    def test_events_that_are_too_large_together_are_refused(self, publish, events, refused, context):
        for _ in range(5):
            publish("com.x", b'["' + b"x" * 1_000_000 + b'"]')
        subscription = context.broker.lookup("exact", "com.x").id
        assert refused("subscription.get_events", subscription) == "payload_size_exceeded"
        assert len(events(limit=4)) == 4

    def test_event_of_a_pattern_is_returned_with_its_topic(self, publish, ask, context):
        publish("com.y", disclose_me=True)
        (event,) = ask("subscription.get_events", context.broker.lookup("prefix", "com.").id)
        assert event["details"]["topic"] == "com.y"
        assert event["details"]["publisher_authid"]

    @pytest.mark.parametrize(
        ("args", "kwargs", "expected"),
        [
            ([2], {}, [1, 2]),
            ([], {"limit": 2}, [1, 2]),
            ([], {"limit": 2, "reverse": True}, [5, 4]),
            ([], {"topic": "com.y"}, []),
            ([], {"after_publication": 1003}, [4, 5]),
            ([], {"until_publication": 1002}, [1, 2]),
            ([], {"from_time": "2026-01-01T00:00:04+00:00"}, [4, 5]),
            ([], {"before_time": "2026-01-01T00:00:02Z"}, [1]),
        ],
    )
    def test_filters_come_by_name(self, five, events, args, kwargs, expected):
        assert [event["publication"] - 1000 for event in events(*args, **kwargs)] == expected

    @pytest.mark.parametrize(
        "filters",
        [
            {"limit": 0},
            {"limit": "x"},
            {"reverse": 1},
            {"from_time": "noon"},
            {"from_time": "2026-01-01T00:00:00"},
            {"from_publication": "x"},
        ],
    )
    def test_invalid_filter_is_refused(self, five, refused, context, filters):
        subscription = context.broker.lookup("exact", "com.x").id
        assert refused("subscription.get_events", subscription, **filters) == "invalid_argument"

    def test_events_are_for_those_who_may_subscribe(self, publish, refused, context, caller):
        caller.authrole = "none"
        assert refused("subscription.get_events", context.broker.lookup("exact", "com.x").id) == "not_authorized"

    def test_events_of_a_topic_that_one_may_not_see_are_left_out(self, publish, ask, context, caller):
        caller.authrole = "some"
        publish("com.secret")
        publish("com.open")
        publish("com.open", eligible_authid=["nobody"])
        events = ask("subscription.get_events", context.broker.lookup("prefix", "com.").id)
        assert [event["publication"] for event in events] == [1002]

    def test_subscription_without_a_history_has_no_events(self, refused, subscribe, caller):
        assert refused("subscription.get_events", subscribe(caller, "com.y")) == "history_unavailable"
