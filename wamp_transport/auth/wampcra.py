"""The cryptography of WAMP-CRA: the challenge, the key and the signature.

See the WAMP specification, Advanced Profile, "Challenge Response Authentication".
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
    """The parameters for deriving a key from a password with PBKDF2-HMAC-SHA256. ``keylen`` is in bytes.

    The salt is text and is encoded in UTF-8.
    """

    salt: str
    iterations: int
    keylen: int

    def extra(self) -> dict[str, Any]:
        """Return the parameters for CHALLENGE."""
        return {"salt": self.salt, "iterations": self.iterations, "keylen": self.keylen}


def derive_key(password: str, salting: Salting) -> str:
    """Return the key that is derived from a password: the output of PBKDF2 in base64. This is slow on purpose."""
    key = pbkdf2_hmac("sha256", password.encode(), salting.salt.encode(), salting.iterations, salting.keylen)
    return b64encode(key).decode()


def challenge_text(
    session_id: int, authid: str, authrole: str, authprovider: str, *, nonce: str, timestamp: str
) -> str:
    """Return the text for the client to sign.

    ``nonce`` is random; ``timestamp`` is the current time (RFC 3339, UTC).
    """
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
    """Return the signature: HMAC-SHA256 in base64. ``key`` is the secret, or the result of :func:`derive_key`."""
    return b64encode(hmac.digest(key.encode(), challenge.encode(), "sha256")).decode()


def is_signature(keys: tuple[str, ...], challenge: str, signature: str) -> bool:
    """Return whether the signature was made with one of the keys. The comparison takes constant time."""
    given = signature.encode("utf-8", "replace")
    return any([hmac.compare_digest(sign(key, challenge).encode(), given) for key in keys])
