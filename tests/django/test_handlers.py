"""Handlers of an app's ``wamp.py``: found, checked, listed; Django's users and permissions."""

import asyncio
import io
import json
import sys

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command

from tests.shop.models import Product
from wamp_transport.bootstrap.handlers import AppHandlers
from wamp_transport.checks import check_handlers
from wamp_transport.handlers import declarations, discovery, subscribe
from wamp_transport.handlers.declarations import Registry
from wamp_transport.management.client.failures import Failure
from wamp_transport.management.subcommands import register
from wamp_transport.model_events import publish_model_events, signal_receivers
from wamp_transport.node.local import join
from wamp_transport.node.node import Node
from wamp_transport.router.options import TRUSTED, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.stores.identity.callers import user_behind
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import ApplicationError


@pytest.fixture
def registry(monkeypatch):
    """An empty list of declarations."""
    fresh = Registry()
    for module in (declarations, discovery, register):
        monkeypatch.setattr(module, "REGISTRY", fresh)
    return fresh


@pytest.fixture
def shop(registry, settings, monkeypatch):
    """The shop's handlers are installed; their module is imported afresh."""
    monkeypatch.delitem(sys.modules, "tests.shop.live.wamp", raising=False)
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.shop.live"]
    yield
    sys.modules.pop("tests.shop.live.wamp", None)


@pytest.fixture
def broken_app(registry, settings, tmp_path, monkeypatch):
    """Makes an app with this text in its wamp.py."""

    def make(text):
        (tmp_path / "broken_shop").mkdir()
        (tmp_path / "broken_shop" / "__init__.py").write_text("")
        (tmp_path / "broken_shop" / "wamp.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "broken_shop"]

    yield make
    for name in ("broken_shop", "broken_shop.wamp"):
        sys.modules.pop(name, None)


def play(scenario):
    """Run a scenario with the handlers on a node, and a function that joins it."""

    async def whole():
        roles = {"anonymous": RoleOptions("anonymous", allow_by_default=True)}
        node = Node(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}), asyncio.get_running_loop())
        handlers = AppHandlers(node, 4)
        await handlers.start()
        await handlers.register_handlers(["realm1"])
        try:
            await scenario(lambda authid, role="anonymous": join(node, "realm1", authid=authid, authrole=role))
        finally:
            await node.stop(1)
            handlers.close()

    asyncio.run(whole())


async def refused(work):
    with pytest.raises(ApplicationError) as caught:
        await work
    return caught.value.uri


# --- found, checked, listed ------------------------------------------------------------------------------------------


def test_module_of_an_installed_app_is_found(shop):
    found = discovery.discover()
    assert not found.problems
    assert {one.declaration.uri for one in found.handlers} >= {"com.shop.price", "com.shop.added."}
    assert check_handlers(None) == []


def test_command_lists_what_was_found(shop):
    out = io.StringIO()
    call_command("wamp", "handlers", stdout=out, no_color=True)
    head, *lines = out.getvalue().splitlines()
    assert head.split() == ["KIND", "URI", "MATCH", "REALM", "FUNCTION", "OPTIONS", "DEFINED", "AT"]
    line = next(line for line in lines if "com.shop.delete" in line)
    assert "tests.shop.live.wamp.delete" in line
    assert "permission=shop.delete_product" in line
    assert "wamp.py:" in line


def test_command_writes_json(shop):
    out = io.StringIO()
    call_command("wamp", "handlers", "--json", stdout=out)
    listed = json.loads(out.getvalue())
    assert listed["broken_modules"] == []
    added = next(one for one in listed["handlers"] if one["uri"] == "com.shop.added.")
    assert (added["kind"], added["match"], added["realms"], added["faults"]) == ("subscriber", "prefix", None, [])


def test_command_lists_model_events():
    declared = publish_model_events(Product, "com.shop.product", fields=["sku"], events=["created"])
    try:
        out = io.StringIO()
        call_command("wamp", "handlers", stdout=out, no_color=True)
        line = next(line for line in out.getvalue().splitlines() if "com.shop.product." in line)
        assert line.startswith("model events")
        assert "shop.Product" in line
        assert "events=created fields=sku" in line
        out = io.StringIO()
        call_command("wamp", "handlers", "--json", stdout=out)
        (listed,) = json.loads(out.getvalue())["model_events"]
        assert (listed["model"], listed["topic"], listed["events"]) == ("shop.Product", "com.shop.product", ["created"])
    finally:
        signal_receivers.remove_publisher(declared)


