from datetime import timedelta
from itertools import permutations

import pytest
from msgspec import Raw

from tests.unit.router.conftest import MIDNIGHT
from wamp_transport.router.history import Histories, History, Query, RetainedEvents, is_restricted, is_storable
from wamp_transport.router.memory_size import size_of
from wamp_transport.router.options import HistoryOptions, RealmOptions
from wamp_transport.router.records import Publication, Subscription
from wamp_transport.wamp.errors import RequestRefused
from wamp_transport.wamp.messages import Publish, PublishOptions


def publication(number, topic="com.x", seconds=0, **options):
    message = Publish(1, PublishOptions(**options), topic)
    time = MIDNIGHT + timedelta(seconds=seconds)
    return Publication(number, message, "json", 9, "anna", "user", False, time=time)


def everybody(publication):
    return True


class TestRetained:
    @pytest.fixture
    def retained(self):
        return RetainedEvents()

    @staticmethod
    def seen(retained, topic, match="exact", may_see=everybody):
        found = retained.find_latest(Subscription(1, topic, match, ""), may_see, retained.last_number)
        return [each.id for each in found if each is not None]

    def test_latest_event_of_a_topic_stays(self, retained):
        for number in (1, 2):
            retained.keep(publication(number))
        assert self.seen(retained, "com.x") == [2]
        assert self.seen(retained, "com.y") == []
        assert len(retained) == 1

    def test_event_for_some_does_not_hide_the_one_for_all(self, retained):
        retained.keep(publication(1))
        retained.keep(publication(2, eligible_authid=["anna"]))
        retained.keep(publication(3, eligible_authid=["ben"]))
        assert self.seen(retained, "com.x") == [3]
        assert self.seen(retained, "com.x", may_see=lambda each: not is_restricted(each)) == [1]
        assert self.seen(retained, "com.x", may_see=lambda each: False) == []

    @pytest.mark.parametrize(
        ("restricted", "expected"), [((), {4}), ((4,), {3, 4}), ((1, 3, 4), {2, 4}), ((1, 3), {4})]
    )
    def test_relayed_events_may_come_in_any_order_and_twice(self, restricted, expected):
        for order in permutations((1, 2, 3, 4, 4)):
            retained = RetainedEvents()
            for number in order:
                lists = {"eligible_authid": ["anna"]} if number in restricted else {}
                one = publication(number, seconds=number // 2, **lists)
                one.size = 100
                retained.keep_relayed(one)
            assert {each.id for each in retained.publications()} == expected
            assert retained.size == 100 * len(expected)
            assert retained._usage["anna"].count == len(expected)
            retained.clear("com.x")
            assert retained.size == 0

    def test_time_of_a_new_event_is_later_than_the_latest(self, retained, world):
        world.now = 5.0
        assert retained.next_time("com.x", world.environment) == world.time()
        retained.keep(publication(1, seconds=9))
        assert retained.next_time("com.x", world.environment) == MIDNIGHT + timedelta(seconds=9, milliseconds=1)
        world.now = 10.0
        assert retained.next_time("com.x", world.environment) == world.time()

    def test_later_events_can_be_left(self, retained):
        retained.keep(publication(1, seconds=1))
        retained.keep(publication(2, seconds=3, eligible_authid=["anna"]))
        assert retained.clear("com.x", MIDNIGHT + timedelta(seconds=2))
        assert self.seen(retained, "com.x") == [2]
        assert retained.clear("com.x", MIDNIGHT + timedelta(seconds=4))
        assert not retained.clear("com.x", MIDNIGHT + timedelta(seconds=4))

    def test_event_for_all_takes_the_place_of_those_for_some(self, retained):
        retained.keep(publication(1, eligible_authid=["anna"]))
        retained.keep(publication(2))
        assert self.seen(retained, "com.x", may_see=is_restricted) == []

    @pytest.mark.parametrize(
        ("match", "topic", "expected"),
        [
            ("prefix", "com.", [1, 2, 3]),
            ("prefix", "com.y", [2, 3]),
            ("wildcard", "com.", [1, 2]),
            ("wildcard", "com..z", [3]),
            ("wildcard", ".x", [1, 4]),
            ("wildcard", "..", [3]),
        ],
    )
    def test_pattern_gets_each_topic_it_covers(self, retained, match, topic, expected):
        for number, each in enumerate(("com.x", "com.y", "com.y.z", "org.x"), 1):
            retained.keep(publication(number, each))
        assert self.seen(retained, topic, match) == expected

    def test_cleared_topic_is_forgotten(self, retained):
        retained.keep(publication(1))
        for _ in range(2):
            retained.clear("com.x")
        assert len(retained) == 0

    @pytest.fixture
    def add(self, retained, new_session):
        """Retain an event as a session would; return the option that refuses it, if one does."""
        sessions = {}

        def add(topic="com.x", size=0, authid="anna", seconds=0, role="all", **options):
            session = sessions.setdefault((role, authid), new_session(role, authid))
            message = Publish(1, PublishOptions(**options), topic, Raw(b"x" * size))
            time = MIDNIGHT + timedelta(seconds=seconds)
            try:
                retained.check(session, message, time)
            except RequestRefused as refused:
                return str(refused).split("`")[1]
            retained.keep(Publication(1, message, "json", 9, authid, role, False, time=time, size=size_of(message)))
            return None

        return add

    def test_limit_counts_topics(self, retained, add):
        add()
        retained.options = RealmOptions("realm1", max_retained=1, max_retained_share=100)
        assert add("com.y") == "max_retained"
        assert add("com.x") is None

    def test_limit_in_bytes_counts_what_stays(self, retained, add):
        retained.options = RealmOptions("realm1", max_retained_size=20_000, max_retained_share=100)
        assert add("com.x", 9000) is None
        assert add("com.y", 9000) is None
        assert add("com.z", 9000) == "max_retained_size"
        assert add("com.x", 9400) is None
        assert add("com.x", 12_000) == "max_retained_size"
        assert add("com.x", 100, eligible_authid=["ben"]) == "max_retained_size"
        retained.clear("com.y")
        assert add("com.x", 100, eligible_authid=["ben"]) is None
        assert add("com.x", 8000, eligible_authid=["ben"]) is None
        retained.clear("com.x")
        assert retained.size == 0

    def test_options_count_as_well(self, retained, add):
        retained.options = RealmOptions("realm1", max_retained_size=20_000)
        assert add(exclude_authid=["x" * 20_000]) == "max_retained_size"

    def test_one_publisher_may_use_a_share(self, retained, add):
        retained.options = RealmOptions("realm1", max_retained=4, max_retained_size=20_000, max_retained_share=50)
        assert add("com.a", 6000) is None
        assert add("com.b", 6000) == "max_retained_share"
        assert add("com.b", 6000, authid="ben") is None
        assert add("com.b", 2000) is None
        assert add("com.b", 2000) is None
        assert add("com.c") == "max_retained_share"
        assert add("com.c", role="trusted") is None
        assert add("com.d", 8000, role="trusted") is None

    def test_share_is_at_least_one_event(self, retained, add):
        retained.options = RealmOptions("realm1", max_retained=1, max_retained_share=1)
        assert add() is None

    def test_no_limit_has_no_share(self, retained, add):
        retained.options = RealmOptions("realm1", max_retained=0, max_retained_size=0, max_retained_share=1)
        assert add("com.x", 10_000) is None
        assert add("com.y", 10_000) is None

    def test_topics_whose_newest_event_is_too_old_are_removed(self, retained, add):
        def remove_expired(seconds):
            retained.remove_expired(MIDNIGHT + timedelta(seconds=seconds))

        retained.options = RealmOptions("realm1", max_retained=2, max_retained_age=10)
        add("com.x", seconds=0, authid="ben")
        add("com.y", seconds=2)
        add("com.x", seconds=5, authid="ben")
        remove_expired(12)
        assert len(retained) == 2
        assert add("com.z", seconds=12, authid="cleo") == "max_retained"
        assert add("com.z", seconds=12.5, authid="cleo") is None
        assert self.seen(retained, "com.", "prefix") == [1, 1]
        remove_expired(100)
        assert (len(retained), retained.size) == (0, 0)


class TestHistory:
    @pytest.fixture
    def history(self):
        """Five events, one a second; the fourth is of another topic."""
        history = History(HistoryOptions("com.", "prefix"), Subscription(1, "com.", "prefix", ""))
        for number in range(1, 6):
            history.add(publication(number, "com.y" if number == 4 else "com.x", number))
        return history

    @staticmethod
    def ids(history, seconds=5, may_see=everybody, **filters):
        for name, value in filters.items():
            if name.endswith("_time"):
                filters[name] = MIDNIGHT + timedelta(seconds=value)
        now = MIDNIGHT + timedelta(seconds=seconds)
        return [each.id for each in history.events(Query(**filters), now, may_see)]

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({}, [1, 2, 3, 4, 5]),
            ({"limit": 2}, [1, 2]),
            ({"limit": 9}, [1, 2, 3, 4, 5]),
            ({"reverse": True}, [5, 4, 3, 2, 1]),
            ({"reverse": True, "limit": 2}, [5, 4]),
            ({"topic": "com.y"}, [4]),
            ({"from_time": 3}, [3, 4, 5]),
            ({"after_time": 3}, [4, 5]),
            ({"before_time": 3}, [1, 2]),
            ({"until_time": 3}, [1, 2, 3]),
            ({"after_time": 1, "until_time": 4, "topic": "com.x"}, [2, 3]),
            ({"from_publication": 3}, [3, 4, 5]),
            ({"after_publication": 3}, [4, 5]),
            ({"before_publication": 3}, [1, 2]),
            ({"until_publication": 3}, [1, 2, 3]),
            ({"from_publication": 2, "after_publication": 3, "until_publication": 5}, [4, 5]),
            ({"after_publication": 4, "before_publication": 2}, []),
            ({"from_publication": 99}, []),
            ({"until_publication": 99}, []),
        ],
    )
    def test_filters_all_hold(self, history, filters, expected):
        assert self.ids(history, **filters) == expected

    def test_invisible_events_do_not_count_for_the_limit(self, history):
        assert self.ids(history, may_see=lambda each: each.id != 1, limit=2) == [2, 3]

    def test_oldest_goes_when_there_are_too_many(self):
        history = History(HistoryOptions("com.x", limit=2), Subscription(1, "com.x", "exact", ""))
        for number in (1, 2, 3):
            history.add(publication(number))
        assert [each.id for each in history.publications()] == [2, 3]
        assert len(history) == 2

    def test_expired_events_are_removed_when_others_come(self):
        history = History(HistoryOptions("com.x", max_age=10), Subscription(1, "com.x", "exact", ""))
        for number in (1, 15):
            history.add(publication(number, seconds=number))
        assert [each.id for each in history.publications()] == [15]

    def test_expired_events_are_removed(self):
        history = History(HistoryOptions("com.x", max_age=10), Subscription(1, "com.x", "exact", ""))
        for number in (1, 2):
            history.add(publication(number, seconds=number))
        assert self.ids(history, 11) == [1, 2]
        assert self.ids(history, 11.5) == [2]
        assert self.ids(history, 100) == []

    def test_stored_events_come_before_those_that_have_come_since_and_once(self):
        history = History(HistoryOptions("com.x", limit=4), Subscription(1, "com.x", "exact", ""))
        for number in (8, 9):
            history.add(publication(number))
        history.restore([publication(number) for number in (5, 6, 7, 8)])
        assert [each.id for each in history.publications()] == [6, 7, 8, 9]
        history.add(publication(10))
        assert [each.id for each in history.publications()] == [7, 8, 9, 10]


