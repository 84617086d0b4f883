"""The configuration in the database: what goes in comes out, and every change is a new revision."""

import copy
import json
from decimal import Decimal
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.hashers import check_password
from django.core.management import call_command
from django.db import connection
from hypothesis import HealthCheck, assume, given, settings

from tests.django.configurations import node, nodes
from tests.unit.config.documents import DEFAULT_NODE, WEBSOCKET_SERVICE_EXAMPLE
from wamp_transport.auth.wampcra import Salting, derive_key
from wamp_transport.config import ConfigError, read_mapping, template
from wamp_transport.models import ConfigurationState, Realm, Role, Transport, WebPath
from wamp_transport.stores import configuration as store

from ..effort import examples

pytestmark = pytest.mark.django_db


@pytest.fixture
def no_tables(transactional_db):
    """The tables are gone for a while."""
    with connection.schema_editor() as editor:
        for model in (ConfigurationState, Transport):
            editor.alter_db_table(model, model._meta.db_table, f"{model._meta.db_table}_away")
    yield
    with connection.schema_editor() as editor:
        for model in (ConfigurationState, Transport):
            editor.alter_db_table(model, f"{model._meta.db_table}_away", model._meta.db_table)


def test_nothing_configured_is_revision_zero_and_empty():
    assert store.revision() == 0
    assert store.is_empty()
    assert store.to_mapping() == {"version": 2, "workers": []}


@pytest.mark.parametrize(
    "mapping",
    [template(), json.loads(WEBSOCKET_SERVICE_EXAMPLE), json.loads(DEFAULT_NODE), {}, {"workers": []}],
    ids=["template", "websocket example", "default node", "nothing", "no workers"],
)
def test_import_then_export_gives_the_same(mapping):
    given = copy.deepcopy(mapping)
    store.replace(mapping)
    assert store.to_mapping() == given == mapping


def as_stored(mapping):
    """What the database makes of numbers: PostgreSQL writes 1e16 as the whole number that it is, and -0.0 as 0.0."""
    if connection.vendor != "postgresql":
        return mapping

    def number(text):
        is_written_out = "e" in text and (value := Decimal(text)) == value.to_integral_value()
        return int(value) if is_written_out else float(text) + 0.0

    return json.loads(json.dumps(mapping), parse_float=number)


