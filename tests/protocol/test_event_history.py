"""Advanced Profile, "Event History"."""

import pytest

from wamp_transport.router.options import (
    AnonymousLogin,
    HistoryOptions,
    Permission,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.testing.memory import MemoryNode

from .codes import CALL, ERROR, EVENT, NO_SUCH_PROCEDURE, NOT_AUTHORIZED, PUBLISH, PUBLISHED, RESULT, SUBSCRIBE

TOPIC = "com.example.log.auth"
PREFIX = "com.example."
INVALID_ARGUMENT = "wamp.error.invalid_argument"
UNAVAILABLE = "wamp.error.unavailable"
ADMIN = ServiceOptions("admin", AnonymousLogin("admin", "root"))
HISTORY = (
    HistoryOptions(TOPIC),
    HistoryOptions(PREFIX, "prefix"),
    HistoryOptions("com..log.basket", "wildcard"),
    HistoryOptions("com.short", limit=3),
    HistoryOptions("com.young", max_age=60.0),
)


def options_with(*permissions, history=HISTORY, trustlevel=None, **options):
    roles = {
        "anonymous": RoleOptions("anonymous", permissions, allow_by_default=True, trustlevel=trustlevel),
        "admin": RoleOptions("admin", allow_by_default=True),
    }
    return RouterOptions(realms={"realm1": RealmOptions("realm1", roles, history=history, **options)})


@pytest.fixture
def node():
    return MemoryNode(options_with())


@pytest.fixture
def admin(node, serializer):
    return node.join("realm1", serializer, ADMIN)


def publish(peer, topic, *payload, **options):
    published = peer.request([PUBLISH, 1, {"acknowledge": True, **options}, topic, *payload])
    assert published[0] == PUBLISHED, published
    return published[2]


def subscription_of(peer, topic, match="exact"):
    answer = peer.request([CALL, 7, {}, "wamp.subscription.lookup", [topic, {"match": match}]])
    assert answer[0] == RESULT
    return answer[3][0]


def ask(peer, subscription, *args, **kwargs):
    return peer.request([CALL, 8, {}, "wamp.subscription.get_events", [subscription, *args], kwargs])


def events(peer, pattern=TOPIC, /, *args, match="exact", **kwargs):
    answer = ask(peer, subscription_of(peer, pattern, match), *args, **kwargs)
    assert answer[:3] == [RESULT, 8, {}], answer
    return answer[3][0]


def firsts(found):
    return [event["args"][0] for event in found]


@pytest.fixture
def past(node, alice):
    """Six events, ten seconds apart from the tenth on; their publication ids."""
    ids = []
    for number in range(6):
        node.pass_time(10)
        ids.append(publish(alice, TOPIC, [number]))
    return ids


# --- what is kept ---


def test_event_is_returned_with_time_ids_details_and_payload(node, alice, bob):
    node.pass_time(1.5)
    publication = publish(alice, TOPIC, [1, "é"], {"a": [2.5]})
    assert events(bob) == [
        {
            "timestamp": "2026-01-01T00:00:01.500Z",
            "subscription": subscription_of(bob, TOPIC),
            "publication": publication,
            "topic": TOPIC,
            "details": {},
            "args": [1, "é"],
            "kwargs": {"a": [2.5]},
        }
    ]


def test_event_without_payload_has_none(alice, bob):
    publish(alice, TOPIC)
    assert set(events(bob)[0]) == {"timestamp", "subscription", "publication", "topic", "details"}


def test_history_is_kept_without_subscribers_and_empty_at_first(alice, bob):
    assert events(bob) == []
    publish(alice, TOPIC, [1])
    assert firsts(events(bob)) == [1]
    assert firsts(events(alice)) == [1]


def test_example_of_the_specification(alice, bob):
    publications = [
        publish(alice, f"com.example.log.{each}", [each]) for each in ("auth", "basket", "basket", "basket", "checkout")
    ]
    assert [each["publication"] for each in events(bob)] == publications[:1]
    assert [each["publication"] for each in events(bob, "com..log.basket", match="wildcard")] == publications[1:4]
    assert [each["publication"] for each in events(bob, PREFIX, match="prefix")] == publications


def test_event_is_kept_once_however_many_receive_it(alice, bob, join):
    for peer in (bob, join(), join()):
        peer.request([SUBSCRIBE, 1, {}, TOPIC])
    publish(alice, TOPIC, [1])
    assert bob.receive()[0] == EVENT
    assert firsts(events(bob)) == [1]


def test_subscriber_gets_the_id_that_the_history_has(alice, bob):
    publication = publish(alice, TOPIC, [1])
    subscription = bob.request([SUBSCRIBE, 1, {}, TOPIC])[2]
    assert ask(bob, subscription)[3][0][0]["publication"] == publication


def test_history_of_a_pattern_names_the_topic(alice, bob):
    publish(alice, TOPIC, [1])
    assert events(bob)[0]["details"] == {}
    assert events(bob, PREFIX, match="prefix")[0]["details"] == {"topic": TOPIC}


def test_details_of_the_publication_are_sent(serializer):
    node = MemoryNode(options_with(trustlevel=2))
    alice = node.join("realm1", serializer)
    publish(alice, TOPIC, [1], disclose_me=True, transaction_hash="abc")
    details = events(node.join("realm1", serializer))[0]["details"]
    assert details.pop("publisher_authid").startswith("anonymous-")
    assert details == {
        "publisher": alice.session_id,
        "publisher_authrole": "anonymous",
        "trustlevel": 2,
        "transaction_hash": "abc",
    }


def test_events_are_returned_in_every_serializer(alice, node):
    publish(alice, TOPIC, [1, None, "é"], {"a": True})
    for name in ("json", "msgpack", "cbor"):
        event = events(node.join("realm1", name))[0]
        assert [event["args"], event["kwargs"]] == [[1, None, "é"], {"a": True}]


def test_no_more_than_the_limit_are_kept(alice, bob):
    for number in range(5):
        publish(alice, "com.short", [number])
    assert firsts(events(bob, "com.short")) == [2, 3, 4]


def test_expired_events_are_removed(node, alice, bob):
    publish(alice, "com.young", [0])
    node.pass_time(30)
    publish(alice, "com.young", [1])
    node.pass_time(30)
    assert firsts(events(bob, "com.young")) == [0, 1]
    node.pass_time(0.001)
    assert firsts(events(bob, "com.young")) == [1]
    node.pass_time(3600)
    assert events(bob, "com.young") == []


def test_testament_is_kept_like_any_event(alice, bob):
    alice.request([CALL, 1, {}, "wamp.session.add_testament", [TOPIC, ["will"], {}]])
    alice.lose()
    assert firsts(events(bob)) == ["will"]


@pytest.mark.parametrize("name", ["eligible", "exclude"])
@pytest.mark.parametrize("ids", [[], [1]])
def test_event_with_lists_of_session_ids_is_not_kept(alice, bob, name, ids):
    publish(alice, TOPIC, ["some"], **{name: ids})
    publish(alice, TOPIC, ["all"])
    assert firsts(events(bob)) == ["all"]


def test_event_that_cannot_be_read_does_not_hide_the_others(node, bob):
    alice = node.join("realm1", "json")
    publish(alice, TOPIC, [1])
    alice.send_bytes(b'[16,2,{},"com.example.log.auth",[1e400]]')
    alice.send_bytes(b'[16,3,{},"com.example.log.auth",[],{"a":1e400}]')
    publish(alice, TOPIC, [2])
    assert not alice.is_closed
    assert firsts(events(bob)) == [1, 2]


def test_history_with_an_event_that_cannot_be_encoded_is_answered(node, bob):
    alice = node.join("realm1", "json")
    publish(alice, TOPIC, [10**30])
    answer = ask(bob, subscription_of(bob, TOPIC))
    assert answer[:3] == [RESULT, 8, {}] or answer[4] == "wamp.error.invalid_payload"


# --- filters ---


def test_oldest_comes_first_unless_reversed(past, bob):
    assert firsts(events(bob)) == [0, 1, 2, 3, 4, 5]
    assert firsts(events(bob, reverse=False)) == [0, 1, 2, 3, 4, 5]
    assert firsts(events(bob, reverse=True)) == [5, 4, 3, 2, 1, 0]


def test_limit_counts_from_where_reading_begins(past, bob):
    assert firsts(events(bob, limit=2)) == [0, 1]
    assert firsts(events(bob, limit=2, reverse=True)) == [5, 4]
    assert firsts(events(bob, TOPIC, 3)) == [0, 1, 2]
    assert len(events(bob, limit=100)) == 6


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"from_time": "2026-01-01T00:00:30Z"}, [2, 3, 4, 5]),
        ({"after_time": "2026-01-01T00:00:30Z"}, [3, 4, 5]),
        ({"before_time": "2026-01-01T00:00:30Z"}, [0, 1]),
        ({"until_time": "2026-01-01T00:00:30Z"}, [0, 1, 2]),
        ({"from_time": "2026-01-01T00:00:30.001Z"}, [3, 4, 5]),
        ({"from_time": "2026-01-01T02:00:30+02:00"}, [2, 3, 4, 5]),
        ({"from_time": "2026-01-01T00:00:20Z", "until_time": "2026-01-01T00:00:40Z"}, [1, 2, 3]),
        ({"after_time": "2026-01-01T00:00:40Z", "before_time": "2026-01-01T00:00:20Z"}, []),
        ({"from_time": "2030-01-01T00:00:00Z"}, []),
        ({"until_time": "2020-01-01T00:00:00Z"}, []),
    ],
)
def test_times_limit_the_events(past, bob, filters, expected):
    assert firsts(events(bob, **filters)) == expected
    assert firsts(events(bob, reverse=True, **filters)) == expected[::-1]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"from_publication": 2}, [2, 3, 4, 5]),
        ({"after_publication": 2}, [3, 4, 5]),
        ({"before_publication": 2}, [0, 1]),
        ({"until_publication": 2}, [0, 1, 2]),
        ({"from_publication": 1, "until_publication": 3}, [1, 2, 3]),
        ({"after_publication": 1, "before_publication": 3}, [2]),
        ({"from_publication": 1, "after_publication": 1}, [2, 3, 4, 5]),
        ({"before_publication": 3, "until_publication": 3}, [0, 1, 2]),
        ({"after_publication": 5}, []),
        ({"before_publication": 0}, []),
        ({"from_publication": 4, "until_publication": 2}, []),
    ],
)
def test_publication_ids_limit_the_events(past, bob, filters, expected):
    filters = {name: past[place] for name, place in filters.items()}
    assert firsts(events(bob, **filters)) == expected
    assert firsts(events(bob, reverse=True, **filters)) == expected[::-1]


