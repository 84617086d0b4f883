"""The computations of WAMP-cryptosign: Ed25519 signatures of a challenge, optionally bound to a TLS channel.

Section of the specification: Advanced Profile, "Cryptosign-based Authentication".
"""

import hmac
import re
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_BYTES: Final = 32
"""Octets of a key, a challenge and a channel id."""

_OCTETS: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_ANSWER: Final = re.compile(r"[0-9a-fA-F]{192}", re.ASCII)


def public_key(text: object) -> str | None:
    """Return a public key in the form that is compared, lower case hex; None if ``text`` is not a key."""
    return text.lower() if isinstance(text, str) and _OCTETS.fullmatch(text) else None


def challenge_of(text: object) -> bytes | None:
    """Return the octets of a challenge in hex; None if ``text`` is not a challenge."""
    return bytes.fromhex(text) if isinstance(text, str) and _OCTETS.fullmatch(text) else None


def public_key_of(private_key: bytes) -> str:
    """Return the public key, in hex, of a private key of 32 octets."""
    return Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw().hex()


def message_of(challenge: bytes, channel_id: bytes | None = None) -> bytes:
    """Return the octets to sign: the challenge, or the challenge XOR the id of the TLS channel; 32 octets each."""
    return challenge if channel_id is None else bytes(a ^ b for a, b in zip(challenge, channel_id, strict=True))


def sign(private_key: bytes, message: bytes) -> str:
    """Return the answer to a challenge: the signature and the message in hex, 96 octets."""
    return (Ed25519PrivateKey.from_private_bytes(private_key).sign(message) + message).hex()


def is_answer(key: str, message: bytes, answer: str) -> bool:
    """Return whether ``answer`` holds this message and its signature by the owner of a public key (hex)."""
    if not _ANSWER.fullmatch(answer):
        return False
    octets = bytes.fromhex(answer)
    signature, signed = octets[:-KEY_BYTES], octets[-KEY_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return hmac.compare_digest(signed, message)
