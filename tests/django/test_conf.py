"""The project's settings about this app: read once, faults told."""

import os.path
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from wamp_transport.conf import ClusterSettings, app_settings


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
            "LOCAL_OPERATORS, AUDIT_DAYS, HANDLER_THREADS, BUSY_POLL_MICROSECONDS, CHANGE_HINTS, API, CLUSTER",
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


LAYER = "channels_redis.core.RedisChannelLayer"


def test_without_the_setting_there_is_no_cluster(settings):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": LAYER, "CONFIG": {"hosts": ["redis://redis.example"]}}}
    settings.WAMP_TRANSPORT = {}
    assert (app_settings().cluster, app_settings().is_cluster_invalid) == (None, False)


def test_cluster_settings_have_defaults(settings):
    settings.SECRET_KEY = "key of the project"
    settings.WAMP_TRANSPORT = {"CLUSTER": {"NAME": "shop-production", "URL": "rediss://:pass@redis.example/1"}}
    cluster = app_settings().cluster
    assert cluster == ClusterSettings("shop-production", "rediss://:pass@redis.example/1", "key of the project", 10.0)
    assert "pass@" not in repr(app_settings())
    assert "key of" not in repr(app_settings())
    settings.SECRET_KEY = "new key"
    assert app_settings().cluster.key == "new key"


def test_cluster_settings_are_read(settings):
    settings.WAMP_TRANSPORT = {"CLUSTER": {"NAME": "a", "URL": "unix:///run/redis", "KEY": "secret", "LEASE": 20}}
    assert app_settings().cluster == ClusterSettings("a", "unix:///run/redis", "secret", 20.0)


@pytest.mark.parametrize(("hosts", "url"), [
    (None, "redis://localhost:6379"),
    (["redis://:pw@redis.example:6380/2"], "redis://:pw@redis.example:6380/2"),
    ([("redis.example", 6380)], "redis://redis.example:6380"),
    ([{"address": "rediss://redis.example"}], "rediss://redis.example"),
    ([{"host": "redis.example", "password": "a/b"}], "redis://:a%2Fb@redis.example:6379/0"),
    ([{"host": "redis.example", "port": 1, "db": 3, "username": "u"}], "redis://u:@redis.example:1/3"),
])  # fmt: skip
def test_cluster_uses_the_server_of_the_channel_layer(settings, hosts, url):
    settings.WAMP_TRANSPORT = {"CLUSTER": {"NAME": "a"}}
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": LAYER, "CONFIG": {} if hosts is None else {"hosts": hosts}}}
    assert app_settings().faults == ()
    assert app_settings().cluster.url == url


@pytest.mark.parametrize("hosts", [
    ["redis://a", "redis://b"],
    "redis://a",
    [{"address": "redis://a", "ssl_ca_certs": "x"}],
    [{"sentinels": []}],
    ["http://a"],
])  # fmt: skip
def test_channel_layer_with_other_options_needs_a_url(settings, hosts):
    settings.WAMP_TRANSPORT = {"CLUSTER": {"NAME": "a"}}
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": LAYER, "CONFIG": {"hosts": hosts}}}
    (fault,) = app_settings().faults
    assert "must have a URL" in fault
    assert app_settings().cluster is None


@pytest.mark.parametrize(("given", "fault"), [
    ("shop", "['CLUSTER'] must be a dictionary, not str"),
    ({"URL": "redis://a"}, "['CLUSTER'] must have a NAME, such as 'shop-production'"),
    ({"NAME": 7, "URL": "redis://a"}, "['CLUSTER'] must have a NAME, such as 'shop-production'"),
    ({"NAME": "a b", "URL": "redis://a"}, "['CLUSTER']['NAME']: invalid cluster name 'a b'"),
    ({"NAME": "a", "URL": "http://a"}, "['CLUSTER']['URL'] must begin with redis://, rediss:// or unix://"),
    ({"NAME": "a", "URL": 7}, "['CLUSTER']['URL'] must begin with"),
    ({"NAME": "a"}, "['CLUSTER'] must have a URL, such as 'redis://127.0.0.1:6379/0'"),
    ({"NAME": "a", "URL": "redis://a", "KEY": ""}, "['CLUSTER']['KEY'] must be a non-empty string"),
    ({"NAME": "a", "URL": "redis://a", "LEASE": 4}, "['CLUSTER']['LEASE'] must be a number of seconds from 5 to 300"),
    ({"NAME": "a", "URL": "redis://a", "LEASE": "10"}, "['CLUSTER']['LEASE'] must be a number"),
    ({"NAME": "a", "URL": "redis://a", "LEASE": True}, "['CLUSTER']['LEASE'] must be a number"),
    ({"NAME": "a", "URL": "redis://a", "HOST": "b"}, "has no key 'HOST'; the keys are NAME, URL, KEY, LEASE"),
])  # fmt: skip
def test_faulty_cluster_settings_are_reported(settings, given, fault):
    settings.CHANNEL_LAYERS = {}
    settings.WAMP_TRANSPORT = {"CLUSTER": given}
    (found,) = app_settings().faults
    assert found.startswith("settings.WAMP_TRANSPORT['CLUSTER']")
    assert fault in found
    assert app_settings().cluster is None
    assert app_settings().is_cluster_invalid
