import json

import pytest

from wamp_transport.config import (
    development_default,
    read_mapping,
    router_options,
    service_options,
    template,
    with_builtin_service,
)
from wamp_transport.router.options import AnonymousLogin, Permission

OPEN = (
    Permission("", "prefix", call=True, register=True, publish=True, subscribe=True),
    Permission("wamp.", "prefix"),
)


def test_development_serves_ws_to_anonymous_clients_on_loopback():
    configuration = development_default()
    (transport,) = configuration.transports
    (service,) = transport.paths
    assert (transport.listening.interface, service.path, service.type) == ("127.0.0.1", "/ws", "websocket")
    assert service_options(service).anonymous == AnonymousLogin()
    assert router_options(configuration).realms["realm1"].roles["anonymous"].permissions == OPEN
    assert configuration.report.notices == ()


def test_template_reads_back_without_problems(tmp_path):
    (tmp_path / ".crossbar").mkdir()
    mapping = json.loads(json.dumps(template()))
    configuration = read_mapping(mapping, tmp_path / ".crossbar", environ={})
    assert configuration.report.notices == ()
    assert router_options(configuration).realms["realm1"].roles["anonymous"].permissions == OPEN


def test_template_has_the_shape_of_crossbars_default():
    mapping = template()
    assert (mapping["version"], mapping["controller"]) == (2, {})
    (worker,) = mapping["workers"]
    (transport,) = worker["transports"]
    assert (worker["type"], transport["type"]) == ("router", "web")
    assert transport["endpoint"] == {"type": "tcp", "port": 8080}
    assert transport["paths"] == {"/": {"type": "static", "directory": ".."}, "ws": {"type": "websocket"}}


def test_template_is_made_anew_each_time():
    template()["workers"].clear()
    assert template()["workers"]


WEB = {"type": "web", "endpoint": {"type": "tcp", "port": 9000}, "paths": {}}


def stored(*transports, realms=()):
    worker = {"type": "router", "realms": [{"name": name} for name in realms], "transports": list(transports)}
    return read_mapping({"version": 2, "workers": [worker]}, ".", source="database", environ={})


@pytest.mark.parametrize("transports", [(), (WEB,), ({**WEB, "paths": {"a": {"type": "path", "paths": {}}}},)])
def test_builtin_service_stays_until_a_transport_has_a_path(transports):
    configuration = with_builtin_service(stored(*transports))
    assert configuration.transports == development_default().transports
    assert configuration.realms == development_default().realms


def test_builtin_service_has_the_stored_realms():
    configuration = with_builtin_service(stored(realms=["office", "shop"]))
    assert [service.path for service in configuration.services] == ["/ws"]
    assert [realm.name for realm in configuration.realms] == ["office", "shop"]


@pytest.mark.parametrize(
    "transport",
    [{**WEB, "paths": {"wamp": {"type": "websocket"}}}, {"type": "websocket", "endpoint": WEB["endpoint"]}],
)
def test_transport_with_a_path_replaces_the_builtin_service(transport):
    configuration = stored(transport)
    assert with_builtin_service(configuration) is configuration
