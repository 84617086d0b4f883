"""Fixtures for the tests of Django's side: a visitor of the admin who fetches pages and sends forms."""

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from wamp_transport.auth import sealing
from wamp_transport.stores.connections import close_kept


class Pages:
    """A signed-in visitor of the admin."""

    def __init__(self, client):
        self.client = client

    def get(self, name, *args, **query):
        """A page of the app by its admin name, such as ``realm_change``; it must load."""
        response = self.client.get(reverse(f"admin:wamp_transport_{name}", args=args), query)
        assert response.status_code == 200, response
        return response

    def send(self, page, **changes):
        """The page's form sent as it came, with some fields changed."""
        return self.client.post(page.request["PATH_INFO"] + "?" + page.request["QUERY_STRING"], filled(page) | changes)

    def save(self, page, **changes):
        """As ``send``, and it must be accepted."""
        response = self.send(page, **changes)
        assert response.status_code == 302, errors_of(response)
        return response

    def refused(self, page, **changes):
        """As ``send``, and it must not be accepted; the errors by field."""
        response = self.send(page, **changes)
        assert response.status_code == 200
        return errors_of(response)


def filled(page):
    """What a browser would send for the forms of a page."""
    sets = page.context["inline_admin_formsets"]
    forms = [page.context["adminform"].form]
    for one in sets:
        forms += [one.formset.management_form, *one.formset.forms]
    data = {}
    for form in forms:
        for bound in form:
            value = bound.value()
            if value is True:
                data[bound.html_name] = "on"
            elif value is not None and value is not False:
                data[bound.html_name] = value
    return data


def errors_of(page):
    """The errors of a page by field; those of the lines below a row by line and field."""
    errors = {name: list(found) for name, found in page.context["adminform"].form.errors.items()}
    for one in page.context["inline_admin_formsets"]:
        for form in one.formset.forms:
            errors |= {f"{form.prefix}-{name}": list(found) for name, found in form.errors.items()}
        if one.formset.non_form_errors():
            errors[one.formset.prefix] = list(one.formset.non_form_errors())
    return errors


@pytest.fixture(autouse=True)
def close_kept_connections():
    """Close the database connections that threads of a node keep open beyond the event loop of their test."""
    yield
    close_kept()


@pytest.fixture
def pages(admin_client):
    """A visitor who may do everything."""
    return Pages(admin_client)


@pytest.fixture
def pages_with(client, db):
    """A visitor with some permissions of the app only."""

    def make(*codenames):
        user = User.objects.create_user("visitor", password="x", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(user)
        return Pages(client)

    return make


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch):
    """Keys that are derived from secrets of a configuration are not slow in these tests."""
    monkeypatch.setattr(sealing, "ITERATIONS", 10)
