"""Payload to parameters: which fits, what it becomes, and what the caller is told where it does not fit."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from pydantic import BaseModel, Field

from wamp_transport.handlers.parameters import Caller, Parameters, UnusableParameter
from wamp_transport.node.client_types import Event, Invocation
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import ApplicationError


@dataclass
class Line:
    sku: str
    quantity: int


class Order(BaseModel):
    number: int = Field(gt=0)
    lines: list[Line] = []


def call(function, *args, given=None, **kwargs):
    """The function called with a payload."""
    bound = Parameters(function, "procedure").bind(args, kwargs, given or {})
    return function(*bound.args, **bound.kwargs)


def refused(function, *args, **kwargs):
    """The error that a payload is answered with."""
    with pytest.raises(ApplicationError) as caught:
        call(function, *args, **kwargs)
    assert caught.value.uri == errors.INVALID_ARGUMENT
    return caught.value


def test_values_become_what_the_annotations_say():
    def convert(when: datetime, price: Decimal, key: UUID, line: Line, order: Order, flag: bool = False, *more: int):
        return when, price, key, line, order, flag, more

    key = "12345678-1234-5678-1234-567812345678"
    order = {"number": 1, "lines": [{"sku": "ink", "quantity": 2}]}
    outcome = call(convert, "2026-11-22T10:00:00Z", "2.50", key, {"sku": "tea", "quantity": 1}, order, True, 4, 5)
    assert outcome[0].year == 2026
    assert outcome[1:4] == (Decimal("2.50"), UUID(key), Line("tea", 1))
    assert outcome[4] == Order(number=1, lines=[Line("ink", 2)])
    assert outcome[5:] == (True, (4, 5))


def test_parameters_without_annotations_take_what_comes():
    def take(a, b=2, *, c=3, **more):
        return a, b, c, more

    assert call(take, 1) == (1, 2, 3, {})
    assert call(take, [1], c=4, d={"x": 5}) == ([1], 2, 4, {"d": {"x": 5}})
    assert call(take, a=1, b=5) == (1, 5, 3, {})


def test_names_in_annotations_as_text_are_found():
    def add(a: "int", b: "Decimal"):
        return a + b

    assert call(add, 1, "2") == 3


@pytest.mark.parametrize(("args", "kwargs", "said", "names"), [
    ((), {}, "missing a required argument: 'sku'", ["sku"]),
    (("tea", 1, 2), {}, "too many positional arguments", []),
    (("tea",), {"colour": "red"}, "unexpected keyword argument 'colour'", ["colour"]),
    (("tea",), {"sku": "ink"}, "multiple values for argument 'sku'", ["sku"]),
    (("tea", "many"), {}, "parameter 'quantity': Input should be a valid integer", ["quantity"]),
])  # fmt: skip
def test_payload_that_does_not_fit_is_told_by_parameter(args, kwargs, said, names):
    def price(sku: str, quantity: int = 1): ...

    error = refused(price, *args, **kwargs)
    assert said in str(error)
    assert list(error.kwargs["parameters"]) == names


def test_all_faults_are_told_with_their_place_and_without_values():
    def place(order: Order, quantity: Annotated[int, Field(le=9)]): ...

    error = refused(place, {"number": 0, "lines": [{"sku": "secret"}]}, 10)
    assert set(error.kwargs["parameters"]) == {"order", "quantity"}
    assert "number: Input should be greater than 0" in error.kwargs["parameters"]["order"]
    assert "lines.0.quantity: Field required" in error.kwargs["parameters"]["order"]
    assert "secret" not in str(error)


def test_parameters_that_get_no_payload_may_stand_anywhere():
    def who(caller: Caller, sku: str, details: Invocation, /, user: User | None = None, *, quantity: int = 1):
        return caller, sku, details, user, quantity

    parameters = Parameters(who, "procedure")
    assert parameters.sources == {"caller": "caller", "details": "message", "user": "user_or_none"}
    assert parameters.wants_user
    given = {"caller": "C", "details": "D", "user": None}
    assert call(who, "tea", quantity=2, given=given) == ("C", "tea", "D", None, 2)
    assert "unexpected keyword argument 'user'" in str(refused(who, "tea", user="root"))


def test_user_that_must_be_is_told_from_one_that_may():
    def must(user: User): ...

    assert Parameters(must, "procedure").sources == {"user": "user"}


def test_caller_is_what_the_router_tells():
    details = {"caller": 5, "caller_authid": "joe", "caller_authrole": "admin"}
    assert Caller.of(Invocation(1, "com.a", [], {}, details, None)) == Caller(5, "joe", "admin")
    assert Caller.of(Event("com.a", [], {}, {"publisher": 6})) == Caller(6, None, None)


class Opaque: ...


def opaque(thing: Opaque): ...
def many(*callers: Caller): ...
def unknown(a: "Nowhere"): ...  # noqa: F821
def heard(event: Event): ...


@pytest.mark.parametrize(("function", "said"), [
    (opaque, "parameter 'thing': no payload can be converted to Opaque"),
    (many, "parameter 'callers': this annotation cannot be used with"),
    (unknown, "'Nowhere' is not defined"),
    (heard, "parameter 'event': a procedure cannot get an Event"),
])  # fmt: skip
def test_parameters_that_nothing_can_fill_are_told(function, said):
    with pytest.raises(UnusableParameter, match=said):
        Parameters(function, "procedure")
