"""Advanced Profile, "Subscriptions Meta API"."""

import pytest

from wamp_transport.router.options import Limits, Permission, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.testing.memory import MemoryNode

from .codes import (
    CALL,
    ERROR,
    EVENT,
    GOODBYE,
    NO_SUCH_PROCEDURE,
    NOT_AUTHORIZED,
    PUBLISH,
    RESULT,
    SUBSCRIBE,
    SUBSCRIBED,
    UNSUBSCRIBE,
    UNSUBSCRIBED,
)

TOPIC = "com.example.topic"
NO_SUCH_SUBSCRIPTION = "wamp.error.no_such_subscription"
INVALID_ARGUMENT = "wamp.error.invalid_argument"
QUOTA_EXCEEDED = "wamp.error.quota_exceeded"
PROCEDURES = (
    "list", "lookup", "match", "get", "list_subscribers", "count_subscribers", "remove_subscriber", "get_events",
)  # fmt: skip


def node_with(*permissions, allow_by_default=True, **options):
    roles = {"anonymous": RoleOptions("anonymous", permissions, allow_by_default)}
    return MemoryNode(RouterOptions(realms={"realm1": RealmOptions("realm1", roles, **options)}))


def call(peer, procedure, *args):
    answer = peer.request([CALL, 77, {}, f"wamp.subscription.{procedure}", list(args)])
    assert answer[:3] == [RESULT, 77, {}], answer
    (result,) = answer[3]
    return result


def refusal(peer, procedure, *args):
    answer = peer.request([CALL, 77, {}, f"wamp.subscription.{procedure}", list(args)])
    assert answer[:4] == [ERROR, CALL, 77, {}], answer
    return answer[4], answer[5][0]


def subscribe(peer, topic=TOPIC, **options):
    answer = peer.request([SUBSCRIBE, 5, options, topic])
    assert answer[:2] == [SUBSCRIBED, 5], answer
    return answer[2]


@pytest.fixture
def watcher(join):
    """A subscriber to all events about subscriptions."""
    peer = join()
    peer.request([SUBSCRIBE, 1, {"match": "prefix"}, "wamp.subscription."])
    return peer


def told(watcher):
    prefix = "wamp.subscription."
    return [(event[3]["topic"].removeprefix(prefix), *event[4]) for event in watcher.receive_all()]


# --- events ---


def test_events_of_a_subscription_are_published_in_order(node, watcher, alice, bob):
    node.pass_time(2.25)
    subscription = subscribe(alice)
    details = {"id": subscription, "created": "2026-01-01T00:00:02.250Z", "uri": TOPIC, "match": "exact"}
    assert told(watcher) == [
        ("on_create", alice.session_id, details),
        ("on_subscribe", alice.session_id, subscription),
    ]
    subscribe(bob)
    assert told(watcher) == [("on_subscribe", bob.session_id, subscription)]
    alice.request([UNSUBSCRIBE, 6, subscription])
    assert told(watcher) == [("on_unsubscribe", alice.session_id, subscription)]
    bob.request([UNSUBSCRIBE, 6, subscription])
    assert told(watcher) == [
        ("on_unsubscribe", bob.session_id, subscription),
        ("on_delete", bob.session_id, subscription),
    ]


@pytest.mark.parametrize(("match", "pattern"), [("prefix", "com."), ("wildcard", "com..topic")])
def test_event_about_a_pattern_has_its_match_policy(watcher, alice, match, pattern):
    subscription = subscribe(alice, pattern, match=match)
    details = told(watcher)[0][2]
    assert (details["id"], details["uri"], details["match"]) == (subscription, pattern, match)


def test_subscribing_again_publishes_no_event(watcher, alice):
    subscribe(alice)
    watcher.receive_all()
    subscribe(alice)
    assert not watcher.inbox


def test_meta_events_come_after_the_reply_that_caused_them(alice):
    subscribe(alice, "wamp.subscription.", match="prefix")
    subscription = subscribe(alice)
    assert [event[3]["topic"][18:] for event in alice.receive_all()] == ["on_create", "on_subscribe"]
    assert alice.request([UNSUBSCRIBE, 6, subscription]) == [UNSUBSCRIBED, 6]
    assert [event[3]["topic"][18:] for event in alice.receive_all()] == ["on_unsubscribe", "on_delete"]


