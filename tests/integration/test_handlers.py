"""Clients call the Django code of a project, which asks its database, over a real socket."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from .clients import Kind, ProcessClient, WampFailure, joined_client
from .servers import Process, assert_quiet, configuration, free_port, manage, node, realm, running, until, web
from .test_authentication import Peer, login
from .test_django_identity import Site

pytestmark = pytest.mark.integration

PRODUCTS = (
    "from tests.shop.models import Product; "
    "Product.objects.bulk_create([Product(sku='tea', price='2.50'), Product(sku='ink', price='7.25')])"
)
USERS = """
from django.contrib.auth.models import User
from wamp_transport.models import Credential, Principal
from wamp_transport.stores.identity.credentials import keep
joe = User.objects.create_user("joe", password="pw", is_staff=True)
Principal.objects.create(realm="realm1", authid="joes-pump", role="anonymous", user=joe).credentials.create(
    method="ticket", data=keep("ticket", "a long enough ticket").data)
Principal.objects.create(realm="realm1", authid="joe", role="anonymous").credentials.create(
    method="ticket", data=keep("ticket", "a long enough ticket").data)
"""
LOGINS = {
    "ticket": {"type": "database"},
    "token": {"default-role": "anonymous"},
    "django-session": {"default-role": "anonymous"},
}


class Shop(NamedTuple):
    """A running server with the shop in it, and a client of it."""

    process: Process
    client: ProcessClient
    site: Site


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("shop")
    database = directory / "db.sqlite3"
    environment = {"WAMPNODE_DATABASE": str(database), "DJANGO_SETTINGS_MODULE": "tests.shop.settings"}
    for command in (
        ("migrate", "--run-syncdb", "--verbosity", "0"),
        ("shell", "--verbosity", "0", "-c", PRODUCTS),
        ("shell", "--verbosity", "0", "-c", USERS),
    ):
        with running(manage(*command), directory, **environment) as process:
            assert process.ended(seconds=60) == 0, process.output
    port = free_port()
    open_realm = realm("realm1", call=True, publish=True, subscribe=True, register=True)
    paths = {"ws": {"type": "websocket"}, "users": {"type": "websocket", "auth": LOGINS}}
    with node(directory, configuration(web(port, paths), realms=[open_realm]), port, **environment) as process:
        url = f"ws://127.0.0.1:{port}/ws"
        with joined_client(Kind("autobahn-python", "json"), url, "realm1", directory) as client:
            yield Shop(process, client, Site(directory, port, process))
        assert process.stop() == 0, process.output
        assert_quiet(process.output)


def value(outcome: tuple[list[Any], dict[str, Any]]) -> Any:
    return outcome[0][0]


def test_autobahn_calls_a_function_that_asks_the_database(shop: Shop) -> None:
    assert value(shop.client.call("com.shop.price", "tea", 3)) == "7.50"
    assert value(shop.client.call("com.shop.price", sku="ink")) == "7.25"
    assert value(shop.client.call("com.shop.async_price", "ink")) == "7.25"


def test_autobahn_gets_progressive_results(shop: Shop) -> None:
    both = [{"sku": "ink", "price": "7.25"}, {"sku": "tea", "price": "2.50"}]
    parts, _ = shop.client.call_with_progress("com.shop.all")
    assert [part["sku"] for part in parts] == ["ink", "tea"]
    assert value(shop.client.call("com.shop.all")) == both


@pytest.mark.parametrize(("arguments", "uri", "said"), [
    (("com.shop.price", "tea", "many"), "wamp.error.invalid_argument", "parameter 'quantity'"),
    (("com.shop.delete", "tea"), "wamp.error.not_authorized", "shop.delete_product"),
])  # fmt: skip
def test_autobahn_is_told_why_not(shop: Shop, arguments: tuple[Any, ...], uri: str, said: str) -> None:
    with pytest.raises(WampFailure) as caught:
        shop.client.call(*arguments)
    assert caught.value.uri == uri
    assert said in caught.value.arguments[0]


def who_calls(peer: Peer) -> Any:
    """What a handler is told of the caller."""
    peer.wire.send_json([48, 1, {}, "com.shop.me"])
    result = peer.wire.message()
    assert result[0] == 50, result
    return result[3][0]


def test_user_who_came_by_token_is_the_user_of_the_handler(shop: Shop) -> None:
    token = shop.site.command(*manage("wamp", "token", "--user", "joe")).strip()
    with Peer(shop.site.port, "users") as peer:
        assert peer.hello("token")[0] == 4
        assert peer.answer(token)[0] == 2
        assert who_calls(peer) == {"authid": "joe", "user": "joe"}


def test_user_who_came_by_session_cookie_is_the_user_of_the_handler(shop: Shop) -> None:
    with shop.site.browser("joe").peer("users") as peer:
        assert peer.hello("django-session")[0] == 2
        assert who_calls(peer) == {"authid": "joe", "user": "joe"}


def test_user_whose_principal_it_is_is_the_user_of_the_handler(shop: Shop) -> None:
    with Peer(shop.site.port, "users") as peer:
        assert login(peer, "ticket", "joes-pump", "a long enough ticket")[0] == 2
        assert who_calls(peer) == {"authid": "joes-pump", "user": "joe"}


def test_authid_that_equals_a_username_is_no_user_to_the_handler(shop: Shop) -> None:
    command = manage("wamp", "token", "--authid", "joe", "--realm", "realm1", "--role", "anonymous")
    token = shop.site.command(*command).strip()
    with Peer(shop.site.port, "users") as peer:
        assert peer.hello("token")[0] == 4
        assert peer.answer(token)[0] == 2
        assert who_calls(peer) == {"authid": "joe", "user": None}
    with Peer(shop.site.port, "users") as peer:
        assert login(peer, "ticket", "joe", "a long enough ticket")[0] == 2
        assert who_calls(peer) == {"authid": "joe", "user": None}


def test_event_is_handled_by_a_function_that_writes_to_the_database(shop: Shop) -> None:
    shop.client.publish("com.shop.added.pen", "1.10")

    def is_there() -> bool:
        return any(one["sku"] == "pen" for one in value(shop.client.call("com.shop.all")))

    until(is_there, "the product that was published")
