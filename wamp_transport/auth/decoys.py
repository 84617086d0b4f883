"""What unknown peers are told: challenges like those of principals, and the same ones each time they ask.

Otherwise a challenge, or two of them, would tell who is a principal and who is not.
"""

import hmac
from string import ascii_letters, digits
from typing import Final

_TEXT: Final = ascii_letters + digits


def octets(key: bytes, purpose: str, authid: str, size: int) -> bytes:
    """Octets that look random and are the same for the same key, purpose and authid."""
    made = b""
    while len(made) < size:
        made += hmac.digest(key, f"{purpose}\0{len(made)}\0{authid}".encode("utf-8", "replace"), "sha256")
    return made[:size]


def choice(key: bytes, purpose: str, authid: str) -> int:
    """A number of the same kind, from 0 to 2^64 - 1."""
    return int.from_bytes(octets(key, f"{purpose} choice", authid, 8), "big")


def text_like(model: str, key: bytes, purpose: str, authid: str) -> str:
    """Text of the same kind, with characters of the same sort in the same places as ``model``."""
    made = octets(key, f"{purpose} text", authid, 2 * len(model))
    return "".join(_like(one, made[2 * index] << 8 | made[2 * index + 1]) for index, one in enumerate(model))


def _like(one: str, number: int) -> str:
    if one in digits:
        return digits[number % 10]
    if one in "abcdef":
        return "abcdef"[number % 6]
    return _TEXT[number % len(_TEXT)] if one in _TEXT else one