@pytest.mark.parametrize("how", ["lose", "goodbye"])
def test_end_of_a_session_unsubscribes_it_from_all(watcher, alice, bob, how):
    shared, own = subscribe(alice), subscribe(alice, "com.own")
    subscribe(bob)
    watcher.receive_all()
    session_id = alice.session_id
    if how == "lose":
        alice.lose()
    else:
        alice.request([GOODBYE, {}, "wamp.close.normal"])
    events = told(watcher)
    assert sorted(events) == sorted(
        [
            ("on_unsubscribe", session_id, shared),
            ("on_unsubscribe", session_id, own),
            ("on_delete", session_id, own),
        ]
    )
    assert events.index(("on_unsubscribe", session_id, own)) < events.index(("on_delete", session_id, own))


@pytest.mark.parametrize("topic", ["wamp.session.on_join", "wamp.subscription.on_create", "wamp.x", "wamp"])
def test_subscriptions_to_reserved_topics_publish_no_event(watcher, alice, topic):
    alice.request([UNSUBSCRIBE, 6, subscribe(alice, topic)])
    assert not watcher.inbox


def test_event_of_an_exact_topic_has_no_details(alice, bob):
    subscription = subscribe(alice, "wamp.subscription.on_subscribe")
    other = subscribe(bob)
    event = alice.receive()
    assert event[:2] == [EVENT, subscription]
    assert event[3:] == [{}, [bob.session_id, other]]


# --- procedures ---


def test_subscriptions_are_listed_by_match(alice, bob):
    ids = {
        "exact": {subscribe(alice), subscribe(bob, "com.other")},
        "prefix": {subscribe(alice, "com.", match="prefix")},
        "wildcard": {subscribe(bob, "com..topic", match="wildcard")},
    }
    assert {match: set(each) for match, each in call(alice, "list").items()} == ids


def test_lists_are_empty_where_there_is_nothing(alice):
    assert call(alice, "list") == {"exact": [], "prefix": [], "wildcard": []}


def test_lookup_finds_just_the_pattern(alice, bob):
    exact = subscribe(alice, "com.a")
    prefix = subscribe(alice, "com.a", match="prefix")
    assert call(bob, "lookup", "com.a") == exact
    assert call(bob, "lookup", "com.a", None) == call(bob, "lookup", "com.a", {}) == exact
    assert call(bob, "lookup", "com.a", {"match": "exact"}) == exact
    assert call(bob, "lookup", "com.a", {"match": "prefix"}) == prefix
    assert call(bob, "lookup", "com.a", {"match": "wildcard"}) is None
    assert call(bob, "lookup", "com.a.b") is None


def test_lookup_takes_all_options_of_subscribe(alice):
    subscription = subscribe(alice, "com.", match="prefix")
    options = {"match": "prefix", "get_retained": True, "nkey": "node1", "x_mine": [1]}
    assert call(alice, "lookup", "com.", options) == subscription


def test_match_finds_all_that_an_event_goes_to(alice, bob):
    ids = {
        subscribe(alice, "com.a.topic"),
        subscribe(alice, "com.", match="prefix"),
        subscribe(bob, "com..topic", match="wildcard"),
    }
    subscribe(bob, "com.b.topic")
    assert set(call(bob, "match", "com.a.topic")) == ids
    assert call(bob, "match", "org.x") is None


def test_details_of_a_subscription_are_returned(node, alice, bob):
    node.pass_time(60)
    subscription = subscribe(alice, "com.", match="prefix")
    assert call(bob, "get", subscription) == {
        "id": subscription,
        "created": "2026-01-01T00:01:00.000Z",
        "uri": "com.",
        "match": "prefix",
    }


def test_subscribers_are_listed_and_counted(alice, bob):
    subscription = subscribe(alice)
    assert subscribe(bob) == subscription
    assert sorted(call(bob, "list_subscribers", subscription)) == [alice.session_id, bob.session_id]
    assert call(bob, "count_subscribers", subscription) == 2
    alice.lose()
    assert call(bob, "list_subscribers", subscription) == [bob.session_id]
    assert call(bob, "count_subscribers", subscription) == 1


def test_subscription_that_is_not_there_is_an_error(alice):
    gone = subscribe(alice)
    alice.request([UNSUBSCRIBE, 6, gone])
    for subscription in (gone, 12345):
        for procedure in ("get", "list_subscribers", "count_subscribers", "get_events"):
            assert refusal(alice, procedure, subscription)[0] == NO_SUCH_SUBSCRIPTION
        assert refusal(alice, "remove_subscriber", subscription, alice.session_id)[0] == NO_SUCH_SUBSCRIPTION


