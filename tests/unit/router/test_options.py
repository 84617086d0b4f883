from dataclasses import FrozenInstanceError, fields, replace

import pytest

from wamp_transport.router.options import (
    ACTIONS,
    AnonymousLogin,
    HistoryOptions,
    Limits,
    Permission,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
    is_narrowed,
)


def test_everything_is_denied_by_default():
    permission = Permission("com.x")
    assert permission.match == "exact"
    assert not any(getattr(permission, action) for action in ACTIONS)
    assert not RoleOptions("role").allow_by_default
    assert ServiceOptions("key").anonymous is None


def test_uris_and_request_ids_are_as_clients_in_the_field_need_them():
    realm = RealmOptions("realm")
    assert realm.loose_uris
    assert not realm.strict_progress
    assert not realm.strict_request_ids


@pytest.mark.parametrize(
    "value",
    [Permission("x"), RoleOptions("x"), RealmOptions("x"), RouterOptions(), AnonymousLogin(), HistoryOptions("x")],
)
def test_options_cannot_be_changed(value):
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(value)[0].name, "y")


def test_times_have_limits():
    assert 0 < ServiceOptions("").hello_timeout < 3600
    assert 0 < RouterOptions().goodbye_timeout < 3600


def test_nothing_that_grows_by_itself_is_without_a_limit():
    assert RealmOptions("realm").max_retained > 0
    assert HistoryOptions("com.x").limit > 0
    assert not HistoryOptions("com.x").is_durable


SERVICE = ServiceOptions("key", AnonymousLogin("guest"), frozenset({"realm1"}), frozenset({"ticket"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"realms": frozenset({"realm1", "realm2"})},
        {"realms": None},
        {"authmethods": frozenset({"ticket", "scram"})},
        {"hello_timeout": 1.0},
        {"limits": Limits(calls=1)},
    ],
)
def test_more_ways_to_join_narrow_no_service(changes):
    assert not is_narrowed(SERVICE, replace(SERVICE, **changes))
    assert not is_narrowed(replace(SERVICE, anonymous=None), replace(SERVICE, **changes))


@pytest.mark.parametrize(
    ("before", "changes"),
    [
        (SERVICE, {"realms": frozenset({"realm2"})}),
        (SERVICE, {"realms": frozenset()}),
        (replace(SERVICE, realms=None), {"realms": frozenset({"realm1"})}),
        (SERVICE, {"authmethods": frozenset({"scram"})}),
        (SERVICE, {"anonymous": None}),
        (SERVICE, {"anonymous": AnonymousLogin("member")}),
        (SERVICE, {"anonymous": AnonymousLogin("guest", "fixed")}),
    ],
)
def test_fewer_or_other_ways_to_join_narrow_a_service(before, changes):
    assert is_narrowed(before, replace(before, **changes))
