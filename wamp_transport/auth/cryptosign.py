"""The cryptography of WAMP-cryptosign: Ed25519 signatures of a challenge, optionally bound to a TLS channel.

See the WAMP specification, Advanced Profile, "Cryptosign-based Authentication".
"""

import hmac
import re
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_BYTES: Final = 32
"""The size of a key, a challenge and a channel ID, in bytes."""

_OCTETS: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_ANSWER: Final = re.compile(r"[0-9a-fA-F]{192}", re.ASCII)


def public_key(text: object) -> str | None:
    """Return a public key in lowercase hexadecimal, for comparison; None if ``text`` is not a key."""
    return text.lower() if isinstance(text, str) and _OCTETS.fullmatch(text) else None


def challenge_of(text: object) -> bytes | None:
    """Return a challenge, given in hexadecimal, as bytes; None if ``text`` is not a challenge."""
    return bytes.fromhex(text) if isinstance(text, str) and _OCTETS.fullmatch(text) else None


def public_key_of(private_key: bytes) -> str:
    """Return the public key, in hexadecimal, for a private key of 32 bytes."""
    return Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw().hex()


def message_of(challenge: bytes, channel_id: bytes | None = None) -> bytes:
    """Return the bytes to sign: the challenge, XORed with the channel ID if there is one. Each is 32 bytes long."""
    return challenge if channel_id is None else bytes(a ^ b for a, b in zip(challenge, channel_id, strict=True))


def sign(private_key: bytes, message: bytes) -> str:
    """Return the response to a challenge: the signature and the message, together 96 bytes, in hexadecimal."""
    return (Ed25519PrivateKey.from_private_bytes(private_key).sign(message) + message).hex()


def is_answer(key: str, message: bytes, answer: str) -> bool:
    """Return whether ``answer`` contains ``message`` and a signature that is valid for the public key ``key``."""
    if not _ANSWER.fullmatch(answer):
        return False
    octets = bytes.fromhex(answer)
    signature, signed = octets[:-KEY_BYTES], octets[-KEY_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return hmac.compare_digest(signed, message)
