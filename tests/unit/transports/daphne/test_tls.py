"""TLS around a protocol, in memory: a context from files, renewal, what is told of the peer."""

import hashlib
import logging
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport

from tests.certificates import Authority, Issued
from wamp_transport.auth.fingerprints import fingerprints_of
from wamp_transport.config.certificates import TlsFiles
from wamp_transport.transports.daphne.tls import (
    TlsError,
    TlsFactory,
    certificate_details,
    make_context,
    openssl_reason,
    tls_details,
)


class Memory:
    """A TLS client and a TlsFactory's protocol, joined without sockets."""

    def __init__(self, factory: TlsFactory, context: ssl.SSLContext) -> None:
        self.to_client, self.to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = context.wrap_bio(self.to_client, self.to_server, server_hostname="localhost")
        self.transport = StringTransport()
        self.server: Any = factory.buildProtocol(None)
        self.server.makeConnection(self.transport)

    def shake(self) -> "Memory":
        for _ in range(5):
            with suppress(ssl.SSLWantReadError):
                self.client.do_handshake()
            self.pump()
        self.client.do_handshake()
        return self

    def pump(self) -> None:
        if data := self.to_server.read():
            self.server.dataReceived(data)
        self.to_client.write(self.transport.value())
        self.transport.clear()

    @property
    def serial(self) -> int:
        certificate = self.client.getpeercert()
        assert certificate is not None
        return int(str(certificate["serialNumber"]), 16)


class Talk(Protocol):
    """A protocol that says back what it hears."""

    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        transport.write(data.upper())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority()
    authority.write(tmp_path / "ca.pem")
    return authority


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> TlsFiles:
    return TlsFiles(*authority.issue().write(tmp_path, "server"))


def context(directory: Path, client: Issued | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(directory / "ca.pem"))
    if client is not None:
        key, certificate = client.write(directory, "client")
        made.load_cert_chain(certificate, key)
    return made


def factory_of(files: TlsFiles, protocol: Any = Talk) -> TlsFactory:
    return TlsFactory(Factory.forProtocol(protocol), files, make_context(files))


def test_bytes_go_through_both_ways(tmp_path: Path, files: TlsFiles) -> None:
    memory = Memory(factory_of(files), context(tmp_path)).shake()
    memory.client.write(b"hello")
    memory.pump()
    assert memory.client.read() == b"HELLO"


def test_close_does_not_wait_for_the_peers(tmp_path: Path, files: TlsFiles) -> None:
    memory = Memory(factory_of(files), context(tmp_path)).shake()
    memory.server.loseConnection()
    assert memory.transport.disconnecting


def test_factory_that_takes_nobody_makes_no_tls(files: TlsFiles) -> None:
    factory = factory_of(files)
    factory.wrappedFactory.buildProtocol = lambda address: None  # type: ignore[method-assign]
    assert factory.buildProtocol(None) is None


def test_details_name_the_channel_and_the_client(tmp_path: Path, authority: Authority, files: TlsFiles) -> None:
    asking = TlsFiles(files.key, files.certificate, authorities=(tmp_path / "ca.pem",))
    memory = Memory(factory_of(asking), context(tmp_path, authority.issue("alice"))).shake()
    details = tls_details(memory.server)
    assert set(details["channel_id"]) == {"tls-exporter", "tls-unique"}
    assert details["peer_cert"]["subject"]["cn"] == "alice"
    nobody = Memory(factory_of(asking), context(tmp_path)).shake()
    assert "peer_cert" not in tls_details(nobody.server)
    assert tls_details(StringTransport()) == {}


def test_failed_handshake_is_told_in_the_log(tmp_path: Path, files: TlsFiles, caplog: pytest.LogCaptureFixture) -> None:
    required = TlsFiles(files.key, files.certificate, authorities=(tmp_path / "ca.pem",), requires_client=True)
    memory = Memory(factory_of(required), context(tmp_path))
    with caplog.at_level(logging.INFO):
        memory.shake()
    assert "peer did not return a certificate" in caplog.text
    assert memory.transport.disconnecting


