"""TLS for a transport: contexts that are reloaded when their files change, and details about the peer.

The TLS versions and ciphers follow the recommendations in RFC 9325, sections 3.1 and 4.2. Channel binding is defined in
RFC 5929 and RFC 9266.
"""

import hashlib
import logging
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.x509 import Certificate, Name
from OpenSSL import SSL, crypto
from twisted.internet import reactor
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from ...compat.twisted import TlsConnection
from ...config.certificates import Material, TlsFiles, read
from ...config.report import path_text

logger = logging.getLogger(__name__)

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!PSK"
"""Ciphers for TLS 1.2. TLS 1.3 needs no selection, because all of its ciphers are secure."""

PROTOCOL: Final = b"http/1.1"
"""The only protocol that is offered with ALPN."""

EXPORTER_LABEL: Final = b"EXPORTER-Channel-Binding"
EXPORTER_SIZE: Final = 32

RELEASE_BUFFERS: Final = 0x10
"""OpenSSL's mode SSL_MODE_RELEASE_BUFFERS. With this mode, idle connections keep no buffers."""


class TlsError(ValueError):
    """Raised if TLS options or files cannot be used. The message names the option or each of the files."""


def make_context(files: TlsFiles) -> SSL.Context:
    """Return the TLS context for a listening transport. Call this in a thread, because it reads files.

    Raises TlsError if the files or the options in ``files`` cannot be used.
    """
    material, findings = read(files)
    faults = [finding for finding in findings if finding.level == "fault"]
    if material is None or faults:
        raise TlsError("; ".join(f"{path_text(fault.location)}: {fault.message}" for fault in faults))
    for finding in findings:
        logger.warning("%s", finding.message)
    return _context(material, files)


def _context(material: Material, files: TlsFiles) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    # Without resumption, "tls-unique" is always the client's Finished message, and a client's certificate is always
    # verified.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(
        SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET | SSL.OP_CIPHER_SERVER_PREFERENCE
    )
    context.set_mode(RELEASE_BUFFERS)
    context.set_alpn_select_callback(_choose_protocol)
    try:
        context.set_cipher_list((files.ciphers or CIPHERS).encode())
    except SSL.Error:
        raise TlsError(f"ciphers: OpenSSL knows no cipher of {files.ciphers!r}") from None
    try:
        context.use_certificate(material.certificate)
        for certificate in material.chain:
            context.add_extra_chain_cert(certificate)
        context.use_privatekey(material.key)  # type: ignore[arg-type]
        context.check_privatekey()
    except (SSL.Error, TypeError) as error:
        raise TlsError(f"certificate: OpenSSL refuses {files.certificate} or its key: {error}") from None
    if files.dhparam is not None:
        try:
            context.load_tmp_dh(str(files.dhparam))
        except SSL.Error as error:
            raise TlsError(f"dhparam: OpenSSL refuses {files.dhparam}: {error}") from None
    if material.authorities:
        _ask_clients(context, material, required=files.requires_client)
    return context


def _ask_clients(context: SSL.Context, material: Material, *, required: bool) -> None:
    store: Any = context.get_cert_store()
    for certificate in material.authorities:
        store.add_cert(crypto.X509.from_cryptography(certificate))
        context.add_client_ca(certificate)
    mode = SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if required else 0)
    context.set_verify(mode, _verified)


def _verified(connection: SSL.Connection, certificate: Any, number: int, depth: int, is_good: int) -> bool:
    """Return whether OpenSSL accepts the client's certificate. If it does not, the handshake fails."""
    return bool(is_good)


def _choose_protocol(connection: SSL.Connection, offered: list[bytes]) -> Any:
    return PROTOCOL if PROTOCOL in offered else SSL.NO_OVERLAPPING_PROTOCOLS


class TlsProtocol(TlsConnection):
    """A TLS connection, which serves as the transport of the protocol that it wraps."""

    transport: Any

    def on_tls_closed(self) -> None:
        """Close without waiting for the peer's closing alert, because a peer might never send it."""
        self.transport.loseConnection()

    def on_handshake_failed(self, error: BaseException) -> None:
        """Log why the handshake has failed."""
        logger.info("TLS handshake with %s failed: %s", self.transport.getPeer(), openssl_reason(error))


