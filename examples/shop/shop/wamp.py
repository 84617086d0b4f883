"""The WAMP events and procedures of the shop."""

import time
from collections.abc import Generator

from django.contrib.auth.models import User
from django.db import transaction

from shop.models import Order, Product
from wamp_transport import api
from wamp_transport.handlers import ApplicationError, register
from wamp_transport.model_events import Change, publish_model_events

# --- events: published after the commit when a procedure, the admin or a shell saves a row ---------------------------


def for_its_customer(change: Change[Order]) -> api.PublishOptions:
    """Only the customer of the order receives its events, whoever subscribes."""
    return api.PublishOptions(eligible_authid=[change.instance.customer_name])


ORDER = ["customer_name", "product_name", "quantity", "status"]

publish_model_events(Product, "com.example.shop.product", fields=["sku", "name", "price", "stock"])
publish_model_events(Order, "com.example.shop.my_order", fields=ORDER, options=for_its_customer)
# Only the role "keeper" may subscribe to this one; see the settings.
publish_model_events(Order, "com.example.shop.order", fields=ORDER)


# --- procedures -------------------------------------------------------------------------------------------------------


@register("com.example.shop.catalogue")
def catalogue() -> list[dict[str, object]]:
    """Return all products. Pages call this when they connect, because they missed the events before."""
    return list(Product.objects.values("pk", "sku", "name", "price", "stock"))


@register("com.example.shop.buy")
def buy(user: User, sku: str, quantity: int = 1) -> int:
    """Place an order and return its number. Only for users who are logged in."""
    if quantity < 1:
        raise ApplicationError("com.example.shop.error.quantity", "Order at least one piece.")
    with transaction.atomic():
        product = Product.objects.select_for_update().filter(sku=sku).first()
        if product is None:
            raise ApplicationError("com.example.shop.error.no_such_product", f"There is no product {sku}.")
        if product.stock < quantity:
            raise ApplicationError("com.example.shop.error.sold_out", f"{product.stock} left.", left=product.stock)
        product.stock -= quantity
        product.save(update_fields=["stock"])
        return Order.objects.create(customer=user, product=product, quantity=quantity).pk


@register("com.example.shop.orders")
def orders(user: User) -> list[dict[str, object]]:
    """Return the latest orders: those of the customer, or for a keeper all of them."""
    found = Order.objects.select_related("product", "customer")
    if not user.has_perm("shop.change_order"):
        found = found.filter(customer=user)
    return [{"pk": order.pk, **{name: getattr(order, name) for name in ORDER}} for order in found[:20]]


@register("com.example.shop.ship", permission="shop.change_order")
def ship(number: int) -> bool:
    """Mark an order as shipped. Return False if it was shipped before."""
    order = Order.objects.filter(pk=number, status="ordered").first()
    if order is None:
        return False
    order.status = "shipped"
    order.save(update_fields=["status"])
    return True


@register("com.example.shop.restock", permission="shop.change_product")
def restock(up_to: int = 12) -> Generator[dict[str, object], None, int]:
    """Fill the shelves, one product after the other, with a progressive result for each. Return how many there are."""
    products = list(Product.objects.all())
    for count, product in enumerate(products, 1):
        time.sleep(0.1)  # stands for the work
        with transaction.atomic():
            current = Product.objects.select_for_update().get(pk=product.pk)
            current.stock = max(current.stock, up_to)
            current.save(update_fields=["stock"])
        yield {"product": product.name, "done": count, "of": len(products)}
    return len(products)
