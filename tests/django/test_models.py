"""The rows by themselves."""

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError

from wamp_transport.models import (
    ConfigurationState,
    PermissionRule,
    Realm,
    Role,
    RunningNode,
    Transport,
    WebPath,
    nesting_of,
    path_of,
)

pytestmark = pytest.mark.django_db


def test_models_without_a_migration_are_none(capsys):
    call_command("makemigrations", "wamp_transport", check=True, dry_run=True)
    assert "No changes" in capsys.readouterr().out


@pytest.mark.parametrize(("path", "nesting"), [("/", "/"), ("ws", "ws"), ("a/b", "a b")])
def test_path_and_nesting_name_the_same(path, nesting):
    assert nesting_of(path) == nesting
    assert path_of(nesting) == path


@pytest.mark.parametrize(("nesting", "path"), [("/ /", "/"), ("a /", "a"), ("/ b", "b")])
def test_slash_as_a_key_adds_nothing_to_the_path(nesting, path):
    assert path_of(nesting) == path


@pytest.mark.parametrize("path", ["", "/ws", "ws/", "a//b", "a.b", "a b", "é", "ws\n", "a/../b"])
def test_path_of_other_characters_is_refused(path):
    with pytest.raises(ValidationError) as caught:
        WebPath(path=path).clean_fields(exclude={"transport", "nesting", "type"})
    assert "path" in caught.value.message_dict


def test_service_twice_on_a_path_is_refused():
    transport = Transport.objects.create()
    WebPath.objects.create(transport=transport, path="ws", type="websocket")
    with pytest.raises(IntegrityError):
        WebPath.objects.create(transport=transport, path="ws", type="static")


def test_role_twice_in_a_realm_is_refused():
    realm = Realm.objects.create(name="realm1")
    Role.objects.create(realm=realm, name="a")
    with pytest.raises(IntegrityError):
        Role.objects.create(realm=realm, name="a")


def test_second_state_is_refused():
    ConfigurationState.objects.create()
    with pytest.raises(IntegrityError):
        ConfigurationState.objects.create(pk=2)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (Realm(name="realm1"), "realm1"),
        (Role(realm=Realm(name="realm1"), name="a"), "realm1: a"),
        (PermissionRule(uri="a.b", match="prefix"), "a.b prefix"),
        (PermissionRule(uri=""), '""'),
        (Transport(endpoint_type="tcp", port="80"), "tcp:80"),
        (Transport(endpoint_type="tcp", port="80", interface="::1"), "tcp:[::1]:80"),
        (Transport(endpoint_type="unix", socket_path="x"), "unix:x"),
        (Transport(), "tcp:127.0.0.1:8080"),
        (Transport(type="rawsocket"), "rawsocket"),
        (WebPath(path="a/b", type="static"), "/a/b (static)"),
        (WebPath(path="/", type="static"), "/ (static)"),
        (ConfigurationState(revision=3), "revision 3"),
        (RunningNode(name="main"), "main"),
    ],
    ids=str,
)
def test_row_says_what_it_is(row, text):
    assert str(row) == text
