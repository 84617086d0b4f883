"""Fingerprints of TLS client certificates, in the one form that is compared."""

import re
from collections.abc import Mapping
from typing import Any, Final

_FINGERPRINT: Final = {
    "sha1": re.compile("[0-9A-F]{40}", re.ASCII),
    "sha256": re.compile("[0-9A-F]{64}", re.ASCII),
}


def fingerprint(algorithm: str, text: str) -> str:
    """``sha1:`` or ``sha256:`` and the digits in upper case, from a text with or without colons.

    Raises ValueError for what is none.
    """
    digits = text.replace(":", "").upper()
    if not _FINGERPRINT[algorithm].fullmatch(digits):
        raise ValueError(f"not a fingerprint of {algorithm}")
    return f"{algorithm}:{digits}"


def fingerprints_of(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """The fingerprints of a client's certificate, as session details tell it; none where it has given none."""
    return frozenset(
        fingerprint(name, certificate[name]) for name in _FINGERPRINT if certificate and name in certificate
    )
