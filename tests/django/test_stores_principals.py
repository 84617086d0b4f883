"""Principals as logins find them: active ones, with the credentials that count now."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from wamp_transport.auth.credential_kinds import CREDENTIAL_KINDS
from wamp_transport.models import METHODS, Credential, Principal
from wamp_transport.stores.identity import principals

pytestmark = pytest.mark.django_db

NOW = timezone.now


def principal(authid="joe", realm="realm1", **columns):
    return Principal.objects.create(realm=realm, authid=authid, role="user", **columns)


def credential(owner, method="ticket", fingerprint="f", **columns):
    return Credential.objects.create(principal=owner, method=method, fingerprint=fingerprint, **columns)


def test_database_offers_every_kind_of_credential():
    assert [kind for kind, _ in METHODS] == list(CREDENTIAL_KINDS)


def test_principal_comes_with_credentials_of_the_method_latest_first():
    joe = principal(authextra={"a": 1})
    old, new = credential(joe), credential(joe, expires_at=NOW() + timedelta(hours=1))
    credential(joe, "tls")
    credential(joe, expires_at=NOW() - timedelta(seconds=1))
    found = principals.find("realm1", "joe", ["ticket"])
    assert (found.realm, found.authid, found.role, found.authextra) == ("realm1", "joe", "user", {"a": 1})
    assert [one.id for one in found.credentials] == [new.pk, old.pk]


def test_who_may_not_log_in_is_not_found():
    principal("off", is_active=False)
    principal("late", expires_at=NOW() - timedelta(seconds=1))
    principal("there", realm="realm2")
    assert [principals.find("realm1", name, ["ticket"]) for name in ("off", "late", "there", "nobody")] == [None] * 4


def test_without_a_realm_the_authid_must_be_clear():
    principal("one", realm="realm2")
    principal("two")
    principal("two", realm="realm2")
    assert principals.find(None, "one", []).realm == "realm2"
    assert principals.find(None, "two", []) is None


def test_key_leads_to_its_one_principal():
    joe, ann, off = principal(), principal("ann"), principal("off", is_active=False)
    for owner, key in ((joe, "k1"), (ann, "k2"), (joe, "both"), (ann, "both"), (off, "k3")):
        credential(owner, "cryptosign", key)
    credential(joe, "cryptosign", "old", expires_at=NOW() - timedelta(seconds=1))

    def found(*keys, **wanted):
        one = principals.find_by_fingerprint("realm1", "cryptosign", keys, **wanted)
        return one and one.authid

    assert [found("k1"), found("k2"), found("both"), found("k3"), found("old")] == ["joe", "ann", None, None, None]
    assert [found("both", authid="ann"), found("k1", authid="ann"), found("k1", "x")] == ["ann", None, "joe"]
    assert principals.find_by_fingerprint("realm2", "cryptosign", ["k1"]) is None
    assert principals.find_by_fingerprint(None, "tls", ["k1"]) is None


def test_use_is_written_down_once_a_minute():
    joe = principal()
    key = credential(joe)
    principals.used("realm1", "joe", ["ticket"])
    first = Credential.objects.get().last_used_at
    principals.used("realm1", "joe", ["ticket"])
    assert Credential.objects.get().last_used_at == first == Principal.objects.get().last_used_at
    earlier = first - timedelta(seconds=61)
    Credential.objects.update(last_used_at=earlier)
    principals.credential_used(key.pk)
    assert Credential.objects.get().last_used_at > earlier


def test_use_is_written_to_the_credential_where_it_is_clear_which():
    joe = principal()
    for key in ("k1", "k2"):
        credential(joe, "cryptosign", key)
    principals.used("realm1", "joe", ["cryptosign"])
    assert Principal.objects.get().last_used_at is not None
    assert not Credential.objects.exclude(last_used_at=None).exists()
    principals.used("realm1", "joe", ["cryptosign"], ["k2"])
    assert Credential.objects.exclude(last_used_at=None).get().fingerprint == "k2"


def test_principal_of_a_user_goes_with_the_user():
    joe = User.objects.create_user("joe")
    row = Principal.objects.create(realm="realm1", authid="pump", role="user", user=joe)
    row.credentials.create(method="cryptosign", fingerprint="ab" * 32)

    def both():
        by_name = principals.find("realm1", "pump", ("cryptosign",))
        by_key = principals.find_by_fingerprint("realm1", "cryptosign", ["ab" * 32])
        return [None if one is None else one.user for one in (by_name, by_key)]

    assert both() == [str(joe.pk)] * 2
    User.objects.update(is_active=False)
    assert both() == [None, None]
    assert principals.find("realm1", "pump", ()) is None
    joe.delete()
    assert not Principal.objects.exists()
