"""Fields of many kinds, relations of all kinds, a child and a proxy."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


class Tag(models.Model):
    """What items are marked with."""

    name = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.name


class Item(models.Model):
    """One item."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        LIVE = "live", _("Live")

    name = models.CharField(max_length=20)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    stock = models.IntegerField(default=0)
    double = models.GeneratedField(
        expression=models.F("stock") * 2, output_field=models.IntegerField(), db_persist=True
    )
    status = models.CharField(max_length=5, choices=Status.choices, default=Status.DRAFT)
    code = models.UUIDField(default=uuid.uuid4)
    made = models.DateTimeField(null=True)
    lasts = models.DurationField(null=True)
    picture = models.FileField(null=True)
    seal = models.BinaryField(null=True)
    notes = models.JSONField(default=dict)
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="parts")
    tags = models.ManyToManyField(Tag, related_name="items")

    def __str__(self) -> str:
        return self.name

    @property
    def shout(self) -> str:
        return self.name.upper()


class Book(Item):
    """An item in two tables."""

    pages = models.IntegerField(default=0)


class CheapItem(Item):
    """An item by another name."""

    class Meta:
        proxy = True
