"""Logins that TLS has a part in: certificates of clients, cryptosign and SCRAM bound to the channel."""

import hashlib
import socket
import ssl
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL

from wamp_transport.auth import cryptosign, scram

from ..certificates import Authority, Issued
from .servers import assert_quiet, configuration, free_port, node
from .test_authentication import PRIVATE, REALMS, ROLES, STATIC
from .test_client_logins import DENIED, outcomes
from .test_cookies import migrated
from .test_django_identity import Site
from .test_tls import tls_web
from .wire import Wire, opened

pytestmark = [pytest.mark.integration, pytest.mark.full]

KEY = cryptosign.public_key_of(PRIVATE)
OTHER = bytes(range(1, 33))
ROUTER = bytes(range(2, 34))
DATABASE = {"type": "database"}
GENERIC_DENIAL = {"message": "authentication failed"}, "wamp.error.authentication_denied"
STORED = f"""
from wamp_transport.auth import cryptosign
from wamp_transport.models import Credential, Principal
from wamp_transport.stores.identity import credentials
credentials.ARGON2_PASSES, credentials.ARGON2_MEMORY = 1, 64
pump = Principal.objects.create(realm="realm1", authid="pump", role="frontend", authextra={{"site": 7}})
secrets = {{"cryptosign": cryptosign.public_key_of({OTHER!r}), "wamp-scram": "a password"}}
for method, secret in [*secrets.items(), *(("tls", one) for one in FINGERPRINTS)]:
    kept = credentials.keep(method, secret)
    Credential.objects.create(principal=pump, method=method, data=kept.data, fingerprint=kept.fingerprint)
"""


@dataclass
class Place:
    """A server that asks for certificates.

    Clients: known to the configuration by SHA-1 and by SHA-256, two known to the database, and one known to nobody.
    """

    directory: Path
    port: int
    clients: dict[str, Issued]
    site: Site

    def opened(self, client: str | None = None, path: str = "/ws") -> Wire:
        """A WebSocket over TLS 1.2, with a client's certificate."""
        context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        if client is not None:
            key, certificate = self.clients[client].write(self.directory, client)
            context.load_cert_chain(certificate, key)
        return opened(self.port, path, tls=context)


def fingerprint(client: Issued, algorithm: str) -> str:
    encoded = ssl.PEM_cert_to_DER_cert(client.certificate_pem.decode())
    return hashlib.new(algorithm, encoded).digest().hex(":").upper()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory: Path = tmp_path_factory.mktemp("tls")
    migrated(directory)
    authority = Authority()
    authority.write(directory / "ca.pem")
    authority.issue().write(directory, "server")
    clients = {name: authority.issue(name) for name in ("old", "new", "stranger", "pump", "spare")}
    principals = {
        "old": {"certificate-sha1": fingerprint(clients["old"], "sha1"), "role": "frontend"},
        "new": {"certificate-sha256": fingerprint(clients["new"], "sha256"), "role": "frontend"},
    }
    keys = {**STATIC["cryptosign"], "router_key": "${ROUTER_KEY}"}
    auth = {"tls": {"type": "static", "principals": principals}, "cryptosign": keys}
    port = free_port()
    site = Site(directory, port)
    known = [fingerprint(clients["pump"], "sha256"), fingerprint(clients["spare"], "sha1")]
    site.run(f"FINGERPRINTS = {known!r}\n{STORED}")
    stored = {name: DATABASE for name in ("tls", "cryptosign", "scram")}
    paths = {"ws": {"type": "websocket", "auth": auth}, "stored": {"type": "websocket", "auth": stored}}
    asks = {"ca_certificates": ["../ca.pem"], "require_client_certificate": False}
    document = configuration(tls_web(port, paths, **asks), realms=REALMS)
    with node(directory, document, port, ROUTER_KEY=ROUTER.hex()) as process:
        yield Place(directory, port, clients, site)
        assert process.stop() == 0
        assert_quiet(process.output)


def hello(wire: Wire, method: str, **extra: Any) -> Any:
    wire.send_json([1, "realm1", {"roles": ROLES, "authmethods": [method], "authid": "anybody", "authextra": extra}])
    return wire.message()


