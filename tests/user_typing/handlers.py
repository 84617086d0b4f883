"""Handlers as a typed project declares them; what is decorated keeps its type."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import assert_type

from django.contrib.auth.models import User

from wamp_transport.handlers import ApplicationError, Caller, Event, Invocation, Result, register, subscribe


@dataclass
class Line:
    sku: str
    quantity: int


@register("com.shop.price", permission="shop.view_product", invoke="roundrobin", concurrency=4)
def price(sku: str, quantity: int = 1) -> Decimal:
    return Decimal(quantity)


@register("com.shop.order", permission=["shop.add_order", "shop.view_order"], realm=["realm1", "realm2"])
async def order(lines: list[Line], caller: Caller, user: User | None) -> Result:
    assert_type(caller.authid, str | None)
    if user is None:
        raise ApplicationError("com.shop.error.nobody", caller.session, lines=len(lines))
    return Result([user.get_username()], {"lines": len(lines)})


@register("com.shop.", match="prefix")
def anything(invocation: Invocation) -> str:
    return invocation.procedure


@register("com.shop.catalogue")
def catalogue() -> Iterator[str]:
    yield "tea"


@register("com.shop.acatalogue")
async def acatalogue() -> AsyncIterator[str]:
    yield "tea"


@subscribe("com.shop.sold", concurrency=3, each_node=True)
async def sold(event: Event, sku: str) -> None:
    assert_type(event.topic, str)


@register("com.shop.cart")
class Cart:
    def total(self, prices: list[Decimal]) -> Decimal:
        return sum(prices, Decimal())


class Stock:
    @register("com.shop.stock")
    async def stock(self, sku: str) -> bool:
        return bool(sku)


async def use() -> None:
    assert_type(price("tea", quantity=2), Decimal)
    assert_type(await order([Line("tea", 1)], Caller(1, "eva", "guest"), None), Result)
    assert_type(Cart().total([]), Decimal)
    assert_type(await Stock().stock("tea"), bool)
    assert_type(list(catalogue()), list[str])
