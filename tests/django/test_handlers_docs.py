"""The examples of ``docs/handlers.md``, run as the ``wamp.py`` of an app."""

import asyncio
import re
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User

import tests.shop.models
from tests.django.test_handlers import play, registry  # noqa: F401 - a fixture
from tests.shop.models import Product
from wamp_transport.handlers import discovery
from wamp_transport.handlers.declarations import Declaration
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import ApplicationError
from wamp_transport.wamp.messages import CallOptions, PublishOptions

PAGE = Path(__file__).parents[2] / "docs" / "handlers.md"


@pytest.fixture
def examples(registry, monkeypatch, tmp_path):  # noqa: F811
    """All of them, as one module."""
    monkeypatch.setitem(sys.modules, "shop.models", tests.shop.models)
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    file = tmp_path / "shop_wamp.py"
    file.write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    __import__("shop_wamp")
    yield registry
    del sys.modules["shop_wamp"]


def test_examples_are_free_of_faults(examples):
    found = discovery.discover()
    assert found.problems == []
    assert all(isinstance(one, Declaration) for one in examples.declarations)
    assert {one.uri for one in examples.declarations} >= {"com.shop.cart.total", "com.shop.cart.empty"}


@pytest.mark.django_db(transaction=True)
def test_examples_do_what_the_page_says(examples, capsys):
    Product.objects.create(sku="tea", price="2.50")
    User.objects.create_user("joe", first_name="Joe", last_name="Doe")

    async def scenario(joined):
        client, joe = await joined("nobody"), await joined("joe")

        async def value(procedure, *args, **kwargs):
            return (await client.call(procedure, args, kwargs)).value

        assert await value("com.shop.price", "tea", 3) == "7.50"
        assert await value("com.shop.price", sku="tea", quantity=3) == "7.50"
        assert await value("com.shop.stock", "tea") is True
        assert await value("com.shop.cart.total", ["1.10", 2]) == "3.10"
        assert await value("com.shop.cart.empty") is True
        lines = [{"sku": "tea", "quantity": 2}, {"sku": "ink", "quantity": 1}]
        assert await value("com.shop.order", lines, "2026-12-24") == {"pieces": 3, "deliver_on": "2026-12-24"}
        assert (await joe.call("com.shop.whoami")).value == "Joe Doe"
        assert await value("com.shop.whoami") == f"session {client.id}"
        assert await value("com.shop.catalogue") == ["tea"]
        parts = client.stream("com.shop.catalogue", options=CallOptions())
        assert [part.value async for part in parts] == ["tea", None]
        for procedure, uri in (
            ("com.shop.discontinue", errors.NOT_AUTHORIZED),
            ("com.shop.buy", "com.shop.error.sold_out"),
        ):
            with pytest.raises(ApplicationError) as caught:
                await value(procedure, "ink")
            assert caught.value.uri == uri
        acknowledged = PublishOptions(acknowledge=True)
        await client.publish("com.shop.sold", ["tea", 2], options=acknowledged)
        await client.publish("com.shop.order.paid", [7], options=acknowledged)
        printed = ""
        async with asyncio.timeout(5):
            while not {"2 of tea sold", "com.shop.order.paid 7"} <= set(printed.splitlines()):
                await asyncio.sleep(0.001)
                printed += capsys.readouterr().out

    play(scenario)
