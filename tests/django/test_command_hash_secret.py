"""``manage.py wamp keygen`` and ``wamp hash-secret``: their output is accepted by configurations and clients."""

import io
import json
import re
import stat
import sys

import pytest
from django.contrib.auth.hashers import check_password
from pydantic import TypeAdapter

from tests.django.test_command_wamp import refused, run
from wamp_transport.auth import cryptosign, scram, wampcra
from wamp_transport.config.principals import CraPrincipal, ScramPrincipal, TicketPrincipal
from wamp_transport.management.subcommands import hash_secret as hash_secret_module

pytestmark = pytest.mark.long

PASSWORD = "correct horse"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def type_in(monkeypatch):
    """Lets standard input hold a text."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_key_pair_belongs_together():
    out, _ = run("keygen")
    private, public = re.fullmatch(r"private key: ([0-9a-f]{64})\npublic key: ([0-9a-f]{64})\n", out).groups()
    assert cryptosign.public_key_of(bytes.fromhex(private)) == public
    assert run("keygen")[0] != out


def test_public_key_of_the_router_stays_the_same_and_is_made_of_the_secret_key(settings):
    out, _ = run("keygen", "--router")
    assert re.fullmatch(r"public key: [0-9a-f]{64}\n", out)
    assert run("keygen", "--router")[0] == out
    settings.SECRET_KEY = "another one"
    assert run("keygen", "--router")[0] != out


def test_private_key_goes_to_a_file_of_its_owner(tmp_path):
    file = tmp_path / "key"
    out, _ = run("keygen", "--file", file)
    assert out == f"public key: {cryptosign.public_key_of(bytes.fromhex(file.read_text().strip()))}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    assert "cannot be written" in refused("keygen", "--file", file)[0]
    assert file.read_text() == before


def test_hash_of_a_ticket_is_taken_and_serves(type_in):
    type_in(f"{PASSWORD} battery staple\n")
    given = json.loads(run("hash-secret", "ticket")[0])
    principal = TypeAdapter(TicketPrincipal).validate_python(given)
    assert check_password(f"{PASSWORD} battery staple", principal.ticket_hash.reveal())
    assert list(TicketPrincipal.check(given)) == []


def test_derived_key_of_cra_is_taken_and_serves(type_in):
    type_in(f"{PASSWORD}\n")
    given = json.loads(run("hash-secret", "wampcra")[0])
    principal = TypeAdapter(CraPrincipal).validate_python(given)
    salting = wampcra.Salting(principal.salt, principal.iterations, principal.keylen)
    assert principal.derived_key.reveal() == wampcra.derive_key(PASSWORD, salting)
    assert list(CraPrincipal.check(given)) == []


@pytest.mark.parametrize(
    ("method", "kdf"), [("wamp-scram", "argon2id13"), ("scram", "argon2id-13"), ("scram-pbkdf2", "pbkdf2")]
)
def test_keys_of_scram_are_taken_and_serve(type_in, method, kdf):
    type_in(PASSWORD)
    given = json.loads(run("hash-secret", method)[0])
    principal = TypeAdapter(ScramPrincipal).validate_python(given)
    way = scram.Derivation(principal.kdf, bytes.fromhex(principal.salt), principal.iterations, principal.memory)
    keys = scram.keys_of(scram.salted_password(PASSWORD, way))
    assert principal.kdf == kdf
    assert (principal.stored_key.reveal(), principal.server_key.reveal()) == (
        keys.stored_key.hex(),
        keys.server_key.hex(),
    )


def test_password_is_asked_for_twice_at_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal())
    answers = iter([PASSWORD, PASSWORD, PASSWORD, "another"])
    monkeypatch.setattr(hash_secret_module, "getpass", lambda prompt: next(answers))
    assert "derived_key" in run("hash-secret", "wampcra")[0]
    assert "not the same" in refused("hash-secret", "wampcra")[0]


def test_short_password_is_refused(type_in):
    type_in("short")
    assert "Too short" in refused("hash-secret", "wampcra")[0]
