"""What the shop sells."""

from django.db import models


class Product(models.Model):
    """One product. It has a table and no migrations: only tests know it."""

    sku = models.CharField(max_length=20, unique=True)
    price = models.DecimalField(max_digits=8, decimal_places=2)

    def __str__(self) -> str:
        return self.sku
