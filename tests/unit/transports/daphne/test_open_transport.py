"""An open transport takes what changes without closing its socket."""

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.certificates import Authority
from wamp_transport.config.certificates import TlsFiles
from wamp_transport.config.endpoint import TcpEndpoint
from wamp_transport.transports.connection_limits import ConnectionLimiter
from wamp_transport.transports.daphne.open_transport import OpenTransport
from wamp_transport.transports.daphne.requests import TransportFactory
from wamp_transport.transports.daphne.tls import TlsError
from wamp_transport.transports.listener import Listener

PLAIN = Listener(TcpEndpoint(type="tcp", port=1), max_connections=5)


def open_transport(listener: Listener = PLAIN) -> OpenTransport:
    factory = TransportFactory(SimpleNamespace(), "tcp:1", listener, ConnectionLimiter(1))
    made = OpenTransport(factory, listener, None)
    made.port = SimpleNamespace(factory=factory, user_timeout=0)
    return made


def test_socket_is_kept_if_the_address_is_the_same() -> None:
    assert open_transport().can_keep_socket(replace(PLAIN, max_connections=7))
    assert not open_transport().can_keep_socket(replace(PLAIN, endpoint=TcpEndpoint(type="tcp", port=2)))


def test_limits_and_proxies_change_live() -> None:
    made = open_transport()
    asyncio.run(made.apply_listener(replace(PLAIN, max_connections=7, trusted_proxies=("10.0.0.1",))))
    assert made.factory.limiter.max_connections == 7
    assert made.factory.proxies.trusts("10.0.0.1")
    assert made.port.factory is made.factory


def test_tls_comes_and_goes_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    files = TlsFiles(*Authority().issue().write(tmp_path, "server"))
    made = open_transport()
    asyncio.run(made.apply_listener(replace(PLAIN, tls=files)))
    running: Any = made.tls
    assert made.port.factory is running
    with pytest.raises(TlsError):
        asyncio.run(made.apply_listener(replace(PLAIN, tls=replace(files, key=tmp_path / "gone"))))
    assert made.port.factory is made.tls is running
    asyncio.run(made.apply_listener(PLAIN))
    assert made.port.factory is made.factory
