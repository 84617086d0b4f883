"""Event history that survives the process."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.core.management import CommandError, call_command

from wamp_transport.models import StoredEvent
from wamp_transport.router.effects import Record
from wamp_transport.router.options import HistoryOptions
from wamp_transport.router.records import Publication
from wamp_transport.serializers.registry import SERIALIZERS, values_of
from wamp_transport.stores import history
from wamp_transport.wamp.messages import Publish, PublishOptions
from wamp_transport.wamp.payload import ABSENT

pytestmark = pytest.mark.django_db

TIME = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
TOPIC = HistoryOptions("com.x", is_durable=True)
PREFIX = HistoryOptions("com.", "prefix", is_durable=True)
ARGS, KWARGS = [1, "two", b"\x00three", None, 4.5, [True], {"a": []}], {"key": {"deep": [1]}}


def publication(number, message=None, payload_format="json", **fields):
    message = message or Publish(1, PublishOptions(), "com.x")
    given = {"is_disclosed": False, "trustlevel": None, "time": TIME + timedelta(seconds=number % 60), **fields}
    return Publication(number, message, payload_format, 7, "anna", "user", **given)


def keep(*publications, options=TOPIC, realm="realm1"):
    history.keep([Record(realm, options.match, options.uri, each, 1) for each in publications])


def ids(options=TOPIC, realm="realm1"):
    return [each.id for each in history.past(realm, options)]


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_payload_of_every_serializer_comes_back_as_it_was(serializer):
    sent = Publish(1, PublishOptions(), "com.x", ARGS, KWARGS)
    message = SERIALIZERS[serializer].decode(SERIALIZERS[serializer].encode(sent, "python"))
    keep(publication(1, message, serializer))
    (stored,) = history.past("realm1", TOPIC)
    assert stored.payload_format == serializer
    assert values_of(serializer, stored.message.args) == ARGS
    assert values_of(serializer, stored.message.kwargs) == KWARGS
    assert stored.message == message


def test_python_values_come_back_as_payload_with_the_same_values():
    keep(publication(1, Publish(1, PublishOptions(), "com.x", ARGS, KWARGS), "python"))
    (stored,) = history.past("realm1", TOPIC)
    assert values_of(stored.payload_format, stored.message.args) == ARGS
    assert values_of(stored.payload_format, stored.message.kwargs) == KWARGS


@pytest.mark.parametrize("value", [2**70, object()])
def test_python_values_that_cannot_be_stored_keep_no_other_event_out(value, caplog):
    unsayable = publication(1, Publish(1, PublishOptions(), "com.x", [value]), "python")
    keep(unsayable, publication(2))
    assert ids() == [2]
    assert "publication 1" in caplog.text


def test_payload_that_is_not_there_is_still_not_there():
    keep(publication(1))
    (stored,) = history.past("realm1", TOPIC)
    assert stored.message.args is ABSENT
    assert stored.message.kwargs is ABSENT


def test_all_that_an_event_tells_of_its_publication_comes_back():
    options = PublishOptions(disclose_me=True, eligible_authrole=["user"], ppt_scheme="x_a", transaction_hash="h")
    message = Publish(1, options, "com.y", msgspec.Raw(b"[1]"))
    given = publication(2**53, message, is_disclosed=True, trustlevel=3)
    keep(given, options=PREFIX)
    (stored,) = history.past("realm1", PREFIX)
    assert stored == given


def test_histories_are_told_apart():
    keep(publication(1))
    keep(publication(2), options=PREFIX)
    keep(publication(3), realm="realm2")
    keep(publication(4), options=HistoryOptions("com.", "wildcard"))
    assert (ids(), ids(PREFIX), ids(realm="realm2")) == ([1], [2], [3])
    assert ids(HistoryOptions("com.", "wildcard")) == [4]
    assert ids(HistoryOptions("com.y")) == []


def test_latest_events_come_back_oldest_first():
    keep(*map(publication, (5, 3, 9)))
    keep(publication(1))
    assert ids() == [5, 3, 9, 1]
    assert ids(HistoryOptions("com.x", limit=2)) == [9, 1]


def test_no_more_bytes_are_read_than_the_realm_keeps():
    keep(*(publication(number, Publish(1, PublishOptions(), "com.x", msgspec.Raw(b"x" * 1000))) for number in range(5)))
    assert [each.id for each in history.past("realm1", TOPIC, 3500)] == [2, 3, 4]
    assert len(history.past("realm1", TOPIC, 0)) == 5


@pytest.mark.parametrize(
    ("count", "deleted", "kept"), [(0, 4, []), (2, 2, [3, 4]), (4, 0, [1, 2, 3, 4]), (9, 0, [1, 2, 3, 4])]
)
def test_trim_leaves_what_the_history_keeps(count, deleted, kept):
    keep(*map(publication, (1, 2, 3, 4)))
    keep(publication(5), options=PREFIX)
    assert history.trim("realm1", "exact", "com.x", count) == deleted
    assert ids() == kept
    assert ids(PREFIX) == [5]


def test_trim_deletes_a_slice_at_a_time(monkeypatch):
    monkeypatch.setattr(history, "MAX_TRIMMED_ROWS", 3)
    keep(*map(publication, range(1, 9)))
    assert [history.trim("realm1", "exact", "com.x", 1) for _ in range(4)] == [3, 3, 1, 0]
    assert ids() == [8]


def test_past_event_is_named_by_what_it_belongs_to():
    keep(publication(1))
    assert str(StoredEvent.objects.get()) == "com.x 2026-01-02 03:04:06"


def test_stored_histories_are_listed():
    assert history.find_all() == []
    keep(publication(1), publication(2))
    keep(publication(3), options=PREFIX)
    assert history.find_all() == [("realm1", "exact", "com.x"), ("realm1", "prefix", "com.")]


def test_command_deletes_a_history(monkeypatch, capsys):
    monkeypatch.setattr(history, "MAX_TRIMMED_ROWS", 2)
    keep(*map(publication, range(1, 6)))
    keep(publication(6), options=PREFIX)
    with pytest.raises(
        CommandError, match=r"Stored histories:\n  realm1 com.x --match exact\n  realm1 com. --match prefix"
    ):
        call_command("wamp", "clearhistory", "realm1", "com.y")
    call_command("wamp", "clearhistory", "realm1", "com.", "--match", "prefix")
    call_command("wamp", "clearhistory", "realm1", "com.x")
    assert capsys.readouterr().out == "1 event deleted.\n5 events deleted.\n"
    assert history.find_all() == []
