"""Who goes by a name in a realm: everybody whom this side knows, with the role that a login would give."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.django.configurations import node
from wamp_transport.config import read_mapping
from wamp_transport.models import Principal, UserRole
from wamp_transport.stores.identity.principals_by_name import NamedPrincipal, find_by_name

pytestmark = pytest.mark.django_db


def configured(**auth):
    return read_mapping(node(ws={"type": "websocket", "auth": auth}), ".", environ={})


def static(**principals):
    return {"type": "static", "principals": {name: {"ticket": "x", **more} for name, more in principals.items()}}


NOTHING = configured()


def test_principals_of_the_configuration_are_found_by_their_authid():
    ticket = static(
        joe={"role": "user"},
        other={"authid": "joe", "role": "clerk"},
        away={"authid": "joe", "role": "guest", "realm": "elsewhere"},
        plain={},
    )
    where = "ticket at tcp:8080/ws"
    configuration = configured(ticket=ticket, anonymous={"type": "static", "authid": "joe", "role": "visitor"})
    assert find_by_name(configuration, "realm1", "joe") == [
        NamedPrincipal("visitor", "anonymous at tcp:8080/ws"),
        NamedPrincipal("user", where),
        NamedPrincipal("clerk", where),
    ]
    assert find_by_name(configuration, "realm1", "other") == find_by_name(configuration, "realm1", "plain") == []
    configuration = configured(ticket={**ticket, "default-role": "guest"})
    assert find_by_name(configuration, "realm1", "plain") == [NamedPrincipal("guest", where)]


def test_others_are_asked_elsewhere():
    configuration = configured(ticket={"type": "dynamic", "authenticator": "com.example.login"})
    assert find_by_name(configuration, "realm1", "joe") == []


def test_principals_of_the_database_count_while_they_may_log_in():
    row = Principal.objects.create(realm="realm1", authid="joe", role="user")
    assert find_by_name(NOTHING, "realm1", "joe") == [NamedPrincipal("user", "principal in the database")]
    assert find_by_name(NOTHING, "realm2", "joe") == []
    for change in ({"is_active": False}, {"is_active": True, "expires_at": timezone.now() - timedelta(days=1)}):
        Principal.objects.filter(pk=row.pk).update(**change)
        assert find_by_name(NOTHING, "realm1", "joe") == []


def test_users_have_the_role_of_the_table_or_of_the_service():
    user = User.objects.create_user("joe")
    assert find_by_name(NOTHING, "realm1", "joe") == []
    configuration = configured(**{"token": {"default-role": "guest"}, "django-session": {}})
    assert find_by_name(configuration, "realm1", "joe") == [
        NamedPrincipal("guest", "Django user by token at tcp:8080/ws")
    ]
    line = UserRole.objects.create(kind="everybody", role="user")
    assert find_by_name(configuration, "realm1", "joe") == [NamedPrincipal("user", "Django user")]
    UserRole.objects.filter(pk=line.pk).update(role="")
    assert find_by_name(configuration, "realm1", "joe") == []
    UserRole.objects.filter(pk=line.pk).update(role="user")
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert find_by_name(configuration, "realm1", "joe") == []
