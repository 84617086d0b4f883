"""Tests of the shop, without a network: ``python manage.py test``."""

from io import StringIO

from django.contrib.auth.models import User
from django.core.management import call_command

from wamp_transport import api
from wamp_transport.testing import WampClient, WampTestCase

from .models import Order, Product


class ShopTests(WampTestCase):
    """Ann and Joe are customers, and Kim is the shopkeeper."""

    @classmethod
    def setUpTestData(cls) -> None:
        call_command("prepareshop", stdout=StringIO())

    def setUp(self) -> None:
        self.ann = WampClient(User.objects.get(username="ann"), role="customer")
        self.joe = WampClient(User.objects.get(username="joe"), role="customer")
        self.kim = WampClient(User.objects.get(username="kim"))
        self.visitor = WampClient(role="visitor")

    def test_order_is_published_to_its_customer_and_the_keeper(self) -> None:
        for client, topic in ((self.ann, "my_order."), (self.joe, "my_order."), (self.kim, "order.")):
            client.subscribe(f"com.example.shop.{topic}", match="prefix")
        with self.runOnCommit():
            number = self.ann.call("com.example.shop.buy", "lamp", 2)
        for client in (self.ann, self.kim):
            event = client.receive()
            self.assertEqual(event.args, [number])
            self.assertEqual((event.kwargs["product_name"], event.kwargs["quantity"]), ("Desk lamp", 2))
        self.assertEqual(self.joe.events, [])

    def test_visitor_sees_the_stock_change(self) -> None:
        self.visitor.subscribe("com.example.shop.product.updated")
        with self.runOnCommit():
            self.ann.call("com.example.shop.buy", "lamp")
        self.assertEqual(self.visitor.receive().kwargs["stock"], 2)

    def test_nobody_buys_more_than_there_is(self) -> None:
        with self.assertRaises(api.ApplicationError) as caught:
            self.ann.call("com.example.shop.buy", "lamp", 4)
        self.assertEqual(caught.exception.uri, "com.example.shop.error.sold_out")
        self.assertEqual(caught.exception.kwargs, {"left": 3})
        self.assertFalse(Order.objects.exists())

    def test_customers_see_their_own_orders(self) -> None:
        self.ann.call("com.example.shop.buy", "lamp")
        self.assertEqual(len(self.ann.call("com.example.shop.orders")), 1)
        self.assertEqual(self.joe.call("com.example.shop.orders"), [])
        self.assertEqual(len(self.kim.call("com.example.shop.orders")), 1)

    def test_permissions_are_required(self) -> None:
        for client, procedure in ((self.visitor, "buy"), (self.joe, "ship"), (self.joe, "restock")):
            with self.assertRaises(api.NotAuthorized):
                client.call(f"com.example.shop.{procedure}", 1)
        with self.assertRaises(api.NotAuthorized):
            self.joe.subscribe("com.example.shop.order.", match="prefix")

    def test_shelves_are_filled_one_after_the_other(self) -> None:
        *parts, total = list(self.kim.stream("com.example.shop.restock", 5))
        self.assertEqual([part["done"] for part in parts], [1, 2, 3, 4, 5, 6])
        self.assertEqual(total, 6)
        self.assertEqual(Product.objects.get(sku="lamp").stock, 5)

    def test_order_is_shipped_once(self) -> None:
        number = self.ann.call("com.example.shop.buy", "ink")
        self.assertIs(self.kim.call("com.example.shop.ship", number), True)
        self.assertIs(self.kim.call("com.example.shop.ship", number), False)

    def test_page_shows_the_products(self) -> None:
        self.assertContains(self.client.get("/"), "Desk lamp")
