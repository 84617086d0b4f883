"""What running nodes write down about themselves."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from wamp_transport.models import ConfigurationState, RunningNode
from wamp_transport.stores import nodes

pytestmark = pytest.mark.django_db


def test_report_of_the_stored_revision_is_current():
    ConfigurationState.objects.create(revision=7)
    nodes.report("main", 1, 7)
    (status,) = nodes.running()
    assert status.is_current is True
    assert not status.is_stale
    assert status.seconds == 0


def test_report_of_an_older_revision_is_not_current():
    ConfigurationState.objects.create(revision=7)
    nodes.report("main", 1, 6, "refused")
    (status,) = nodes.running()
    assert status.is_current is False
    assert status.node.problem == "refused"


def test_report_of_another_source_is_neither():
    nodes.report("main", 1, (1, 2, 3), source="config.json")
    (status,) = nodes.running()
    assert status.is_current is None
    assert status.node.source == "config.json"


def test_heartbeat_keeps_the_times_of_what_runs():
    nodes.report("main", 1, 7)
    before = RunningNode.objects.get()
    nodes.report("main", 1, 7)
    after = RunningNode.objects.get()
    assert (after.applied_at, after.started_at) == (before.applied_at, before.started_at)
    assert after.seen_at > before.seen_at


def test_new_revision_is_a_new_time_of_what_runs():
    nodes.report("main", 1, 7)
    before = RunningNode.objects.get()
    nodes.report("main", 2, 8)
    after = RunningNode.objects.get()
    assert after.applied_at > before.applied_at
    assert after.started_at == before.started_at


def test_new_process_of_the_same_name_is_a_new_start(monkeypatch):
    nodes.report("main", 1, 7)
    before = RunningNode.objects.get()
    monkeypatch.setattr("os.getpid", lambda: 1)
    nodes.report("main", 1, 7)
    after = RunningNode.objects.get()
    assert after.pid == 1
    assert after.started_at > before.started_at


def names_after(seconds):
    RunningNode.objects.update(seen_at=timezone.now() - timedelta(seconds=seconds))
    return [(status.node.name, status.is_stale) for status in nodes.running()]


def test_node_that_does_not_report_is_stale_and_leaves_the_list_after_a_minute():
    nodes.report("old", 1, 7)
    assert names_after(30) == [("old", False)]
    assert names_after(50) == [("old", True)]
    assert names_after(61) == []


def test_row_of_a_node_that_does_not_report_is_deleted_after_a_day():
    nodes.report("old", 1, 7)
    before = RunningNode.objects.get()
    names_after(3600)
    nodes.report("old", 1, 7)
    assert RunningNode.objects.get().started_at == before.started_at
    names_after(2 * 86_400)
    nodes.report("new", 1, 7)
    assert [each.name for each in RunningNode.objects.all()] == ["new"]


def test_transaction_begins_with_a_write():
    """In SQLite, a transaction that begins with a query cannot wait for another writer."""
    with CaptureQueriesContext(connection) as queries:
        nodes.report("main", 1, 7)
    statements = [each["sql"].split()[0] for each in queries]
    assert next(word for word in statements if word not in ("SAVEPOINT", "BEGIN")) == "UPDATE"


def test_forgotten_node_is_gone():
    nodes.report("main", 1, 7)
    nodes.forget("main")
    assert nodes.running() == []
