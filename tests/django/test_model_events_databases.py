"""Events of rows in several databases."""

import pytest
from django.db import connections, transaction

from tests.catalogue.models import Item, Tag
from tests.django.test_api import serving  # noqa: F401 - a fixture
from tests.django.test_model_events import declare, told  # noqa: F401 - fixtures


@pytest.fixture
def other(tmp_path, django_db_blocker):
    """Another database, which Django's own tests know nothing of."""
    connections.databases["other"] = {
        **connections.databases["default"],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "other.sqlite3"),
    }
    with django_db_blocker.unblock():
        with connections["other"].schema_editor() as editor:
            editor.create_model(Tag)
            editor.create_model(Item)
        yield "other"
        connections["other"].close()
    del connections["other"], connections.databases["other"]


def test_commit_of_the_right_database_counts(other, told, declare):  # noqa: F811
    declare(Item, "com.item", fields=["name"])
    with transaction.atomic(using=other):
        item = Item.objects.using(other).create(name="tea")
        assert told() == []
    assert told() == [("com.item.created", item.pk, {"name": "tea"})]
