"""Principals in the admin: secrets go in once, and what is kept of them serves logins but shows nothing."""

from base64 import b64encode
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import Group
from django.test import override_settings
from django.utils import timezone

from tests.django.configurations import node
from wamp_transport.auth import scram, wampcra
from wamp_transport.models import AuditEntry, Credential, Principal, UserRole
from wamp_transport.stores import configuration as store
from wamp_transport.stores.identity import credentials
from wamp_transport.stores.identity.credentials import derivation_of

pytestmark = [pytest.mark.django_db, pytest.mark.long]

SECRET = "correct horse battery"
OTHER = "staple and something"
KEY = "1adfc8bfe1d35616e64dffbd900096f23b066f914c8c2ffbb66f6075b96e116d"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(credentials, "ITERATIONS", 10)
    monkeypatch.setattr(credentials, "ARGON2_PASSES", 1)
    monkeypatch.setattr(credentials, "ARGON2_MEMORY", 64)


def add(pages, method, secret, **changes):
    """A principal added with one credential; that credential."""
    fields = {
        "realm": "realm1",
        "authid": "joe",
        "role": "user",
        "credentials-0-method": method,
        "credentials-0-secret": secret,
    }
    pages.save(pages.get("principal_add"), **(fields | changes))
    return Credential.objects.get()


def test_ticket_is_kept_as_djangos_password_hash(pages):
    kept = add(pages, "ticket", SECRET)
    assert check_password(SECRET, kept.data["hash"])
    page = pages.get("principal_change", kept.principal.pk).content.decode()
    assert kept.fingerprint in page
    assert SECRET not in page
    assert kept.data["hash"] not in page


def test_cra_secret_is_kept_as_the_key_that_a_client_derives(pages):
    data = add(pages, "wampcra", SECRET).data
    salting = wampcra.Salting(data["salt"], data["iterations"], data["keylen"])
    assert data["key"] == wampcra.derive_key(SECRET, salting)
    assert SECRET not in str(data)


@pytest.mark.parametrize("method", ["wamp-scram", "scram", "scram-pbkdf2"])
def test_scram_secret_is_kept_as_keys_that_take_a_clients_proof(pages, method):
    data = add(pages, method, SECRET).data
    keys = scram.ScramKeys(bytes.fromhex(data["stored_key"]), bytes.fromhex(data["server_key"]))
    salted = scram.salted_password(SECRET, derivation_of(data))
    name = "scram" if method == "scram" else "wamp-scram"
    nonce = b64encode(b"client").decode()
    message = scram.auth_message(name, "joe", nonce, nonce + "x", derivation_of(data))
    assert scram.is_proof(keys, message, scram.client_proof(salted, message))
    assert not scram.is_proof(keys, message, scram.client_proof(b"other", message))


@pytest.mark.parametrize(
    ("method", "given", "kept"),
    [
        ("cryptosign", KEY.upper() + " ", KEY),
        ("tls", ":".join(["ab"] * 32), "sha256:" + "AB" * 32),
        ("tls", "ab" * 20, "sha1:" + "AB" * 20),
    ],
)
def test_public_credentials_are_kept_as_they_are_looked_up(pages, method, given, kept):
    row = add(pages, method, given)
    assert (row.fingerprint, row.data) == (kept, {})


@pytest.mark.parametrize(
    ("method", "given"),
    [("cryptosign", "12"), ("tls", "xyz"), ("ticket", "short"), ("wampcra", "1234567"), ("ticket", "")],
)
def test_what_is_no_secret_of_the_method_is_refused_beside_its_field(pages, method, given):
    fields = {"realm": "realm1", "authid": "joe", "role": "user", "credentials-0-label": "x"}
    page = pages.get("principal_add")
    errors = pages.refused(page, **fields, **{"credentials-0-method": method, "credentials-0-secret": given})
    assert errors["credentials-0-secret"]
    assert not Principal.objects.exists()


