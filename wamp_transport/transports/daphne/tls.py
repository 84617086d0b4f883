"""TLS for a port: contexts made from files and made anew when these change, and what a connection tells of its peer.

Sections of RFC 9325: 3.1 (versions), 4.2 (ciphers); RFC 5929 and RFC 9266: channel binding.
"""

import hashlib
import logging
from typing import Any, Final

from OpenSSL import SSL, crypto
from twisted.internet import reactor
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from ...config.certificates import Material, TlsFiles, read
from ...config.report import path_text
from ..peer_certificate import certificate_details

logger = logging.getLogger(__name__)

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!PSK"
"""Ciphers of TLS 1.2; those of TLS 1.3 are all good."""

PROTOCOL: Final = b"http/1.1"
"""What clients may choose by ALPN."""

EXPORTER_LABEL: Final = b"EXPORTER-Channel-Binding"
EXPORTER_SIZE: Final = 32

RELEASE_BUFFERS: Final = 0x10
"""SSL_MODE_RELEASE_BUFFERS: idle connections hold no buffers."""


class TlsError(ValueError):
    """Files that no TLS endpoint can be made from; the message names each."""


def make_context(files: TlsFiles) -> SSL.Context:
    """A context for servers. Reads files: call it in a thread. Raises TlsError."""
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
    # Without resumption "tls-unique" is always the client's Finished, and a client's certificate is always looked at.
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
    """Leave it to OpenSSL; what it finds is told by the handshake that fails."""
    return bool(is_good)


def _choose_protocol(connection: SSL.Connection, offered: list[bytes]) -> Any:
    return PROTOCOL if PROTOCOL in offered else SSL.NO_OVERLAPPING_PROTOCOLS


class TlsProtocol(TLSMemoryBIOProtocol):
    """A connection with TLS; what it wraps sees it as its transport."""

    transport: Any

    def _shutdownTLS(self) -> None:
        """Say goodbye, and close without waiting for the peer's: one that never answers would be kept for ever."""
        super()._shutdownTLS()  # type: ignore[no-untyped-call]
        self.transport.loseConnection()

    def _tlsShutdownFinished(self, reason: Any) -> None:
        if reason is not None and not self._handshakeDone:
            logger.info("TLS handshake with %s failed: %s", self.transport.getPeer(), told(reason.value))
        super()._tlsShutdownFinished(reason)  # type: ignore[no-untyped-call]


@implementer(IOpenSSLServerConnectionCreator)
class _Creator:
    """Hands out connections of the context that holds now."""

    def __init__(self, context: SSL.Context) -> None:
        self.context = context

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self.context, None)
        connection.set_accept_state()
        return connection


class TlsFactory(TLSMemoryBIOFactory):
    """TLS around the connections of another factory, by the certificate that is newest when they begin."""

    protocol = TlsProtocol  # writes of ours are whole: collecting them once more would only cost a turn of the loop

    def __init__(self, wrapped: Any, files: TlsFiles, context: SSL.Context) -> None:
        self.files = files
        self._creator = _Creator(context)
        self._running = self._seen = files.state()
        super().__init__(self._creator, False, wrapped, reactor)  # type: ignore[arg-type]

    def buildProtocol(self, address: Any) -> Any:
        """The protocol of a new connection; None where it cannot be taken, before any TLS."""
        inner = self.wrappedFactory.buildProtocol(address)
        return None if inner is None else self.protocol(self, inner)  # type: ignore[no-untyped-call]

    def needs_renewal(self) -> bool:
        """Whether files have changed since they were last read, and have stood still since this was last asked."""
        state, seen = self.files.state(), self._seen
        self._seen = state
        return state != self._running and state == seen

    def renew(self) -> None:
        """Read the files anew for the handshakes to come. Call it in a thread. What is not usable is told and left."""
        self._running = self.files.state()
        try:
            self._creator.context = make_context(self.files)
        except TlsError as error:
            logger.error("The TLS files have changed and are not used, the old ones still are. %s", error)
        else:
            logger.info("New handshakes use the certificate in %s as it is now", self.files.certificate)


def tls_details(transport: Any) -> dict[str, Any]:
    """What TLS tells of a connection: ids to bind a login to it (hex), and the client's certificate, if it gave one.

    Empty where there is no TLS. Call it after the handshake. ``tls-unique`` is defined up to TLS 1.2 alone (RFC 9266);
    in TLS 1.3 it is the client's Finished as well, as Autobahn and Crossbar have it: as bound to the channel.
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


def told(error: BaseException) -> str:
    """Why a handshake failed, in OpenSSL's words."""
    reasons = error.args[0] if isinstance(error, SSL.Error) and error.args else None
    if isinstance(reasons, list) and reasons:
        return ", ".join(str(reason[-1]) for reason in reasons)
    return str(error) or type(error).__name__