@implementer(IOpenSSLServerConnectionCreator)
class _Creator:
    """A factory that Twisted calls to create the OpenSSL object of each new connection.

    :meth:`TlsFactory.renew` replaces ``context`` when the certificate has changed.
    """

    def __init__(self, context: SSL.Context) -> None:
        self.context = context

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self.context, None)
        connection.set_accept_state()
        return connection


class TlsFactory(TLSMemoryBIOFactory):
    """A factory that adds TLS to the connections of another factory. New connections use the newest certificate."""

    # Twisted's default protocol delays writes by one turn of the loop, to join them. Here, the write buffer joins them.
    protocol = TlsProtocol

    def __init__(self, wrapped: Any, files: TlsFiles, context: SSL.Context) -> None:
        self.files = files
        self._creator = _Creator(context)
        self._running = self._seen = files.state()
        super().__init__(self._creator, False, wrapped, reactor)  # type: ignore[arg-type]

    def buildProtocol(self, address: Any) -> Any:
        """Return the protocol of a new connection; None to close it before the TLS handshake."""
        inner = self.wrappedFactory.buildProtocol(address)
        return None if inner is None else self.protocol(self, inner)  # type: ignore[no-untyped-call]

    def needs_renewal(self) -> bool:
        """Return whether the files have changed since they were loaded, but not since the last call of this method.

        Because of the second condition, files are not loaded while a program is still writing them.
        """
        state, seen = self.files.state(), self._seen
        self._seen = state
        return state != self._running and state == seen

    def renew(self) -> None:
        """Reload the files for new handshakes. If they cannot be used, log the reason. Call this in a thread."""
        self._running = self.files.state()
        try:
            self._creator.context = make_context(self.files)
        except TlsError as error:
            logger.error("The TLS files have changed but cannot be used, so the old ones stay in use. %s", error)
        else:
            logger.info("New handshakes use the new certificate in %s", self.files.certificate)


def tls_details(transport: Any) -> dict[str, Any]:
    """Return the details of a TLS connection: the channel IDs in hex, and the client's certificate, if any.

    The channel IDs are needed for channel binding. Return an empty dict for a connection without TLS. Call this
    function after the handshake.

    ``tls-unique`` is defined only for versions up to TLS 1.2. For TLS 1.3, its value is computed from the client's
    Finished message in the same way, as in Autobahn and Crossbar. This message also identifies the channel.
    """
    if not isinstance(transport, TlsProtocol):
        return {}
    connection: SSL.Connection = transport.getHandle()  # type: ignore[no-untyped-call]
    exporter = connection.export_keying_material(EXPORTER_LABEL, EXPORTER_SIZE, b"")
    channel = {"tls-exporter": exporter.hex()}
    finished = connection.get_peer_finished()
    if finished:
        channel["tls-unique"] = hashlib.sha256(finished).hexdigest()
    certificate: Any = connection.get_peer_certificate(as_cryptography=True)
    details: dict[str, Any] = {"channel_id": channel}
    if certificate is not None:
        details["peer_cert"] = certificate_details(certificate)
    return details


def openssl_reason(error: BaseException) -> str:
    """Return OpenSSL's reason why a handshake failed."""
    reasons = error.args[0] if isinstance(error, SSL.Error) and error.args else None
    if isinstance(reasons, list) and reasons:
        return ", ".join(str(reason[-1]) for reason in reasons)
    return str(error) or type(error).__name__


def certificate_details(certificate: Certificate) -> dict[str, Any]:
    """Return the names, validity and fingerprints of a client's certificate for the details of its session.

    Fingerprints are upper case hex with colons, as OpenSSL prints them.
    """
    return {
        "subject": _names(certificate.subject),
        "issuer": _names(certificate.issuer),
        "serial": str(certificate.serial_number),
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "sha1": _fingerprint(certificate, SHA1()),  # noqa: S303 - identifies certificates, as Crossbar's config does
        "sha256": _fingerprint(certificate, SHA256()),
    }


def _names(name: Name) -> dict[str, str]:
    """Return the attributes of a name by their short names, such as ``cn`` and ``o``.

    If an attribute is repeated, use its last value.
    """
    return {attribute.rfc4514_attribute_name.lower(): str(attribute.value) for attribute in name}


def _fingerprint(certificate: Certificate, algorithm: HashAlgorithm) -> str:
    return certificate.fingerprint(algorithm).hex(":").upper()
