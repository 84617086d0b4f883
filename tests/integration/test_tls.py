"""TLS endpoints over real sockets: real clients, versions, client certificates, channel binding, new certificates."""

import hashlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..certificates import Authority, Issued
from .clients import Kind, joined_client
from .servers import Process, assert_quiet, configuration, free_port, manage, node, running, until, web, write_config
from .wire import Wire, joined, opened

pytestmark = [pytest.mark.integration, pytest.mark.full]

META = {"name": "realm1", "roles": [{"name": "anonymous", "permissions": [{"uri": "*", "allow": {
    "call": True, "register": True, "publish": True, "subscribe": True}}]}]}  # fmt: skip


@dataclass
class Place:
    """A server with TLS on three ports: clients need no certificate, may have one, must have one."""

    directory: Path
    authority: Authority
    plain: int
    asks: int
    requires: int
    process: Process | None = None

    def context(self, client: Issued | None = None) -> ssl.SSLContext:
        """That of a client that trusts the authority, perhaps with a certificate."""
        context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        if client is not None:
            key, certificate = client.write(self.directory, "client")
            context.load_cert_chain(certificate, key)
        return context


def tls_web(port: int, paths: dict[str, Any] | None = None, **tls: Any) -> dict[str, Any]:
    transport = web(port, paths or {"ws": {"type": "websocket"}, "json": {"type": "json", "value": 1}})
    transport["endpoint"]["tls"] = {"key": "../server.key", "certificate": "../server.pem", **tls}
    return transport


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("tls")
    place = Place(directory, Authority(), free_port(), free_port(), free_port())
    place.authority.write(directory / "ca.pem")
    place.authority.issue().write(directory, "server")
    asks = {"ca_certificates": ["../ca.pem"], "require_client_certificate": False}
    document = configuration(
        tls_web(place.plain),
        tls_web(place.asks, **asks),
        tls_web(place.requires, **asks | {"require_client_certificate": True}),
        realms=[META],
    )
    ports = place.plain, place.asks, place.requires
    with node(directory, document, *ports) as process:
        place.process = process
        yield place
        assert process.stop() == 0
        assert_quiet(process.output)


def details(wire: Wire) -> dict[str, Any]:
    """What the router tells of a session's transport."""
    wire.send_json([48, 1, {}, "wamp.session.list"])
    session = wire.message()[3][0]
    wire.send_json([48, 2, {}, "wamp.session.get", session])
    transport: dict[str, Any] = wire.message()[3][0]["transport"]
    return transport


