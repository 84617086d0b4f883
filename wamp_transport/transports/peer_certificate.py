"""What is told of a client's certificate: names, validity, fingerprints."""

from typing import Any

from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.x509 import Certificate, Name


def certificate_details(certificate: Certificate) -> dict[str, Any]:
    """A certificate as session details tell it; fingerprints are upper case hex with colons, as OpenSSL prints them."""
    return {
        "subject": _names(certificate.subject),
        "issuer": _names(certificate.issuer),
        "serial": str(certificate.serial_number),
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "sha1": _fingerprint(certificate, SHA1()),  # noqa: S303 - tells certificates apart, as Crossbar's config does
        "sha256": _fingerprint(certificate, SHA256()),
    }


def _names(name: Name) -> dict[str, str]:
    """``cn``, ``o`` and so on; of an attribute given more than once the last."""
    return {attribute.rfc4514_attribute_name.lower(): str(attribute.value) for attribute in name}


def _fingerprint(certificate: Certificate, algorithm: HashAlgorithm) -> str:
    return certificate.fingerprint(algorithm).hex(":").upper()