@pytest.mark.parametrize("name", ["from_publication", "after_publication", "before_publication", "until_publication"])
def test_publication_that_is_not_there_leaves_nothing(past, bob, name):
    assert events(bob, **{name: 12345}) == []


def test_filters_hold_together(past, bob):
    filters = {
        "from_time": "2026-01-01T00:00:20Z",
        "before_publication": past[5],
        "after_publication": past[0],
        "until_time": "2026-01-01T00:00:40Z",
        "topic": TOPIC,
    }
    assert firsts(events(bob, **filters)) == [1, 2, 3]
    assert firsts(events(bob, limit=1, **filters)) == [1]
    assert firsts(events(bob, PREFIX, match="prefix", limit=2, reverse=True, **filters)) == [3, 2]


def test_pages_follow_each_other(past, bob):
    page = events(bob, limit=4)
    assert firsts(events(bob, limit=4, after_publication=page[-1]["publication"])) == [4, 5]
    page = events(bob, limit=4, reverse=True)
    assert firsts(events(bob, limit=4, reverse=True, before_publication=page[-1]["publication"])) == [1, 0]


def test_topic_narrows_a_pattern(alice, bob):
    for topic in (TOPIC, "com.example.other", TOPIC):
        publish(alice, topic, [topic])
    assert firsts(events(bob, PREFIX, match="prefix", topic=TOPIC)) == [TOPIC, TOPIC]
    assert events(bob, PREFIX, match="prefix", topic="com.example") == []
    assert len(events(bob, PREFIX, match="prefix", topic=None, limit=None, from_time=None)) == 3


