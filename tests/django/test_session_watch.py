"""Live sessions follow their users: changes are read from the database, sessions end, everything else stays."""

import asyncio
import threading
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import Group, User
from django.db import DatabaseError
from django.test import Client

from wamp_transport.bootstrap.identity.identity_queries import IdentityQueries
from wamp_transport.bootstrap.identity.session_watch import (
    LOGIN_CHANGED,
    LOGIN_NOT_ALLOWED,
    USER_LOGGED_OUT,
    SessionWatch,
    is_concerned,
)
from wamp_transport.models import Principal, UserRole
from wamp_transport.stores.identity import changes, users
from wamp_transport.stores.identity.users import Identity
from wamp_transport.wamp.errors import CLOSE_LOGOUT

pytestmark = pytest.mark.django_db(transaction=True)


class Stage:
    """A node's sessions, and who of them was ended."""

    def __init__(self, queries=None):
        self.present = set()
        self.ended = {}
        self.watch = SessionWatch(lambda one: one in self.present, self._leave, queries=queries)

    def _leave(self, session_id, reason, message):
        assert reason == CLOSE_LOGOUT
        self.present.discard(session_id)
        self.ended[session_id] = message

    def join(self, session_id, identity):
        self.present.add(session_id)
        self.watch.watch(session_id, identity, self.watch.mark)

    def poll(self):
        """One turn; who was ended in it."""
        return self._run(self.watch.poll())

    def review(self):
        return self._run(self.watch.review())

    def _run(self, turn):
        before = set(self.ended)

        asyncio.run(turn)
        return {one: text for one, text in self.ended.items() if one not in before}


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def joe():
    UserRole.objects.create(kind="staff", role="admin", order=1)
    UserRole.objects.create(kind="everybody", role="user", order=2)
    return User.objects.create_user("joe", password="first")


def browser(user):
    """A browser in which the user has logged in, and the identity of its WAMP session."""
    client = Client()
    client.force_login(user)
    return client, users.of_session(client.session.session_key, "realm1")


def test_logout_ends_the_sessions_of_that_browser_alone(stage, joe):
    one, first = browser(joe)
    _, second = browser(joe)
    for session_id, identity in ((1, first), (2, first), (3, second)):
        stage.join(session_id, identity)
    assert stage.poll() == {}
    one.logout()
    assert stage.poll() == {1: USER_LOGGED_OUT, 2: USER_LOGGED_OUT}
    assert stage.poll() == {}
    assert len(stage.watch) == 1


def test_deactivated_user_and_another_role_end_sessions(stage, joe):
    ann = User.objects.create_user("ann", password="x")
    stage.join(1, browser(joe)[1])
    stage.join(2, browser(ann)[1])
    assert stage.poll() == {}
    joe.is_staff = True
    joe.save()
    ann.last_name = "changed"
    ann.save()
    assert stage.poll() == {1: LOGIN_CHANGED}
    ann.is_active = False
    ann.save()
    assert stage.poll() == {2: LOGIN_NOT_ALLOWED}


def test_lost_group_and_changed_table_end_sessions(stage, joe):
    editors = Group.objects.create(name="editors")
    UserRole.objects.create(kind="group", group=editors, role="editor", order=0)
    joe.groups.add(editors)
    stage.join(1, browser(joe)[1])
    assert stage.poll() == {}
    joe.groups.clear()
    assert stage.poll() == {1: LOGIN_CHANGED}
    stage.join(2, browser(joe)[1])
    assert stage.poll() == {}
    UserRole.objects.filter(kind="everybody").get().delete()
    assert stage.poll() == {2: LOGIN_NOT_ALLOWED}


def test_change_between_look_up_and_joining_is_not_missed(stage, joe):
    ann = User.objects.create_user("ann", password="x")
    stage.join(1, browser(ann)[1])
    assert stage.poll() == {}
    mark, identity = stage.watch.mark, browser(joe)[1]
    joe.is_active = False
    joe.save()
    assert stage.poll() == {}
    stage.present.add(2)
    stage.watch.watch(2, identity, mark)
    assert stage.poll() == {2: LOGIN_NOT_ALLOWED}


def test_change_before_the_first_session_was_followed_is_not_missed(stage, joe):
    identity = browser(joe)[1]
    joe.delete()
    stage.join(1, identity)
    assert stage.poll() == {1: LOGIN_NOT_ALLOWED}


def test_what_sends_no_signal_is_found_in_a_review(stage, joe):
    stage.join(1, browser(joe)[1])
    assert (stage.poll(), stage.poll()) == ({}, {})  # a session that has just joined is checked twice
    User.objects.update(is_active=False)
    assert stage.poll() == {}
    assert stage.review() == {1: LOGIN_NOT_ALLOWED}


