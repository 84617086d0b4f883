"""The cryptography of SCRAM, as specified and in the dialect of Autobahn and Crossbar.

The authmethod selects the variant: ``wamp-scram`` for the specification, ``scram`` for the dialect. The dialect differs
as follows:

- The nonces of client and server are joined as bytes, not as text.
- The attribute ``c=`` is empty.
- User names are not escaped.
- With Argon2, the password is not normalized, and the key is the base64 text of the hash instead of the hash.

Therefore, keys derived with Argon2 are valid for only one variant. The name of the key derivation function shows which:
``argon2id13`` for the specification, ``argon2id-13`` for the dialect. Keys derived with ``pbkdf2`` are valid for both.

SCRAM is defined in RFC 5802 and RFC 7677, and its use in WAMP in the section "Salted Challenge Response
Authentication" of the Advanced Profile.
"""

import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import pbkdf2_hmac, sha256
from typing import Final, Literal

from argon2.low_level import ARGON2_VERSION, Type, hash_secret_raw

from ..config.auth_methods import SCRAM
from .saslprep import saslprep

Kdf = Literal["argon2id13", "argon2id-13", "pbkdf2"]

DIALECT: Final = SCRAM.name
STANDARD: Final = SCRAM.aliases[0]

KDFS: Final[dict[str, tuple[Kdf, ...]]] = {STANDARD: ("argon2id13", "pbkdf2"), DIALECT: ("argon2id-13", "pbkdf2")}
"""The key derivation functions for each authmethod."""

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 16
"""The size of a server nonce in bytes, as the specification recommends."""


@dataclass(frozen=True, slots=True)
class Derivation:
    """The parameters for deriving keys from a password. ``memory`` is in KiB; it is None for PBKDF2."""

    kdf: Kdf
    salt: bytes
    iterations: int
    memory: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ScramKeys:
    """The keys that a server stores for a password."""

    stored_key: bytes
    server_key: bytes


def salted_password(password: str, derivation: Derivation) -> bytes:
    """Return the key from which all other keys are derived. This is slow on purpose.

    Raises ValueError if the password must be normalized and SASLprep does not accept it.
    """
    secret = (password if derivation.kdf == "argon2id-13" else saslprep(password)).encode()
    if derivation.kdf == "pbkdf2":
        return pbkdf2_hmac("sha256", secret, derivation.salt, derivation.iterations, KEY_SIZE)
    raw = hash_secret_raw(
        secret,
        derivation.salt,
        time_cost=derivation.iterations,
        memory_cost=derivation.memory or 0,
        parallelism=1,
        hash_len=KEY_SIZE,
        type=Type.ID,
        version=ARGON2_VERSION,
    )
    return raw if derivation.kdf == "argon2id13" else b64encode(raw).rstrip(b"=")


def keys_of(salted: bytes) -> ScramKeys:
    """Return the keys that a server stores, given the result of :func:`salted_password`."""
    return ScramKeys(sha256(client_key(salted)).digest(), hmac.digest(salted, b"Server Key", "sha256"))


def client_key(salted: bytes) -> bytes:
    """Return the client's key, of which the server stores only a hash."""
    return hmac.digest(salted, b"Client Key", "sha256")


def joined_nonce(method: str, client_nonce: str, server: bytes) -> str:
    """Return the nonce for CHALLENGE: the client's nonce followed by the server's.

    Raises ValueError if the client's nonce is empty or not base64.
    """
    octets = b64decode(client_nonce, validate=True)
    if not octets:
        raise ValueError("the nonce is empty")
    if method == DIALECT:
        return b64encode(octets + server).decode()
    return client_nonce + b64encode(server).decode()


def auth_message(
    method: str,
    authid: str,
    client_nonce: str,
    nonce: str,
    derivation: Derivation,
    channel: tuple[str, bytes] | None = None,
) -> bytes:
    """Return the message that both sides sign. ``channel`` contains the name and the data of a channel binding."""
    name = _prepared(authid)
    salt = b64encode(derivation.salt).decode()
    binding = ""
    if method == STANDARD:
        name = name.replace("=", "=3D").replace(",", "=2C")
        flag, data = (f"p={channel[0]}", channel[1]) if channel else ("n", b"")
        binding = b64encode(f"{flag},,".encode() + data).decode()
    return f"n={name},r={client_nonce},r={nonce},s={salt},i={derivation.iterations},c={binding},r={nonce}".encode()


def client_proof(salted: bytes, message: bytes) -> bytes:
    """Return the client's proof, which is its response to a challenge."""
    key = client_key(salted)
    return _xor(key, hmac.digest(sha256(key).digest(), message, "sha256"))


def server_signature(keys: ScramKeys, message: bytes) -> bytes:
    """Return the signature with which the server proves its identity."""
    return hmac.digest(keys.server_key, message, "sha256")


def is_proof(keys: ScramKeys, message: bytes, proof: bytes) -> bool:
    """Return whether a client's proof is valid for ``keys``."""
    if len(proof) != KEY_SIZE:
        return False
    recovered = _xor(proof, hmac.digest(keys.stored_key, message, "sha256"))
    return hmac.compare_digest(sha256(recovered).digest(), keys.stored_key)


def _prepared(authid: str) -> str:
    try:
        return saslprep(authid)
    except ValueError:
        # SASLprep does not allow this authid, or it is too long. Both sides can use it unchanged: it was sent in HELLO.
        return authid


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
