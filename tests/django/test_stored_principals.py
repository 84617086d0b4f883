"""Principals of the database as the methods ask for them: what they have to prove, and what unknown peers are told."""

import asyncio

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from wamp_transport.auth.principals import CraKeys, Lookup, PublicKeys, ScramCredential
from wamp_transport.bootstrap.identity import stored_principals as module
from wamp_transport.bootstrap.identity.stored_principals import (
    MAX_SAMPLED_REALMS,
    MIN_LOOKUP_SECONDS,
    HashedTickets,
    StoredPrincipals,
)
from wamp_transport.config.auth_methods import BY_WIRE_NAME, CRYPTOSIGN, SCRAM, TICKET, WAMPCRA
from wamp_transport.models import Principal
from wamp_transport.stores.connections import close_kept
from wamp_transport.stores.identity import credentials, principals
from wamp_transport.stores.identity.credentials import keep

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

KEY = "ab" * 32


@pytest.fixture
def without_delay(monkeypatch):
    monkeypatch.setattr(module, "MIN_LOOKUP_SECONDS", 0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    for name, value in {"ITERATIONS": 10, "ARGON2_PASSES": 1, "ARGON2_MEMORY": 64}.items():
        monkeypatch.setattr(credentials, name, value)


def stored(authid, *kept, role="user", realm="realm1"):
    """A principal with credentials, each a method and what :func:`keep` has made."""
    row = Principal.objects.create(realm=realm, authid=authid, role=role)
    for method, one in kept:
        row.credentials.create(method=method, data=one.data, fingerprint=one.fingerprint)
    return row


def asked(source, authid, authmethod, realm="realm1", **more):
    try:
        return asyncio.run(source.find(Lookup("x", realm, authid, {"authmethod": authmethod}, **more)))
    finally:
        close_kept()


def test_any_of_two_tickets_counts_and_its_use_is_written_down():
    row = stored(
        "pump", ("ticket", keep("ticket", "first long ticket")), ("ticket", keep("ticket", "other long ticket"))
    )
    found = asked(StoredPrincipals(TICKET), "pump", "ticket")
    assert (found.authid, found.role, found.realm) == ("pump", "user", "realm1")
    assert found.credential.is_slow
    assert not found.credential.accepts("wrong")
    assert found.credential.accepts("first long ticket")
    used = {one.last_used_at is not None for one in row.credentials.order_by("id")[:1]}
    assert used == {True}
    assert row.credentials.order_by("id").last().last_used_at is None


def test_unknown_peer_has_a_ticket_to_check_that_is_never_right():
    found = asked(StoredPrincipals(TICKET), "nobody", "ticket")
    assert found.credential == HashedTickets(())
    assert found.credential.is_slow
    assert not found.credential.accepts("")
    assert asked(StoredPrincipals(WAMPCRA), "nobody", "wampcra") is None


def test_two_secrets_with_one_salt_are_asked_for_at_once():
    first = keep("wampcra", "password1")
    second = keep("wampcra", "password2", first.data)
    stored("pump", ("wampcra", first), ("wampcra", second))
    credential = asked(StoredPrincipals(WAMPCRA), "pump", "wampcra").credential
    assert set(credential.keys) == {first.data["key"], second.data["key"]}
    assert credential.salting.salt == first.data["salt"]


@pytest.mark.parametrize(
    ("kind", "standard", "dialect"),
    [("wamp-scram", True, False), ("scram", False, True), ("scram-pbkdf2", True, True)],
)
def test_keys_of_scram_serve_their_form(kind, standard, dialect):
    stored("pump", (kind, keep(kind, "password1")))
    source = StoredPrincipals(SCRAM)
    for method, serves in (("wamp-scram", standard), ("scram", dialect)):
        found = asked(source, "pump", method)
        assert (found is not None) is serves
        if found is not None:
            assert isinstance(found.credential, ScramCredential)
            assert len(found.credential.keys) == 1


def test_key_leads_to_its_principal_with_and_without_an_authid():
    stored("pump", ("cryptosign", keep("cryptosign", KEY)))
    source = StoredPrincipals(CRYPTOSIGN)
    for authid in (None, "pump"):
        found = asked(source, authid, "cryptosign", public_key=KEY)
        assert (found.authid, found.credential) == ("pump", PublicKeys((KEY,)))
    assert asked(source, "other", "cryptosign", public_key=KEY) is None
    assert asked(source, None, "cryptosign", public_key="cd" * 32) is None


@pytest.mark.parametrize("method", ["wampcra", "scram"])
def test_unknown_peers_are_shown_the_roles_and_ways_of_their_realm_alone(method):
    kind = {"scram": "wamp-scram"}.get(method, method)
    stored("pump", (kind, keep(kind, "password1")), role="pump")
    stored("valve", (kind, keep(kind, "password1")), role="valve")
    stored("other", (kind, keep(kind, "password1")), role="other", realm="realm2")
    source = StoredPrincipals(BY_WIRE_NAME[method])
    for realm in ("realm1", "realm2", None):
        assert asked(source, "nobody", kind, realm) is None
    roles = {realm: {source.model(number, realm).role for number in range(10)} for realm in ("realm1", "realm2", None)}
    assert roles == {"realm1": {"pump", "valve"}, "realm2": {"other"}, None: {"pump", "valve", "other"}}
    for number in range(4):
        credential = source.model(number, "realm1").credential
        assert isinstance(credential, CraKeys | ScramCredential)


def test_without_principals_the_model_is_what_a_new_one_would_have():
    salting = StoredPrincipals(WAMPCRA).model(5).credential.salting
    new = keep("wampcra", "password1").data
    assert (len(salting.salt), salting.iterations, salting.keylen) == (
        len(new["salt"]),
        new["iterations"],
        new["keylen"],
    )
    ways = [StoredPrincipals(SCRAM).model(number).credential.derivation for number in (0, 1)]
    for way in ways:
        kind = {"argon2id13": "wamp-scram", "argon2id-13": "scram"}[way.kdf]
        new = credentials.derivation_of(keep(kind, "password1").data)
        assert (len(way.salt), way.iterations, way.memory) == (len(new.salt), new.iterations, new.memory)
    assert {way.kdf for way in ways} == {"argon2id13", "argon2id-13"}
    assert StoredPrincipals(TICKET).model(0) is None


def test_samples_of_realms_that_peers_invent_do_not_pile_up(without_delay):
    source = StoredPrincipals(WAMPCRA)

    async def whole():
        for number in range(MAX_SAMPLED_REALMS + 5):
            await source.find(Lookup("x", f"realm{number}", "joe", {"authmethod": "wampcra"}))

    asyncio.run(whole())
    close_kept()
    assert len(source._models) <= MAX_SAMPLED_REALMS


@pytest.mark.parametrize("odd", ["a\0b", "\ud800", "a" * 100_000])
@pytest.mark.parametrize("method", ["ticket", "wampcra"])
def test_what_no_database_takes_is_nobody(odd, method):
    for realm, authid in ((odd, "joe"), ("realm1", odd)):
        found = asked(StoredPrincipals(BY_WIRE_NAME[method]), authid, method, realm)
        assert found is None or found.credential == HashedTickets(())


def test_looking_for_somebody_unknown_takes_as_many_queries():
    stored("pump", ("ticket", keep("ticket", "a long enough ticket")))
    counts = []
    for authid in ("pump", "nobody"):
        with CaptureQueriesContext(connection) as queries:
            principals.find("realm1", authid, ("ticket",))
        counts.append(len(queries))
    assert counts == [2, 2]


@pytest.mark.parametrize("authid", ["pump", "nobody", "a\0b"])
def test_time_tells_nobody_whether_somebody_was_found(authid):
    stored("pump", ("wampcra", keep("wampcra", "password1")))

    async def whole():
        begin = asyncio.get_running_loop().time()
        await StoredPrincipals(WAMPCRA).find(Lookup("x", "realm1", authid, {"authmethod": "wampcra"}))
        return asyncio.get_running_loop().time() - begin

    assert asyncio.run(whole()) >= MIN_LOOKUP_SECONDS
    close_kept()