@pytest.mark.parametrize(
    ("procedure", "args", "name"),
    [
        ("lookup", [], "topic"),
        ("lookup", [1], "topic"),
        ("lookup", ["com.x", []], "options"),
        ("lookup", ["com.x", {"match": "regex"}], "options"),
        ("match", [], "topic"),
        ("match", [None], "topic"),
        ("get", [], "subscription"),
        ("get", ["1"], "subscription"),
        ("get", [0], "subscription"),
        ("list_subscribers", [1.5], "subscription"),
        ("count_subscribers", [{}], "subscription"),
        ("remove_subscriber", [], "subscription"),
    ],
)
def test_argument_of_a_wrong_type_is_named(alice, procedure, args, name):
    uri, text = refusal(alice, procedure, *args)
    assert uri == INVALID_ARGUMENT
    assert name in text


# --- who may ---


def test_rule_on_the_meta_procedures_closes_them(serializer):
    alice = node_with(Permission("wamp.", "prefix", subscribe=True)).join("realm1", serializer)
    for procedure in PROCEDURES:
        assert refusal(alice, procedure, 1)[0] == NOT_AUTHORIZED


def test_rule_on_the_meta_topics_closes_them(serializer):
    node = node_with(Permission("wamp.", "prefix", call=True))
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    assert alice.request([SUBSCRIBE, 1, {}, "wamp.subscription.on_create"])[4] == NOT_AUTHORIZED
    subscribe(alice, "", match="prefix")
    subscribe(alice, "..", match="wildcard")
    subscribe(bob)
    assert not alice.inbox


def test_rule_for_everything_opens_them(serializer):
    rule = Permission("", "prefix", call=True)
    alice = node_with(rule, allow_by_default=False).join("realm1", serializer)
    assert call(alice, "list") == {"exact": [], "prefix": [], "wildcard": []}


def test_meta_api_that_is_off_is_not_there(serializer):
    node = node_with(enable_meta_api=False)
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    subscribe(alice, "wamp.", match="prefix")
    for procedure in PROCEDURES:
        assert refusal(alice, procedure, 1)[0] == NO_SUCH_PROCEDURE
    bob.request([UNSUBSCRIBE, 6, subscribe(bob)])
    assert not alice.inbox


def test_nobody_else_may_publish_meta_events(alice, bob):
    subscribe(bob, "wamp.subscription.on_create")
    alice.send([PUBLISH, 1, {}, "wamp.subscription.on_create", ["forged"]])
    assert not bob.inbox


# --- limits ---


def test_subscription_beyond_the_limit_is_refused_and_others_are_not(serializer):
    node = node_with(limits=Limits(subscriptions=2))
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    first = subscribe(alice, "com.a")
    subscribe(alice, "com.b")
    error = alice.request([SUBSCRIBE, 9, {}, "com.c"])
    assert error[:5] == [ERROR, SUBSCRIBE, 9, {}, QUOTA_EXCEEDED]
    assert subscribe(alice, "com.a") == first
    subscribe(bob, "com.c")
    assert call(bob, "match", "com.c") == [call(bob, "lookup", "com.c")]
    bob.lose()
    assert call(alice, "lookup", "com.c") is None
    alice.request([UNSUBSCRIBE, 6, first])
    subscribe(alice, "com.c")


def test_session_in_cleanup_is_not_active(node, alice, bob, join):
    carol = join()
    shared = alice.request([SUBSCRIBE, 1, {}, "com.example.shared"])[2]
    own = alice.request([SUBSCRIBE, 2, {}, "com.example.own"])[2]
    assert bob.request([SUBSCRIBE, 1, {}, "com.example.shared"])[2] == shared
    node.runs_cleanup = False
    leaving = alice.session_id
    alice.lose()
    asked = iter(range(10, 30))

    def ask(name, *args):
        return carol.request([CALL, next(asked), {}, f"wamp.subscription.{name}", list(args)])

    assert ask("list_subscribers", shared)[3] == [[bob.session_id]]
    assert ask("count_subscribers", shared)[3] == [1]
    assert ask("remove_subscriber", shared, leaving)[4] == "wamp.error.no_such_session"
    for name in ("get", "list_subscribers", "count_subscribers"):
        assert ask(name, own)[4] == "wamp.error.no_such_subscription"
    assert ask("lookup", "com.example.own")[3] == [None]
    assert ask("match", "com.example.own")[3] == [None]
    assert ask("list")[3] == [{"exact": [shared], "prefix": [], "wildcard": []}]
