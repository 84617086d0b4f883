"""The key and certificate files of a TLS endpoint.

This module reads and checks the files, so that problems are reported before a handshake fails. The transports perform
the handshakes.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import Certificate, load_pem_x509_certificates

from wamp_transport.config.endpoint import TlsSection
from wamp_transport.config.section import Finding

MAX_FILE_BYTES: Final = 1024 * 1024
EXPIRY_WARNING_PERIOD: Final = timedelta(days=7)
"""A notice is reported for a certificate that expires within this time."""

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of a TLS endpoint, as absolute paths, and the endpoint's other TLS options."""

    key: Path
    certificate: Path
    chain: tuple[Path, ...] = ()
    authorities: tuple[Path, ...] = ()
    dhparam: Path | None = None
    ciphers: str | None = None
    requires_client: bool = False

    @classmethod
    def of(cls, section: TlsSection, resolve: Callable[[str], Path]) -> "TlsFiles":
        """Return the files that a ``tls`` section names. ``resolve`` makes a path absolute."""
        return cls(
            resolve(section.key),
            resolve(section.certificate),
            tuple(map(resolve, section.chain_certificates)),
            tuple(map(resolve, section.ca_certificates)),
            resolve(section.dhparam) if section.dhparam is not None else None,
            section.ciphers,
            section.refuses_clients_without_certificate,
        )

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths of all files."""
        dhparam = () if self.dhparam is None else (self.dhparam,)
        return (self.key, self.certificate, *self.chain, *self.authorities, *dhparam)

    def state(self) -> tuple[object, ...]:
        """Return a value that changes whenever a file is written, replaced or removed."""
        return tuple(map(_state_of, self.paths))


@dataclass(frozen=True, slots=True)
class Material:
    """The parsed content of a TLS endpoint's files.

    The certificates in ``chain`` are sent after ``certificate``. ``authorities`` contains the certificates of the
    authorities whose client certificates are accepted.
    """

    key: PrivateKeyTypes
    certificate: Certificate
    chain: tuple[Certificate, ...]
    authorities: tuple[Certificate, ...]


class _Unusable(Exception):
    """Raised if a file cannot be used. The message contains the reason."""


def read(files: TlsFiles, now: datetime | None = None) -> tuple[Material | None, list[Finding]]:
    """Read and check the files. Return their content (None if they cannot be used) and a list of findings.

    The locations of findings are relative to the section ``tls``. Missing or invalid files raise no exception.
    """
    findings: list[Finding] = []
    key = _try(findings, ("key",), files.key, _key)
    certificates = _try(findings, ("certificate",), files.certificate, _server_certificates)
    chain = [
        _try(findings, ("chain_certificates", index), path, _certificates) for index, path in enumerate(files.chain)
    ]
    authorities = [
        _try(findings, ("ca_certificates", index), path, _certificates) for index, path in enumerate(files.authorities)
    ]
    if files.dhparam is not None:
        _try(findings, ("dhparam",), files.dhparam, _parameters)
    if findings or key is None or certificates is None:
        return None, findings
    if _public(key) != _public(certificates[0]):
        message = f"the key in {files.key} does not belong to the certificate in {files.certificate}"
        return None, [Finding(("key",), message, "give the key that the certificate was made for")]
    findings += _remarks(files, certificates[0], now or datetime.now(UTC))
    material = Material(
        key,
        certificates[0],
        (*certificates[1:], *(one for some in chain for one in some or ())),
        tuple(one for some in authorities for one in some or ()),
    )
    return material, findings


def _try(
    findings: list[Finding], location: tuple[str | int, ...], path: Path, parse: Callable[[bytes], Parsed]
) -> Parsed | None:
    try:
        return parse(_content(path))
    except _Unusable as error:
        findings.append(Finding(location, f"{path}: {error}"))
    return None


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise _Unusable("there is no such file") from None
    except (OSError, ValueError) as error:
        raise _Unusable(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MAX_FILE_BYTES:
        raise _Unusable(f"larger than {MAX_FILE_BYTES} bytes (1 MiB)")
    return content


def _key(content: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(content, None)
    except TypeError:
        raise _Unusable(
            "the private key is encrypted; store it without a password, readable only by the server"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _Unusable("holds no private key in PEM format") from None


def _certificates(content: bytes) -> list[Certificate]:
    try:
        return load_pem_x509_certificates(content)
    except ValueError:
        raise _Unusable("holds no certificate in PEM format") from None


def _server_certificates(content: bytes) -> list[Certificate]:
    certificates = _certificates(content)
    try:
        certificates[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise _Unusable("holds a certificate with a kind of key that is not supported") from None
    return certificates


def _parameters(content: bytes) -> None:
    if b"-----BEGIN DH PARAMETERS-----" not in content:
        raise _Unusable("holds no Diffie-Hellman parameters in PEM format")


def _public(item: Any) -> bytes:
    encoded: bytes = item.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _remarks(files: TlsFiles, certificate: Certificate, now: datetime) -> Iterator[Finding]:
    """Yield findings about files that can be used but need attention."""
    try:
        mode = files.key.stat().st_mode
    except OSError:
        mode = 0
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        message = f"{files.key}: every user of this machine can read or change this private key"
        yield Finding(("key",), message, f"chmod o-rw {files.key}", "ignored")
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now >= end:
        message = f"{files.certificate}: this certificate expired on {end:%Y-%m-%d}, and clients will refuse it"
        yield Finding(("certificate",), message, "renew it; the new file is used without a restart", "ignored")
    elif now < begin:
        message = f"{files.certificate}: this certificate is not valid before {begin:%Y-%m-%d}"
        yield Finding(("certificate",), message, "check the clock of this machine", "ignored")
    elif end - now < EXPIRY_WARNING_PERIOD:
        message = f"{files.certificate}: this certificate expires on {end:%Y-%m-%d}"
        yield Finding(("certificate",), message, "renew it; the new file is used without a restart", "ignored")


def _state_of(path: Path) -> object:
    try:
        found = os.stat(path)
    except OSError as error:
        return error.errno
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode
