"""Where services are reached by others on the same host."""

from pathlib import Path

import pytest

from wamp_transport.bootstrap.local_endpoints import local_endpoints
from wamp_transport.bootstrap.mounts import MAIN_LISTENER
from wamp_transport.config.endpoint import TcpEndpoint
from wamp_transport.config.reader import read_mapping
from wamp_transport.transports.listener import Listener

REALMS = [{"name": name, "roles": [{"name": "anonymous"}]} for name in ("realm1", "realm2")]


def found(*transports, main=None):
    worker = {"type": "router", "realms": REALMS, "transports": list(transports)}
    configuration = read_mapping({"version": 2, "workers": [worker]}, Path("/etc/node"))
    listeners = {each.key: Listener.of(configuration, each) for each in configuration.transports}
    if main is not None:
        listeners = {MAIN_LISTENER: Listener(main)}
    return local_endpoints(configuration, listeners)


def transport(endpoint, **options):
    paths = {"ws": {"type": "websocket", "options": options}, "/": {"type": "json", "value": 1}}
    return {"type": "web", "endpoint": endpoint, "paths": paths}


@pytest.mark.parametrize(
    ("interface", "host"),
    [("", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("192.0.2.5", "192.0.2.5")],
)
def test_service_is_told_with_an_address_of_its_host(interface, host):
    assert found(transport({"type": "tcp", "port": 8000, "interface": interface})) == [
        {"url": f"ws://{host}:8000/ws", "realms": ("realm1", "realm2"), "socket": None, "origin": None}
    ]


def test_unix_socket_is_told_by_its_whole_path():
    (one,) = found(transport({"type": "unix", "path": "run/wamp.sock"}))
    assert (one["url"], one["socket"]) == ("ws://localhost/ws", "/etc/node/run/wamp.sock")


def test_address_of_the_command_line_counts():
    endpoint = TcpEndpoint.model_construct(type="tcp", port=9000, interface="127.0.0.1", version=4, tls=None)
    (one,) = found(transport({"type": "tcp", "port": 8000}), main=endpoint)
    assert one["url"] == "ws://127.0.0.1:9000/ws"


@pytest.mark.parametrize(
    ("origins", "origin"),
    [
        (["*"], "http://127.0.0.1:8000"),
        (["same-origin"], "http://127.0.0.1:8000"),
        (["https://*.example.com", "https://example.com:443"], "https://example.com:443"),
    ],
)
def test_service_for_browsers_is_told_with_an_origin_that_it_takes(origins, origin):
    options = {"allowed_origins": origins, "allow_missing_origin": False}
    (one,) = found(transport({"type": "tcp", "port": 8000}, **options))
    assert one["origin"] == origin
