"""Who goes by a name in a realm: everybody whom this side knows, with the role that a login would give."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.django.configurations import node
from wamp_transport.config import read_mapping
from wamp_transport.models import Principal, UserRole
from wamp_transport.stores.identity.principals_by_name import Holder, holders

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
    assert holders(configuration, "realm1", "joe") == [
        Holder("visitor", "anonymous at tcp:8080/ws"), Holder("user", where), Holder("clerk", where)
    ]  # fmt: skip
    assert holders(configuration, "realm1", "other") == holders(configuration, "realm1", "plain") == []
    configuration = configured(ticket={**ticket, "default-role": "guest"})
    assert holders(configuration, "realm1", "plain") == [Holder("guest", where)]


def test_others_are_asked_elsewhere():
    configuration = configured(ticket={"type": "dynamic", "authenticator": "com.example.login"})
    assert holders(configuration, "realm1", "joe") == []


def test_principals_of_the_database_count_while_they_may_log_in():
    row = Principal.objects.create(realm="realm1", authid="joe", role="user")
    assert holders(NOTHING, "realm1", "joe") == [Holder("user", "principal in the database")]
    assert holders(NOTHING, "realm2", "joe") == []
    for change in ({"is_active": False}, {"is_active": True, "expires_at": timezone.now() - timedelta(days=1)}):
        Principal.objects.filter(pk=row.pk).update(**change)
        assert holders(NOTHING, "realm1", "joe") == []


def test_users_have_the_role_of_the_table_or_of_the_service():
    user = User.objects.create_user("joe")
    assert holders(NOTHING, "realm1", "joe") == []
    configuration = configured(**{"token": {"default-role": "guest"}, "django-session": {}})
    assert holders(configuration, "realm1", "joe") == [Holder("guest", "Django user by token at tcp:8080/ws")]
    line = UserRole.objects.create(kind="everybody", role="user")
    assert holders(configuration, "realm1", "joe") == [Holder("user", "Django user")]
    UserRole.objects.filter(pk=line.pk).update(role="")
    assert holders(configuration, "realm1", "joe") == []
    UserRole.objects.filter(pk=line.pk).update(role="user")
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert holders(configuration, "realm1", "joe") == []
