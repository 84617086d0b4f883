import hashlib
import json
from base64 import b64decode, b64encode

import pytest

from wamp_transport.auth.wampcra import Salting, challenge_text, derive_key, is_signature, sign

CHALLENGE = challenge_text(7, "joe", "user", "static", nonce="abc", timestamp="2026-01-01T00:00:00.000Z")


def hmac_by_hand(key: bytes, text: bytes) -> bytes:
    """RFC 2104, without the hmac module."""
    key = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(one ^ 0x36 for one in key) + text).digest()
    return hashlib.sha256(bytes(one ^ 0x5C for one in key) + inner).digest()


def pbkdf2_by_hand(password: bytes, salt: bytes, iterations: int, size: int) -> bytes:
    """RFC 8018, section 5.2."""
    key = b""
    for block in range(1, -(-size // 32) + 1):
        last = hmac_by_hand(password, salt + block.to_bytes(4, "big"))
        total = int.from_bytes(last, "big")
        for _ in range(iterations - 1):
            last = hmac_by_hand(password, last)
            total ^= int.from_bytes(last, "big")
        key += total.to_bytes(32, "big")
    return key[:size]


def test_key_is_the_one_that_is_documented():
    assert derive_key("secret1", Salting("salt123", 100, 16)) == "prq7+YkJ1/KlW1X0YczMHw=="


@pytest.mark.parametrize(
    ("password", "salt", "iterations", "size"), [("secret1", "salt123", 100, 16), ("pässwörd", "sälz", 3, 70)]
)
def test_key_is_what_the_standard_says(password, salt, iterations, size):
    expected = b64encode(pbkdf2_by_hand(password.encode(), salt.encode(), iterations, size)).decode()
    assert derive_key(password, Salting(salt, iterations, size)) == expected


@pytest.mark.parametrize("key", ["secret2", "k" * 100, "prq7+YkJ1/KlW1X0YczMHw==", "schlüssel"])
def test_signature_is_what_the_standard_says(key):
    assert b64decode(sign(key, CHALLENGE)) == hmac_by_hand(key.encode(), CHALLENGE.encode())


def test_signature_of_test_case_two_of_rfc_4231():
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert b64decode(sign("Jefe", "what do ya want for nothing?")).hex() == expected


@pytest.mark.parametrize("keys", [("good",), ("old", "good"), ("good", "new")])
def test_signature_of_any_valid_key_counts(keys):
    assert is_signature(keys, CHALLENGE, sign("good", CHALLENGE))


@pytest.mark.parametrize("given", ["", "x", "ü\udc00", sign("bad", CHALLENGE), sign("good", CHALLENGE + " ")])
def test_any_other_signature_does_not(given):
    assert not is_signature(("good",), CHALLENGE, given)
    assert not is_signature((), CHALLENGE, given)


def test_challenge_says_what_the_specification_wants():
    assert json.loads(CHALLENGE) == {
        "authid": "joe", "authrole": "user", "authmethod": "wampcra", "authprovider": "static", "session": 7,
        "nonce": "abc", "timestamp": "2026-01-01T00:00:00.000Z",
    }  # fmt: skip


def test_salting_is_told_to_the_client():
    assert Salting("salt123", 100, 16).extra() == {"salt": "salt123", "iterations": 100, "keylen": 16}
