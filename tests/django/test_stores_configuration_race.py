"""The configuration is changed while it is read: what is read is always of one state."""

import pytest
from django.db import DatabaseError, connection

from tests.django.configurations import node
from wamp_transport.models import Realm, Role, Transport
from wamp_transport.stores import configuration as store

pytestmark = [pytest.mark.django_db, pytest.mark.long]

WS = {"type": "websocket"}


def mapping(realm="realm1", **paths):
    document = node(**(paths or {"ws": WS}))
    document["workers"][0]["realms"] = [{"name": realm, "roles": [{"name": "anonymous"}, {"name": "backend"}]}]
    return document


class OtherProcess:
    """Commits something before a query of a table, as often as it is told to."""

    def __init__(self, model, *changes):
        self.table = f'FROM "{model._meta.db_table}"'
        self.changes = list(changes)
        self.is_busy = False

    def __call__(self, execute, sql, params, many, context):
        if self.changes and not self.is_busy and sql.startswith("SELECT") and self.table in sql:
            self.is_busy = True
            self.changes.pop(0)()
            self.is_busy = False
        return execute(sql, params, many, context)


def replaced(document):
    return lambda: store.replace(document)


@pytest.fixture
def meanwhile():
    """Let another process change something in front of each query of a table."""
    installed = []

    def change(model, *changes):
        wrapper = connection.execute_wrapper(OtherProcess(model, *changes))
        wrapper.__enter__()
        installed.append(wrapper)

    yield change
    for wrapper in installed:
        wrapper.__exit__(None, None, None)


def roles_of(configuration):
    return {realm.name: [role.name for role in realm.roles] for realm in configuration.realms}


@pytest.mark.parametrize("model", [Realm, Role, Transport])
def test_realm_that_is_imported_again_is_never_loaded_without_its_roles(meanwhile, model):
    store.replace(mapping())
    meanwhile(model, replaced(mapping("realm2", other=WS)))
    loaded = store.load(".")
    assert roles_of(loaded) == {"realm2": ["anonymous", "backend"]}
    assert [service.path for service in loaded.services] == ["/other"]


def test_export_is_of_one_state(meanwhile):
    store.replace(mapping())
    meanwhile(Role, replaced(mapping("realm2")))
    assert store.to_mapping() == mapping("realm2")


def test_database_that_is_never_empty_is_not_taken_for_it(meanwhile):
    realms_alone, transports_alone = mapping(), mapping()
    realms_alone["workers"][0]["transports"] = []
    transports_alone["workers"][0]["realms"] = []
    store.replace(realms_alone)
    meanwhile(Realm, replaced(transports_alone))
    assert not store.is_empty()


def test_reader_gives_up_when_the_rows_never_rest(meanwhile):
    store.replace(mapping())
    meanwhile(Role, *[replaced(mapping(f"realm{number}")) for number in range(store.READ_ATTEMPTS)])
    with pytest.raises(DatabaseError, match="changed during each of 5 attempts"):
        store.load(".")
    assert roles_of(store.load(".")) == {"realm4": ["anonymous", "backend"]}