class TestHistories:
    @pytest.fixture
    def histories(self):
        """Histories of com.a and com.b, with 1,000 bytes together."""
        histories = Histories()
        histories.space.limit = 1000
        for number, topic in enumerate(("com.a", "com.b"), 1):
            subscription = Subscription(number, topic, "exact", "")
            histories.put(History(HistoryOptions(topic), subscription, histories.space))
        return histories

    @staticmethod
    def add(histories, topic, size, number=1):
        event = publication(number, topic)
        event.size = size
        return [each.options.uri for each in histories.add(event, histories.find_all(topic))]

    @staticmethod
    def sizes(histories):
        return [[each.size for each in history.publications()] for history in histories.by_id.values()]

    def test_largest_history_loses_its_oldest_events(self, histories):
        for size in (300, 200, 200):
            assert self.add(histories, "com.a", size) == ["com.a"]
        self.add(histories, "com.b", 250)
        assert histories.displaced == 0
        self.add(histories, "com.b", 150)
        assert self.sizes(histories) == [[200, 200], [250, 150]]
        assert (histories.displaced, histories.space.used) == (1, 800)

    def test_event_larger_than_the_limit_displaces_none(self, histories):
        self.add(histories, "com.a", 300)
        assert self.add(histories, "com.a", 1001) == []
        assert self.sizes(histories) == [[300], []]
        assert histories.displaced == 1

    def test_event_of_the_limits_size_takes_the_room_of_all(self, histories):
        self.add(histories, "com.a", 300)
        self.add(histories, "com.b", 400)
        self.add(histories, "com.b", 1000)
        assert self.sizes(histories) == [[], [1000]] or self.sizes(histories) == [[300], []]

    def test_lower_limit_applies_when_room_is_made(self, histories):
        for topic in ("com.a", "com.b"):
            for _ in range(3):
                self.add(histories, topic, 100)
        histories.space.limit = 250
        histories.make_room()
        assert histories.space.used <= 250
        assert sorted(map(len, self.sizes(histories))) == [1, 1]

    def test_removed_and_replaced_histories_give_back_their_room(self, histories):
        self.add(histories, "com.a", 300)
        self.add(histories, "com.b", 400)
        old = histories.get("exact", "com.a")
        histories.put(History(HistoryOptions("com.a", limit=9), old.subscription, histories.space))
        assert histories.space.used == 400
        histories.remove(histories.get("exact", "com.b"))
        assert histories.space.used == 0
        assert histories.find_all("com.b") == []

    def test_restored_events_count(self, histories):
        histories.restore(histories.get("exact", "com.a"), [publication(number) for number in (1, 2, 3)])
        assert 0 < histories.space.used <= 1000
        assert histories.displaced == 2


@pytest.mark.parametrize(
    ("options", "storable", "for_some"),
    [
        ({}, True, False),
        ({"exclude": [1]}, False, True),
        ({"eligible": [1]}, False, True),
        ({"eligible_authid": ["anna"]}, True, True),
        ({"exclude_authrole": ["user"]}, True, True),
    ],
)
def test_lists_of_sessions_keep_an_event_from_being_stored(options, storable, for_some):
    assert is_storable(publication(1, **options)) is storable
    assert is_restricted(publication(1, **options)) is for_some
