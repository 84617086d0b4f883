import hmac
from base64 import b64decode, b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from wamp_transport.auth.scram import (
    DIALECT,
    STANDARD,
    Derivation,
    ScramKeys,
    auth_message,
    client_key,
    client_proof,
    is_proof,
    joined_nonce,
    keys_of,
    salted_password,
    server_signature,
)

CLIENT_NONCE = "rOprNGfwEbeRWgbNEkqO"
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
RFC_7677 = Derivation("pbkdf2", b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)


def test_example_of_rfc_7677_in_the_form_of_the_specification():
    message = auth_message(STANDARD, "user", CLIENT_NONCE, NONCE, RFC_7677)
    assert message == (
        b"n=user,r=rOprNGfwEbeRWgbNEkqO,"
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    salted = salted_password("pencil", RFC_7677)
    assert b64encode(client_proof(salted, message)) == b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert b64encode(server_signature(keys_of(salted), message)) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.mark.parametrize("kdf", ["argon2id13", "argon2id-13"])
def test_argon2_is_that_of_another_library(kdf):
    salt = bytes(range(16))
    raw = Argon2id(salt=salt, length=32, iterations=3, lanes=1, memory_cost=64).derive(b"pencil")
    expected = raw if kdf == "argon2id13" else b64encode(raw).rstrip(b"=")
    assert salted_password("pencil", Derivation(kdf, salt, 3, 64)) == expected


def test_keys_are_what_the_specification_says():
    salted = b"x" * 32
    own = hmac.new(salted, b"Client Key", "sha256").digest()
    assert client_key(salted) == own
    assert keys_of(salted) == ScramKeys(sha256(own).digest(), hmac.new(salted, b"Server Key", "sha256").digest())


def test_keys_are_not_shown():
    assert "stored" not in repr(ScramKeys(b"stored" * 4, b"stored" * 4))


@pytest.mark.parametrize("method", [STANDARD, DIALECT])
def test_only_the_proof_of_this_password_for_this_message_counts(method):
    salted, other = salted_password("pencil", RFC_7677), salted_password("pen", RFC_7677)
    message = auth_message(method, "user", CLIENT_NONCE, NONCE, RFC_7677)
    keys = keys_of(salted)
    assert is_proof(keys, message, client_proof(salted, message))
    assert not is_proof(keys, message, client_proof(other, message))
    assert not is_proof(keys, message + b"x", client_proof(salted, message))
    assert not is_proof(keys, message, b"")
    assert not is_proof(keys, message, bytes(32))


def test_dialect_leaves_the_binding_empty_and_names_as_they_are():
    message = auth_message(DIALECT, "a=b,c", "xx", "xxyy", Derivation("argon2id-13", b"salt", 3, 64))
    assert message == b"n=a=b,c,r=xx,r=xxyy,s=c2FsdA==,i=3,c=,r=xxyy"


def test_specification_escapes_names_and_binds_to_the_channel():
    message = auth_message(STANDARD, "a=b,c", "xx", "xxyy", RFC_7677, ("tls-exporter", b"\x01\x02"))
    binding = b64encode(b"p=tls-exporter,,\x01\x02")
    assert message.startswith(b"n=a=3Db=2Cc,r=xx,")
    assert b",c=" + binding + b"," in message


def test_name_that_saslprep_changes_is_signed_changed_and_one_it_refuses_as_it_is():
    assert auth_message(STANDARD, "\u2168", "x", "xy", RFC_7677).startswith(b"n=IX,")
    assert auth_message(STANDARD, "a\u0007", "x", "xy", RFC_7677).startswith(b"n=a\x07,")


def test_nonces_are_joined_as_text_and_in_the_dialect_as_octets():
    client = b64encode(b"ab").decode()
    assert joined_nonce(STANDARD, client, b"cd") == client + b64encode(b"cd").decode()
    assert joined_nonce(DIALECT, client, b"cd") == b64encode(b"abcd").decode()


@pytest.mark.parametrize("nonce", ["", "?", "abc", "ab cd", "ü"])
def test_nonce_that_is_not_base64_is_refused(nonce):
    with pytest.raises(ValueError):
        joined_nonce(STANDARD, nonce, b"cd")
