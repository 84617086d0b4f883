"""A stored login ends with a logout, whether the client or the router logs out."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from wamp_transport.bootstrap.cookie_logins import CookieLogins
from wamp_transport.bootstrap.cookies import CookieStores
from wamp_transport.config.reader import read_mapping
from wamp_transport.node.connection import Connection
from wamp_transport.node.node import Node
from wamp_transport.router.decisions import Admit
from wamp_transport.router.effects import AuthenticationRequest
from wamp_transport.router.options import AnonymousLogin, RealmOptions, RoleOptions, RouterOptions, ServiceOptions
from wamp_transport.stores.cookies.records import CookieLogin
from wamp_transport.transports.encoders import PLAIN_ENCODERS
from wamp_transport.wamp.messages import Hello, HelloDetails

from ..node.conftest import Recorder

ROLES = {"anonymous": RoleOptions("anonymous", allow_by_default=True)}
OPTIONS = RouterOptions(realms={"realm1": RealmOptions("realm1", ROLES)})
HELLO = b'[1,"realm1",{"roles":{"caller":{}}}]'

End = Callable[[Node, Connection, Connection], None]


def goodbye(node: Node, client: Connection, admin: Connection) -> None:
    client.receive(b'[6,{},"wamp.close.logout"]')


def kill(node: Node, client: Connection, admin: Connection) -> None:
    admin.receive(
        b'[48,1,{},"wamp.session.kill",[%d],{"reason":"wamp.close.logout"}]' % client.session_id,
    )


def kill_for_another_reason(node: Node, client: Connection, admin: Connection) -> None:
    admin.receive(b'[48,1,{},"wamp.session.kill",[%d],{"reason":"com.example.reason"}]' % client.session_id)


def changed_user(node: Node, client: Connection, admin: Connection) -> None:
    node.leave(client.session_id, "wamp.close.logout", "the user was changed")


def lost(node: Node, client: Connection, admin: Connection) -> None:
    client.lost()


@pytest.mark.parametrize(
    ("end", "is_kept"),
    [(goodbye, False), (kill, False), (changed_user, False), (kill_for_another_reason, True), (lost, True)],
)
def test_logout_of_any_kind_deletes_the_stored_login(tmp_path: Path, end: End, is_kept: bool) -> None:
    async def scenario() -> None:
        path = {"type": "websocket", "cookie": {"store": {"type": "memory"}}, "auth": {"cookie": {}}}
        worker = {"type": "router", "transports": [{"type": "web", "paths": {"ws": path}}]}
        configuration = read_mapping({"version": 2, "workers": [worker]}, tmp_path)
        (service,) = configuration.services
        stores = CookieStores()
        tracker = stores.tracker(service, configuration)
        assert tracker is not None
        stores.use({service.key: tracker})
        node = Node(OPTIONS, asyncio.get_running_loop())
        logins = CookieLogins(stores)
        logins.watch(node)

        record, _ = await tracker.store.admit("cbtid", 24, 60, [])
        login = CookieLogin(service.key, "realm1", "joe", "user", "ticket", "static", None)
        await tracker.store.remember(record.id, login)

        def connect(id: str | None) -> Connection:
            options = ServiceOptions(service.key, AnonymousLogin())
            connection = node.connect(options, PLAIN_ENCODERS["json"], Recorder(), {"http_cbtid": id})
            connection.receive(HELLO)
            return connection

        client, other_tab, admin = connect(record.id), connect(record.id), connect(None)
        end(node, client, admin)
        await asyncio.gather(*logins._tasks)
        assert (await tracker.store.login(record.id, service.key) == login) is is_kept
        assert other_tab.is_closed is not is_kept
        assert not admin.is_closed
        stores.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("size", "is_stored"), [(1000, True), (20_000, False)])
def test_login_with_much_authextra_is_not_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, size: int, is_stored: bool
) -> None:
    async def scenario() -> CookieLogin | None:
        path = {"type": "websocket", "cookie": {"store": {"type": "memory"}}, "auth": {"cookie": {}}}
        worker = {"type": "router", "transports": [{"type": "web", "paths": {"ws": path}}]}
        configuration = read_mapping({"version": 2, "workers": [worker]}, tmp_path)
        (service,) = configuration.services
        stores = CookieStores()
        tracker = stores.tracker(service, configuration)
        assert tracker is not None
        stores.use({service.key: tracker})
        logins = CookieLogins(stores)
        logins.configure([service])
        record, _ = await tracker.store.admit("cbtid", 24, 60, [])
        hello = Hello("realm1", HelloDetails())
        request = AuthenticationRequest(1, 1, service.key, "ticket", hello, {"http_cbtid": record.id})
        await logins.remember(request, Admit("realm1", "joe", "user", "ticket", "dynamic", {"a": "x" * size}))
        return await tracker.store.login(record.id, service.key)

    assert (asyncio.run(scenario()) is not None) is is_stored
    assert ("'joe' is not stored with its cookie" in caplog.text) is not is_stored
