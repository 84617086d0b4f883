from datetime import timedelta

import pytest

from tests.unit.router.conftest import MIDNIGHT
from wamp_transport.router.history import History, Query, RetainedEvents, is_restricted, is_storable
from wamp_transport.router.options import HistoryOptions
from wamp_transport.router.records import Publication, Subscription
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

    def test_limit_counts_topics(self, retained):
        retained.keep(publication(1))
        assert not retained.is_full_for("com.y")
        retained.limit = 1
        assert retained.is_full_for("com.y")
        assert not retained.is_full_for("com.x")


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
