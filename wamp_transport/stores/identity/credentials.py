"""Storage of credentials. Only hashes and derived keys are stored, never the secrets.

When the secret of a principal is changed, both the old and the new secret can be valid for some time. A challenge
contains only one salt, so the new secret uses the salt of the old one. A client can then answer the same challenge with
either secret.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.hashers import make_password
from django.utils.translation import gettext as _

from wamp_transport.auth import cryptosign, scram, wampcra
from wamp_transport.auth.credential_kinds import CREDENTIAL_KINDS
from wamp_transport.auth.fingerprints import fingerprint
from wamp_transport.config.auth_methods import CRYPTOSIGN, TICKET, WAMPCRA

ITERATIONS: Final = 600_000
"""The number of PBKDF2 iterations, as recommended for HMAC-SHA256."""

ARGON2_PASSES: Final = 3
ARGON2_MEMORY: Final = 64 * 1024
"""The memory for Argon2 in KiB. Clients need the same amount, so the value must suit browsers and small devices."""

SALT_SIZE: Final = 16
KEYLEN: Final = 32
"""The length of a WAMP-CRA key in bytes."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The stored part of a credential. See :class:`~wamp_transport.models.Credential`."""

    data: dict[str, Any]
    fingerprint: str


def keep(method: str, secret: str, other: Mapping[str, Any] | None = None) -> Kept:
    """Return the data to store for ``secret``. Hashing is slow on purpose: do not call this on the event loop.

    ``other`` is the data of another valid credential of the same principal and method, whose salt is reused. Raises
    ValueError with a user-friendly message if the secret is not suitable for the method.
    """
    kind = CREDENTIAL_KINDS[method]
    if len(secret) < kind.min_length:
        raise ValueError(_("Too short: at least %d characters.") % kind.min_length)
    if method == TICKET.name:
        return _named({"hash": make_password(secret)})
    if method == WAMPCRA.name:
        return _named(_wampcra(secret, other))
    if kind.kdf is not None:
        return _named(_scram(kind.kdf, secret, other))
    return Kept({}, public(method, secret))


def public(method: str, text: str) -> str:
    """Return a public key or certificate fingerprint in normalized form. Raises ValueError if it is invalid."""
    if method == CRYPTOSIGN.name:
        key = cryptosign.public_key(text.strip())
        if key is None:
            raise ValueError(_("A public key is 64 hexadecimal digits."))
        return key
    digits = text.strip().replace(":", "")
    try:
        return fingerprint("sha1" if len(digits) == 40 else "sha256", digits)
    except ValueError:
        raise ValueError(_("A fingerprint is 64 hexadecimal digits (SHA-256), or 40 (SHA-1).")) from None


def _wampcra(secret: str, other: Mapping[str, Any] | None) -> dict[str, Any]:
    salting = (
        wampcra.Salting(secrets.token_urlsafe(SALT_SIZE), ITERATIONS, KEYLEN)
        if other is None
        else wampcra.Salting(other["salt"], other["iterations"], other["keylen"])
    )
    return {**salting.extra(), "key": wampcra.derive_key(secret, salting)}


def _scram(kdf: scram.Kdf, secret: str, other: Mapping[str, Any] | None) -> dict[str, Any]:
    if other is not None:
        derivation = derivation_of(other)
    elif kdf == "pbkdf2":
        derivation = scram.Derivation(kdf, secrets.token_bytes(SALT_SIZE), ITERATIONS)
    else:
        derivation = scram.Derivation(kdf, secrets.token_bytes(SALT_SIZE), ARGON2_PASSES, ARGON2_MEMORY)
    try:
        keys = scram.keys_of(scram.salted_password(secret, derivation))
    except ValueError as fault:
        raise ValueError(_("Not allowed in a password: %s.") % fault) from None
    return {
        "kdf": derivation.kdf,
        "salt": derivation.salt.hex(),
        "iterations": derivation.iterations,
        "memory": derivation.memory,
        "stored_key": keys.stored_key.hex(),
        "server_key": keys.server_key.hex(),
    }


def derivation_of(data: Mapping[str, Any]) -> scram.Derivation:
    """Return the parameters with which the keys of a SCRAM credential were derived."""
    return scram.Derivation(data["kdf"], bytes.fromhex(data["salt"]), data["iterations"], data["memory"])


def _named(data: dict[str, Any]) -> Kept:
    """Return the data to store, with a random fingerprint, which reveals nothing about the secret."""
    return Kept(data, secrets.token_hex(8))
