"""Where a transport listens, as the server needs it."""

from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from wamp_transport.config.configuration import Configuration
from wamp_transport.config.endpoint import TcpEndpoint
from wamp_transport.config.reader import read_mapping
from wamp_transport.transports.listener import Listener


def configured(directory: Path, **transport: Any) -> Configuration:
    section = {"type": "web", "paths": {}, "endpoint": {"type": "tcp", "port": 1}, **transport}
    worker = {"type": "router", "realms": [], "transports": [section]}
    return read_mapping({"version": 2, "workers": [worker]}, directory)


def listener(directory: Path, **transport: Any) -> Listener:
    configuration = configured(directory, **transport)
    return Listener.of(configuration, configuration.transports[0])


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ({"type": "tcp", "port": 1}, "tcp:*:1"),
        ({"type": "tcp", "port": 1, "interface": "::1"}, "tcp:[::1]:1"),
        ({"type": "tcp", "port": 1, "version": 6}, "tcp:[::]:1"),
        ({"type": "unix", "path": "/a:b"}, "unix:/a:b"),
    ],
)
def test_listener_shows_where(tmp_path: Path, endpoint: dict[str, Any], shown: str) -> None:
    assert str(listener(tmp_path, endpoint=endpoint)) == shown


def test_path_of_a_socket_is_absolute(tmp_path: Path) -> None:
    assert listener(tmp_path, endpoint={"type": "unix", "path": "s"}).path == tmp_path / "s"


def test_limits_and_proxies_are_the_transports(tmp_path: Path) -> None:
    made = listener(
        tmp_path, max_connections=3, max_connections_per_address=2, trusted_proxies=["unix"], options={"hsts": True}
    )
    assert (made.max_connections, made.max_connections_per_address, made.trusted_proxies) == (3, 2, ("unix",))
    assert made.options.hsts


def test_tls_is_that_of_the_transport_unless_another_endpoint_has_none(tmp_path: Path) -> None:
    Authority().issue().write(tmp_path, "s")
    endpoint = {"type": "tcp", "port": 1, "tls": {"key": "s.key", "certificate": "s.pem"}}
    made = listener(tmp_path, endpoint=endpoint)
    assert made.tls is not None
    assert made.tls.key == tmp_path / "s.key"
    assert str(made) == "tcp:*:1 with TLS"
    configuration = configured(tmp_path, endpoint=endpoint)
    plain = TcpEndpoint(type="tcp", port=2)
    assert Listener.of(configuration, configuration.transports[0], plain).tls is None


def test_socket_stays_unless_its_own_settings_change(tmp_path: Path) -> None:
    same = {"type": "tcp", "port": 1}
    address = listener(tmp_path, endpoint=same).address
    assert listener(tmp_path, endpoint=same | {"user_timeout": 5}).address == address
    for other in ({"port": 2}, {"backlog": 7}, {"shared": True}, {"interface": "::1"}):
        assert listener(tmp_path, endpoint=same | other).address != address