@pytest.mark.parametrize("client", ["old", "new"])
def test_known_certificate_is_a_login(place: Place, client: str) -> None:
    with place.opened(client) as wire:
        welcome = hello(wire, "tls")
    assert welcome[0] == 2, welcome
    told = {key: welcome[2][key] for key in ("authid", "authrole", "authmethod", "authprovider")}
    assert told == {"authid": client, "authrole": "frontend", "authmethod": "tls", "authprovider": "static"}


@pytest.mark.parametrize("client", ["stranger", None])
def test_unknown_certificate_and_none_are_denied_alike(place: Place, client: str | None) -> None:
    with place.opened(client) as wire:
        assert hello(wire, "tls")[1:] == [{"message": "authentication failed"}, "wamp.error.authentication_denied"]
        wire.closed()


@pytest.mark.parametrize("is_own", [True, False])
def test_cryptosign_is_bound_to_its_own_channel(place: Place, is_own: bool) -> None:
    with place.opened() as wire, place.opened() as other:
        wire.send_json(
            [1, "realm1", {"roles": ROLES, "authmethods": ["cryptosign"],
                           "authextra": {"pubkey": KEY, "channel_binding": "tls-unique"}}]
        )  # fmt: skip
        challenge = wire.message()
        assert challenge[2]["channel_binding"] == "tls-unique"
        socket = (wire if is_own else other).socket
        assert isinstance(socket, ssl.SSLSocket)
        binding = socket.get_channel_binding("tls-unique")
        assert binding is not None
        message = cryptosign.message_of(bytes.fromhex(challenge[2]["challenge"]), hashlib.sha256(binding).digest())
        wire.send_json([5, cryptosign.sign(PRIVATE, message), {}])
        answer = wire.message()
    assert answer[0] == (2 if is_own else 3)
    if is_own:
        assert answer[2]["authid"] == "client01@example.com"


def test_binding_that_is_not_to_be_had_is_refused(place: Place) -> None:
    with place.opened() as wire:
        answer = hello(wire, "cryptosign", pubkey=KEY, channel_binding="tls-server-end-point")
        assert answer[2] == "wamp.error.authentication_denied"


# --- principals of the database --------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", ["pump", "spare"])
def test_certificate_in_the_database_is_a_login(place: Place, client: str) -> None:
    with place.opened(client, "/stored") as wire:
        welcome = hello(wire, "tls")
    assert welcome[0] == 2, welcome
    told = {key: welcome[2][key] for key in ("authid", "authrole", "authmethod", "authprovider", "authextra")}
    assert told == {
        "authid": "pump", "authrole": "frontend", "authmethod": "tls", "authprovider": "database",
        "authextra": {"site": 7},
    }  # fmt: skip


@pytest.mark.parametrize("client", ["stranger", "old", None])
def test_certificate_that_the_database_does_not_have_is_denied(place: Place, client: str | None) -> None:
    with place.opened(client, "/stored") as wire:
        assert tuple(hello(wire, "tls")[1:]) == GENERIC_DENIAL
        wire.closed()


def test_revoked_certificate_logs_in_no_more_and_others_do(place: Place) -> None:
    change = (
        "from django.utils import timezone\n"
        "from wamp_transport.models import Credential\n"
        "spare = Credential.objects.get(method='tls', fingerprint__startswith='sha1:')\n"
        "spare.expires_at = {}\nspare.save()"
    )
    place.site.run(change.format("timezone.now()"))
    with place.opened("spare", "/stored") as wire:
        assert tuple(hello(wire, "tls")[1:]) == GENERIC_DENIAL
        wire.closed()
    with place.opened("pump", "/stored") as wire:
        assert hello(wire, "tls")[0] == 2
    place.site.run(change.format("None"))
    with place.opened("spare", "/stored") as wire:
        assert hello(wire, "tls")[0] == 2


# --- bound to the channel --------------------------------------------------------------------------------------------


