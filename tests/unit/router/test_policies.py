from collections import Counter

import pytest

from wamp_transport.router.policies import CHOICES, choose, choose_by_key, weight
from wamp_transport.router.records import Callee, Registration
from wamp_transport.wamp.messages import RegisterOptions


@pytest.fixture
def registered(new_session):
    """Makes a registration with callees, each with its own options."""

    def registered(invoke, *options):
        registration = Registration(1, "com.x", "exact", invoke, "")
        for number, each in enumerate(options, 1):
            session = new_session()
            registration.callees[session.id] = Callee(session, number, RegisterOptions(**each))
        return registration

    return registered


def numbers(registration, times, random=0, excluded=()):
    chosen = [choose(registration, lambda end: random % end, excluded) for _ in range(times)]
    return [callee and callee.number for callee in chosen]


def callee(registration, number):
    return list(registration.callees.values())[number - 1]


@pytest.mark.parametrize(
    ("invoke", "expected"),
    [
        ("single", [1, 1, 1, 1]),
        ("first", [1, 1, 1, 1]),
        ("last", [3, 3, 3, 3]),
        ("roundrobin", [1, 2, 3, 1]),
        ("random", [2, 2, 2, 2]),
        ("queue_least_loaded", [1, 2, 3, 1]),
    ],
)
def test_policy_chooses_in_its_way(registered, invoke, expected):
    assert numbers(registered(invoke, {}, {}, {}), 4, random=1) == expected


@pytest.mark.parametrize("invoke", CHOICES)
def test_callee_that_is_busy_leaving_or_passed_over_is_not_chosen(registered, invoke):
    registration = registered(invoke, {"concurrency": 1}, {}, {}, {})
    callee(registration, 1).in_flight = 1
    callee(registration, 2).peer.state = "closing"
    excluded = [callee(registration, 3).peer.id]
    assert numbers(registration, 2, excluded=excluded) == [4, 4]
    assert numbers(registration, 1, excluded=list(registration.callees)) == [None]


def test_turn_goes_on_when_a_callee_has_gone(registered):
    registration = registered("roundrobin", {}, {}, {})
    assert numbers(registration, 2) == [1, 2]
    del registration.callees[callee(registration, 2).peer.id]
    assert numbers(registration, 2) == [3, 1]


def test_least_loaded_is_chosen(registered):
    registration = registered("queue_least_loaded", {}, {}, {})
    for number, in_flight in ((1, 2), (2, 1), (3, 1)):
        callee(registration, number).in_flight = in_flight
    assert numbers(registration, 3) == [2, 3, 2]


class TestByKey:
    KEYS = ({"nkey": "a"}, {"nkey": "b"}, {"nkey": "c"}, {})

    def test_key_goes_to_the_same_callee_while_it_is_there(self, registered):
        registration = registered("roundrobin", *self.KEYS)
        before = {key: choose_by_key(registration, key).number for key in map(str, range(100))}
        assert set(before.values()) == {1, 2, 3}
        gone = callee(registration, 2)
        gone.peer.state = "closing"
        for key, number in before.items():
            now = choose_by_key(registration, key).number
            assert now == number if number != 2 else now in (1, 3)

    def test_keys_are_spread_evenly(self, registered):
        registration = registered("roundrobin", *self.KEYS)
        shares = Counter(choose_by_key(registration, str(key)).number for key in range(300))
        assert min(shares.values()) > 60

    def test_callee_that_is_passed_over_is_not_chosen(self, registered):
        registration = registered("roundrobin", {"nkey": "a"})
        assert choose_by_key(registration, "x").number == 1
        assert choose_by_key(registration, "x", [callee(registration, 1).peer.id]) is None

    def test_callee_without_a_key_is_not_chosen(self, registered):
        assert choose_by_key(registered("roundrobin", {}), "x") is None


def test_weight_depends_on_both_keys():
    assert weight("a", "b") == weight("a", "b")
    assert len({weight("a", "b"), weight("b", "a"), weight("ab", ""), weight("", "ab")}) == 4


def test_key_that_is_no_unicode_has_a_weight():
    assert weight("\ud800", "a")
