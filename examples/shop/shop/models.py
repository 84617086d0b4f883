"""Products and orders. The models know nothing about WAMP."""

from django.conf import settings
from django.db import models


class Product(models.Model):
    """A product for sale."""

    sku = models.SlugField(unique=True)
    name = models.CharField(max_length=60)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    stock = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    """An order of a product by a customer."""

    STATUSES = [("ordered", "ordered"), ("shipped", "shipped")]

    customer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=STATUSES, default="ordered")
    placed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product} for {self.customer}"

    @property
    def product_name(self) -> str:
        """The product's name, for pages."""
        return self.product.name

    @property
    def customer_name(self) -> str:
        """The username, which is the customer's authid too."""
        return self.customer.get_username()