@pytest.mark.long
@settings(
    deadline=None, max_examples=examples(12), suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(nodes())
def test_any_valid_configuration_survives_literally(mapping):
    mapping = as_stored(mapping)
    try:
        before = read_mapping(mapping, ".", environ={})
    except ConfigError:
        assume(False)
    store.replace(mapping)
    exported = store.to_mapping()
    assert json.dumps(exported, sort_keys=True) == json.dumps(mapping, sort_keys=True)
    assert store.load(".").transports == before.transports
    assert store.load(".").realms == before.realms


SALTING = {"salt": "salt123", "iterations": 100, "keylen": 16}
WITH_SECRETS = {
    "type": "websocket",
    "auth": {
        "ticket": {"type": "static", "principals": {"joe": {"ticket": "hush-hush"}, "ann": {"ticket": "${HOME}"}}},
        "wampcra": {"type": "static", "users": {"joe": {"secret": "hush-hush", **SALTING}, "ann": {"secret": "shhh"}}},
    },
}


def principals_of(mapping):
    """The principals of the first service: of tickets, and of WAMP-CRA."""
    auth = mapping["workers"][0]["transports"][0]["paths"]["ws"]["auth"]
    return auth["ticket"]["principals"], auth["wampcra"]["users"]


def test_imported_secrets_are_kept_as_hashes_and_derived_keys():
    store.replace(node(ws=WITH_SECRETS))
    tickets, users = principals_of(store.to_mapping())
    assert tickets["ann"] == {"ticket": "${HOME}"}
    assert set(tickets["joe"]) == {"ticket_hash"}
    assert check_password("hush-hush", tickets["joe"]["ticket_hash"])
    assert users["joe"] == {"derived_key": derive_key("hush-hush", Salting(*SALTING.values())), **SALTING}
    salting = Salting(users["ann"]["salt"], users["ann"]["iterations"], users["ann"]["keylen"])
    assert users["ann"]["derived_key"] == derive_key("shhh", salting)


def test_sealed_configuration_survives_export_and_import_literally():
    store.replace(node(ws=WITH_SECRETS))
    exported = store.to_mapping()
    store.replace(copy.deepcopy(exported))
    assert store.to_mapping() == exported
    assert store.load(".").services[0].settings.auth.ticket is not None


def stored_auth():
    return WebPath.objects.get().settings["auth"]


@pytest.mark.parametrize("way", ["save", "update", "bulk_create", "bulk_update", "loaddata"])
def test_no_way_into_the_database_leaves_a_secret_in_the_clear(way, tmp_path):
    settings = {"auth": copy.deepcopy(WITH_SECRETS["auth"])}
    transport = Transport.objects.create(endpoint_type="tcp", port="8080")
    row = WebPath(transport=transport, path="ws", nesting="ws", type="websocket")
    if way == "bulk_create":
        row.settings = settings
        WebPath.objects.bulk_create([row])
    elif way == "loaddata":
        fields = {"transport": transport.pk, "path": "ws", "nesting": "ws", "type": "websocket", "settings": settings}
        file = tmp_path / "rows.json"
        file.write_text(json.dumps([{"model": "wamp_transport.webpath", "pk": 1, "fields": fields}]))
        call_command("loaddata", file, verbosity=0)
    else:
        row.save()
        if way == "update":
            WebPath.objects.update(settings=settings)
        else:
            row.settings = settings
            row.save() if way == "save" else WebPath.objects.bulk_update([row], ["settings"])
    assert "hush-hush" not in json.dumps(stored_auth())
    assert "shhh" not in json.dumps(stored_auth())
    assert set(stored_auth()["ticket"]["principals"]["joe"]) == {"ticket_hash"}


def test_transports_hold_no_secrets_in_the_clear_however_deep():
    auth = WITH_SECRETS["auth"]
    row = Transport.objects.create(
        type="universal", settings={"rawsocket": {"auth": auth}, "websocket": {"ws": WITH_SECRETS}}
    )
    Transport.objects.create(type="websocket", endpoint_type="tcp", port="8080", settings={"auth": auth})
    assert "hush-hush" not in json.dumps([one.settings for one in Transport.objects.all()])
    assert set(row.settings["websocket"]["ws"]["auth"]["wampcra"]["users"]["joe"]) == {"derived_key", *SALTING}


def test_value_of_a_json_service_is_nobodys_secret():
    value = {"auth": WITH_SECRETS["auth"]}
    store.replace(node(ws={"type": "json", "value": value}))
    assert store.to_mapping()["workers"][0]["transports"][0]["paths"]["ws"]["value"] == value


def test_rows_from_before_are_sealed_by_the_migration(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(WebPath, "sealed", classmethod(lambda cls, settings: settings))
        store.replace(node(ws=WITH_SECRETS))
    assert stored_auth() == WITH_SECRETS["auth"]
    migration = import_module("wamp_transport.migrations.0006_sealed_secrets")
    # The migration knows the model by its former name.
    former = SimpleNamespace(
        get_model=lambda app, name: apps.get_model(app, {"PathService": "WebPath"}.get(name, name))
    )
    migration.seal(former, SimpleNamespace(connection=connection))
    assert set(stored_auth()["ticket"]["principals"]["joe"]) == {"ticket_hash"}
    sealed = stored_auth()
    migration.seal(former, SimpleNamespace(connection=connection))
    assert stored_auth() == sealed


def test_lists_keep_their_order():
    mapping = node(ws={"type": "websocket"})
    worker = mapping["workers"][0]
    worker["realms"] = [{"name": name, "roles": [{"name": "b"}, {"name": "a"}]} for name in ("zzz", "aaa", "mmm")]
    worker["transports"] += [{"type": "web", "endpoint": {"type": "tcp", "port": 80}, "paths": {}}]
    store.replace(mapping)
    assert store.to_mapping() == mapping


@pytest.mark.parametrize(
    "paths",
    [
        {"a": {"type": "path", "paths": {"/": {"type": "nodeinfo"}, "b": {"type": "websocket"}}}},
        {"/": {"type": "path", "paths": {"b": {"type": "nodeinfo"}}}, "c": {"type": "nodeinfo"}},
        {"/": {"type": "path", "id": "one", "paths": {"/": {"type": "path", "id": "two", "paths": {}}}}},
        {"a": {"type": "path", "paths": {}}},
        {"a": {"type": "path", "id": "abc", "paths": {"/": {"type": "path", "paths": {"/": {"type": "nodeinfo"}}}}}},
    ],
)
def test_nested_paths_keep_their_nesting(paths):
    mapping = node(**paths)
    store.replace(mapping)
    assert store.to_mapping() == mapping


def test_service_above_another_becomes_a_branch():
    store.replace(node(a={"type": "nodeinfo"}))
    WebPath.objects.create(transport=Transport.objects.get(), path="a/b/c", type="websocket")
    assert store.to_mapping()["workers"][0]["transports"][0]["paths"] == {
        "a": {
            "type": "path",
            "paths": {"/": {"type": "nodeinfo"}, "b": {"type": "path", "paths": {"c": {"type": "websocket"}}}},
        }
    }
    assert [service.path for service in store.load(".").services] == ["/a", "/a/b/c"]


def test_service_moved_loses_its_old_nesting():
    store.replace(node(a={"type": "path", "paths": {"/": {"type": "nodeinfo"}}}))
    service = WebPath.objects.get()
    service.path = "b"
    service.save()
    assert store.to_mapping()["workers"][0]["transports"][0]["paths"] == {"b": {"type": "nodeinfo"}}


def test_two_services_on_a_path_are_a_fault():
    store.replace(node(a={"type": "path", "paths": {"/": {"type": "nodeinfo"}}}))
    WebPath.objects.create(transport=Transport.objects.get(), path="a", type="websocket")
    with pytest.raises(ConfigError, match="two services on /a"):
        store.load(".")


def test_rows_of_no_import_make_a_worker():
    Realm.objects.create(name="realm1")
    transport = Transport.objects.create(endpoint_type="tcp", port="8080")
    WebPath.objects.create(transport=transport, path="ws", type="websocket")
    assert store.to_mapping() == {
        "version": 2,
        "workers": [
            {
                "type": "router",
                "realms": [{"name": "realm1"}],
                "transports": [
                    {
                        "type": "web",
                        "endpoint": {"type": "tcp", "port": 8080},
                        "paths": {"ws": {"type": "websocket"}},
                    }
                ],
            }
        ],
    }
    assert not store.is_empty()


def test_disabled_transport_is_left_out():
    store.replace(node(ws={"type": "websocket"}))
    transport = Transport.objects.get()
    transport.enabled = False
    transport.save()
    assert store.to_mapping()["workers"][0]["transports"] == []
    assert store.load(".").transports == ()
    assert not store.is_empty()


def test_last_realm_removed_opens_nothing():
    store.replace(json.loads(WEBSOCKET_SERVICE_EXAMPLE))
    assert [realm.name for realm in store.load(".").realms] == ["realm1"]
    realm = Realm.objects.create(name="mine")
    realm.delete()
    assert store.load(".").realms == ()


def test_only_transports_without_realms_open_nothing():
    transport = Transport.objects.create()
    WebPath.objects.create(transport=transport, path="ws", type="websocket")
    assert store.load(".").realms == ()


def test_every_change_is_a_new_revision(django_assert_num_queries):
    seen = [store.revision()]

    def changed():
        seen.append(store.revision())
        return seen[-1] > seen[-2]

    realm = Realm.objects.create(name="realm1")
    assert changed()
    role = Role.objects.create(realm=realm, name="anonymous")
    assert changed()
    role.permissions.create(uri="a")
    assert changed()
    Role.objects.filter(pk=role.pk).update(name="other")
    assert changed()
    Transport.objects.bulk_create([Transport(), Transport(order=1)])
    assert changed()
    Transport.objects.all().delete()
    assert changed()
    realm.delete()
    assert changed()
    store.replace({})
    assert changed()
    with django_assert_num_queries(1):
        store.revision()


@pytest.mark.django_db(transaction=True)
def test_change_and_revision_share_a_transaction(monkeypatch):
    def fail(using=None):
        raise RuntimeError

    monkeypatch.setattr("wamp_transport.models.configuration.touch", fail)
    with pytest.raises(RuntimeError):
        Realm.objects.create(name="realm1")
    assert not Realm.objects.exists()


def test_faulty_mapping_changes_nothing():
    store.replace(template())
    before, revision = store.to_mapping(), store.revision()
    with pytest.raises(ConfigError) as caught:
        store.replace({"workers": [{"type": "router", "realms": [{"name": "x"}], "transports": [{"type": "wob"}]}]})
    assert len(caught.value.report.faults) == 2
    assert store.to_mapping() == before
    assert store.revision() == revision


@pytest.mark.parametrize(
    ("paths", "place"),
    [
        ({"a": {"type": "json", "value": "\x00"}}, "workers[0].transports[0].paths.a.value"),
        ({"a" * 501: {"type": "nodeinfo"}}, f"workers[0].transports[0].paths.{'a' * 501}"),
    ],
)
def test_what_no_column_holds_is_refused_with_its_path(paths, place):
    with pytest.raises(ConfigError) as caught:
        store.replace(node(**paths))
    assert [fault.path for fault in caught.value.report.faults] == [place]
    assert store.is_empty()


def test_relative_paths_start_where_the_file_was(tmp_path):
    (tmp_path / "files").mkdir()
    mapping = node(files={"type": "static", "directory": "files"})
    store.replace(mapping, tmp_path)
    configuration = store.load("/")
    assert configuration.resolve("files") == tmp_path / "files"
    assert configuration.report.notices == ()
    store.replace(mapping)
    assert str(store.load("/").resolve("files")) == "/files"


def test_missing_tables_are_nothing_configured(no_tables):
    assert store.revision() == 0
    assert store.is_empty()
    assert not store.is_migrated()
    with pytest.raises(store.NotMigrated, match="migrate"):
        store.to_mapping()
    with pytest.raises(store.NotMigrated, match="migrate"):
        store.load(".")
    with pytest.raises(store.NotMigrated, match="migrate"):
        store.replace(template())
