"""The project's settings about this app: read once, faults told."""

import os.path
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from wamp_transport.conf import app_settings


@pytest.mark.parametrize("config", [None, "node", Path("node"), {"version": 2}])
def test_config_that_may_be_is_taken(config: Any) -> None:
    with override_settings(WAMP_TRANSPORT={"CONFIG": config}):
        assert app_settings().config == config
        assert app_settings().faults == ()


def test_no_setting_at_all_is_fine() -> None:
    assert app_settings().config is None
    assert app_settings().faults == ()


def test_setting_is_read_again_when_a_test_changes_it() -> None:
    before = app_settings()
    with override_settings(WAMP_TRANSPORT={"CONFIG": "there"}):
        assert app_settings().config == "there"
        assert app_settings() is app_settings()
        with override_settings(DEBUG=True):
            assert app_settings().config == "there"
    assert app_settings() == before


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (None, "settings.WAMP_TRANSPORT must be a dictionary, not NoneType"),
        ([], "settings.WAMP_TRANSPORT must be a dictionary, not list"),
        ({"CONFIG": 1}, "settings.WAMP_TRANSPORT['CONFIG'] must be a path or a dictionary, not int"),
        (
            {"CONFGI": "x"},
            "settings.WAMP_TRANSPORT has no key 'CONFGI'; the keys are CONFIG, USER_AUTHID, USER_ROLE, TOKEN_VERIFIER, "
            "LOCAL_OPERATORS, AUDIT_DAYS, HANDLER_THREADS, BUSY_POLL_MICROSECONDS, CHANGE_HINTS, API",
        ),
        ({"USER_ROLE": "role"}, "settings.WAMP_TRANSPORT['USER_ROLE'] must be a callable or its dotted path"),
        ({"LOCAL_OPERATORS": "no"}, "settings.WAMP_TRANSPORT['LOCAL_OPERATORS'] must be True or False"),
        ({"CHANGE_HINTS": 1}, "settings.WAMP_TRANSPORT['CHANGE_HINTS'] must be True or False"),
        ({"AUDIT_DAYS": -1}, "settings.WAMP_TRANSPORT['AUDIT_DAYS'] must be a number of days, 0 for no audit trail"),
        (
            {"BUSY_POLL_MICROSECONDS": 1001},
            "settings.WAMP_TRANSPORT['BUSY_POLL_MICROSECONDS'] must be a number of microseconds from 0 to 1000",
        ),
        (
            {"BUSY_POLL_MICROSECONDS": True},
            "settings.WAMP_TRANSPORT['BUSY_POLL_MICROSECONDS'] must be a number of microseconds from 0 to 1000",
        ),
        ({"HANDLER_THREADS": 0}, "settings.WAMP_TRANSPORT['HANDLER_THREADS'] must be a number of threads, 1 or more"),
    ],
)
def test_fault_is_told_and_not_raised(given: Any, fault: str) -> None:
    with override_settings(WAMP_TRANSPORT=given):
        assert app_settings().config is None
        assert app_settings().faults == (fault,)


def test_hooks_are_callables_or_their_paths() -> None:
    with override_settings(WAMP_TRANSPORT={"USER_ROLE": len, "USER_AUTHID": "os.path.basename", "AUDIT_DAYS": 7}):
        assert app_settings().hook("USER_ROLE") is len
        assert app_settings().hook("USER_AUTHID") is os.path.basename
        assert app_settings().hook("TOKEN_VERIFIER") is None
        assert (app_settings().audit_days, app_settings().faults) == (7, ())


@pytest.mark.parametrize(("old", "new"), [
    ("URL", "'URL' in the mapping 'API'"),
    ("TIMEOUT", "'TIMEOUT' in the mapping 'API'"),
    ("OPERATORS", "'LOCAL_OPERATORS'"),
    ("BUSY_POLL", "'BUSY_POLL_MICROSECONDS'"),
])  # fmt: skip
def test_former_key_is_a_fault_that_names_the_new_one(settings, old, new):
    settings.WAMP_TRANSPORT = {old: "x"}
    assert app_settings().faults == (f"settings.WAMP_TRANSPORT['{old}'] is now {new}",)


def test_api_settings_say_who_django_code_is(settings):
    settings.WAMP_TRANSPORT = {
        "API": {
            "REALM": "realm1",
            "AUTHID": "worker",
            "URL": "wss://example.com/ws",
            "SECRET": "s3cret",
            "TIMEOUT": None,
        },
    }
    found = app_settings()
    assert found.faults == ()
    assert (found.api.realm, found.api.url, found.api.secret, found.api.timeout) == (
        "realm1", "wss://example.com/ws", "s3cret", None,
    )  # fmt: skip
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(("given", "fault"), [
    ("wss://example.com/ws", "a dictionary, not str"),
    ({"ULR": "wss://example.com/ws"}, "no key 'ULR'; the keys are REALM, ROLE"),
    ({"REALM": 7}, "['API']['REALM']"),
    ({"URL": "http://example.com/ws"}, "ws://"),
    ({"AUTHID": "a", "TICKET": "t", "SECRET": "s"}, "one of them"),
    ({"TICKET": "t"}, "AUTHID"),
    ({"TIMEOUT": 0}, "TIMEOUT"),
    ({"TIMEOUT": True}, "TIMEOUT"),
])  # fmt: skip
def test_faulty_api_settings_are_told(settings, given, fault):
    settings.WAMP_TRANSPORT = {"API": given}
    (told,) = app_settings().faults
    assert told.startswith("settings.WAMP_TRANSPORT['API']")
    assert fault in told
