"""What live sessions hang on: which changes of users, groups, roles and principals are written down."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.test import Client
from django.utils import timezone

from wamp_transport.models import Credential, IdentityChange, Principal, UserRole
from wamp_transport.stores.identity import changes

pytestmark = pytest.mark.django_db


@pytest.fixture
def joe():
    return User.objects.create_user("joe", password="first", is_staff=True)


@pytest.fixture
def told(django_capture_on_commit_callbacks):
    """What a step has written down."""

    def told(step):
        before = changes.latest()
        with django_capture_on_commit_callbacks(execute=True):
            step()
        return {(kind, key) for _, kind, key in changes.since(before)}

    return told


def test_changes_of_a_user_are_told(joe, told):
    user = ("user", str(joe.pk))
    group, permission = Group.objects.create(name="editors"), Permission.objects.first()
    for step in (
        joe.save,
        lambda: joe.groups.add(group),
        joe.groups.clear,
        lambda: group.user_set.add(joe),
        lambda: group.user_set.remove(joe),
        lambda: joe.user_permissions.add(permission),
    ):
        assert told(step) == {user}
    assert told(group.user_set.clear) == {("everybody", "")}
    assert told(joe.delete) == {user}


def test_login_and_a_new_user_change_nothing(joe, told):
    assert told(lambda: Client().force_login(joe)) == set()
    assert told(lambda: User.objects.create_user("ann")) == set()
    assert told(lambda: joe.groups.add(*[])) == set()


def test_logout_names_the_session_by_a_digest(joe, told, settings):
    client = Client()
    client.force_login(joe)
    key = client.session.session_key
    assert told(client.logout) == {("session", changes.session_digest(key))}
    assert key not in changes.session_digest(key)
    settings.SESSION_ENGINE = changes.KEYLESS_SESSIONS
    client = Client()
    client.force_login(joe)
    assert told(lambda: client.post("/admin/logout/")) == {("logout", str(joe.pk))}
    assert told(lambda: Client().post("/admin/logout/")) == set()


def test_changes_of_roles_concern_everybody(told):
    group = Group.objects.create(name="editors")
    everybody = {("everybody", "")}
    assert told(lambda: UserRole.objects.create(kind="group", group=group, role="editor")) == everybody
    assert told(lambda: group.permissions.add(Permission.objects.first())) == everybody
    assert told(UserRole.objects.get().delete) == everybody
    assert told(group.delete) == everybody


def test_changes_of_a_principal_are_told_and_its_use_is_not(told):
    row = Principal.objects.create(realm="realm1", authid="joe", role="user")
    Credential.objects.create(principal=row, method="ticket", fingerprint="x")
    assert told(row.save) == {("principal", "realm1\njoe")}
    assert told(lambda: Principal.objects.update(last_used_at=timezone.now())) == set()
    assert told(row.delete) == {("principal", "realm1\njoe")}


def test_what_is_rolled_back_is_not_told(joe, told):
    def step():
        with transaction.atomic():
            joe.save()
            transaction.set_rollback(True)

    assert told(step) == set()


def test_old_changes_are_dropped():
    IdentityChange.objects.create(kind="user", key="1", changed_at=timezone.now() - timedelta(hours=2))
    IdentityChange.objects.create(kind="user", key="2")
    assert changes.purge() == 1
    assert [key for _, _, key in changes.since(0)] == ["2"]
