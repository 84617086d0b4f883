"""Which changes a declaration is told of, by Django's signals alone."""

import pytest
from django.db import models
from django.db.models.signals import m2m_changed, post_save, pre_delete
from django.test.utils import isolate_apps

from tests.catalogue.models import Book, CheapItem, Item, Tag
from wamp_transport.model_events import signal_receivers


class Recorder:
    """A declaration that keeps what it is told."""

    topic = "com.shop.item"
    events = frozenset(["created", "updated", "deleted"])
    realm = None

    def __init__(self, model, fields=()):
        self.model = model
        self.fields = fields
        self.changes = []

    def handle_change(self, change):
        self.changes.append((change.event, type(change.instance), change.using, change.update_fields))


@pytest.fixture
def record():
    """Watch a model."""
    made = []

    def make(*args):
        made.append(Recorder(*args))
        signal_receivers.add_publisher(made[-1])
        return made[-1]

    yield make
    for one in made:
        signal_receivers.remove_publisher(one)


def save(instance, *, created=True, raw=False, update_fields=None):
    sent = {"created": created, "raw": raw, "using": "other", "update_fields": update_fields}
    post_save.send(type(instance), instance=instance, **sent)


def test_save_is_told_with_database_and_fields(record):
    declared = record(Item)
    save(Item(pk=1))
    save(Item(pk=1), created=False, update_fields=frozenset(["name"]))
    assert declared.changes == [("created", Item, "other", None), ("updated", Item, "other", {"name"})]


def test_fixture_is_not_told(record):
    declared = record(Item, ("tags",))
    item = Item(pk=1)
    save(item, raw=True)
    change_tags(item)
    assert declared.changes == []


def test_children_and_proxies_are_the_models_own_but_not_the_other_way_round(record):
    of_items, of_books, of_cheap = record(Item), record(Book), record(CheapItem)
    for one in (Item(pk=1), Book(pk=2), CheapItem(pk=3)):
        save(one)
    assert [change[1] for change in of_items.changes] == [Item, Book, CheapItem]
    assert [change[1] for change in of_books.changes] == [Book]
    assert [change[1] for change in of_cheap.changes] == [CheapItem]


def test_row_in_two_tables_is_deleted_once(record):
    of_items, of_books = record(Item), record(Book)
    for model in (Book, Item):
        pre_delete.send(model, instance=model(pk=1), using="default")
    pre_delete.send(CheapItem, instance=CheapItem(pk=2), using="default")
    assert [change[:2] for change in of_items.changes] == [("deleted", Item), ("deleted", CheapItem)]
    assert [change[:2] for change in of_books.changes] == [("deleted", Book)]


def change_tags(instance, action="post_add", pk_set=frozenset([1])):
    through = Item.tags.through
    m2m_changed.send(
        through, instance=instance, action=action, reverse=False, model=Tag, pk_set=pk_set, using="default"
    )


def test_relations_are_told_where_they_are_among_the_fields(record):
    with_tags, without = record(Item, ("tags",)), record(Book)
    change_tags(Item(pk=1), "pre_add")
    change_tags(Item(pk=1), "post_add", set())
    change_tags(Book(pk=1), "post_add")
    change_tags(Item(pk=1), "post_clear", None)
    assert with_tags.changes == [("updated", Book, "default", {"tags"}), ("updated", Item, "default", {"tags"})]
    assert without.changes == []


def test_same_declaration_replaces_the_one_before(record):
    first, second = record(Item), record(Item)
    save(Item(pk=1))
    assert (first.changes, len(second.changes)) == ([], 1)
    signal_receivers.remove_publisher(first)
    save(Item(pk=1))
    assert len(second.changes) == 2


@isolate_apps("tests.catalogue")
def test_model_that_is_defined_later_is_watched(record):
    class Base(models.Model):
        class Meta:
            app_label = "catalogue"
            abstract = True

    declared = record(Base)

    class Late(Base):  # noqa: DJ008 - nobody reads it
        class Meta:
            app_label = "catalogue"

    save(Late(pk=1))
    pre_delete.send(Late, instance=Late(pk=1), using="default")
    assert [change[:2] for change in declared.changes] == [("created", Late), ("deleted", Late)]
