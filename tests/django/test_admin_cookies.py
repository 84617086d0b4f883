"""Cookies in the admin and from the command line: looked at and deleted, never made or changed."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from wamp_transport.models import TrackedCookie
from wamp_transport.stores.cookies.database import DatabaseCookies
from wamp_transport.stores.cookies.records import CookieLogin, new_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def cookies():
    """One that has expired, one with a login, and their values."""
    store, now = DatabaseCookies(10), timezone.now()
    old, first = new_record("cbtid", 24, now - timedelta(hours=1), 60)
    new, second = new_record("cbtid", 24, now, 60)
    store.add(old)
    store.add(new)
    store.remember(new.id, CookieLogin("tcp:8080/ws", "realm1", "joe", "user", "ticket", "static"))
    return old, new, first, second


@pytest.mark.long
def test_pages_show_cookies_without_their_values(admin_client, cookies):
    old, new, *values = cookies
    page = admin_client.get(reverse("admin:wamp_transport_trackedcookie_changelist")).content.decode()
    assert old.id in page
    assert "joe" in page
    single = admin_client.get(reverse("admin:wamp_transport_trackedcookie_change", args=[new.id])).content.decode()
    assert "realm1" in single
    for secret in (*values, old.digest, new.digest):
        assert secret not in page + single
    assert admin_client.get(reverse("admin:wamp_transport_trackedcookie_add")).status_code == 403


@pytest.mark.long
def test_expired_cookies_are_deleted_by_the_action(admin_client, cookies):
    old, new, *_ = cookies
    data = {"action": "purge", "_selected_action": [old.id, new.id]}
    page = admin_client.post(reverse("admin:wamp_transport_trackedcookie_changelist"), data, follow=True)
    assert "1 expired cookie was deleted." in page.content.decode()
    assert TrackedCookie.objects.get().id == new.id


def test_command_deletes_expired_cookies_and_on_request_all(cookies):
    out = StringIO()
    call_command("wamp", "clearcookies", stdout=out)
    assert out.getvalue() == "1 cookie deleted.\n"
    assert TrackedCookie.objects.get().id == cookies[1].id
    call_command("wamp", "clearcookies", "--all", stdout=out)
    assert not TrackedCookie.objects.exists()
