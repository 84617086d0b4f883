"""System checks: their ids, what they find, and the mend that each names."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import WARNING, CheckMessage, registry
from django.db import DatabaseError, connection
from django.test import override_settings
from django.utils import timezone

from wamp_transport import checks
from wamp_transport.bootstrap.sources import DatabaseSource
from wamp_transport.compat import requirements
from wamp_transport.compat.requirements import Library
from wamp_transport.models import RunningNode, UserRole
from wamp_transport.stores import nodes

APPS = ["django.contrib.contenttypes", "django.contrib.staticfiles"]


def ids(messages: Any) -> list[str]:
    return [message.id for message in messages]


def told(message: CheckMessage) -> str:
    """A message with its hint, which must be there."""
    assert message.hint
    return f"{message.msg} {message.hint}"


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (["wamp_transport", "daphne", *APPS], []),
        (["wamp_transport", *APPS, "daphne"], []),
        (["daphne", "wamp_transport", *APPS], ["wamp_transport.E001"]),
        (["wamp_transport", *APPS], ["wamp_transport.W002"]),
    ],
)
def test_order_of_apps_is_checked(installed: list[str], expected: list[str]) -> None:
    with override_settings(INSTALLED_APPS=installed):
        messages = checks.check_app_order(None)
    assert ids(messages) == expected
    for message in messages:
        assert "'daphne'" in told(message)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("4.2.2", []),
        ("4.10", []),
        ("5.0.dev1", []),
        ("4.2.1", ["wamp_transport.E003"]),
        ("4.2", ["wamp_transport.E003"]),
    ],
)
def test_version_of_daphne_is_checked(monkeypatch: pytest.MonkeyPatch, version: str, expected: list[str]) -> None:
    monkeypatch.setattr(requirements, "version", lambda name: version)
    messages = checks.check_daphne_version(None)
    assert ids(messages) == expected
    for message in messages:
        assert "pip install 'daphne>=4.2.2'" in told(message)


def test_daphne_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(requirements, "version", missing)
    assert checks.check_daphne_version(None) == []


def test_internals_of_the_installed_libraries_fit() -> None:
    assert checks.check_internals(None) == []


@pytest.mark.parametrize("has_daphne", [True, False])
def test_missing_internals_are_a_warning_that_stops_no_command(
    monkeypatch: pytest.MonkeyPatch, has_daphne: bool
) -> None:
    # Nothing of Daphne's is needed where another server runs.
    monkeypatch.delattr("autobahn.websocket.protocol.WebSocketProtocol._sendAutoPing")
    for module in ("autobahn", "daphne"):
        monkeypatch.delitem(sys.modules, f"wamp_transport.compat.{module}")
    with override_settings(INSTALLED_APPS=["wamp_transport", *(["daphne"] if has_daphne else []), *APPS]):
        messages = checks.check_internals(None)
    assert ids(messages) == ["wamp_transport.W015"] * has_daphne
    for message in messages:
        assert not message.is_serious()
        assert "WebSocketProtocol._sendAutoPing is missing" in message.msg


def test_version_that_was_not_tested_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_tested_versions(None) == []
    monkeypatch.setattr(checks, "LIBRARIES", (Library("pytest", "1.0", "2"), Library("pytest", "1.0", "10000")))
    (message,) = checks.check_tested_versions(None)
    assert message.id == "wamp_transport.W016"
    assert "'pytest>=1.0,<2'" in told(message)


def test_faults_of_the_setting_are_errors() -> None:
    with override_settings(WAMP_TRANSPORT={"CONFGI": 1}):
        assert ids(checks.check_settings(None)) == ["wamp_transport.E005"]


def test_missing_asgi_application_is_a_warning_where_channels_has_consumers_in_it() -> None:
    with override_settings(ASGI_APPLICATION=None, INSTALLED_APPS=[*settings.INSTALLED_APPS, "channels"]):
        (message,) = checks.check_settings(None)
    assert message.id == "wamp_transport.W004"
    assert "wamp_application()" in told(message)
    with override_settings(ASGI_APPLICATION=None):
        assert checks.check_settings(None) == []


def test_faults_of_the_configured_file_are_errors_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"version": 2, "wokers": [], "x": 1}')
    with override_settings(WAMP_TRANSPORT={"CONFIG": tmp_path}):
        messages = checks.check_configuration(None)
    assert set(ids(messages)) == {"wamp_transport.E006"}
    assert any("wokers" in message.msg and "workers" in told(message) for message in messages if message.hint)
    assert len(messages) >= 2


def test_configuration_without_faults_is_silent() -> None:
    with override_settings(WAMP_TRANSPORT={"CONFIG": {"version": 2, "workers": []}}):
        assert checks.check_configuration(None) == []
    assert checks.check_configuration(None) == []  # the database is no matter of this check


def document(*permissions: dict[str, Any], auth: dict[str, Any] | None = None) -> dict[str, Any]:
    service: dict[str, Any] = {"type": "websocket"} | ({} if auth is None else {"auth": auth})
    roles = [
        {"name": "anonymous", "permissions": list(permissions)},
        {"name": "backend", "permissions": [{"uri": "", "match": "prefix", "allow": {"call": True}}]},
    ]
    worker = {
        "type": "router",
        "realms": [{"name": "realm1", "roles": roles}],
        "transports": [{"type": "web", "paths": {"ws": service}}],
    }
    return {"version": 2, "workers": [worker]}


EVERYTHING = {"uri": "", "match": "prefix", "allow": {"call": True, "publish": True}}


def deploy(given: dict[str, Any]) -> list[CheckMessage]:
    with override_settings(WAMP_TRANSPORT={"CONFIG": given}):
        return list(checks.check_open_realms(None))


def test_realm_open_to_everybody_is_told() -> None:
    (message,) = deploy(document(EVERYTHING))
    assert message.id == "wamp_transport.W007"
    assert "call, publish" in message.msg
    assert "'realm1'" in message.msg
    assert "'anonymous'" in told(message)


def test_role_that_allows_everything_by_default_is_told() -> None:
    given = document()
    given["workers"][0]["realms"][0]["roles"][0] = {"name": "anonymous", "allow-by-default": True}
    (message,) = deploy(given)
    assert "call, register, publish, subscribe" in message.msg


@pytest.mark.parametrize(
    ("permissions", "auth"),
    [
        ([{"uri": "com.", "match": "prefix", "allow": {"call": True}}], None),
        ([{"uri": "", "match": "prefix", "allow": {"call": False}}], None),
        ([], None),
    ],
)
def test_realm_that_is_not_open_to_everybody_is_not_told(permissions: list[Any], auth: Any) -> None:
    assert deploy(document(*permissions, auth=auth)) == []


@pytest.mark.parametrize(("debug", "expected"), [(False, ["wamp_transport.W008"]), (True, [])])
def test_nothing_configured_is_told_where_there_is_no_default(settings: Any, debug: bool, expected: list[str]) -> None:
    settings.DEBUG = debug
    settings.WAMP_TRANSPORT = {"CONFIG": {"version": 2, "workers": []}}
    messages = checks.check_something_is_configured(None)
    assert [message.id for message in messages] == expected
    assert all("wamp import" in told(message) for message in messages)


@pytest.mark.django_db
def test_empty_database_is_told_without_debug(settings: Any) -> None:
    settings.DEBUG = False
    (message,) = checks.check_something_is_configured(None)
    assert message.id == "wamp_transport.W008"


def test_options_that_need_the_own_server_are_named(settings: Any) -> None:
    service = {"type": "websocket", "options": {"fail_by_drop": True, "auto_ping_interval": 5000}}
    endpoint = {"type": "tcp", "port": 8080}
    transport = {"type": "web", "endpoint": endpoint, "paths": {"ws": service, "other": {"type": "websocket"}}}
    worker = {"type": "router", "realms": [{"name": "realm1", "roles": []}], "transports": [transport]}
    settings.WAMP_TRANSPORT = {"CONFIG": {"version": 2, "workers": [worker]}}
    (message,) = checks.check_enforced_options(None)
    assert message.id == "wamp_transport.I009"
    assert "/ws: fail_by_drop, auto_ping_interval." in told(message)
    service["options"] = {}
    assert checks.check_enforced_options(None) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("django.contrib.auth.get_user", None),
        ("nowhere.authorize", "ModuleNotFoundError"),
        ("django.contrib.auth.nothing", "ImportError"),
        ("django.conf.settings", "TypeError"),
    ],
)
def test_authorizer_that_is_no_function_is_an_error(settings: Any, path: str, words: str | None) -> None:
    roles = [{"name": "anonymous", "authorizer_function": path}, {"name": "other"}]
    worker = {"type": "router", "realms": [{"name": "realm1", "roles": roles}]}
    settings.WAMP_TRANSPORT = {"CONFIG": {"version": 2, "workers": [worker]}}
    messages = checks.check_functions(None)
    assert [message.id for message in messages] == (["wamp_transport.E010"] if words else [])
    assert all(words in told(message) and path in told(message) for message in messages)


def test_functions_of_a_faulty_configuration_are_left_to_the_other_check(settings: Any) -> None:
    settings.WAMP_TRANSPORT = {"CONFIG": {"wokers": []}}
    assert checks.check_functions(None) == []


def test_faulty_configuration_is_not_called_empty(settings: Any) -> None:
    settings.DEBUG = False
    settings.WAMP_TRANSPORT = {"CONFIG": {"wokers": []}}
    assert checks.check_something_is_configured(None) == []


def test_faulty_configuration_is_left_to_the_other_check() -> None:
    assert deploy({"version": 2, "wokers": []}) == []


def test_database_that_cannot_be_asked_is_no_matter_of_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: DatabaseSource) -> None:
        raise DatabaseError("no database")

    monkeypatch.setattr(DatabaseSource, "load", fail)
    assert checks.check_open_realms(None) == []


@pytest.mark.django_db
def test_unknown_role_of_django_users_is_a_warning(settings: Any) -> None:
    realm = {"name": "realm1", "roles": [{"name": "clerk"}]}
    settings.WAMP_TRANSPORT = {"CONFIG": {"version": 2, "workers": [{"type": "router", "realms": [realm]}]}}
    UserRole.objects.create(kind="staff", role="clerk")
    assert checks.check_user_roles(None) == []
    UserRole.objects.create(kind="everybody", role="clark")
    (found,) = checks.check_user_roles(None)
    assert (found.id, found.level) == ("wamp_transport.W017", WARNING)
    assert 'no realm has the role "clark"' in found.msg


def test_table_of_roles_that_is_missing_is_no_matter_of_the_check(settings: Any, transactional_db: None) -> None:
    settings.WAMP_TRANSPORT = {
        "CONFIG": {"version": 2, "workers": [{"type": "router", "realms": [{"name": "realm1"}]}]}
    }
    table = UserRole._meta.db_table
    with connection.schema_editor() as editor:
        editor.alter_db_table(UserRole, table, f"{table}_away")
    try:
        assert checks.check_user_roles(None) == []
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(UserRole, f"{table}_away", table)


REDIS_CACHE = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://localhost"}}
REDIS_LAYER = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer"}}


def running(*names: str, host: str | None = None, pid: int | None = None) -> None:
    """Nodes that have just reported, of this process unless something else is said."""
    for name in names:
        nodes.report(name, 1, 1)
    changed = {"host": host, "pid": pid}
    RunningNode.objects.filter(name__in=names).update(**{key: value for key, value in changed.items() if value})


@pytest.mark.django_db
def test_one_process_may_have_a_cache_of_its_own() -> None:
    assert checks.check_shared_cache(None) == []
    running("one")
    running("stale", host="elsewhere")
    RunningNode.objects.filter(name="stale").update(seen_at=timezone.now() - nodes.STALE_AFTER * 2)
    with subprocess.Popen(["true"]) as ended:
        pass
    running("ended", pid=ended.pid)
    assert checks.check_shared_cache(None) == []


@pytest.mark.django_db
@pytest.mark.parametrize("host", [None, "elsewhere"])
def test_processes_that_run_want_a_cache_in_common(settings: Any, host: str | None) -> None:
    running("one", "two", host=host)
    (message,) = checks.check_shared_cache(None)
    assert message.id == "wamp_transport.W014"
    assert "2 processes are running" in told(message)
    settings.CACHES = REDIS_CACHE
    assert checks.check_shared_cache(None) == []


def test_processes_that_are_connected_want_a_cache_in_common(settings: Any) -> None:
    settings.CHANNEL_LAYERS = REDIS_LAYER
    (message,) = checks.check_shared_cache(None)
    assert "CHANNEL_LAYERS" in told(message)
    assert "RedisCache" in told(message)
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    settings.CACHES = REDIS_CACHE
    assert checks.check_shared_cache(None) == []


def cluster(url: str = "redis://127.0.0.1/0", **config: Any) -> dict[str, Any]:
    return {"CLUSTER": {"NAME": "shop", "URL": url}, **config}


def cookies(kind: str) -> dict[str, Any]:
    """A configuration with a cookie store of this type."""
    store = {"type": kind, **({"filename": "cookies"} if kind == "file" else {})}
    paths = {"ws": {"type": "websocket", "cookie": {"store": store}}}
    return {"version": 2, "workers": [{"type": "router", "transports": [{"type": "web", "paths": paths}]}]}


def test_faults_of_the_cluster_are_errors(settings: Any) -> None:
    settings.WAMP_TRANSPORT = {"CLUSTER": {"NAME": "shop of mine", "URL": "redis://127.0.0.1"}}
    (message,) = checks.check_settings(None)
    assert message.id == "wamp_transport.E005"
    assert "invalid cluster name" in message.msg
    assert checks.check_cluster(None) == checks.check_redis_of_cluster(None) == []


def test_url_of_the_cluster_is_checked(settings: Any) -> None:
    settings.WAMP_TRANSPORT = cluster("redis://127.0.0.1/0?ssl_ca_certs=x")
    (message,) = checks.check_cluster(None)
    assert message.id == "wamp_transport.E023"
    assert "['CLUSTER']['URL']" in message.msg


@pytest.mark.parametrize("kind", ["memory", "file", "database"])
def test_stores_that_nodes_do_not_share_are_reported(settings: Any, kind: str) -> None:
    settings.WAMP_TRANSPORT = cluster(CONFIG=cookies(kind))
    messages = checks.check_cluster(None)
    if kind == "database":
        assert messages == []
    else:
        assert ids(messages) == ["wamp_transport.W024"]
        assert "paths.ws.cookie.store.type: the nodes of a cluster do not share" in told(messages[0])
        assert "database" in told(messages[0])
    settings.WAMP_TRANSPORT = {"CONFIG": cookies(kind)}
    assert checks.check_cluster(None) == []


@pytest.mark.parametrize(("url", "words"), [
    ("redis://127.0.0.1", ""),
    ("redis://:secret@redis.example", "redis.example without TLS."),
    ("rediss://redis.example", "redis.example without a password."),
    ("redis://redis.example:6379/1", "redis.example without a password and without TLS."),
    ("rediss://:secret@redis.example", ""),
])  # fmt: skip
def test_redis_of_another_host_needs_a_password_and_tls(settings: Any, url: str, words: str) -> None:
    settings.WAMP_TRANSPORT = cluster(url)
    messages = checks.check_redis_of_cluster(None)
    assert ids(messages) == (["wamp_transport.W025"] if words else [])
    if words:
        assert words in told(messages[0])
        assert "secret" not in told(messages[0])


def test_nodes_of_a_cluster_want_a_cache_in_common(settings: Any) -> None:
    settings.WAMP_TRANSPORT = cluster()
    (message,) = checks.check_shared_cache(None)
    assert "WAMP_TRANSPORT['CLUSTER']" in told(message)


def test_several_processes_of_a_cluster_are_expected(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    monkeypatch.setattr(checks, "_nodes_alive", list)
    (message,) = checks.check_single_process(None)
    assert message.id == "wamp_transport.W022"
    assert "WAMP_TRANSPORT['CLUSTER']" in told(message)
    settings.WAMP_TRANSPORT = cluster()
    assert checks.check_single_process(None) == []


def test_checks_are_registered() -> None:
    registered = {check.__name__ for check in registry.registry.get_checks(include_deployment_checks=True)}
    own = {name for name in vars(checks) if name.startswith("check_")}
    assert own <= registered
