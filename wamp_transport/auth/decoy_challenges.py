"""Challenges for unknown clients.

They look like challenges for existing principals, and the same authid always gets the same salt. Otherwise, an attacker
could find out with one or two login attempts whether a principal exists.
"""

import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error
from string import ascii_letters, digits
from typing import Final

_TEXT: Final = ascii_letters + digits
_HEX: Final = "0123456789abcdef"

SHORTEST_BASE64: Final = 16
"""The minimum length of a text that is recognized as base64 or hexadecimal."""


def octets(key: bytes, purpose: str, authid: str, size: int) -> bytes:
    """Return pseudorandom bytes that depend only on the key, the purpose and the authid."""
    made = b""
    while len(made) < size:
        made += hmac.digest(key, f"{purpose}\0{len(made)}\0{authid}".encode("utf-8", "replace"), "sha256")
    return made[:size]


def choice(key: bytes, purpose: str, authid: str) -> int:
    """Return a pseudorandom number from 0 to 2^64 - 1 that depends only on the key, the purpose and the authid."""
    return int.from_bytes(octets(key, f"{purpose} choice", authid, 8), "big")


def text_like(model: str, key: bytes, purpose: str, authid: str) -> str:
    """Return pseudorandom text of the same kind as ``model``: hexadecimal, base64, or with the same character classes.

    In hexadecimal and base64 text, the positions of digits and letters differ from those in ``model``, just as they
    differ between two real salts.
    """
    if re.fullmatch(f"[{_HEX}]{{{SHORTEST_BASE64},}}", model):
        return octets(key, f"{purpose} text", authid, len(model) // 2 + 1).hex()[: len(model)]
    if (size := _base64_size(model)) is not None:
        text = b64encode(octets(key, f"{purpose} text", authid, size)).decode()
        text = text if len(model) % 4 == 0 else text.rstrip("=")
        is_urlsafe = len(model) % 4 != 0 or "-" in model or "_" in model
        return text.translate(_URLSAFE) if is_urlsafe and not {*model} & {*"+/"} else text
    made = octets(key, f"{purpose} text", authid, 2 * len(model))
    return "".join(_like(one, made[2 * index] << 8 | made[2 * index + 1]) for index, one in enumerate(model))


_URLSAFE: Final = str.maketrans("+/", "-_")
_STANDARD: Final = str.maketrans("-_", "+/")


def _base64_size(model: str) -> int | None:
    """Return the number of bytes that ``model`` encodes in base64 or URL-safe base64; None if ``model`` is neither."""
    plain = model.translate(_STANDARD).rstrip("=")
    if len(plain) < SHORTEST_BASE64:
        return None
    padded = plain + "=" * (-len(plain) % 4)
    try:
        made = b64decode(padded, validate=True)
    except (Error, ValueError):
        return None
    return len(made) if b64encode(made).decode() == padded else None


def _like(one: str, number: int) -> str:
    if one in digits:
        return digits[number % 10]
    if one in "abcdef":
        return "abcdef"[number % 6]
    return _TEXT[number % len(_TEXT)] if one in _TEXT else one