def test_second_secret_shares_the_salt_and_a_third_is_refused(pages):
    first = add(pages, "wampcra", SECRET)
    page = pages.get("principal_change", first.principal.pk)
    pages.save(page, **{"credentials-1-method": "wampcra", "credentials-1-secret": OTHER})
    second = Credential.objects.latest("id")
    assert second.data["salt"] == first.data["salt"]
    assert second.data["key"] != first.data["key"]
    page = pages.get("principal_change", first.principal.pk)
    third = {"credentials-2-method": "wampcra", "credentials-2-secret": OTHER}
    assert "two secrets" in pages.refused(page, **third)["credentials"][0]
    yesterday = f"{timezone.now() - timedelta(days=1):%Y-%m-%d}"
    ended = {"credentials-0-expires_at_0": yesterday, "credentials-0-expires_at_1": "12:00:00"}
    pages.save(page, **third, **ended)
    assert Credential.objects.filter(expires_at=None).count() == 2


def test_saving_again_keeps_the_secrets(pages):
    before = add(pages, "ticket", SECRET)
    page = pages.get("principal_change", before.principal.pk)
    pages.save(page, role="admin", **{"credentials-0-label": "phone", "credentials-0-secret": OTHER})
    after = Credential.objects.get()
    assert (after.data, after.fingerprint, after.label) == (before.data, before.fingerprint, "phone")
    assert Principal.objects.get().role == "admin"


def test_routers_own_role_and_a_second_principal_of_the_name_are_refused(pages):
    add(pages, "ticket", SECRET)
    fields = {"realm": "realm1", "authid": "joe", "role": "trusted"}
    errors = pages.refused(pages.get("principal_add"), **fields)
    assert "role" in errors
    assert "__all__" in pages.refused(pages.get("principal_add"), **(fields | {"role": "user"}))


def test_lines_of_the_role_table_have_what_their_kind_needs(pages):
    editors = Group.objects.create(name="editors")
    page = pages.get("userrole_add")
    assert "group" in pages.refused(page, kind="group", role="editor")
    assert "permission" in pages.refused(page, kind="permission", permission="change", role="editor")
    assert "role" in pages.refused(page, kind="staff", role="trusted")
    pages.save(page, kind="staff", group=str(editors.pk), permission="a.b", role="editor")
    row = UserRole.objects.get()
    assert (row.group, row.permission) == (None, "")
    pages.get("userrole_changelist")


@pytest.mark.parametrize(
    ("realm", "role", "field", "message"),
    [
        ("", "clerk", "role", 'no realm has the role "clerk"; the roles are: anonymous'),
        ("realm1", "clerk", "role", 'realm "realm1" has no role "clerk"; it has: anonymous'),
        ("office", "anonymous", "realm", 'there is no realm "office"; there are: realm1'),
    ],
)
def test_line_with_an_unknown_role_or_realm_is_refused_at_its_field(pages, realm, role, field, message):
    store.replace(node(ws={"type": "websocket"}))
    page = pages.get("userrole_add")
    assert pages.refused(page, kind="everybody", realm=realm, role=role) == {field: [message]}
    pages.save(page, kind="everybody", realm="realm1", role="anonymous")
    pages.save(page, kind="everybody")


def test_line_for_a_role_of_the_configured_file_is_accepted(pages):
    with override_settings(WAMP_TRANSPORT={"CONFIG": node(ws={"type": "websocket"})}):
        assert "role" in pages.refused(pages.get("userrole_add"), kind="everybody", role="clerk")
        pages.save(pages.get("userrole_add"), kind="everybody", role="anonymous")


def test_audit_trail_is_for_reading(pages):
    entry = AuditEntry.objects.create(kind="failure", authid="joe", address="192.0.2.1")
    assert "192.0.2.1" in pages.get("auditentry_changelist").content.decode()
    page = pages.get("auditentry_change", entry.pk).content.decode()
    assert "joe" in page
    assert 'type="submit"' not in page.partition('id="content"')[2]
    client = pages.client
    assert client.get("/admin/wamp_transport/auditentry/add/").status_code == 403
