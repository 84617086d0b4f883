"""Fingerprints of TLS client certificates, in a normalized form for comparison."""

import re
from collections.abc import Mapping
from typing import Any, Final

_FINGERPRINT: Final = {
    "sha1": re.compile("[0-9A-F]{40}", re.ASCII),
    "sha256": re.compile("[0-9A-F]{64}", re.ASCII),
}


def fingerprint(algorithm: str, text: str) -> str:
    """Return the fingerprint as ``sha1:`` or ``sha256:`` and uppercase digits. Colons in ``text`` are optional.

    Raises ValueError if ``text`` is not a fingerprint.
    """
    digits = text.replace(":", "").upper()
    if not _FINGERPRINT[algorithm].fullmatch(digits):
        raise ValueError(f"not a fingerprint of {algorithm}")
    return f"{algorithm}:{digits}"


def fingerprints_of(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the fingerprints of a client's certificate, given as in session details; empty without a certificate."""
    return frozenset(
        fingerprint(name, certificate[name]) for name in _FINGERPRINT if certificate and name in certificate
    )
