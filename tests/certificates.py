"""Certificates for tests: a certificate authority, and certificates that it signs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import (
    AuthorityKeyIdentifier,
    BasicConstraints,
    Certificate,
    CertificateBuilder,
    DNSName,
    IPAddress,
    KeyUsage,
    Name,
    NameAttribute,
    SubjectAlternativeName,
    SubjectKeyIdentifier,
    random_serial_number,
)
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: Certificate
    key: EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def write(self, directory: Path, name: str) -> tuple[Path, Path]:
        """Write ``name``.key and ``name``.pem to a directory, each atomically, and return their paths."""
        paths = directory / f"{name}.key", directory / f"{name}.pem"
        for path, content in zip(paths, (self.key_pem, self.certificate_pem), strict=True):
            new = path.with_suffix(".new")
            new.touch(0o600)
            new.write_bytes(content)
            new.rename(path)
        return paths


class Authority:
    """A certificate authority."""

    def __init__(self, name: str = "Tests") -> None:
        self.issued = _issue(name, None, is_authority=True)

    def issue(self, name: str = "server", **options: timedelta) -> Issued:
        """Issue a certificate for 127.0.0.1 and localhost. ``begins`` and ``ends`` are relative to now."""
        return _issue(name, self.issued, **options)

    def write(self, path: Path) -> Path:
        """Write the certificate of the authority to a file, and return its path."""
        path.write_bytes(self.issued.certificate_pem)
        return path


def _issue(
    name: str,
    issuer: Issued | None,
    *,
    is_authority: bool = False,
    begins: timedelta = timedelta(days=-1),
    ends: timedelta = timedelta(days=90),
) -> Issued:
    key = generate_private_key(SECP256R1())
    subject = Name([NameAttribute(NameOID.COMMON_NAME, name), NameAttribute(NameOID.ORGANIZATION_NAME, "Example")])
    names = SubjectAlternativeName([DNSName("localhost"), IPAddress(ip_address("127.0.0.1"))])
    issuer_key = (issuer.key if issuer else key).public_key()
    now = datetime.now(UTC)
    builder = (
        CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(names, critical=False)
        # From Python 3.13 on, clients refuse certificates without these three extensions.
        .add_extension(_usage(is_authority), critical=True)
        .add_extension(SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )
    return Issued(builder.sign(issuer.key if issuer else key, SHA256()), key)


def _usage(is_authority: bool) -> KeyUsage:
    return KeyUsage(
        digital_signature=True,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
