"""Rows that are created, updated and deleted, as subscribers hear of it."""

import json
import queue
import socket
import threading
from contextlib import suppress

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import transaction
from django.db.models import F
from django.urls import reverse

from tests.catalogue.models import Book, CheapItem, Item, Tag
from tests.django.test_api import serving  # noqa: F401 - a fixture
from wamp_transport import api, model_events
from wamp_transport.handlers.discovery import import_modules
from wamp_transport.model_events import signal_receivers
from wamp_transport.stores.connections import close_at_thread_end
from wamp_transport.testing.commits import waiting_for_commit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

END = "com.test.end"


@pytest.fixture
def declare():
    """Declare events; forgotten at the end."""
    made = []

    def declare(*args, **kwargs):
        made.append(model_events.publish_model_events(*args, **kwargs))
        return made[-1]

    yield declare
    for one in made:
        signal_receivers.remove_publisher(one)


@pytest.fixture
def told(serving):  # noqa: F811
    """The events up to now, as ``(topic, pk, kwargs)``: all that were published before come before the last."""
    events = queue.Queue()
    api.subscribe("com.", lambda event: events.put((event.topic, *event.args, event.kwargs)), match="prefix")

    def told():
        api.publish(END, 0, on_commit=False)
        return list(iter(lambda: events.get(timeout=10), (END, 0, {})))

    return told


def test_created_updated_deleted(told, declare):
    declare(Item, "com.item", fields=["name", "price"])
    item = Item.objects.create(name="tea", price="2.5")
    item.name = "ink"
    item.save()
    pk = item.pk
    item.delete()
    assert told() == [
        ("com.item.created", pk, {"name": "tea", "price": "2.50"}),
        ("com.item.updated", pk, {"name": "ink", "price": "2.50"}),
        ("com.item.deleted", pk, {"name": "ink", "price": "2.50"}),
    ]


def test_after_the_commit_each_save_has_its_event_in_order(told, declare):
    declare(Item, "com.item", fields=["stock"])
    with transaction.atomic():
        item = Item.objects.create()
        for stock in (1, 2):
            item.stock = stock
            item.save()
        pk = item.pk
        item.delete()
        assert told() == []
    assert [(topic.rpartition(".")[2], kwargs["stock"]) for topic, _, kwargs in told()] == [
        ("created", 0),
        ("updated", 1),
        ("updated", 2),
        ("deleted", 2),
    ]
    assert not Item.objects.filter(pk=pk).exists()


def test_after_a_rollback_there_is_nothing_to_tell(told, declare):
    declare(Item, "com.item")
    kept = Item.objects.create()
    told()

    def change_and_fail():
        with transaction.atomic():
            Item.objects.create()
            Item.objects.get(pk=kept.pk).delete()
            raise LookupError

    with pytest.raises(LookupError):
        change_and_fail()
    with transaction.atomic():
        outer = Item.objects.create()
        with pytest.raises(LookupError):
            change_and_fail()
    assert told() == [("com.item.created", outer.pk, {})]


def test_what_only_the_database_knows_is_asked_of_it(told, declare):
    declare(Item, "com.item", fields=["name", "stock", "double"], events=["updated"])
    item = Item.objects.create(name="tea", stock=3)
    item.stock = F("stock") - 1
    item.save()
    assert told() == [("com.item.updated", item.pk, {"name": "tea", "stock": 2, "double": 4})]


def test_fields_that_were_not_saved_are_told_as_they_are_stored(told, declare):
    declare(Item, "com.item", fields=["id", "name", "price", "shout", "tags"], events=["updated"])
    item = Item.objects.create(name="tea", price=2)
    item.name, item.price = "ink", 3
    item.save(update_fields=["price"])
    item.tags.add(tag := Tag.objects.create(name="hot"))
    known = {"id": item.pk, "name": "tea", "price": "3.00", "shout": "TEA"}
    assert told() == [
        ("com.item.updated", item.pk, known | {"tags": []}),
        ("com.item.updated", item.pk, known | {"tags": [tag.pk]}),
    ]
    assert item.name == "ink"


def test_fields_that_were_saved_need_no_query(told, declare, django_assert_num_queries):
    declare(Item, "com.item", fields=["id", "name", "parent"], events=["updated"])
    item = Item.objects.create(name="tea")
    item.name = "ink"
    with transaction.atomic(), django_assert_num_queries(1):
        item.save(update_fields=["name", "parent_id"])
    assert told() == [("com.item.updated", item.pk, {"id": item.pk, "name": "ink", "parent": None})]


def test_deleted_row_that_was_loaded_in_part_is_told_whole(told, declare):
    declare(Item, "com.item", fields=["name", "tags"], events=["deleted"])
    item = Item.objects.create(name="tea")
    tag = Tag.objects.create(name="hot")
    item.tags.add(tag)
    Item.objects.only("pk").get().delete()
    assert told() == [("com.item.deleted", item.pk, {"name": "tea", "tags": [tag.pk]})]


def test_cascades_and_querysets_delete_row_by_row(told, declare):
    declare(Item, "com.item", events=["deleted"])
    parent = Item.objects.create()
    child = Item.objects.create(parent=parent)
    other = Item.objects.create()
    pks = {parent.pk, child.pk, other.pk}
    Item.objects.filter(parent=None).delete()
    assert {pk for _, pk, _ in told()} == pks


def test_get_or_create_tells_of_what_it_creates(told, declare):
    declare(Item, "com.item", update_fields=True)
    item, _ = Item.objects.get_or_create(name="tea")
    Item.objects.get_or_create(name="tea")
    Item.objects.update_or_create(name="tea", defaults={"stock": 3})
    created, (topic, _, kwargs) = told()
    assert created == ("com.item.created", item.pk, {})
    assert topic == "com.item.updated"
    assert "stock" in kwargs["update_fields"]
    assert "name" not in kwargs["update_fields"]


def test_bulk_operations_are_told_by_hand(told, declare):
    items = declare(Item, "com.item", fields=["stock"])
    made = Item.objects.bulk_create([Item(name="tea"), Item(name="ink")])
    with transaction.atomic():
        Item.objects.update(stock=5)
        for item in Item.objects.order_by("pk"):
            items.publish("updated", item, update_fields=["stock"])
        assert told() == []
    assert told() == [("com.item.updated", one.pk, {"stock": 5}) for one in made]


def test_many_to_many_fields_from_both_ends(told, declare):
    hot = Tag.objects.create(name="hot")
    tea, ink = Item.objects.create(name="tea"), Item.objects.create(name="ink")
    declare(Item, "com.item", fields=["tags"], update_fields=True)
    tea.tags.add(hot)
    tea.tags.add(hot)
    hot.items.add(ink)
    tea.tags.clear()
    hot.items.remove(ink)
    hot.items.set([tea, ink])
    hot.items.clear()
    heard = [(pk, kwargs["tags"]) for topic, pk, kwargs in told()]
    assert heard[:4] == [(tea.pk, [hot.pk]), (ink.pk, [hot.pk]), (tea.pk, []), (ink.pk, [])]
    assert heard[4:] == [(tea.pk, [hot.pk]), (ink.pk, [hot.pk]), (tea.pk, []), (ink.pk, [])]


def test_children_and_proxies(told, declare):
    declare(Item, "com.item", fields=["name"])
    declare(Book, "com.book", fields=["name", "pages"])
    book = Book.objects.create(name="Emma", pages=500)
    cheap = CheapItem.objects.create(name="pin")
    pks = book.pk, cheap.pk
    Item.objects.get(pk=book.pk).delete()
    CheapItem.objects.all().delete()
    heard = told()
    assert {(topic, pk) for topic, pk, _ in heard} == {
        ("com.item.created", pks[0]),
        ("com.book.created", pks[0]),
        ("com.item.created", pks[1]),
        ("com.item.deleted", pks[0]),
        ("com.book.deleted", pks[0]),
        ("com.item.deleted", pks[1]),
    }
    assert len(heard) == 6
    assert ("com.book.deleted", pks[0], {"name": "Emma", "pages": 500}) in heard


def test_fixtures_are_not_told(told, declare, tmp_path):
    declare(Item, "com.item", fields=["tags"])
    tag = Tag.objects.create(name="hot")
    row = {"model": "catalogue.item", "pk": 5, "fields": {"name": "tea", "tags": [tag.pk]}}
    (tmp_path / "items.json").write_text(json.dumps([row]))
    call_command("loaddata", str(tmp_path / "items.json"), verbosity=0)
    assert list(Item.objects.get().tags.all()) == [tag]
    assert told() == []


def test_topic_condition_options_and_more_values_by_row(told, declare, serving):  # noqa: F811
    def audience(change):
        return api.PublishOptions(eligible_authrole=["guest" if change.instance.stock else "trusted"])

    declare(
        Item,
        lambda change: f"com.{change.instance.status}.item",
        serialize=lambda change: {"upper": change.instance.shout, "picture": change.instance.picture},
        when=lambda change: change.instance.name != "secret",
        options=audience,
    )
    tea = Item.objects.create(name="tea", status="live")
    Item.objects.create(name="secret")
    Item.objects.create(name="ink", stock=1)
    assert told() == [("com.live.item.created", tea.pk, {"upper": "TEA", "picture": ""})]


def test_router_that_refuses_does_not_harm_the_save(told, declare, caplog):
    declare(Item, lambda change: f"com.{change.instance.name}.item", fields=["name"], events=["created"])
    Item.objects.create(name="no URI")
    Item.objects.create(name="tea")
    assert [topic for topic, _, _ in told()] == ["com.tea.item.created"]
    assert Item.objects.count() == 2


