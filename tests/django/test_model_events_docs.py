"""The examples of ``docs/model-events.md``, run as the ``wamp.py`` of an app."""

import re
import sys
from pathlib import Path

import pytest

import tests.shop.models
from tests.django.test_api import serving  # noqa: F401 - a fixture
from tests.django.test_handlers import registry  # noqa: F401 - a fixture
from tests.django.test_model_events import told  # noqa: F401 - a fixture
from tests.shop.models import Product
from wamp_transport.handlers.discovery import discover
from wamp_transport.model_events import signal_receivers

PAGE = Path(__file__).parents[2] / "docs" / "model-events.md"


@pytest.fixture
def examples(registry, monkeypatch, tmp_path):  # noqa: F811
    """All of them, as one module."""
    monkeypatch.setitem(sys.modules, "shop.models", tests.shop.models)
    declared = dict(signal_receivers._publishers)
    names = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)), names)
    assert discover().problems == []
    yield names
    for one in set(signal_receivers._publishers.values()) - set(declared.values()):
        signal_receivers.remove_publisher(one)


@pytest.mark.django_db(transaction=True)
def test_examples_do_what_the_page_says(told, examples):  # noqa: F811
    product = Product.objects.create(sku="tea", price="2.5")
    pk = product.pk
    assert told() == [
        ("com.shop.product.created", pk, {"sku": "tea", "price": "2.50"}),
        ("com.shop.label.created", pk, {"sku": "tea", "label": "tea for 2.5"}),
        ("com.shop.shelf.tea.created", pk, {"price": "2.50"}),
    ]
    examples["half_price"]()
    assert told() == [("com.shop.offer.updated", pk, {"sku": "tea", "price": "1.25"})]
    product.price = 3
    product.save(update_fields=["price"])
    assert told() == [
        ("com.shop.product.updated", pk, {"sku": "tea", "price": "3.00"}),
        ("com.shop.offer.updated", pk, {"sku": "tea", "price": "3.00"}),
        ("com.shop.label.updated", pk, {"sku": "tea", "label": "tea for 3"}),
        ("com.shop.shelf.tea.updated", pk, {"price": "3.00", "update_fields": ["price"]}),
    ]
    product.delete()
    assert [topic for topic, _, _ in told()] == ["com.shop.product.deleted", "com.shop.label.deleted"]
