"""Conversion of the results of authenticators (WAMP procedures or Python functions) to principals."""

from collections.abc import Mapping
from typing import Any, Final

from ..config.auth_methods import CRYPTOSIGN, SCRAM, WAMPCRA
from .cra_method import salting_of
from .cryptosign import public_key
from .principals import CraKeys, CraPassword, Credential, Principal, PublicKeys, ScramCredential
from .scram import Derivation, ScramKeys

MAX_ITERATIONS: Final = 10_000_000
"""The maximum number of key derivation rounds for a login. The router or the client computes them."""

MAX_KEYLEN: Final = 1024


class BadAnswer(Exception):
    """Raised if the result of an authenticator is invalid. The message contains no values, which can be secret."""


def principal_from(method: str, answer: object) -> Principal:
    """Return the principal that the result of an authenticator describes.

    The result is a role, or a mapping with ``role`` and other keys. Raises BadAnswer if it is invalid.
    """
    if isinstance(answer, str):
        answer = {"role": answer}
    if not isinstance(answer, Mapping):
        raise BadAnswer(f"expected an object or a role, found {type(answer).__name__}")
    return Principal(
        _text(answer, "role"),
        _text(answer, "authid"),
        _text(answer, "realm"),
        _extra(answer),
        CREDENTIALS[method](answer) if method in CREDENTIALS else None,
    )


def _extra(answer: Mapping[Any, Any]) -> Mapping[str, Any] | None:
    extra = answer.get("extra")
    if extra is None or (isinstance(extra, Mapping) and all(isinstance(key, str) for key in extra)):
        return extra
    raise BadAnswer("expected `extra` to be an object")


def _text(answer: Mapping[Any, Any], key: str) -> str | None:
    value = answer.get(key)
    if value is None or (isinstance(value, str) and value):
        return value
    raise BadAnswer(f"expected `{key}` to be text")


def _number(answer: Mapping[Any, Any], key: str, most: int) -> int | None:
    value = answer.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most):
        return value
    raise BadAnswer(f"expected `{key}` to be an integer from 1 to {most}")


def _cra(answer: Mapping[Any, Any]) -> Credential:
    secret, derived = _text(answer, "secret"), _text(answer, "derived_key")
    iterations = _number(answer, "iterations", MAX_ITERATIONS)
    salting = salting_of(_text(answer, "salt"), iterations, _number(answer, "keylen", MAX_KEYLEN))
    if derived is not None and secret is None and salting is not None:
        return CraKeys((derived,), salting)
    if secret is None or derived is not None:
        raise BadAnswer("expected `secret`, or `derived_key` with salt, iterations and keylen")
    return CraKeys((secret,)) if salting is None else CraPassword(secret, salting)


def _scram(answer: Mapping[Any, Any]) -> Credential:
    kdf = _text(answer, "kdf")
    iterations = _number(answer, "iterations", MAX_ITERATIONS)
    if kdf not in ("argon2id13", "argon2id-13", "pbkdf2") or iterations is None:
        raise BadAnswer("expected `kdf` (argon2id13, argon2id-13 or pbkdf2) and `iterations`")
    memory = _number(answer, "memory", 2**32)
    keys = ScramKeys(_octets(answer, "stored-key"), _octets(answer, "server-key"))
    derivation = Derivation(kdf, _octets(answer, "salt"), iterations, None if kdf == "pbkdf2" else memory)  # type: ignore[arg-type]
    return ScramCredential(derivation, (keys,))


def _octets(answer: Mapping[Any, Any], key: str) -> bytes:
    value = answer.get(key)
    try:
        octets = value if isinstance(value, bytes) else bytes.fromhex(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        octets = b""
    if not octets:
        raise BadAnswer(f"expected `{key}` in hex")
    return octets


def _cryptosign(answer: Mapping[Any, Any]) -> Credential:
    key = public_key(answer.get("pubkey"))
    if key is None:
        raise BadAnswer("expected `pubkey`, 64 hex digits")
    return PublicKeys((key,))


CREDENTIALS: Final = {WAMPCRA.name: _cra, SCRAM.name: _scram, CRYPTOSIGN.name: _cryptosign}
