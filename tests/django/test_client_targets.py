"""Which router a command speaks to, and as whom."""

import pytest
from django.db import OperationalError, connection
from django.test import override_settings

from wamp_transport.auth.credentials import Anonymous, SharedSecret, Ticket
from wamp_transport.auth.operators import Operator
from wamp_transport.cluster.node_state import IncompatibleMember, NodeState, to_json
from wamp_transport.management.client.credentials import KINDS
from wamp_transport.management.client.failures import Failure
from wamp_transport.management.client.targets import JOIN_SECONDS, target_of
from wamp_transport.models import RunningNode
from wamp_transport.stores import nodes, operators

NAMES = ("url", "realm", "node", "serializer", "ca", "authid", "role", "ask", *(f"{kind}_file" for kind in KINDS))
ELSEWHERE = {"URL": "ws://elsewhere/ws", "REALM": "theirs", "AUTHID": "worker", "SECRET": "s1"}

pytestmark = pytest.mark.django_db


def target(**options):
    return target_of({**dict.fromkeys(NAMES), "operator": False, "join_timeout": JOIN_SECONDS, **options})


def refused(code, **options):
    with pytest.raises(Failure) as caught:
        target(**options)
    assert caught.value.returncode == code
    return str(caught.value)


def started(name="here", realms=("realm1",), url="ws://127.0.0.1:8000/ws", cluster=None, **columns):
    services = [{"url": url, "realms": list(realms), "socket": None, "origin": None}]
    services = services if realms else []
    nodes.report(name, 1, None, services=services, operator_salt=f"salt of {name}", cluster=to_json(cluster))
    RunningNode.objects.filter(name=name).update(**columns)


def test_own_node_is_reached_as_its_operator():
    started()
    found = target()
    assert (found.url, found.realm) == ("ws://127.0.0.1:8000/ws", "realm1")
    assert isinstance(found.credential, Operator)
    assert found.credential.authid.startswith("operator:")
    assert (found.credential.role, found.connect_options.uses_proxy, found.pid is not None) == ("trusted", False, True)
    other = target(authid="eva", role="user", serializer="json")
    assert (other.credential.authid, other.credential.role, other.connect_options.serializers) == (
        "eva",
        "user",
        ("json",),
    )


def test_own_node_is_reached_as_somebody_else_with_a_credential(tmp_path):
    started()
    (tmp_path / "t").write_text("t1")
    assert target(authid="eva", ticket_file=str(tmp_path / "t")).credential == Ticket("eva", "t1")
    assert "cannot be used with a credential" in refused(2, authid="eva", ticket_file=str(tmp_path / "t"), role="user")


def test_realm_is_asked_for_where_there_are_several(monkeypatch):
    started(realms=("b", "a"))
    assert "realms are: a, b" in refused(2)
    assert target(realm="b").realm == "b"
    monkeypatch.setenv("WAMP_REALM", "a")
    assert target().realm == "a"


def test_node_is_asked_for_where_there_are_several():
    started()
    started("other", url="ws://127.0.0.1:8001/ws")
    assert "--node: other, here" in refused(2)
    assert target(node="other").url == "ws://127.0.0.1:8001/ws"
    (node,) = RunningNode.objects.filter(name="other")
    assert target(node="other").credential.keys == operators.operator_keys([node]), "it is for that node alone"
    assert "called third" in refused(3, node="third")


def test_any_node_will_do_where_all_are_in_one_cluster():
    joined, cut_off = (NodeState("shop", "p", "id", membership) for membership in ("joined", "cut off"))
    started("far", url="ws://127.0.0.1:8003/ws", host="elsewhere", cluster=NodeState("shop", "q"))
    started("one", url="ws://127.0.0.1:8001/ws", cluster=joined)
    started("unknown", realms=(), cluster=joined)
    started("last", url="ws://127.0.0.1:8002/ws", cluster=cut_off)
    assert target().url == "ws://127.0.0.1:8001/ws"
    here = RunningNode.objects.exclude(name="far")
    # The nodes can share a port, so that the command reaches another one.
    assert set(target().credential.keys) == set(operators.operator_keys(here))
    assert target(node="last").url == "ws://127.0.0.1:8002/ws"
    started("one", url="ws://127.0.0.1:8001/ws", cluster=cut_off)
    assert target().url.startswith("ws://127.0.0.1:800")


