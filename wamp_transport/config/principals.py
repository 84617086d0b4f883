"""Principals in the configuration: their credentials, and the role and details of their sessions."""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from wamp_transport.config.secret import Secret
from wamp_transport.config.section import Finding, Section, setting

MAX_ITERATIONS = 10_000_000
MAX_KEYLEN = 1024
MAX_MEMORY_KIB = 4 * 1024 * 1024

_SHA1 = r"^([0-9a-fA-F]{2}:){19}[0-9a-fA-F]{2}$|^[0-9a-fA-F]{40}$"
_SHA256 = r"^([0-9a-fA-F]{2}:){31}[0-9a-fA-F]{2}$|^[0-9a-fA-F]{64}$"
_SALTING = ("salt", "iterations", "keylen")


def _is_key(secret: Secret) -> Secret:
    if not re.fullmatch("[0-9a-fA-F]{64}", secret.reveal()):
        raise PydanticCustomError("config", "expected 64 hex digits (32 octets)")
    return secret


Key = Annotated[Secret, AfterValidator(_is_key)]


def _is_hash(secret: Secret) -> Secret:
    if not re.fullmatch(r"[a-z0-9_]+\$.+", secret.reveal(), re.ASCII | re.DOTALL):
        raise PydanticCustomError("config", "expected a hash as `manage.py wamp hash-secret ticket` makes it")
    return secret


Hash = Annotated[Secret, AfterValidator(_is_hash)]


