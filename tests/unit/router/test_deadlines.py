import pytest

from wamp_transport.router.deadlines import Deadlines


@pytest.fixture
def deadlines(world):
    return Deadlines(lambda: world.now)


def taken(deadlines, now):
    return [deadline.subject for deadline in deadlines.due(now)]


def test_nothing_is_due_where_nothing_was_asked(deadlines):
    assert deadlines.next() is None
    assert taken(deadlines, 1e9) == []


def test_deadlines_come_in_the_order_of_time(deadlines, world):
    world.now = 10.0
    for seconds in (3, 1, 2, 9):
        deadlines.after(seconds, "kind", seconds)
    assert deadlines.next() == 11.0
    assert taken(deadlines, 10.9) == []
    assert taken(deadlines, 13.0) == [1, 2, 3]
    assert deadlines.next() == 19.0


def test_equal_deadlines_come_in_the_order_of_adding(deadlines):
    for subject in "abc":
        deadlines.after(1, "kind", subject)
    assert taken(deadlines, 1.0) == ["a", "b", "c"]


def test_deadline_has_kind_and_subject(deadlines):
    deadline = deadlines.after(1, "hello", "subject")
    assert (deadline.kind, deadline.subject, deadline.is_due) == ("hello", "subject", True)


def test_deadline_may_be_given_by_its_time(deadlines, world):
    world.now = 10.0
    assert deadlines.at(11.0, "kind", "subject").time == deadlines.after(1, "kind", "subject").time == 11.0
    assert deadlines.next() == 11.0


def test_canceled_deadline_never_happens(deadlines):
    first, second = deadlines.after(1, "kind", "first"), deadlines.after(2, "kind", "second")
    first.cancel()
    first.cancel()
    assert not first.is_due
    assert deadlines.next() == 2.0
    assert taken(deadlines, 5.0) == ["second"]
    second.cancel()
    assert deadlines.next() is None


def test_deadline_canceled_by_an_earlier_one_does_not_happen(deadlines):
    deadlines.after(1, "kind", "first")
    second = deadlines.after(1, "kind", "second")
    happened = []
    for deadline in deadlines.due(1.0):
        happened.append(deadline.subject)
        second.cancel()
    assert happened == ["first"]


def test_new_deadline_sets_the_changed_flag(deadlines):
    assert not deadlines.is_changed
    deadlines.after(1, "kind", None)
    assert deadlines.is_changed


def test_canceled_deadlines_do_not_pile_up(deadlines):
    kept = deadlines.after(1000, "kind", "kept")
    for number in range(1000):
        deadlines.after(2000, "kind", number).cancel()
    assert len(deadlines._heap) < 200
    assert kept.is_due
    assert taken(deadlines, 3000.0) == ["kept"]


def test_few_canceled_deadlines_among_many_stay_in_the_heap(deadlines):
    pending = [deadlines.after(number, "kind", number) for number in range(200)]
    for deadline in pending[100:170]:
        deadline.cancel()
    assert len(deadlines._heap) == 200
    assert taken(deadlines, 1000.0) == [*range(100), *range(170, 200)]