# --- who may see it ---


@pytest.mark.parametrize(
    ("lists", "anonymous_sees", "admin_sees"),
    [
        ({"eligible_authrole": ["admin"]}, False, True),
        ({"eligible_authid": ["root"]}, False, True),
        ({"exclude_authrole": ["admin"]}, True, False),
        ({"exclude_authid": ["root"]}, True, False),
        ({"eligible_authid": []}, False, False),
    ],
)
def test_lists_hold_for_past_events(alice, bob, admin, lists, anonymous_sees, admin_sees):
    publish(alice, TOPIC, ["x"], **lists)
    for topic, match in ((TOPIC, "exact"), (PREFIX, "prefix")):
        assert bool(events(bob, topic, match=match)) is anonymous_sees
        assert bool(events(admin, topic, match=match)) is admin_sees


def test_limit_counts_visible_events_only(alice, bob):
    for number in range(4):
        publish(alice, TOPIC, [number], **({"eligible_authrole": ["admin"]} if number % 2 == 0 else {}))
    assert firsts(events(bob, limit=2)) == [1, 3]


def test_reader_that_may_not_subscribe_is_refused(serializer):
    node = MemoryNode(options_with(Permission(TOPIC, publish=True), Permission("wamp.", "prefix", call=True)))
    alice = node.join("realm1", serializer)
    publish(alice, TOPIC, ["secret"])
    publish(alice, "com.example.open", ["open"])
    error = ask(alice, subscription_of(alice, TOPIC))
    assert error[:5] == [ERROR, CALL, 8, {}, NOT_AUTHORIZED]
    assert firsts(events(alice, PREFIX, match="prefix")) == ["open"]


