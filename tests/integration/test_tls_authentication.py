"""Logins that TLS has a part in: certificates of clients, and cryptosign bound to the channel."""

import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wamp_transport.auth import cryptosign

from ..certificates import Authority, Issued
from .servers import assert_quiet, configuration, free_port, node
from .test_authentication import PRIVATE, REALMS, ROLES, STATIC
from .test_cookies import migrated
from .test_tls import tls_web
from .wire import Wire, opened

pytestmark = pytest.mark.integration

KEY = cryptosign.public_key_of(PRIVATE)


@dataclass
class Place:
    """A server that asks for certificates, and three clients: known by SHA-1, by SHA-256, not at all."""

    directory: Path
    port: int
    clients: dict[str, Issued]

    def opened(self, client: str | None = None) -> Wire:
        """A WebSocket over TLS 1.2, with a client's certificate."""
        context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        if client is not None:
            key, certificate = self.clients[client].write(self.directory, client)
            context.load_cert_chain(certificate, key)
        return opened(self.port, tls=context)


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
    clients = {name: authority.issue(name) for name in ("old", "new", "stranger")}
    principals = {
        "old": {"certificate-sha1": fingerprint(clients["old"], "sha1"), "role": "frontend"},
        "new": {"certificate-sha256": fingerprint(clients["new"], "sha256"), "role": "frontend"},
    }
    auth = {"tls": {"type": "static", "principals": principals}, "cryptosign": STATIC["cryptosign"]}
    port = free_port()
    paths = {"ws": {"type": "websocket", "auth": auth}}
    asks = {"ca_certificates": ["../ca.pem"], "require_client_certificate": False}
    with node(directory, configuration(tls_web(port, paths, **asks), realms=REALMS), port) as process:
        yield Place(directory, port, clients)
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
