"""The live server of the test tools: real clients, the test's database, servers one after the other."""

import asyncio
import threading
import urllib.request

import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests.django.test_handlers import registry, shop  # noqa: F401 - fixtures
from tests.integration.servers import until
from tests.shop.models import Product
from wamp_transport import api
from wamp_transport.api import backends
from wamp_transport.auth.credentials import Anonymous
from wamp_transport.bootstrap import runtime
from wamp_transport.node.remote import connect
from wamp_transport.testing import LiveServer, WampLiveServerTestCase

pytestmark = pytest.mark.long

CONFIG = {
    "version": 2,
    "workers": [
        {
            "type": "router",
            "realms": [{"name": "shop", "roles": [{"name": "anonymous"}]}],
            "transports": [
                {
                    "type": "web",
                    "endpoint": {"type": "tcp", "port": 1, "interface": "127.0.0.1"},
                    "paths": {"here": {"type": "websocket"}, "value": {"type": "json", "value": 5}},
                }
            ],
        }
    ],
}


def calls(server, procedure, *args, realm="realm1"):
    """What a client elsewhere gets for a call."""

    async def whole():
        session = await connect(server.wamp_url, realm, Anonymous(None))
        try:
            return (await session.call(procedure, args)).value
        finally:
            await session.leave()
            await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=10)  # its socket closes

    return asyncio.run(whole())


def fetched(server, path):
    with urllib.request.urlopen(server.url + path, timeout=10) as answer:
        return answer.read()


@pytest.mark.django_db(transaction=True)
def test_clients_and_pages_see_what_the_test_has_made(shop):  # noqa: F811
    name = connection.settings_dict["NAME"]
    Product.objects.create(sku="before", price="1.00")
    with LiveServer() as server:
        Product.objects.create(sku="tea", price="2.50")
        assert calls(server, "com.shop.price", "tea", 2) == "5.00"
        assert [one["sku"] for one in calls(server, "com.shop.all")] == ["before", "tea"]
        heard = []
        api.subscribe("com.shop.x", heard.append)
        api.publish("com.shop.x", 1)
        until(lambda: heard, "the event")
        api.publish("com.shop.added.ink", "1.10")
        until(lambda: Product.objects.filter(sku="ink").exists(), "what the handler has made")
        assert b"Django" in fetched(server, "/admin/login/")
        assert b"{" in fetched(server, "/static/admin/css/base.css")
    assert backends._process_backend is None
    assert not User.objects.exists()
    assert connection.settings_dict["NAME"] == name


@pytest.mark.django_db(transaction=True)
def test_servers_follow_each_other(registry):  # noqa: F811
    before = runtime._runtime
    addresses = set()
    for _ in range(3):
        with LiveServer() as server:
            addresses.add(server.url)
            assert runtime._runtime is not before
            with pytest.raises(api.ApplicationError, match="no_such_procedure"):
                calls(server, "com.shop.nothing")
        with pytest.raises(OSError, match="refused"):
            fetched(server, "/")
    assert runtime._runtime is before
    assert len([one for one in threading.enumerate() if one.name == "wamp-live-servers"]) == 1


@pytest.mark.django_db(transaction=True)
def test_configuration_says_what_is_served(registry):  # noqa: F811
    with LiveServer(CONFIG) as server:
        assert server.wamp_url == f"ws://127.0.0.1:{server.port}/here"
        assert fetched(server, "/value").strip() == b"5"
        with pytest.raises(api.NotAuthorized):
            calls(server, "com.shop.x", realm="shop")


@pytest.mark.django_db
def test_transaction_of_a_test_case_is_refused():
    with pytest.raises(RuntimeError, match="WampLiveServerTestCase"):
        LiveServer().start()


@pytest.mark.django_db(transaction=True)
def test_server_that_cannot_begin_says_why(registry, monkeypatch):  # noqa: F811
    name = connection.settings_dict["NAME"]

    def fail(*_):
        raise OSError("no ports today")

    monkeypatch.setattr("wamp_transport.transports.daphne.open_transport.open_port", fail)
    with pytest.raises(OSError, match="no ports today"):
        LiveServer().start()
    assert connection.settings_dict["NAME"] == name
    assert backends._process_backend is None


class InACase(WampLiveServerTestCase):
    wamp_config = CONFIG

    def test_pages(self):
        assert fetched(self.live_server, "/value").strip() == b"5"
        assert self.live_server_url.startswith("http://127.0.0.1:")
        User.objects.create_user("joe")

    def test_each_test_begins_anew(self):
        assert self.wamp_url.endswith("/here")
        assert not User.objects.exists()
        User.objects.create_user("joe")