def test_reader_that_may_not_subscribe_to_the_pattern_is_refused(serializer):
    rules = (Permission("com.", "prefix", publish=True), Permission(TOPIC, publish=True, subscribe=True))
    alice = MemoryNode(options_with(*rules)).join("realm1", serializer)
    publish(alice, TOPIC, ["x"])
    assert ask(alice, subscription_of(alice, PREFIX, "prefix"))[4] == NOT_AUTHORIZED
    assert firsts(events(alice)) == ["x"]


def test_rule_on_the_procedure_closes_it(serializer):
    node = MemoryNode(options_with(Permission("wamp.subscription.get_events")))
    alice = node.join("realm1", serializer)
    assert ask(alice, 1)[4] == NOT_AUTHORIZED


# --- errors ---


def test_subscription_that_is_not_there_is_an_error(alice):
    assert ask(alice, 12345)[4] == "wamp.error.no_such_subscription"


def test_subscription_without_a_history_is_an_error(alice, bob):
    subscription = bob.request([SUBSCRIBE, 1, {}, "com.plain"])[2]
    assert ask(alice, subscription)[4] == "wamp.error.history_unavailable"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", 0),
        ("limit", -1),
        ("limit", "1"),
        ("limit", True),
        ("reverse", 1),
        ("reverse", "yes"),
        ("topic", 1),
        ("from_time", "yesterday"),
        ("after_time", ""),
        ("before_time", "2026-13-01T00:00:00Z"),
        ("until_time", 1767225600),
        ("from_publication", "1"),
        ("after_publication", 0),
        ("before_publication", 1.5),
        ("until_publication", 2**53 + 1),
    ],
)
def test_argument_of_a_wrong_type_is_named(alice, name, value):
    error = ask(alice, subscription_of(alice, TOPIC), **{name: value})
    assert error[4] == INVALID_ARGUMENT
    assert name in error[5][0]


@pytest.mark.parametrize("args", [[], ["1"], [None], [0], [[1]]])
def test_subscription_of_a_wrong_type_is_named(alice, args):
    error = alice.request([CALL, 1, {}, "wamp.subscription.get_events", args])
    assert error[4] == INVALID_ARGUMENT
    assert "subscription" in error[5][0]


def test_meta_api_that_is_off_is_not_there(serializer):
    node = MemoryNode(options_with(enable_meta_api=False))
    assert ask(node.join("realm1", serializer), 1)[4] == NO_SUCH_PROCEDURE


# --- changes of the configuration, and durable history ---


def reconfigure(node, *history):
    node.configure(options_with(history=history))


def test_history_that_is_still_wanted_keeps_its_events(node, alice, past):
    reconfigure(node, HistoryOptions(TOPIC), HistoryOptions("com.other"))
    assert firsts(events(alice)) == [0, 1, 2, 3, 4, 5]
    reconfigure(node, HistoryOptions(TOPIC, limit=2))
    assert firsts(events(alice)) == [4, 5]