class StaticPrincipal(Section):
    """The base class of principals in the configuration: the identity and role that their sessions get."""

    role: str | None = setting(
        None,
        "Role of the principal's sessions. Null: the method's `default-role`.",
        min_length=1,
        expected="the name of a role",
    )
    authid: str | None = setting(
        None,
        "Authid of the principal's sessions. Null: the name under which it is listed.",
        min_length=1,
        expected="an authid",
    )
    realm: str | None = setting(
        None,
        "Realm that the principal's sessions join. Null: the realm that the client requests.",
        min_length=1,
        expected="the name of a realm",
    )
    extra: dict[str, Any] | None = setting(
        None, "Details that the principal's sessions receive in WELCOME as authextra."
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the role is not reserved for the router."""
        if given.get("role") == "trusted":
            yield Finding(("role",), "role trusted is the router's own and cannot be given to clients")


class TicketPrincipal(StaticPrincipal):
    """A principal with a ticket, which is given in clear text (`ticket`) or as a hash (`ticket_hash`)."""

    ticket: Secret | None = setting(
        None,
        'The ticket, or "${NAME}" for an environment variable.',
        expected="the ticket as text",
        secret=True,
    )
    ticket_hash: Hash | None = setting(
        None,
        "Hash of the ticket, made by Django's password hashers. It replaces `ticket`, so that the ticket itself is not "
        "stored on the server. `manage.py wamp hash-secret ticket` makes a hash.",
        expected="a hash as text",
        secret=True,
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the ticket is given in exactly one form."""
        yield from super().check(given)
        if (given.get("ticket") is None) == (given.get("ticket_hash") is None):
            yield Finding((), "expected either `ticket` (in clear text) or `ticket_hash`")


class CraPrincipal(StaticPrincipal):
    """A principal with a shared secret, which is given in clear text (`secret`) or as a derived key (`derived_key`)."""

    secret: Secret | None = setting(
        None,
        'The secret in clear text, as in Crossbar, or "${NAME}" for an environment variable. If salt, iterations and '
        "keylen are given, the key is derived from the secret.",
        expected="the secret as text",
        secret=True,
    )
    derived_key: Secret | None = setting(
        None,
        "The key derived from the secret with salt, iterations and keylen, in base64. It replaces `secret`, so that "
        "the secret itself is not stored on the server. `manage.py wamp hash-secret wampcra` makes a key.",
        expected="a key in base64",
        secret=True,
    )
    salt: str | None = setting(None, "Salt of the key.", min_length=1, expected="a text")
    iterations: int | None = setting(None, "Number of iterations of PBKDF2.", ge=1, le=MAX_ITERATIONS)
    keylen: int | None = setting(None, "Length of the key in octets.", unit="octets", ge=1, le=MAX_KEYLEN)

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the secret is given in exactly one form, and that salting parameters are complete or absent."""
        yield from super().check(given)
        missing = [key for key in _SALTING if given.get(key) is None]
        if (given.get("secret") is None) == (given.get("derived_key") is None):
            yield Finding((), "expected either `secret` (in clear text) or `derived_key`")
        elif given.get("derived_key") is not None and missing:
            yield Finding(("derived_key",), f"needs {', '.join(missing)}, so that clients know how to derive the key")
        elif missing and len(missing) < len(_SALTING):
            kept = next(key for key in _SALTING if key not in missing)
            yield Finding((kept,), f"has no effect without {', '.join(missing)}: no key is derived", level="ignored")
        elif not missing and _is_derived(given.get("secret"), given.get("keylen")):
            yield Finding(
                ("secret",),
                "looks like a derived key, and is used as the secret in clear text, as by Crossbar",
                "give it as `derived_key` if clients log in with the password that it was derived from",
                "ignored",
            )


class ScramPrincipal(StaticPrincipal):
    """A principal with the keys that SCRAM derives from a password. Binary values are written in hexadecimal."""

    kdf: Literal["argon2id13", "argon2id-13", "pbkdf2"] = setting(
        ...,
        "Function that derived the keys. argon2id13: for clients that use the method wamp-scram of the specification. "
        "argon2id-13: for clients that use the method scram of Autobahn and Crossbar. pbkdf2: for both.",
    )
    iterations: int = setting(..., "Number of iterations.", ge=1, le=MAX_ITERATIONS)
    memory: int | None = setting(
        None, "Memory that Argon2 uses, in KiB. Required for Argon2.", unit="KiB", ge=8, le=MAX_MEMORY_KIB
    )
    salt: str = setting(..., "Salt, in hex, at least 8 octets.", pattern=r"^([0-9a-fA-F]{2}){8,1024}$", expected="hex")
    stored_key: Key = setting(
        ..., "StoredKey, 32 octets in hex.", alias="stored-key", expected="64 hex digits", secret=True
    )
    server_key: Key = setting(
        ..., "ServerKey, 32 octets in hex.", alias="server-key", expected="64 hex digits", secret=True
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the memory parameter is given if Argon2 is used."""
        yield from super().check(given)
        kdf = given.get("kdf")
        if isinstance(kdf, str) and kdf.startswith("argon2") and given.get("memory") is None:
            yield Finding(("memory",), f'is needed with kdf "{kdf}"')


class CryptosignPrincipal(StaticPrincipal):
    """A principal with public keys."""

    authorized_keys: tuple[str, ...] = setting(
        ...,
        "Public keys of the principal (Ed25519), each 32 octets in hex. With several keys, you can replace one without "
        "interruption.",
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that all keys are valid."""
        yield from super().check(given)
        keys = given.get("authorized_keys")
        for index, key in enumerate(keys if isinstance(keys, tuple) else ()):
            if isinstance(key, str) and not re.fullmatch("[0-9a-fA-F]{64}", key):
                yield Finding(("authorized_keys", index), "expected a public key of 64 hex digits (32 octets)")


class TlsPrincipal(StaticPrincipal):
    """A principal with a TLS certificate. Fingerprints are in hex, with or without colons."""

    certificate_sha1: str | None = setting(
        None,
        "SHA-1 fingerprint of the principal's certificate.",
        alias="certificate-sha1",
        pattern=_SHA1,
        expected="a fingerprint of 20 octets in hex",
    )
    certificate_sha256: str | None = setting(
        None,
        "SHA-256 fingerprint of the principal's certificate. Preferable to SHA-1.",
        alias="certificate-sha256",
        pattern=_SHA256,
        expected="a fingerprint of 32 octets in hex",
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that there is at least one fingerprint."""
        yield from super().check(given)
        if given.get("certificate-sha1") is None and given.get("certificate-sha256") is None:
            yield Finding((), "expected `certificate-sha256` or `certificate-sha1`")


def _is_derived(secret: object, keylen: object) -> bool:
    try:
        return isinstance(secret, str) and len(b64decode(secret, validate=True)) == keylen
    except (Error, ValueError):
        return False
