"""Values of fields as payload."""

import datetime
import ipaddress
import uuid

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models import F
from django.test.utils import isolate_apps
from django.utils.translation import gettext_lazy as _

from tests.catalogue.models import Item
from wamp_transport.model_events.changes import Change
from wamp_transport.model_events.values import checked_names, values_of
from wamp_transport.wamp.errors import PayloadError

UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")
NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)


def value_of(name, /, **fields):
    return values_of(Change("created", Item(**fields), "default"), [name])[name]


@pytest.mark.parametrize(("name", "given", "expected"), [
    ("name", "tea", "tea"),
    ("name", _("Yes"), "Yes"),
    ("price", "2.5", "2.50"),
    ("price", 3, "3.00"),
    ("status", Item.Status.LIVE, "live"),
    ("code", UUID, str(UUID)),
    ("made", NOON, "2026-01-02T12:00:00Z"),
    ("made", None, None),
    ("lasts", datetime.timedelta(hours=1), "PT3600S"),
    ("picture", "a/b.png", "a/b.png"),
    ("picture", None, ""),
    ("seal", b"\x00", b"\x00"),
    ("seal", memoryview(b"\x00"), b"\x00"),
    ("notes", {"a": [1, NOON]}, {"a": [1, "2026-01-02T12:00:00Z"]}),
    ("parent_id", 5, 5),
])  # fmt: skip
def test_value_is_one_that_clients_know(name, given, expected):
    assert value_of(name, **{name: given}) == expected


def test_relation_is_the_key_of_what_it_leads_to():
    assert value_of("parent", parent=Item(pk=5)) == 5


def test_property_is_a_value_too():
    assert value_of("shout", name="tea") == "TEA"


def test_expression_of_a_row_that_goes_is_unknown():
    change = Change("deleted", Item(stock=F("stock") + 1, name="x"), "default")
    assert values_of(change, ["stock", "name"]) == {"stock": None, "name": "x"}


@isolate_apps("tests.catalogue")
def test_field_of_a_type_of_its_own_says_its_value_as_text():
    class AddressField(models.Field):
        def to_python(self, value):
            return ipaddress.ip_address(value)

        def get_prep_value(self, value):
            return str(value)

    class Host(models.Model):  # noqa: DJ008 - nobody reads it
        address = AddressField()

        class Meta:
            app_label = "catalogue"

    assert values_of(Change("created", Host(address="::1"), "default"), ["address"]) == {"address": "::1"}


def test_attribute_that_cannot_be_sent_is_named(monkeypatch):
    monkeypatch.setattr(Item, "engine", object(), raising=False)
    with pytest.raises(PayloadError, match=r"^engine: a value of type object cannot be sent$"):
        value_of("engine")


def test_names_are_kept():
    assert checked_names(Item, ["name", "parent_id", "tags", "shout", "pk"]) == (
        "name",
        "parent_id",
        "tags",
        "shout",
        "pk",
    )


@pytest.mark.parametrize(("names", "text"), [
    ("name", "a list of names"),
    (["prize"], "catalogue.Item has no field 'prize'"),
    (["parts"], "'parts' of catalogue.Item is a relation defined on another model"),
])  # fmt: skip
def test_names_of_nothing_are_refused(names, text):
    with pytest.raises(ImproperlyConfigured, match=text):
        checked_names(Item, names)