@pytest.mark.long
@pytest.mark.expects_errors(
    "Looking up a user or token timed out, and the login is denied: hooks are too slow (running"
)
def test_hook_that_does_not_return_holds_up_nobody_but_its_user(joe, settings, caplog):
    stage, returns = Stage(IdentityQueries(1.0)), threading.Event()
    eva = User.objects.create_user("eva")
    identities = [browser(user)[1] for user in (joe, eva)]
    settings.WAMP_TRANSPORT = {"USER_ROLE": lambda user, realm: returns.wait(30) and None if user == joe else None}
    try:
        stage.poll()
        for session_id, identity in enumerate(identities):
            stage.join(session_id, identity)
        for _ in range(2):  # sessions that have just joined are checked twice
            stage.poll()
        User.objects.filter(pk=eva.pk).update(is_active=False)
        assert stage.review() | stage.poll() == {1: LOGIN_NOT_ALLOWED}
        assert "hooks are too slow (running: USER_ROLE for " in caplog.text
    finally:
        returns.set()
    User.objects.filter(pk=joe.pk).update(is_active=False)
    assert stage.review() == {0: LOGIN_NOT_ALLOWED}


@pytest.mark.expects_errors("The identities of sessions cannot be checked")
def test_hook_that_fails_is_logged_and_its_session_stays(stage, joe, settings, caplog):
    _, identity = browser(joe)
    stage.poll()
    stage.join(1, identity)
    settings.WAMP_TRANSPORT = {"USER_ROLE": lambda user, realm: {}["nothing"]}
    assert stage.review() == {}
    assert "KeyError: 'nothing'" in caplog.text
    settings.WAMP_TRANSPORT = {}
    User.objects.filter(pk=joe.pk).update(is_active=False)
    assert stage.review() == {1: LOGIN_NOT_ALLOWED}


def test_change_is_not_missed_when_the_database_does_not_answer(stage, joe, monkeypatch):
    stage.join(1, browser(joe)[1])
    assert stage.poll() == {}
    joe.is_active = False
    joe.save()
    with monkeypatch.context() as patch:
        patch.setattr(users, "again", Mock(side_effect=DatabaseError("away")))
        with pytest.raises(DatabaseError):
            stage.poll()
    assert stage.poll() == {1: LOGIN_NOT_ALLOWED}


def test_sessions_that_have_gone_are_forgotten(stage, joe):
    stage.join(1, browser(joe)[1])
    stage.present.clear()
    assert stage.review() == {}
    assert len(stage.watch) == 0
    assert stage.poll() == {}


def test_stored_principal_is_followed(stage):
    row = Principal.objects.create(realm="realm1", authid="pump", role="device")
    other = Principal.objects.create(realm="realm1", authid="fan", role="device")
    for session_id, one in ((1, row), (2, other)):
        stage.join(session_id, Identity(one.realm, one.authid, one.role, is_stored=True))
    assert stage.poll() == {}
    row.is_active = False
    row.save()
    assert stage.poll() == {1: LOGIN_NOT_ALLOWED}
    other.role = "sensor"
    other.save()
    assert stage.poll() == {2: LOGIN_CHANGED}


@pytest.mark.parametrize(
    ("identity", "concerned"),
    [
        (Identity("r", "joe", "x", user="1", session_key="k"), {("user", "1"), ("logout", "1"), ("everybody", "")}),
        (Identity("r", "joe", "x", user="1"), {("user", "1"), ("everybody", "")}),
        (Identity("r", "joe", "x", is_stored=True), {("principal", "r\njoe")}),
        (Identity("r", "worker", "x"), set()),
    ],
)
def test_changes_concern_whom_they_are_about(identity, concerned):
    kinds = ("user", "1"), ("user", "2"), ("logout", "1"), ("everybody", ""), ("principal", "r\njoe"), ("session", "d")
    assert {change for change in kinds if is_concerned(identity, *change)} == concerned


def test_principal_of_a_user_ends_with_the_user_and_is_known_as_its(stage, joe):
    Principal.objects.create(realm="realm1", authid="pump", role="user", user=joe)
    stage.join(1, users.of_stored("realm1", "pump", "user"))
    assert stage.watch.user_of(1) == str(joe.pk)
    assert stage.poll() == {}
    joe.set_password("another")  # which is not the principal's
    joe.save()
    assert stage.poll() == {}
    joe.is_active = False
    joe.save()
    assert stage.poll() == {1: LOGIN_NOT_ALLOWED}


def test_logout_before_the_first_poll_is_noticed_although_the_session_is_deleted_later(stage, joe):
    client, identity = browser(joe)
    stage.join(1, identity)
    changes.record("session", changes.session_digest(identity.session_key))
    assert stage.poll() == {}  # the session still exists
    client.session.flush()
    assert stage.poll() == {1: LOGIN_NOT_ALLOWED}


def test_logout_while_a_session_joins_is_noticed_although_the_session_is_deleted_later(stage, joe):
    stage.join(1, browser(joe)[1])
    stage.poll()
    client, identity = browser(joe)
    mark = stage.watch.mark
    changes.record("session", changes.session_digest(identity.session_key))
    assert stage.poll() == {}
    stage.present.add(2)
    stage.watch.watch(2, identity, mark)
    assert stage.poll() == {}  # the session still exists
    client.session.flush()
    assert stage.poll() == {2: LOGIN_NOT_ALLOWED}