@pytest.mark.expects_errors("The TLS files have changed but cannot be used, so the old ones stay in use")
def test_renewal_waits_until_the_files_stand_still_and_keeps_what_works(
    tmp_path: Path, authority: Authority, files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    factory = factory_of(files)
    first = Memory(factory, context(tmp_path)).shake().serial
    assert not factory.needs_renewal()
    renewed = authority.issue()
    renewed.write(tmp_path, "server")
    assert [factory.needs_renewal(), factory.needs_renewal()] == [False, True]
    factory.renew()
    assert not factory.needs_renewal()
    second = Memory(factory, context(tmp_path)).shake().serial
    assert first != second == renewed.certificate.serial_number
    files.key.write_bytes(authority.issue().key_pem)
    assert [factory.needs_renewal(), factory.needs_renewal()] == [False, True]
    factory.renew()
    assert "the old ones stay in use" in caplog.text
    assert "does not belong to the certificate" in caplog.text
    assert not factory.needs_renewal()
    assert Memory(factory, context(tmp_path)).shake().serial == second


@pytest.mark.parametrize(
    ("change", "words"),
    [({"ciphers": "NOPE"}, "ciphers: OpenSSL knows no cipher"), ({"key": "gone"}, "key: .*no such file")],
)
def test_what_no_context_can_be_made_of_is_an_error(
    tmp_path: Path, files: TlsFiles, change: dict[str, str], words: str
) -> None:
    key = tmp_path / change.get("key", "server.key")
    with pytest.raises(TlsError, match=words):
        make_context(TlsFiles(key, files.certificate, ciphers=change.get("ciphers")))


def test_bad_parameters_are_an_error(tmp_path: Path, files: TlsFiles) -> None:
    path = tmp_path / "dh.pem"
    path.write_text("-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n")
    with pytest.raises(TlsError, match=r"dhparam: OpenSSL refuses .*dh\.pem"):
        make_context(TlsFiles(files.key, files.certificate, dhparam=path))


def test_warnings_about_files_are_logged(files: TlsFiles, caplog: pytest.LogCaptureFixture) -> None:
    files.key.chmod(0o644)
    make_context(files)
    assert "every user of this machine" in caplog.text


def test_errors_are_told_in_words() -> None:
    assert openssl_reason(SSL.Error([("a", "b", "no shared cipher")])) == "no shared cipher"
    assert openssl_reason(SSL.Error()) == "Error"
    assert openssl_reason(OSError("lost")) == "lost"


def test_details_of_a_certificate_have_names_and_fingerprints() -> None:
    issued = Authority("An authority").issue("alice")
    details = certificate_details(issued.certificate)
    der = ssl.PEM_cert_to_DER_cert(issued.certificate_pem.decode())
    assert details["subject"] == {"cn": "alice", "o": "Example"}
    assert details["issuer"] == {"cn": "An authority", "o": "Example"}
    assert details["sha1"].replace(":", "") == hashlib.sha1(der).hexdigest().upper()
    assert details["sha256"].replace(":", "") == hashlib.sha256(der).hexdigest().upper()
    assert details["sha1"].count(":") == 19
    assert fingerprints_of(details) == {
        f"sha1:{hashlib.sha1(der).hexdigest().upper()}",
        f"sha256:{hashlib.sha256(der).hexdigest().upper()}",
    }
    assert details["serial"] == str(issued.certificate.serial_number)
    assert details["not_before"] < details["not_after"]


def test_details_of_a_certificate_are_those_of_its_encoding():
    certificate = Authority().issue("client").certificate
    encoded = certificate.public_bytes(Encoding.DER)
    expected = {
        f"sha1:{hashlib.sha1(encoded).hexdigest().upper()}",
        f"sha256:{hashlib.sha256(encoded).hexdigest().upper()}",
    }
    assert fingerprints_of(certificate_details(certificate)) == expected