def test_history_that_is_no_longer_wanted_is_gone_and_its_subscribers_stay(node, alice, bob, past):
    subscription = bob.request([SUBSCRIBE, 1, {}, TOPIC])[2]
    reconfigure(node)
    assert ask(alice, subscription)[4] == "wamp.error.history_unavailable"
    assert list(bob.node.router.realms["realm1"].broker.subscriptions) == [subscription]
    alice.send([PUBLISH, 1, {}, TOPIC])
    assert bob.receive()[0] == EVENT
    bob.lose()
    assert not bob.node.router.realms["realm1"].broker.subscriptions


def test_history_that_begins_later_takes_the_subscription_there_is(node, alice, bob):
    subscription = bob.request([SUBSCRIBE, 1, {}, "com.later"])[2]
    publish(alice, "com.later", ["before"])
    reconfigure(node, HistoryOptions("com.later"))
    publish(alice, "com.later", ["after"])
    assert ask(bob, subscription)[0] == EVENT
    bob.receive_all()
    assert firsts(events(alice, "com.later")) == ["after"]
    bob.lose()
    assert firsts(events(alice, "com.later")) == ["after"]


def test_durable_history_is_recorded_and_restored(serializer):
    history = (HistoryOptions(TOPIC, is_durable=True), HistoryOptions(PREFIX, "prefix"))
    node = MemoryNode(options_with(history=history))
    alice = node.join("realm1", serializer)
    publish(alice, TOPIC, [1], {"a": 2})
    publish(alice, TOPIC, [2], eligible=[1])
    publish(alice, "com.example.other", [3])
    publish(alice, TOPIC, [4])
    assert [(each.realm, each.match, each.uri) for each in node.records] == [("realm1", "exact", TOPIC)] * 2
    before = events(alice)
    again = MemoryNode(options_with(history=history))
    (restored,) = [each for _, each in again.router.histories() if each.options.is_durable]
    restored.restore([each.publication for each in node.records])
    assert events(again.join("realm1", serializer)) == before
    assert firsts(before) == [1, 4]


SYNCED = (HistoryOptions(TOPIC, is_durable=True, is_synced=True), HistoryOptions(PREFIX, "prefix", is_durable=True))


def test_publication_is_acknowledged_when_it_is_stored(serializer):
    node = MemoryNode(options_with(history=SYNCED))
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    subscription = bob.request([SUBSCRIBE, 1, {}, TOPIC])[2]
    node.stores_records = False
    alice.send([PUBLISH, 1, {"acknowledge": True}, TOPIC, [1]])
    assert not alice.inbox
    assert bob.receive()[:2] == [EVENT, subscription]
    assert alice.request([PUBLISH, 2, {"acknowledge": True}, "com.example.other"])[:2] == [PUBLISHED, 2]
    for record in node.records:
        node.router.on_recorded(record, is_stored=True)
    node.run_effects()
    assert alice.receive() == [PUBLISHED, 1, node.records[0].publication.id]
    assert not alice.inbox


def test_publication_is_acknowledged_when_all_synced_histories_have_it(serializer):
    history = (SYNCED[0], HistoryOptions(PREFIX, "prefix", is_durable=True, is_synced=True))
    node = MemoryNode(options_with(history=history))
    alice = node.join("realm1", serializer)
    node.stores_records = False
    for request_id, is_stored in ((1, True), (2, False)):
        node.records.clear()
        alice.send([PUBLISH, request_id, {"acknowledge": True}, TOPIC])
        first, second = node.records
        node.router.on_recorded(first, is_stored=is_stored)
        node.run_effects()
        assert not alice.inbox
        node.router.on_recorded(second, is_stored=True)
        node.run_effects()
        answer = alice.receive()
        assert answer[:2] == [PUBLISHED, 1] if is_stored else answer[:5] == [ERROR, PUBLISH, 2, {}, UNAVAILABLE]


def test_publication_that_no_synced_history_can_have_gets_an_error(serializer):
    node = MemoryNode(options_with(history=SYNCED, max_history_size=10_000))
    alice = node.join("realm1", serializer)
    answer = alice.request([PUBLISH, 1, {"acknowledge": True}, TOPIC, ["x" * 10_000]])
    assert answer[:5] == [ERROR, PUBLISH, 1, {}, UNAVAILABLE]


