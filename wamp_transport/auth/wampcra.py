"""The computations of WAMP-CRA: the challenge, the key, the signature.

Section of the specification: Advanced Profile, "Challenge Response Authentication".
"""

import hmac
import json
from base64 import b64encode
from dataclasses import dataclass
from hashlib import pbkdf2_hmac
from typing import Any

from ..config.auth_methods import WAMPCRA


@dataclass(frozen=True, slots=True)
class Salting:
    """How the key is derived from a password, by PBKDF2-HMAC-SHA256. ``keylen`` is in octets.

    The salt is text, of which the UTF-8 octets count.
    """

    salt: str
    iterations: int
    keylen: int

    def extra(self) -> dict[str, Any]:
        """What CHALLENGE tells the client of it."""
        return {"salt": self.salt, "iterations": self.iterations, "keylen": self.keylen}


def derive_key(password: str, salting: Salting) -> str:
    """The key of a salted password: base64 of what PBKDF2 makes. Slow on purpose."""
    key = pbkdf2_hmac("sha256", password.encode(), salting.salt.encode(), salting.iterations, salting.keylen)
    return b64encode(key).decode()


def challenge_text(
    session_id: int, authid: str, authrole: str, authprovider: str, *, nonce: str, timestamp: str
) -> str:
    """The text that the client is to sign. ``nonce`` is random, ``timestamp`` the time of day (RFC 3339, UTC)."""
    return json.dumps(
        {
            "authid": authid,
            "authrole": authrole,
            "authmethod": WAMPCRA.name,
            "authprovider": authprovider,
            "session": session_id,
            "nonce": nonce,
            "timestamp": timestamp,
        }
    )


def sign(key: str, challenge: str) -> str:
    """The signature: base64 of HMAC-SHA256. ``key`` is the secret itself, or what :func:`derive_key` makes of it."""
    return b64encode(hmac.digest(key.encode(), challenge.encode(), "sha256")).decode()


def is_signature(keys: tuple[str, ...], challenge: str, signature: str) -> bool:
    """Whether any of the keys has made the signature. Takes the same time wherever they differ."""
    given = signature.encode("utf-8", "replace")
    return any([hmac.compare_digest(sign(key, challenge).encode(), given) for key in keys])
