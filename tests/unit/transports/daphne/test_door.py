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
from wamp_transport.transports.daphne.door import Door
from wamp_transport.transports.daphne.requests import TransportFactory
from wamp_transport.transports.daphne.tls import TlsError
from wamp_transport.transports.listener import Listener

PLAIN = Listener(TcpEndpoint(type="tcp", port=1), max_connections=5)


def door(listener: Listener = PLAIN) -> Door:
    factory = TransportFactory(SimpleNamespace(), "tcp:1", listener, ConnectionLimiter(1))
    made = Door(factory, listener, None)
    made.port = SimpleNamespace(factory=factory, user_timeout=0)
    return made


def test_door_fits_as_long_as_the_address_does() -> None:
    assert door().fits(replace(PLAIN, max_connections=7))
    assert not door().fits(replace(PLAIN, endpoint=TcpEndpoint(type="tcp", port=2)))


def test_limits_and_proxies_change_live() -> None:
    made = door()
    asyncio.run(made.configure(replace(PLAIN, max_connections=7, trusted_proxies=("10.0.0.1",))))
    assert made.factory.limiter.max_connections == 7
    assert made.factory.proxies.trusts("10.0.0.1")
    assert made.port.factory is made.factory


def test_tls_comes_and_goes_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    files = TlsFiles(*Authority().issue().write(tmp_path, "server"))
    made = door()
    asyncio.run(made.configure(replace(PLAIN, tls=files)))
    running: Any = made.tls
    assert made.port.factory is running
    with pytest.raises(TlsError):
        asyncio.run(made.configure(replace(PLAIN, tls=replace(files, key=tmp_path / "gone"))))
    assert made.port.factory is made.tls is running
    asyncio.run(made.configure(PLAIN))
    assert made.port.factory is made.factory
