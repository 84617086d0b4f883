"""The shop speaks WAMP."""

from decimal import Decimal

from django.contrib.auth.models import User

from tests.shop.models import Product
from wamp_transport.handlers import Caller, Event, register, subscribe


@register("com.shop.price")
def price(sku: str, quantity: int = 1) -> Decimal:
    return Product.objects.get(sku=sku).price * quantity


@register("com.shop.async_price")
async def async_price(sku: str) -> Decimal:
    return (await Product.objects.aget(sku=sku)).price


@register("com.shop.all")
def everything():
    for product in Product.objects.order_by("sku"):
        yield {"sku": product.sku, "price": product.price}


@register("com.shop.delete", permission="shop.delete_product")
def delete(sku: str) -> int:
    return Product.objects.filter(sku=sku).delete()[0]


@register("com.shop.me")
def me(caller: Caller, user: User | None):
    return {"authid": caller.authid, "user": None if user is None else user.get_username()}


@subscribe("com.shop.added.", match="prefix")
def added(event: Event, price: Decimal) -> None:
    Product.objects.create(sku=event.topic.rpartition(".")[2], price=price)
