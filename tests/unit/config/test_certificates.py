"""The files of a TLS endpoint, good and bad."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import DER_cert_to_PEM_cert as der_to_pem
from ssl import PEM_cert_to_DER_cert as pem_to_der

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from tests.certificates import Authority
from wamp_transport.config.certificates import TlsFiles, read
from wamp_transport.config.endpoint import TlsSection
from wamp_transport.config.reader import read_mapping
from wamp_transport.config.report import ConfigError

PLACE = "workers[0].transports[0].endpoint.tls"


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> TlsFiles:
    key, certificate = authority.issue().write(tmp_path, "server")
    return TlsFiles(key, certificate)


def told(files: TlsFiles, now: datetime | None = None) -> list[tuple[object, str, str]]:
    return [(finding.location, finding.message, finding.level) for finding in read(files, now)[1]]


def test_good_files_hold_key_certificate_and_chain(tmp_path: Path, authority: Authority, files: TlsFiles) -> None:
    chain = authority.write(tmp_path / "chain.pem")
    both = files.certificate.read_bytes() + chain.read_bytes()
    files.certificate.write_bytes(both)
    material, findings = read(TlsFiles(files.key, files.certificate, (chain,), (chain,)))
    assert findings == []
    assert material is not None
    assert len(material.chain) == 2
    assert len(material.authorities) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no such file"), (b"nonsense", "no private key in PEM"), (b"", "no private key"), (b"x" * 2**21, "1 MiB")],
)
def test_bad_key_is_a_fault_that_names_the_file(files: TlsFiles, content: bytes | None, words: str) -> None:
    files.key.unlink() if content is None else files.key.write_bytes(content)
    ((location, message, level),) = told(files)
    assert (location, level) == (("key",), "fault")
    assert str(files.key) in message
    assert words in message


def test_all_bad_files_are_told_together(tmp_path: Path, files: TlsFiles) -> None:
    files.certificate.write_bytes(b"")
    nowhere = tmp_path / "nowhere"
    found = told(TlsFiles(tmp_path, files.certificate, (nowhere,), (nowhere, nowhere), files.key))
    places = [("key",), ("certificate",), ("chain_certificates", 0), ("ca_certificates", 0), ("ca_certificates", 1)]
    assert [location for location, _, _ in found] == [*places, ("dhparam",)]


def test_encrypted_key_is_a_fault(authority: Authority, files: TlsFiles) -> None:
    encryption = BestAvailableEncryption(b"secret")
    files.key.write_bytes(authority.issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    assert "is encrypted" in told(files)[0][1]


def test_kind_of_key_that_is_not_supported_is_a_fault(files: TlsFiles) -> None:
    content = pem_to_der(files.certificate.read_text())
    curve = bytes.fromhex("06082a8648ce3d030107")
    assert curve in content
    files.certificate.write_text(der_to_pem(content.replace(curve, curve[:-1] + b"\x7f")))
    assert "kind of key that is not supported" in told(files)[0][1]
    assert read(files)[0] is None


def test_key_of_another_certificate_is_a_fault(authority: Authority, files: TlsFiles) -> None:
    files.key.write_bytes(authority.issue().key_pem)
    assert "does not belong to the certificate" in told(files)[0][1]
    assert read(files)[0] is None


def test_key_that_everybody_can_read_is_a_warning(files: TlsFiles) -> None:
    files.key.chmod(0o640)
    assert told(files) == []
    files.key.chmod(0o644)
    ((location, message, level),) = told(files)
    assert (location, level) == (("key",), "ignored")
    assert "every user of this machine" in message


@pytest.mark.parametrize(
    ("days", "words"), [(0, None), (86, "expires on"), (91, "expired on"), (-2, "not valid before")]
)
def test_time_of_a_certificate_is_a_warning(files: TlsFiles, days: int, words: str | None) -> None:
    found = told(files, datetime.now(UTC) + timedelta(days=days))
    assert [(location, level) for location, _, level in found] == ([(("certificate",), "ignored")] if words else [])
    assert words is None or words in found[0][1]


def test_state_changes_with_every_file(tmp_path: Path, authority: Authority, files: TlsFiles) -> None:
    states = {files.state()}
    authority.issue().write(tmp_path, "server")
    states.add(files.state())
    files.key.unlink()
    states.add(files.state())
    assert len(states) == 3
    assert files.state() in states


def test_paths_are_resolved() -> None:
    section = TlsSection(key="k", certificate="c", chain_certificates=("i",), ca_certificates=("a",), dhparam="d")
    files = TlsFiles.of(section, lambda path: Path("/base") / path)
    assert [str(path) for path in files.paths] == ["/base/k", "/base/c", "/base/i", "/base/a", "/base/d"]
    assert files.requires_client


def document(**tls: object) -> dict[str, object]:
    endpoint = {"type": "tcp", "port": 1, "tls": {"key": "server.key", "certificate": "server.pem", **tls}}
    transport = {"type": "web", "endpoint": endpoint, "paths": {}}
    return {"version": 2, "workers": [{"type": "router", "realms": [], "transports": [transport]}]}


def test_configuration_tells_bad_files_with_their_place(tmp_path: Path, authority: Authority, files: TlsFiles) -> None:
    configuration = read_mapping(document(), tmp_path)
    assert configuration.tls_files(configuration.transports[0]) == files
    files.key.chmod(0o644)
    assert [one.path for one in read_mapping(document(), tmp_path).report.notices] == [f"{PLACE}.key"]
    with pytest.raises(ConfigError) as caught:
        read_mapping(document(ca_certificates=["gone"], require_client_certificate=True), tmp_path)
    assert [one.path for one in caught.value.report.faults] == [f"{PLACE}.ca_certificates[0]"]
