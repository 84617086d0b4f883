"""What a declaration refuses, and what it makes of a change when nothing can be published."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.catalogue.models import Item
from wamp_transport import model_events as public
from wamp_transport.model_events import signal_receivers
from wamp_transport.model_events.changes import Change


@pytest.fixture
def declare():
    """Declare events; forgotten at the end."""
    made = []

    def publish_model_events(*args, **kwargs):
        made.append(public.publish_model_events(*args, **kwargs))
        return made[-1]

    yield publish_model_events
    for one in made:
        signal_receivers.remove_publisher(one)


@pytest.mark.parametrize(("topic", "options", "text"), [
    ("com..item", {}, "cannot have the topic 'com..item'"),
    ("wamp.item", {}, "cannot have the topic"),
    ("com.item", {"events": ["made"]}, r"\['made'\]; there are created, updated, deleted"),
    ("com.item", {"events": []}, "there are created"),
    ("com.item", {"fields": ["prize"]}, "has no field 'prize'"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(declare, topic, options, text):
    with pytest.raises(ImproperlyConfigured, match=text):
        declare(Item, topic, **options)


def test_declarations_are_listed_with_their_place(declare):
    def topic(change): ...

    one, other = declare(Item, "com.item", fields=["name"]), declare(Item, topic)
    assert public.registered_publishers()[-2:] == [one, other]
    assert one.where.startswith(__file__)
    assert one.topic_name == "com.item"
    assert other.topic_name.endswith("topic()")


@pytest.mark.expects_errors("catalogue.Item 1 created: no event can be made of it")
def test_hook_that_fails_is_logged_and_harms_nobody(declare, caplog):
    def serialize(change):
        raise LookupError("no")

    declare(Item, "com.item", serialize=serialize).publish("created", Item(pk=1))
    assert "catalogue.Item 1 created: no event can be made of it" in caplog.text
    assert "LookupError: no" in caplog.text


@pytest.mark.expects_errors("catalogue.Item 1 created: no event can be made of it")
def test_value_that_cannot_be_sent_is_logged(declare, caplog):
    declare(Item, "com.item", serialize=lambda change: {"it": change}).publish("created", Item(pk=1))
    assert "serialize()['it']" in caplog.text


def test_process_without_a_router_is_told_once(declare, caplog):
    declared = declare(Item, "com.item")
    for number in range(3):
        declared.handle_change(Change("updated", Item(pk=number), "default"))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "catalogue.Item 0 updated was not published, and later events will not be either" in caplog.text
    assert "WAMP_TRANSPORT" in caplog.text


def test_event_that_nobody_wants_is_not_made(declare, caplog):
    def never(change):
        raise AssertionError

    declare(Item, "com.item", events=["deleted"], serialize=never).publish("created", Item(pk=1))
    declare(Item, "com.item", when=lambda change: False, serialize=never).publish("created", Item(pk=1))
    assert caplog.records == []
