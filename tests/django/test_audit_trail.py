"""The audit trail: alike events are counted, batches are written, nothing grows without end."""

import asyncio
import logging
import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connections
from django.utils import timezone

from wamp_transport.bootstrap.identity import audit as module
from wamp_transport.bootstrap.identity.audit import AuditTrail
from wamp_transport.models import AuditEntry
from wamp_transport.stores.identity import audit

pytestmark = pytest.mark.django_db(transaction=True)


def flush(trail):
    async def whole():
        await trail.flush()
        await asyncio.to_thread(connections.close_all)

    asyncio.run(whole())


def test_alike_events_are_one_line_with_a_count():
    trail = AuditTrail("node:1")
    for detail in ("first", "second", "third"):
        trail.record("denial", authid="joe", address="192.0.2.1", reason="x", detail=detail, realm=None)
    trail.record("login", authid="joe")
    flush(trail)
    denial, login = AuditEntry.objects.order_by("id")
    assert (denial.count, denial.detail, denial.node, denial.realm) == (3, "first", "node:1", "")
    assert (login.kind, login.count) == ("login", 1)
    flush(trail)
    assert AuditEntry.objects.count() == 2


def test_sessions_that_different_sessions_ended_are_different_lines():
    trail = AuditTrail("node")
    for killer in ("by ann", "by ann", "by ben"):
        trail.record("kill", authid="joe", detail=killer)
    flush(trail)
    assert [(one.detail, one.count) for one in AuditEntry.objects.order_by("id")] == [("by ann", 2), ("by ben", 1)]


def test_what_peers_make_too_long_or_odd_is_written():
    trail = AuditTrail("node")
    trail.record("failure", authid="x\0" * 1000, detail="\ud800" * 2000)
    flush(trail)
    row = AuditEntry.objects.get()
    assert (row.authid, row.detail) == ("x" * 255, "?" * 500)


@pytest.mark.expects_errors("1 entries of the audit trail are lost: 2 are queued already, and they are not")
def test_backlog_ends_and_what_is_missing_is_told(monkeypatch, caplog):
    monkeypatch.setattr(module, "MAX_QUEUED_ENTRIES", 2)
    trail = AuditTrail("node")
    for number in range(5):
        trail.record("failure", authid=str(number))
    flush(trail)
    assert AuditEntry.objects.count() == 2
    assert "1 entries of the audit trail are lost" in caplog.text


@pytest.mark.expects_errors("Writing 1 entries of the audit trail failed, and is retried:")
def test_database_that_fails_loses_nothing(monkeypatch, caplog):
    trail = AuditTrail("node")
    trail.record("login", authid="joe")
    with monkeypatch.context() as patch:

        def fail(entries):
            raise DatabaseError("away")

        patch.setattr(audit, "keep", fail)
        with caplog.at_level(logging.ERROR):
            flush(trail)
            flush(trail)
    assert caplog.text.count("entries of the audit trail failed, and is retried") == 1
    flush(trail)
    assert AuditEntry.objects.get().authid == "joe"


def test_old_lines_and_too_many_are_dropped(monkeypatch):
    AuditEntry.objects.create(kind="login", created_at=timezone.now() - timedelta(days=3))
    for number in range(4):
        AuditEntry.objects.create(kind="login", authid=str(number))
    assert audit.purge(2) == 1
    monkeypatch.setattr(audit, "MAX_ENTRIES", 3)
    assert audit.purge(2) == 1
    assert AuditEntry.objects.order_by("id").first().authid == "1"
    assert audit.purge(2) == 0


def test_entries_beyond_the_limit_are_deleted_together_with_old_ones(monkeypatch):
    monkeypatch.setattr(audit, "MAX_ENTRIES", 3)
    monkeypatch.setattr(audit, "MAX_DELETED_ROWS", 3)
    for number in range(8):
        entry = AuditEntry.objects.create(kind="login", authid=str(number))
        if number == 6:
            AuditEntry.objects.filter(id=entry.id).update(created_at=timezone.now() - timedelta(days=3))
    # The old entry is deleted as such, which leaves four that are beyond the limit.
    assert [audit.purge(2) for _ in range(3)] == [3, 2, 0]
    assert [entry.authid for entry in AuditEntry.objects.order_by("id")] == ["4", "5", "7"]


def test_entries_beyond_the_limit_are_deleted_as_they_come(monkeypatch):
    monkeypatch.setattr(module, "WRITE_INTERVAL_SECONDS", 0)
    monkeypatch.setattr(module, "ENTRIES_PER_PURGE", 10)
    monkeypatch.setattr(audit, "MAX_ENTRIES", 5)
    monkeypatch.setattr(audit, "MAX_DELETED_ROWS", 2)
    trail = AuditTrail("node")
    purge, is_purged = audit.purge, threading.Semaphore(0)

    def report_end(days):
        deleted = purge(days)
        if deleted < 2:
            is_purged.release()
        return deleted

    monkeypatch.setattr(audit, "purge", report_end)

    async def whole():
        task = asyncio.ensure_future(trail.run())
        assert await asyncio.to_thread(is_purged.acquire, timeout=20)  # old entries are deleted at the start
        for number in range(30):
            trail.record("failure", authid=str(number))
        assert await asyncio.to_thread(is_purged.acquire, timeout=20)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.to_thread(connections.close_all)

    asyncio.run(whole())
    assert sorted(AuditEntry.objects.values_list("authid", flat=True)) == ["25", "26", "27", "28", "29"]


def test_long_values_are_shortened_before_they_wait(monkeypatch):
    """Else a few of them would fill the queue, and entries about others would be lost."""
    monkeypatch.setattr(module, "MAX_QUEUED_BYTES", 10_000)
    trail = AuditTrail("node")
    for number in range(3):
        trail.record("failure", authid="x" * 1_000_000, detail="y" * 1_000_000 + str(number))
        trail.record("failure", authid="x" * 300 + str(number))
    trail.record("login", authid="joe")
    flush(trail)
    assert sorted(AuditEntry.objects.values_list("authid", "count")) == [("joe", 1), ("x" * 255, 6)]


def test_nothing_is_written_where_nothing_is_kept(settings):
    settings.WAMP_TRANSPORT = {"AUDIT_DAYS": 0}
    trail = AuditTrail("node")
    trail.record("login", authid="joe")
    flush(trail)
    assert not AuditEntry.objects.exists()