def test_publication_that_is_not_stored_by_design_is_acknowledged_at_once(serializer):
    node = MemoryNode(options_with(history=SYNCED))
    alice = node.join("realm1", serializer)
    node.stores_records = False
    assert alice.request([PUBLISH, 1, {"acknowledge": True, "exclude": [1]}, TOPIC])[0] == PUBLISHED
    alice.send([PUBLISH, 2, {}, TOPIC])
    assert not alice.inbox


def test_session_that_has_left_gets_no_late_answer(serializer):
    node = MemoryNode(options_with(history=SYNCED))
    alice = node.join("realm1", serializer)
    node.stores_records = False
    alice.send([PUBLISH, 1, {"acknowledge": True}, TOPIC])
    alice.lose()
    node.router.on_recorded(node.records[0], is_stored=True)
    node.run_effects()
    assert not alice.inbox


@pytest.mark.parametrize("size", [1000, 5000])
def test_largest_history_makes_room(serializer, size):
    node = MemoryNode(options_with(history=HISTORY, max_history_size=30_000))
    alice = node.join("realm1", serializer)
    publish(alice, "com.short", ["first"])
    for number in range(100):
        publish(alice, "com.example.other", [number, "x" * size])
    assert firsts(events(alice, "com.short")) == ["first"]
    kept = firsts(events(alice, PREFIX, match="prefix"))
    assert 3 < len(kept) < 30
    assert kept == list(range(100 - len(kept), 100))


def test_history_that_is_not_durable_leaves_no_records(node, alice, past):
    assert not node.records


# --- precision of times ---


@pytest.mark.parametrize("kind", ["time", "timestamp"])
def test_event_is_neither_before_nor_after_its_own_timestamp(node, alice, bob, kind):
    node.pass_time(1.123456)
    publish(alice, TOPIC, [1])
    (found,) = events(bob)
    for timestamp in (found["timestamp"], "2026-01-01T00:00:01.123456Z"):
        assert events(bob, **{f"after_{kind}": timestamp}) == []
        assert events(bob, **{f"before_{kind}": timestamp}) == []
        assert events(bob, **{f"from_{kind}": timestamp}) == [found]
        assert events(bob, **{f"until_{kind}": timestamp}) == [found]


def test_reading_on_after_the_last_timestamp_finds_no_event_twice(node, alice, bob):
    seen = []
    for number in range(20):
        node.pass_time(0.0017)
        publish(alice, TOPIC, [number])
        after = {"after_time": seen[-1]["timestamp"]} if seen else {}
        seen += events(bob, **after)
    assert firsts(seen) == list(range(20))


# --- the dialect of Crossbar ---


class TestCrossbarsForm:
    @pytest.fixture
    def node(self):
        return MemoryNode(options_with(dialect="crossbar"))

    def test_event_has_its_keys(self, node, alice, bob):
        node.pass_time(1.5)
        publication = publish(alice, TOPIC, [1, "\u00e9"], {"a": [2.5]})
        authid = bob.request([CALL, 9, {}, "wamp.session.get", [alice.session_id]])[3][0]["authid"]
        assert events(bob) == [
            {
                "time_ns": 1_767_225_601_500_000_000,
                "realm": "realm1",
                "session_id": alice.session_id,
                "authid": authid,
                "authrole": "anonymous",
                "publication": publication,
                "topic": TOPIC,
                "args": [1, "\u00e9"],
                "kwargs": {"a": [2.5]},
            }
        ]

    def test_event_without_payload_has_null(self, alice, bob):
        publish(alice, TOPIC)
        assert (events(bob)[0]["args"], events(bob)[0]["kwargs"]) == (None, None)

    def test_newest_come_first_and_ten_without_a_limit(self, alice, bob):
        for number in range(12):
            publish(alice, TOPIC, [number])
        newest_first = list(range(11, -1, -1))
        assert firsts(events(bob)) == newest_first[:10]
        assert firsts(events(bob, TOPIC, 3)) == newest_first[:3]
        assert firsts(events(bob, limit=3)) == newest_first[:3]
        assert firsts(events(bob, TOPIC, None)) == newest_first
        assert firsts(events(bob, TOPIC, None, reverse=False)) == newest_first[::-1]
