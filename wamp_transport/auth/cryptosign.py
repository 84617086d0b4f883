"""The computations of WAMP-cryptosign: Ed25519 signatures of a challenge, bound to a TLS channel or not.

Section of the specification: Advanced Profile, "Cryptosign-based Authentication".
"""

import hmac
import re
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIZE: Final = 32
"""Octets of a key, a challenge and a channel id."""

_OCTETS: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_ANSWER: Final = re.compile(r"[0-9a-fA-F]{192}", re.ASCII)


def public_key(text: object) -> str | None:
    """A public key in the one form that is compared, lower case hex; None where ``text`` is none."""
    return text.lower() if isinstance(text, str) and _OCTETS.fullmatch(text) else None


def challenge_of(text: object) -> bytes | None:
    """The octets of a challenge in hex; None where ``text`` is none."""
    return bytes.fromhex(text) if isinstance(text, str) and _OCTETS.fullmatch(text) else None


def public_key_of(private_key: bytes) -> str:
    """The public key that belongs to a private one of 32 octets, in hex."""
    return Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw().hex()


def message_of(challenge: bytes, channel_id: bytes | None = None) -> bytes:
    """What is signed: the challenge, or the challenge XOR the id of the TLS channel; 32 octets each."""
    return challenge if channel_id is None else bytes(a ^ b for a, b in zip(challenge, channel_id, strict=True))


def sign(private_key: bytes, message: bytes) -> str:
    """The answer to a challenge: hex of the signature and the message, 96 octets."""
    return (Ed25519PrivateKey.from_private_bytes(private_key).sign(message) + message).hex()


def is_answer(key: str, message: bytes, answer: str) -> bool:
    """Whether ``answer`` is the signature of this message, and the message, by the owner of a public key (hex)."""
    if not _ANSWER.fullmatch(answer):
        return False
    octets = bytes.fromhex(answer)
    signature, signed = octets[:-SIZE], octets[-SIZE:]
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return hmac.compare_digest(signed, message)