INCOMPATIBLE = NodeState("shop", "p", "id", "joined", incompatible=(IncompatibleMember("one", "one", (2, 2)),))


@pytest.mark.parametrize("cluster", [None, NodeState("shop", "q", "id", "joined"), INCOMPATIBLE])
def test_node_is_asked_for_where_not_all_are_in_one_cluster(cluster):
    for name in ("one", "two"):
        started(name, cluster=NodeState("shop", "p", name, "joined"))
    started("three", cluster=cluster)
    assert "--node: three, two, one" in refused(2)


def test_node_cannot_be_named_beside_a_url(monkeypatch):
    assert "--node cannot be used with the URL ws://other/ws" in refused(2, url="ws://other/ws", node="here")
    monkeypatch.setenv("WAMP_URL", "ws://other/ws")
    assert "--node cannot be used" in refused(2, node="here")


def test_named_node_is_not_replaced_by_the_url_of_the_settings_if_the_database_cannot_be_read(monkeypatch):
    def fail():
        raise OperationalError("no such table")

    monkeypatch.setattr(operators, "running_here", fail)
    with override_settings(WAMP_TRANSPORT={"API": ELSEWHERE}):
        assert target().url == ELSEWHERE["URL"]
        assert "cannot be read from the database" in refused(3, node="here")


def test_nothing_that_runs_is_told_with_what_to_do():
    assert "manage.py runserver" in refused(3)
    started(host="far")
    assert "There are nodes on far." in refused(3)
    with override_settings(WAMP_TRANSPORT={"LOCAL_OPERATORS": False}):
        assert "is False" in refused(3)


def test_node_that_does_not_know_its_address_is_told():
    started(realms=())
    assert "--operator" in refused(3)


def test_url_comes_first_then_the_variable(monkeypatch):
    started()
    monkeypatch.setenv("WAMP_URL", "ws://variable/ws")
    monkeypatch.setenv("WAMP_REALM", "r")
    assert target().url == "ws://variable/ws"
    found = target(url="wss://option/ws", authid="eva")
    assert (found.url, found.realm, found.credential, found.pid) == ("wss://option/ws", "r", Anonymous("eva"), None)
    assert isinstance(target(url="ws://option/ws", operator=True, role="user").credential, Operator)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"url": "http://x", "realm": "r"}, "begin with ws://"),
        ({"url": "ws://x"}, "--realm is missing"),
        ({"url": "ws://x", "realm": "r", "join_timeout": 0.0}, "--join-timeout"),
        ({"url": "ws://x", "realm": "r", "role": "user"}, "from the credential"),
        ({"url": "wss://x", "realm": "r", "ca": "/nowhere"}, "cannot be used"),
    ],
)
def test_what_makes_no_sense_is_told(options, fault):
    assert fault in refused(2, **options)


def test_router_of_the_settings_is_the_last_resort():
    with override_settings(WAMP_TRANSPORT={"API": ELSEWHERE}):
        found = target()
        assert (found.url, found.realm) == ("ws://elsewhere/ws", "theirs")
        assert found.credential == SharedSecret("worker", "s1")
        assert "none is running" in refused(3, role="user")
        assert target(realm="other").realm == "other"
        started(realms=("theirs",))
        assert target().url == "ws://127.0.0.1:8000/ws"


@pytest.fixture
def no_table(transactional_db):
    """The table of nodes is gone for a while."""
    table = RunningNode._meta.db_table
    with connection.schema_editor() as editor:
        editor.alter_db_table(RunningNode, table, f"{table}_away")
    yield
    with connection.schema_editor() as editor:
        editor.alter_db_table(RunningNode, f"{table}_away", table)


def test_database_without_tables_is_told(no_table):
    assert "manage.py migrate" in refused(3)
    with override_settings(WAMP_TRANSPORT={"API": ELSEWHERE}):
        assert target().url == "ws://elsewhere/ws"
