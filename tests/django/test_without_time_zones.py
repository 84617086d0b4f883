"""Projects with ``USE_TZ = False``: all that is stored, compared and shown with a time works as with time zones."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from wamp_transport.models import AuditEntry, Credential, IdentityChange, Principal, StoredEvent, TrackedCookie
from wamp_transport.router.effects import Record
from wamp_transport.router.options import HistoryOptions
from wamp_transport.router.records import Publication
from wamp_transport.stores import history, nodes
from wamp_transport.stores.cookies.database import DatabaseCookies
from wamp_transport.stores.cookies.records import CookieLogin, new_record
from wamp_transport.stores.datetimes import from_column, to_column
from wamp_transport.stores.identity import audit, changes, principals
from wamp_transport.wamp.messages import Publish, PublishOptions

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOGIN = CookieLogin("tcp:8080/ws", "realm1", "joe", "user", "ticket", "static", None)


@pytest.fixture(autouse=True, params=["America/New_York", "Asia/Tokyo"])
def without_zones(settings, request):
    settings.TIME_ZONE = request.param
    settings.USE_TZ = False


def test_columns_contain_local_times_without_a_zone():
    assert to_column(NOW).tzinfo is None
    assert from_column(to_column(NOW)) == NOW


def test_cookies_are_stored_found_and_expire():
    store = DatabaseCookies(10)
    one = new_record("cbtid", 24, NOW, 60)[0]
    store.add(one)
    assert store.find(one.digest, NOW) == store.get(one.id, NOW) == one
    assert store.remember(one.id, LOGIN)
    assert store.get(one.id, NOW).login == LOGIN
    assert store.get(one.id, NOW + timedelta(seconds=61)) is None
    assert store.purge(NOW + timedelta(seconds=59)) == 0
    assert store.purge(NOW + timedelta(seconds=61)) == 1


def test_expired_cookies_are_deleted_by_the_command():
    store = DatabaseCookies(10)
    for seconds in (-60, 60):
        store.add(new_record("cbtid", 24, datetime.now(UTC), seconds)[0])
    call_command("wamp", "clearcookies")
    assert TrackedCookie.objects.count() == 1


def test_events_of_a_history_come_back_with_their_time():
    options = HistoryOptions("com.x", is_durable=True)
    message = Publish(1, PublishOptions(), "com.x")
    publication = Publication(1, message, "json", 7, "a", "b", is_disclosed=False, trustlevel=None, time=NOW)
    history.keep([Record("realm1", "exact", "com.x", publication, 1)])
    (stored,) = history.past("realm1", options)
    assert stored.time == NOW
    assert str(StoredEvent.objects.get()).startswith("com.x 2026-03-01")


def test_reports_of_nodes_have_the_right_age():
    nodes.report("main", 1, 0)
    (status,) = nodes.running()
    assert (status.seconds, status.is_stale) == (0, False)


def test_principals_and_credentials_expire():
    for name, seconds in (("late", -60), ("joe", 60)):
        row = Principal.objects.create(
            realm="realm1", authid=name, role="user", expires_at=timezone.now() + timedelta(seconds=seconds)
        )
        Credential.objects.create(principal=row, method="ticket", fingerprint=name)
    assert principals.find("realm1", "late", ["ticket"]) is None
    found = principals.find("realm1", "joe", ["ticket"])
    principals.used("realm1", "joe", ["ticket"])
    principals.credential_used(found.credentials[0].id)
    assert Principal.objects.get(authid="joe").last_used_at is not None


def test_audit_trail_and_changes_are_written_and_deleted_by_age():
    audit.keep([{"kind": "login", "created_at": timezone.now()}])
    assert audit.purge(1) == 0
    AuditEntry.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert audit.purge(1) == 1
    IdentityChange.objects.create(kind="user", key="1", changed_at=timezone.now() - timedelta(days=1))
    assert changes.purge() == 1


@pytest.mark.long
def test_pages_of_the_admin_show_the_times(pages):
    test_cookies_are_stored_found_and_expire()
    test_expired_cookies_are_deleted_by_the_command()
    test_events_of_a_history_come_back_with_their_time()
    test_reports_of_nodes_have_the_right_age()
    test_principals_and_credentials_expire()
    audit.keep([{"kind": "login", "created_at": timezone.now()}])
    for name in ("runningnode", "trackedcookie", "principal", "auditentry"):
        pages.get(f"{name}_changelist")
    for row in (TrackedCookie.objects.get(), Principal.objects.get(authid="joe"), AuditEntry.objects.get()):
        pages.get(f"{row._meta.model_name}_change", row.pk)
