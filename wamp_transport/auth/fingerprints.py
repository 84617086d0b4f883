"""Fingerprints of TLS client certificates, in the form that is compared."""

import re
from collections.abc import Mapping
from typing import Any, Final

_FINGERPRINT: Final = {
    "sha1": re.compile("[0-9A-F]{40}", re.ASCII),
    "sha256": re.compile("[0-9A-F]{64}", re.ASCII),
}


def fingerprint(algorithm: str, text: str) -> str:
    """Return ``sha1:`` or ``sha256:`` and the digits in upper case, from a text with or without colons.

    Raises ValueError for text that is not a fingerprint.
    """
    digits = text.replace(":", "").upper()
    if not _FINGERPRINT[algorithm].fullmatch(digits):
        raise ValueError(f"not a fingerprint of {algorithm}")
    return f"{algorithm}:{digits}"


def fingerprints_of(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the fingerprints in session details of a client's certificate; none without a certificate."""
    return frozenset(
        fingerprint(name, certificate[name]) for name in _FINGERPRINT if certificate and name in certificate
    )
