import pytest
from msgspec import ValidationError, convert

from wamp_transport.wamp.ids import MAX_ID, Id, IdOrZero, stable_id


@pytest.mark.parametrize("value", [1, 2, MAX_ID])
def test_id_in_range_is_taken(value):
    assert convert(value, Id) == value
    assert convert(value, IdOrZero) == value


@pytest.mark.parametrize("value", [-1, MAX_ID + 1, True, 1.5, "1"])
def test_id_out_of_range_or_of_another_type_is_refused(value):
    for kind in (Id, IdOrZero):
        with pytest.raises(ValidationError):
            convert(value, kind)


def test_zero_is_only_taken_where_the_router_acts_on_its_own():
    assert convert(0, IdOrZero) == 0
    with pytest.raises(ValidationError):
        convert(0, Id)


def test_stable_id_is_the_same_for_the_same_thing():
    first = stable_id("realm", "subscription", "exact", "com.x")
    assert first == stable_id("realm", "subscription", "exact", "com.x")
    assert first == 6736321214165767


def test_stable_id_differs_in_each_part():
    ids = {
        stable_id("realm", "subscription", "exact", "com.x"),
        stable_id("other", "subscription", "exact", "com.x"),
        stable_id("realm", "registration", "exact", "com.x"),
        stable_id("realm", "subscription", "prefix", "com.x"),
        stable_id("realm", "subscription", "exact", "com.y"),
        stable_id("realm", "subscription", "exact", "com.x", 1),
        stable_id("realm", "subscription", "exact", "com.\ud800"),
    }
    assert len(ids) == 7
    assert all(1 <= each <= MAX_ID for each in ids)
