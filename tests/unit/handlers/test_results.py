"""What functions return, as payload."""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy
from pydantic import BaseModel

from wamp_transport.handlers.results import to_plain_value, to_result
from wamp_transport.node.client_types import Result
from wamp_transport.wamp.errors import PayloadError


class Colour(Enum):
    RED = "red"


class Price(BaseModel):
    value: Decimal


@dataclass
class Line:
    sku: str
    price: Price


@pytest.mark.parametrize(("value", "said"), [
    (None, None),
    (b"x", b"x"),
    ((1, 2.5, True), [1, 2.5, True]),
    ([Line("tea", Price(value=Decimal("2.50")))], [{"sku": "tea", "price": {"value": "2.50"}}]),
    ({"when": datetime(2026, 1, 2, tzinfo=UTC)}, {"when": "2026-01-02T00:00:00Z"}),
    (Colour.RED, "red"),
    (mark_safe("a"), "a"),
    (gettext_lazy("yes"), "yes"),
    ({1: map(str, [1]), None: deque([Path("a")])}, {"1": ["1"], "null": ["a"]}),
])  # fmt: skip
def test_values_become_payload(value, said):
    assert to_plain_value(value) == said
    assert type(to_plain_value(value)) is type(said)


def test_result_is_taken_as_it_is():
    assert to_result(Result([1, (2,)], {"a": Colour.RED})) == Result([1, [2]], {"a": "red"})
    assert to_result(5) == Result([5])


@pytest.mark.parametrize(("value", "said"), [
    ({"a": [object()]}, r"result\['a'\]\[0\]: a value of type object cannot be sent"),
    (Group(name="x"), "result is a Group, a Django model"),
    ({(1, 2): 3}, "result has a key of type tuple"),
    ({"a": [1, float("nan")]}, r"result\['a'\]\[1\] is nan"),
    (Line("tea", object()), r"result\.price: a value of type object"),
])  # fmt: skip
def test_values_that_cannot_be_said_are_told_with_their_place(value, said):
    with pytest.raises(PayloadError, match=said):
        to_plain_value(value)


def test_value_that_holds_itself_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(PayloadError, match="nested more than 100 levels deep"):
        to_plain_value(endless)