@pytest.mark.parametrize(
    "kind",
    [Kind("autobahn-python", "msgpack"), Kind("autobahn-js", "json"), Kind("wampy", "json")],
    ids=str,
)
def test_real_client_speaks_wamp_over_tls(
    place: Place, kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.setenv(variable, str(place.directory / "ca.pem"))
    url = f"wss://localhost:{place.plain}/ws"
    with joined_client(kind, url, "realm1", tmp_path) as client, joined_client(kind, url, "realm1", tmp_path) as other:
        client.register("com.example.echo", "echo")
        big = "x" * 200_000
        assert other.call("com.example.echo", 1, big)[0] == [1, big]


def test_http_is_served_over_tls(place: Place) -> None:
    with Wire(place.plain, tls=place.context()) as wire:
        wire.send(b"GET /json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert wire.head().startswith("HTTP/1.1 200 ")
        assert wire.read_to_end() == b"1\n"


def test_many_messages_in_one_piece_come_back_in_order(place: Place) -> None:
    with joined(place.plain, tls=place.context()) as wire:
        wire.send_json([64, 1, {}, "com.example.many"])
        registered = wire.message()
        assert registered[0] == 65
        wire.send_json(*([48, number, {}, "com.example.many", ["y" * 3000]] for number in range(2, 102)))
        for number in range(1, 101):
            invocation = wire.message()
            assert (invocation[0], invocation[1]) == (68, number)


def version(place: Place, number: ssl.TLSVersion) -> str | None:
    context = place.context()
    context.minimum_version = context.maximum_version = number
    with Wire(place.plain, tls=context) as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        return wire.socket.version()


def test_tls_1_2_and_1_3_are_spoken(place: Place) -> None:
    assert version(place, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    assert version(place, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"


@pytest.mark.parametrize("cipher", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "aNULL"])
def test_weak_cipher_is_refused(place: Place, cipher: str) -> None:
    context = place.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Wire(place.plain, tls=context)


def test_http_1_1_is_chosen_by_alpn(place: Place) -> None:
    context = place.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with Wire(place.plain, tls=context) as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        assert wire.socket.selected_alpn_protocol() == "http/1.1"


def test_plain_request_on_a_tls_port_gets_nothing_in_clear(place: Place) -> None:
    with Wire(place.plain) as wire:
        wire.send(b"GET /json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP" not in wire.read_to_end()


def test_goodbye_of_the_server_closes_the_socket(place: Place) -> None:
    with opened(place.plain, tls=place.context()) as wire:
        wire.send_json([99])
        assert wire.message()[0] == 3
        wire.closed()


# --- client certificates ---------------------------------------------------------------------------------------------


def test_client_without_certificate_is_let_in_where_it_is_only_asked(place: Place) -> None:
    with joined(place.asks, tls=place.context()) as wire:
        found = details(wire)
        assert "peer_cert" not in found
        assert (found["channel_type"], found["is_secure"]) == ("tls", True)


def test_client_without_certificate_is_refused_where_it_is_required(place: Place) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        joined(place.requires, tls=place.context())


@pytest.mark.parametrize("port", ["asks", "requires"])
def test_certificate_of_a_stranger_is_refused(place: Place, port: str) -> None:
    stranger = Authority("Strangers").issue("eve")
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        joined(getattr(place, port), tls=place.context(stranger))


@pytest.mark.parametrize("port", ["asks", "requires"])
def test_certificate_of_a_client_is_told_in_its_details(place: Place, port: str) -> None:
    client = place.authority.issue("alice")
    with joined(getattr(place, port), tls=place.context(client)) as wire:
        peer = details(wire)["peer_cert"]
    der = ssl.PEM_cert_to_DER_cert(client.certificate_pem.decode())
    assert peer["subject"] == {"cn": "alice", "o": "Example"}
    assert peer["issuer"]["cn"] == "Tests"
    assert peer["sha1"].replace(":", "") == hashlib.sha1(der).hexdigest().upper()
    assert peer["sha256"].replace(":", "") == hashlib.sha256(der).hexdigest().upper()


# --- channel binding -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_channel_is_named_the_same_on_both_sides(place: Place, version: ssl.TLSVersion) -> None:
    context = place.context()
    context.minimum_version = context.maximum_version = version
    with joined(place.plain, tls=context) as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        binding = wire.socket.get_channel_binding("tls-unique")
        assert binding is not None
        channel = details(wire)["channel_id"]
        assert channel["tls-unique"] == hashlib.sha256(binding).hexdigest()
        assert len(channel["tls-exporter"]) == 64


def test_channels_have_names_of_their_own(place: Place) -> None:
    with joined(place.plain, tls=place.context()) as one, joined(place.plain, tls=place.context()):
        one.send_json([48, 1, {}, "wamp.session.list"])
        sessions = one.message()[3][0]
        one.send_json(*([48, 2 + number, {}, "wamp.session.get", [each]] for number, each in enumerate(sessions)))
        channels = [one.message()[3][0]["transport"]["channel_id"] for _ in sessions]
    assert len(channels) >= 2
    assert all(set(each) == {"tls-exporter", "tls-unique"} for each in channels)
    assert len({name for each in channels for name in each.values()}) == 2 * len(channels)


# --- new certificates ------------------------------------------------------------------------------------------------


def serial(port: int, context: ssl.SSLContext) -> int:
    with Wire(port, tls=context) as wire:
        assert isinstance(wire.socket, ssl.SSLSocket)
        certificate = wire.socket.getpeercert()
        assert certificate is not None
        return int(str(certificate["serialNumber"]), 16)


def test_new_certificate_is_taken_by_new_handshakes_and_a_broken_one_is_not(tmp_path: Path) -> None:
    port, authority = free_port(), Authority()
    place = Place(tmp_path, authority, port, 0, 0)
    authority.write(tmp_path / "ca.pem")
    authority.issue().write(tmp_path, "server")
    with node(tmp_path, configuration(tls_web(port)), port) as process, joined(port, tls=place.context()) as wire:
        renewed = authority.issue()
        renewed.write(tmp_path, "server")
        until(lambda: serial(port, place.context()) == renewed.certificate.serial_number, "the new certificate")
        (tmp_path / "server.pem").write_text("nonsense")
        text = process.wait_to_print("cannot be used, so the old ones stay in use")
        assert "server.pem: holds no certificate" in text
        assert serial(port, place.context()) == renewed.certificate.serial_number
        again = authority.issue()
        again.write(tmp_path, "server")
        until(lambda: serial(port, place.context()) == again.certificate.serial_number, "the one that is good again")
        wire.send_json([48, 1, {}, "com.nobody"])
        assert wire.message()[0] == 8
        assert wire.socket.fileno() > 0


def test_tls_is_switched_on_and_off_without_losing_anybody(tmp_path: Path) -> None:
    port, authority = free_port(), Authority()
    place = Place(tmp_path, authority, port, 0, 0)
    authority.write(tmp_path / "ca.pem")
    authority.issue().write(tmp_path, "server")
    with node(tmp_path, configuration(web(port)), port), joined(port) as wire:

        def speaks_tls() -> bool:
            try:
                return bool(serial(port, place.context()))
            except (ssl.SSLError, ConnectionError):
                return False

        assert not speaks_tls()
        write_config(tmp_path, configuration(tls_web(port)))
        until(speaks_tls, "TLS")
        write_config(tmp_path, configuration(web(port)))
        until(lambda: not speaks_tls(), "no TLS")
        wire.send_json([48, 1, {}, "com.nobody"])
        assert wire.message()[0] == 8


# --- files -----------------------------------------------------------------------------------------------------------


def test_server_does_not_start_without_its_key_and_says_where_it_is_named(tmp_path: Path) -> None:
    Authority().issue().write(tmp_path, "server")
    (tmp_path / "server.key").unlink()
    write_config(tmp_path, configuration(tls_web(free_port())))
    with running(
        manage("runnode", "--config", str(tmp_path)), tmp_path, WAMPNODE_DATABASE=str(tmp_path / "db")
    ) as process:
        assert process.ended() == 1
        assert "transports[0].endpoint.tls.key" in process.output
        assert "there is no such file" in process.output


def test_ciphers_that_openssl_does_not_know_keep_the_server_from_starting(tmp_path: Path) -> None:
    Authority().issue().write(tmp_path, "server")
    write_config(tmp_path, configuration(tls_web(free_port(), ciphers="NONE-SUCH")))
    with running(
        manage("runnode", "--config", str(tmp_path)), tmp_path, WAMPNODE_DATABASE=str(tmp_path / "db")
    ) as process:
        assert process.ended() == 1
        assert "transports[0].endpoint.tls.ciphers: OpenSSL knows no cipher of 'NONE-SUCH'" in process.output


def test_handshake_that_dribbles_is_ended(tmp_path: Path) -> None:
    port = free_port()
    Authority().issue().write(tmp_path, "server")
    transport = tls_web(port) | {"options": {"request_timeout": 1}}
    with node(tmp_path, configuration(transport), port), socket.create_connection(("127.0.0.1", port), 10) as slow:
        slow.send(b"\x16\x03\x01")
        with suppress(ConnectionResetError):
            assert slow.recv(100) == b""
