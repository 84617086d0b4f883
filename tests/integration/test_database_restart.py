"""A node whose configuration, users, cookies, history and audit trail are in PostgreSQL, which is restarted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..postgresql import Cluster, running_cluster
from .servers import configuration, environment_of, free_port, manage, realm, running, until, web
from .test_authentication import Peer, login
from .test_cookies import authid, new_cookie, set_by
from .test_django_identity import Site, closed, session
from .wire import Wire

pytestmark = [pytest.mark.integration, pytest.mark.full]

SECRET = "a secret of the pump"
SOLD = "com.shop.sold"
AUTH = {"anonymous": {"type": "static", "role": "anonymous"}, "django-session": {"default-role": "user"}}
PATHS = {
    "ws": {"type": "websocket", "cookie": {}, "auth": AUTH},
    "stored": {"type": "websocket", "auth": {"wampcra": {"type": "database"}}},
}
PREPARE = f"""
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
from wamp_transport.models import Credential, Principal
from wamp_transport.stores import configuration
from wamp_transport.stores.identity import credentials
from tests.integration.test_database_restart import described
configuration.replace(described({{port}}))
credentials.ITERATIONS = 10
User.objects.create_user("joe", password="pw", is_staff=True)
pump = Principal.objects.create(realm="realm1", authid="pump", role="user")
kept = credentials.keep("wampcra", {SECRET!r})
Credential.objects.create(principal=pump, method="wampcra", data=kept.data, fingerprint=kept.fingerprint)
"""


def described(port: int) -> dict[str, Any]:
    """The configuration: a realm that keeps events, where everybody may do everything."""
    open_realm = realm("realm1", call=True, publish=True, subscribe=True, register=True)
    roles = [{**role, "name": name} for role in open_realm["roles"] for name in ("anonymous", "user")]
    history = {"type": "database", "event-history": [{"uri": SOLD, "limit": 10}]}
    return configuration(web(port, PATHS), realms=[{**open_realm, "roles": roles, "store": history}])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def site(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory: Path = tmp_path_factory.mktemp("node")
    environment = {"DJANGO_SETTINGS_MODULE": "tests.shop.settings", **cluster.create("node")}
    site = Site(directory, free_port())
    site.environment = environment_of(**environment)
    site.run(PREPARE.format(port=site.port))
    with running(manage("runnode"), directory, **environment) as process:
        site.process = process.wait_for(site.port)
        yield site
        assert process.stop() == 0, process.output


def history(port: int) -> list[Any]:
    """What is kept of the events, asked by anybody."""
    with Wire(port) as wire:
        wire.upgrade("/ws")
        roles = {"caller": {}, "subscriber": {}}
        wire.send_json([1, "realm1", {"roles": roles, "authmethods": ["anonymous"]}], [32, 1, {}, SOLD])
        assert wire.message()[0] == 2
        subscription = wire.message()[2]
        wire.send_json([48, 2, {}, "wamp.subscription.get_events", [subscription, 10]])
        return [event["args"] for event in wire.message()[3][0]]


def publish(port: int, *args: Any) -> None:
    with Wire(port) as wire:
        wire.upgrade("/ws")
        wire.send_json([1, "realm1", {"roles": {"publisher": {}}, "authmethods": ["anonymous"]}])
        assert wire.message()[0] == 2
        wire.send_json([16, 1, {"acknowledge": True}, SOLD, args])
        assert wire.message()[0] == 17


def logins(cluster: Cluster) -> set[str]:
    """Who has logged in, by the audit trail."""
    return {name for (name,) in cluster.ask("SELECT authid FROM wamp_transport_auditentry", database="node")}


def stored_events(cluster: Cluster) -> int:
    [(count,)] = cluster.ask("SELECT count(*) FROM wamp_transport_storedevent", database="node")
    return int(count)


def test_all_that_a_node_keeps_in_postgresql_works_after_its_restart(site: Site, cluster: Cluster) -> None:
    port = site.port
    cookie = new_cookie(port, "ws")
    name = authid(port, "ws", cookie)
    browser = site.browser("joe")
    publish(port, "before")
    with browser.peer() as peer:
        assert session(peer)["authid"] == "joe"
        until(lambda: "joe" in logins(cluster), "the login in the audit trail")

        cluster.restart()

        assert browser.request("GET", "/admin/") == 200
        assert set_by(port, "ws", cookie) is None
        assert authid(port, "ws", cookie) == name
        with browser.peer() as another:
            assert session(another)["authid"] == "joe"
        with Peer(port, "stored") as pump:
            assert login(pump, "wampcra", "pump", SECRET)[2]["authrole"] == "user"
        publish(port, "after")
        browser.logout()
        assert closed(peer) in ("the user has logged out", "this login is no longer allowed")
    until(lambda: "pump" in logins(cluster), "the login in the audit trail")
    assert history(port) == [["before"], ["after"]]
    until(lambda: stored_events(cluster) == 2, "both events in the database")


def test_node_follows_its_configuration_after_a_restart_of_postgresql(site: Site, cluster: Cluster) -> None:
    cluster.restart()
    add = "WebPath.objects.create(transport=Transport.objects.get(), path='more', type='websocket')"
    site.run("from wamp_transport.models import WebPath, Transport\n" + add)

    def opens() -> bool:
        with Wire(site.port) as wire:
            return wire.upgrade("/more").startswith("HTTP/1.1 101 ")

    until(opens, "a path that was added")