@pytest.mark.expects_errors("was not published on com.item.created: no WAMP")
def test_router_that_is_gone_does_not_harm_the_save(declare, settings, caplog):
    settings.WAMP_TRANSPORT = {"API": {"URL": "ws://127.0.0.1:1/ws", "REALM": "realm1", "TIMEOUT": 5}}
    declare(Item, "com.item")
    done = []
    try:
        with transaction.atomic():
            item = Item.objects.create()
            transaction.on_commit(lambda: done.append(True))
    finally:
        api.backends.disconnect()
    assert done
    assert f"catalogue.Item {item.pk} created was not published on com.item.created: no WAMP router" in caplog.text


@pytest.fixture
def silent():
    """A router that takes connections and says nothing: its URL."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield f"ws://127.0.0.1:{door.getsockname()[1]}/ws"
        api.backends.disconnect()


@pytest.mark.expects_errors("was not published on")
def test_commit_has_one_patience_with_a_router_that_is_silent(declare, settings, caplog, silent):
    settings.WAMP_TRANSPORT = {"API": {"URL": silent, "REALM": "realm1", "TIMEOUT": 0.2}}
    declare(Item, "com.item", events=["created"])
    with transaction.atomic():
        item = Item.objects.create()
        for _ in range(2):
            Item.objects.create()
        with suppress(LookupError), transaction.atomic():
            Item.objects.create()
            raise LookupError
    assert [record.getMessage() for record in caplog.records] == [
        f"catalogue.Item {item.pk} created was not published on com.item.created, nor were 2 more of the same commit:"
        " the router has not answered within 0.2 seconds"
    ]
    caplog.clear()
    with transaction.atomic():
        other = Item.objects.create()
    assert f"catalogue.Item {other.pk} created was not published on com.item.created: the router" in caplog.text


def test_test_tools_know_what_waits_for_the_commit(told, declare):
    declare(Item, "com.item", fields=["name"])
    with transaction.atomic():
        item = Item.objects.create(name="tea")
        (waiting,), others = waiting_for_commit()
        assert others == 0
        assert (waiting.topic, waiting.args, waiting.kwargs) == ("com.item.created", [item.pk], {"name": "tea"})
    assert waiting_for_commit() == ([], 0)


def test_pages_of_the_admin_and_commands(told, declare, admin_client):
    declare(Group, "com.group", fields=["name"])
    declare(User, "com.user", fields=["username"], events=["created"])
    admin_client.post(reverse("admin:auth_group_add"), {"name": "staff"})
    group = Group.objects.get()
    action = {"action": "delete_selected", "_selected_action": [group.pk], "post": "yes"}
    admin_client.post(reverse("admin:auth_group_changelist"), action)
    call_command("createsuperuser", "--noinput", username="eva", email="eva@example.com", verbosity=0)
    assert told() == [
        ("com.group.created", group.pk, {"name": "staff"}),
        ("com.group.deleted", group.pk, {"name": "staff"}),
        ("com.user.created", User.objects.get(username="eva").pk, {"username": "eva"}),
    ]


def test_saves_of_several_threads(told, declare):
    declare(Item, "com.item", fields=["name"])

    turn = threading.Lock()  # a table of SQLite in memory has one writer, and the others are not let wait

    def work(name):
        try:
            with turn:
                Item.objects.create(name=name)
        finally:
            close_at_thread_end()

    threads = [threading.Thread(target=work, args=[str(number)]) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(10)
    assert sorted(kwargs["name"] for _, _, kwargs in told()) == ["0", "1", "2", "3"]


def test_modules_of_apps_are_found_when_django_begins(settings, tmp_path, monkeypatch):
    (tmp_path / "eventful").mkdir()
    (tmp_path / "eventful" / "__init__.py").write_text("")
    (tmp_path / "eventful" / "wamp.py").write_text(
        "from tests.catalogue.models import Tag\n"
        "from wamp_transport.model_events import publish_model_events\n"
        "events = publish_model_events(Tag, 'com.tag')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "eventful"]
    assert import_modules() == []
    import eventful.wamp

    assert eventful.wamp.events.model is Tag
    signal_receivers.remove_publisher(eventful.wamp.events)


@pytest.mark.expects_errors("created: no event can be made of it")
def test_hook_that_fails_takes_nothing_of_the_transaction_with_it(told, declare, caplog):
    def serialize(change):
        Tag.objects.create(name="of the hook")
        raise LookupError("no")

    declare(Item, "com.item", fields=["name"], serialize=serialize)
    with transaction.atomic():
        Item.objects.create(name="tea")
        assert not Tag.objects.exists()
    assert Item.objects.get().name == "tea"
    assert told() == []
    assert "no event can be made of it" in caplog.text


def test_plain_fields_ask_the_database_nothing(declare, django_assert_num_queries):
    declare(Item, "com.item", fields=["name"])
    with transaction.atomic(), django_assert_num_queries(1):
        Item.objects.create(name="tea")
