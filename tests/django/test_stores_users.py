"""Django's users as WAMP identities: by session and by token, with the role of the first line that fits."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.test import Client

from wamp_transport.models import Principal, UserRole
from wamp_transport.stores.identity import users
from wamp_transport.stores.identity.credentials import keep
from wamp_transport.stores.identity.principals import StoredCredential
from wamp_transport.tokens import make_token, read_token

pytestmark = pytest.mark.django_db

ENGINES = ["db", "cache", "cached_db", "signed_cookies"]


@pytest.fixture
def joe():
    return get_user_model().objects.create_user("joe", password="first")


@pytest.fixture
def everybody():
    UserRole.objects.create(kind="everybody", role="user", order=100)


def login(user, password="first"):
    """The key of the session of a browser in which the user has logged in."""
    client = Client()
    assert client.login(username=user.get_username(), password=password)
    return client.cookies["sessionid"].value


@pytest.mark.parametrize("engine", ENGINES)
def test_session_stands_for_the_user_who_logged_in(joe, everybody, settings, engine):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    found = users.of_session(login(joe), "realm1")
    assert (found.realm, found.authid, found.role, found.user) == ("realm1", "joe", "user", str(joe.pk))


def test_session_of_an_inactive_user_names_the_user(joe):
    key = login(joe)
    assert users.inactive_user_of_session(key) is None
    joe.is_active = False
    joe.save()
    assert users.of_session(key, "realm1") is None
    assert users.inactive_user_of_session(key) == "joe"
    assert users.inactive_user_of_session("no such session") is None


def test_session_ends_with_password_account_activity_and_itself(joe, everybody):
    def change_password():
        joe.set_password("second")
        joe.save()

    def deactivate():
        joe.is_active = False
        joe.save()

    for change in (change_password, deactivate, joe.delete):
        joe = get_user_model().objects.filter(username="joe").first()
        joe.is_active = True
        joe.set_password("first")
        joe.save()
        key = login(joe)
        before = users.of_session(key, "realm1")
        assert users.again(before) == before
        change()
        assert users.of_session(key, "realm1") is None
        assert users.again(before) is None


def test_what_is_no_session_stands_for_nobody(everybody):
    client = Client()
    client.session.save()
    for key in ("", "x", "a" * 32, client.session.session_key, "\x00", "é" * 40):
        assert users.of_session(key, "realm1") is None


def test_looking_leaves_the_session_alone(joe, everybody, settings):
    key = login(joe)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "new"
    before = Session.objects.get().session_data
    users.of_session(key, "realm1")
    joe.set_password("second")
    joe.save()
    assert users.of_session(key, "realm1") is None
    assert Session.objects.get(pk=key).session_data == before


def test_first_line_that_fits_gives_the_role(joe):
    editors, readers = Group.objects.create(name="editors"), Group.objects.create(name="readers")
    UserRole.objects.create(order=1, kind="superuser", role="admin")
    UserRole.objects.create(order=2, kind="staff", role="")
    UserRole.objects.create(order=3, kind="group", group=editors, role="editor")
    UserRole.objects.create(order=4, kind="group", group=readers, role="reader", realm="realm2")
    UserRole.objects.create(order=5, kind="permission", permission="auth.view_group", role="viewer")

    def role(realm="realm1"):
        return users.role_of(get_user_model().objects.get(pk=joe.pk), realm)

    assert role() is None
    joe.user_permissions.add(Permission.objects.get(codename="view_group"))
    assert role() == "viewer"
    joe.groups.add(readers)
    assert [role(), role("realm2")] == ["viewer", "reader"]
    joe.groups.add(editors)
    assert role() == "editor"
    joe.is_staff = True
    joe.save()
    assert role() == ""
    joe.is_superuser = True
    joe.save()
    assert role() == "admin"


def test_hooks_say_authid_and_role(joe, everybody, settings):
    settings.WAMP_TRANSPORT = {
        "USER_AUTHID": lambda user: f"user-{user.pk}",
        "USER_ROLE": lambda user, realm: "special" if realm == "realm1" else None,
    }
    key = login(joe)
    assert (users.of_session(key, "realm1").authid, users.of_session(key, "realm1").role) == (
        f"user-{joe.pk}",
        "special",
    )
    assert users.of_session(key, "realm2").role == "user"


def test_token_stands_for_its_user_or_authid_in_its_realm(joe, everybody):
    one = users.of_token(make_token(joe), "realm1", {})
    assert (one.authid, one.role, one.user) == ("joe", "user", str(joe.pk))
    assert users.of_token(make_token(joe, "realm1", "special"), None, {}).role == "special"
    two = users.of_token(make_token("worker", "realm1", "backend", extra={"a": 1}), "realm1", {})
    assert (two.authid, two.role, two.extra, two.user) == ("worker", "backend", {"a": 1}, None)
    assert users.of_token(make_token("worker", "realm2", "backend"), "realm1", {}) is None
    assert users.of_token("nonsense", "realm1", {}) is None
    assert users.again(two) == two


def test_users_token_and_its_sessions_end_with_the_password(joe, everybody):
    token = make_token(joe, "realm1", "special")
    before = users.of_token(token, "realm1", {})
    assert users.again(before) == before
    joe.set_password("second")
    joe.save()
    assert users.of_token(token, "realm1", {}) is None
    assert users.again(before) is None


def test_token_for_once_counts_once(joe, everybody):
    token = make_token(joe, once=True)
    assert users.of_token(token, "realm1", {}) is not None
    assert users.of_token(token, "realm1", {}) is None


def test_foreign_tokens_go_to_the_projects_verifier(joe, everybody, settings):
    asked = []

    def verify(token, details):
        asked.append(details["realm"])
        return {
            "u": {"user": joe, "role": "special"},
            "t": {"user": joe},
            "a": {"authid": "device", "role": "sensor", "extra": {"a": 1}},
        }.get(token)

    settings.WAMP_TRANSPORT = {"TOKEN_VERIFIER": verify}
    found = [users.of_token(token, "realm1", {}) for token in ("u", "t", "a")]
    assert [(one.authid, one.role) for one in found] == [("joe", "special"), ("joe", "user"), ("device", "sensor")]
    assert users.of_token("other", "realm1", {}) is None
    assert users.of_token(make_token("worker", "realm1", "backend"), "realm1", {}).authid == "worker"
    assert asked == ["realm1"] * 4
    joe.is_active = False
    joe.save()
    assert users.of_token("u", "realm1", {}) is None
    assert [users.again(one) is None for one in found] == [True, True, False]


def test_stored_principal_is_looked_up_again():
    row = Principal.objects.create(realm="realm1", authid="joe", role="user")
    before = users.Identity("realm1", "joe", "user", is_stored=True)
    assert users.again(before) == before
    Principal.objects.update(role="admin")
    assert users.again(before).role == "admin"
    row.delete()
    assert users.again(before) is None


def test_what_an_identity_hangs_on_is_not_shown(joe, everybody):
    client = Client()
    client.force_login(joe)
    identity = users.of_session(client.session.session_key, "realm1")
    assert client.session.session_key not in repr(identity)
    claims = read_token(make_token(joe))
    assert claims.user_hash not in repr(claims)
    kept = keep("wampcra", "password1").data
    assert kept["key"] not in repr(StoredCredential(1, "wampcra", kept, "f"))