class Exporting(Wire):
    """A WebSocket over TLS 1.3 that knows the channel's exported keying material, as Python's ssl module does not."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.port)
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.load_verify_locations(str(place.directory / "ca.pem"))
        context.set_verify(SSL.VERIFY_PEER)
        # OpenSSL reads and writes the socket itself: it must wait there, and not for ever.
        self.socket.settimeout(None)
        for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.socket.setsockopt(socket.SOL_SOCKET, direction, struct.pack("ll", 10, 0))
        connection: Any = SSL.Connection(context, self.socket)
        connection.set_connect_state()
        connection.do_handshake()
        self.channel = connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        self.socket = connection

    def login(self, path: str, method: str, authid: str, **extra: Any) -> Any:
        """What HELLO is answered with."""
        assert self.upgrade(path).startswith("HTTP/1.1 101 ")
        details = {"roles": ROLES, "authmethods": [method], "authid": authid, "authextra": extra}
        self.send_json([1, "realm1", details])
        return self.message()

    def answer(self, signature: str, **extra: Any) -> Any:
        """What AUTHENTICATE is answered with."""
        self.send_json([5, signature, extra])
        return self.message()


@pytest.mark.parametrize(
    ("path", "private", "authid", "provider"),
    [("/ws", PRIVATE, "client01@example.com", "static"), ("/stored", OTHER, "pump", "database")],
)
def test_cryptosign_is_bound_to_a_channel_of_tls_1_3(
    place: Place, path: str, private: bytes, authid: str, provider: str
) -> None:
    outcomes = []
    with Exporting(place) as wire, Exporting(place) as other, Exporting(place) as another:
        for one, channel in ((wire, wire.channel), (other, wire.channel), (another, None)):
            key = cryptosign.public_key_of(private)
            challenge = one.login(path, "cryptosign", authid, pubkey=key, channel_binding="tls-exporter")
            assert challenge[2]["channel_binding"] == "tls-exporter"
            message = cryptosign.message_of(bytes.fromhex(challenge[2]["challenge"]), channel)
            outcomes.append(one.answer(cryptosign.sign(private, message)))
    assert [one[0] for one in outcomes] == [2, 3, 3]
    assert (outcomes[0][2]["authid"], outcomes[0][2]["authprovider"]) == (authid, provider)


@pytest.mark.parametrize("is_own", [True, False])
def test_scram_is_bound_to_its_own_channel(place: Place, is_own: bool) -> None:
    nonce = b64encode(b"0123456789abcdef").decode()
    with Exporting(place) as wire, Exporting(place) as other:
        challenge = wire.login("/stored", "wamp-scram", "pump", nonce=nonce, channel_binding="tls-exporter")
        extra = challenge[2]
        way = scram.Derivation(extra["kdf"], b64decode(extra["salt"]), extra["iterations"], extra["memory"])
        channel = ("tls-exporter", (wire if is_own else other).channel)
        message = scram.auth_message("wamp-scram", "pump", nonce, extra["nonce"], way, channel)
        salted = scram.salted_password("a password", way)
        answer = wire.answer(
            b64encode(scram.client_proof(salted, message)).decode(),
            nonce=extra["nonce"], channel_binding="tls-exporter", cbind_data=b64encode(channel[1]).decode(),
        )  # fmt: skip
    assert answer[0] == (2 if is_own else 3)
    if is_own:
        verifier = scram.server_signature(scram.keys_of(salted), message)
        assert answer[2]["authextra"]["verifier"] == b64encode(verifier).decode()


# --- the router proves itself ----------------------------------------------------------------------------------------


def test_autobahn_binds_its_login_to_the_channel_and_tells_the_right_router_from_others(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(place.directory / "ca.pem"))
    own, other = (cryptosign.public_key_of(key) for key in (ROUTER, OTHER))
    where = {"url": f"wss://localhost:{place.port}/ws", "realm": "realm1", "method": "cryptosign", "tls": "1.2"}
    who = {"authid": "client01@example.com", "secret": PRIVATE.hex()}
    right = {"authid": who["authid"], "authrole": "frontend", "authmethod": "cryptosign"}
    found = outcomes("autobahn-python", [
        {**where, **who, "router_key": own},
        {**where, **who, "router_key": own, "channel_binding": "tls-unique"},
        {**where, **who, "secret": OTHER.hex(), "channel_binding": "tls-unique"},
        {**where, **who, "router_key": other},
    ])  # fmt: skip
    for one in found:
        one.pop("message", None)
    assert found == [right, right, DENIED, {"reason": "wamp.error.cannot_authenticate"}]