def test_command_shows_which_subscribers_are_on_each_node(registry):
    @subscribe("com.topic", each_node=True)
    def everywhere(): ...

    out = io.StringIO()
    call_command("wamp", "handlers", stdout=out, no_color=True)
    (line,) = (line for line in out.getvalue().splitlines() if "com.topic" in line)
    assert "each_node=True" in line
    out = io.StringIO()
    call_command("wamp", "handlers", "--json", stdout=out)
    (found,) = (one for one in json.loads(out.getvalue())["handlers"] if one["uri"] == "com.topic")
    assert found["each_node"] is True


def test_command_without_handlers_says_so(registry):
    out = io.StringIO()
    call_command("wamp", "handlers", stdout=io.StringIO(), stderr=out)
    assert "No app declares a procedure" in out.getvalue()


@pytest.mark.expects_errors("broken_shop.wamp cannot be imported: ModuleNotFoundError: No module named")
def test_module_that_cannot_be_imported_is_told(broken_app, caplog):
    broken_app("import nothing_of_that_name\n")
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 fault") as caught:
        call_command("wamp", "handlers", stdout=out, no_color=True)
    assert caught.value.returncode == 1
    assert "broken_shop.wamp cannot be imported: ModuleNotFoundError" in out.getvalue()
    (error,) = check_handlers(None)
    assert error.id == "wamp_transport.E013"
    assert "broken_shop.wamp" in error.msg

    async def scenario(joined): ...

    play(scenario)
    assert "nothing_of_that_name" in caplog.text


def test_declaration_at_fault_is_told_with_its_place(broken_app):
    broken_app(
        "from wamp_transport.handlers import register\n"
        "class Thing: ...\n"
        "@register('com.a', invoke='all')\n"
        "def a(thing: Thing): ...\n"
    )
    (problem,) = discovery.discover().problems
    assert "broken_shop.wamp.a" in str(problem)
    assert "wamp.py:3" in str(problem)
    assert "invoke is 'all'" in str(problem)
    assert "parameter 'thing'" in str(problem)


# --- the database, users and permissions -----------------------------------------------------------------------------


@pytest.mark.expects_errors("failed with a call of")
@pytest.mark.django_db(transaction=True)
def test_handlers_ask_and_change_the_database(shop):
    Product.objects.create(sku="tea", price="2.50")

    async def scenario(joined):
        client = await joined("nobody")
        assert (await client.call("com.shop.price", ["tea"], {"quantity": "2"})).value == "5.00"
        assert (await client.call("com.shop.async_price", ["tea"])).value == "2.50"
        assert (await client.call("com.shop.all")).value == [{"sku": "tea", "price": "2.50"}]
        assert await refused(client.call("com.shop.price", ["ink"])) == errors.RUNTIME_ERROR

    play(scenario)


@pytest.mark.django_db(transaction=True)
def test_permission_is_asked_of_the_user_who_calls(shop):
    Product.objects.create(sku="tea", price="2.50")
    User.objects.create_user("clerk")
    manager = User.objects.create_user("manager")
    manager.user_permissions.add(Permission.objects.get(codename="delete_product"))
    User.objects.create_superuser("gone", is_active=False)

    async def scenario(joined):
        for name in ("nobody", "clerk", "gone"):
            assert await refused((await joined(name)).call("com.shop.delete", ["tea"])) == errors.NOT_AUTHORIZED
        assert (await (await joined("manager")).call("com.shop.delete", ["tea"])).value == 1
        assert (await (await joined("nobody", TRUSTED)).call("com.shop.delete", ["tea"])).value == 0

    play(scenario)


@pytest.mark.django_db(transaction=True)
def test_user_is_given_where_there_is_one(shop):
    User.objects.create_user("joe")

    async def scenario(joined):
        assert (await (await joined("joe")).call("com.shop.me")).value == {"authid": "joe", "user": "joe"}
        assert (await (await joined("ann")).call("com.shop.me")).value == {"authid": "ann", "user": None}

    play(scenario)


@pytest.mark.django_db
def test_only_django_makes_an_authid_a_user(settings):
    joe = User.objects.create_user("joe")
    assert user_behind(None, "joe", "django") == joe
    assert user_behind(str(joe.pk), "any name", "token") == joe
    assert user_behind("no key", "joe", "token") is None
    for provider in ("static", "dynamic", "anonymous", "token"):
        assert user_behind(None, "joe", provider) is None
    settings.WAMP_TRANSPORT = {"USER_AUTHID": lambda user: f"user{user.pk}"}
    assert user_behind(None, "joe", "django") is None
    User.objects.update(is_active=False)
    assert user_behind(str(joe.pk), "joe", "django") is None


def test_command_does_not_carry_out_what_wants_a_permission(shop):
    options = {"argv": False, "shell": False, "output": "auto", "uri": "com.x", "match": "exact"}
    with pytest.raises(Failure, match="requires the permission"):
        register._function({**options, "call": "tests.shop.live.wamp.delete"}, None)
