"""What is sold, and to whom. The models know nothing of WAMP."""

from django.conf import settings
from django.db import models


class Product(models.Model):
    """Something on the shelf."""

    sku = models.SlugField(unique=True)
    name = models.CharField(max_length=60)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    stock = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    """So many pieces of a product for a customer."""

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
        """As pages show it."""
        return self.product.name

    @property
    def customer_name(self) -> str:
        """The user's name to WAMP, too: the authid."""
        return self.customer.get_username()
