import pytest

PLACE = "workers[0].transports[0]"


def test_standalone_websocket_is_a_service_on_the_root(node, worker, read):
    worker["transports"] = [
        {
            "type": "websocket",
            "endpoint": {"type": "tcp", "port": 9000},
            "url": "ws://localhost:9000",
            "options": {"max_frame_size": 5},
            "serializers": ["json"],
        }
    ]
    outcome = read(node)
    assert outcome.report.notices == ()
    (service,) = outcome.configuration.services
    assert (service.path, service.type, service.config_path) == ("/", "websocket", PLACE)
    assert service.settings.options.max_frame_size == 5
    assert service.settings.offered_serializers == ("json",)
    assert not hasattr(service.settings, "endpoint")


def test_standalone_websocket_refuses_paths_and_a_url_with_a_path(node, worker, read):
    worker["transports"] = [{"type": "websocket", "url": "ws://localhost/ws", "paths": {}}]
    faults = read(node).faults
    assert 'type "web"' in faults[f"{PLACE}.paths"].hint
    assert '"/"' in faults[f"{PLACE}.url"].message


@pytest.mark.parametrize("kind", ["rawsocket", "universal", "mqtt", "flashpolicy", "websocket.testee", "stream.testee"])
def test_transport_not_offered_is_left_out_and_told(node, worker, read, kind):
    worker["transports"].append({"type": kind, "endpoint": {"type": "tcp", "port": 1}, "options": {"x": 1}})
    outcome = read(node)
    assert f'"{kind}" are not offered yet' in outcome.notices["workers[0].transports[1]"].message
    assert len(outcome.configuration.transports) == 1


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"type": "wbe"}, "type", "did you mean 'web'?"),
        ({"paths": []}, "paths", "expected an object"),
        ({"id": "X"}, "id", "3 to 64"),
        ({"id": "a" * 65}, "id", "3 to 64"),
        ({"max_connections": 0}, "max_connections", "1 or more"),
        ({"max_connections": True}, "max_connections", "found true"),
        ({"path": {}}, "path", "did you mean 'paths'?"),
        ({"options": {"access_log": 1}}, "options.access_log", "true or false"),
        ({"options": {"display_tracebacks": 1}}, "options.display_tracebacks", "true or false"),
        ({"options": {"hsts": 1}}, "options.hsts", "true or false"),
        ({"options": {"hsts_max_age": -1}}, "options.hsts_max_age", "0 or more (s)"),
        ({"options": {"client_timeout": 0}}, "options.client_timeout", "1 to 86400 (s)"),
        ({"options": {"client_timeout": 86401}}, "options.client_timeout", "1 to 86400 (s)"),
        ({"max_connections_per_address": 0}, "max_connections_per_address", "1 or more"),
        ({"trusted_proxies": "10.0.0.1"}, "trusted_proxies", "expected"),
        ({"trusted_proxies": ["10.0.0.1", "10.0.0.1/8"]}, "trusted_proxies[1]", "a network such as"),
        ({"options": {"request_timeout": 0}}, "options.request_timeout", "1 to 3600 (s)"),
        ({"options": {"max_request_head": 1}}, "options.max_request_head", "1024 to 1048576 (bytes)"),
        ({"options": {"max_request_body": -1}}, "options.max_request_body", "from 0"),
        ({"options": {"compress": True}}, "options.compress", "unknown attribute"),
    ],
)
def test_bad_transport_is_refused(transport, problems, change, path, words):
    transport.update(change)
    assert words in str(problems(PLACE)[0][path])


def test_web_transport_without_paths_is_refused(transport, problems):
    del transport["paths"]
    assert "required and missing" in problems(PLACE)[0]["paths"].message


def test_what_is_not_offered_is_told(transport, problems):
    transport["options"] = {"display_tracebacks": True}
    faults, notices = problems(PLACE)
    assert (list(faults), list(notices)) == ([], ["options.display_tracebacks"])


def test_limits_and_proxies_reach_the_transport(node, transport, read):
    transport.update(max_connections=10, max_connections_per_address=2, trusted_proxies=["10.0.0.0/8", "unix"])
    transport["options"] = {"access_log": True, "hsts": True, "hsts_max_age": 5, "client_timeout": 60}
    (built,) = read(node).configuration.transports
    assert (built.max_connections, built.max_connections_per_address) == (10, 2)
    assert built.trusted_proxies == ("10.0.0.0/8", "unix")
    assert built.options.client_timeout == 60


def test_transport_without_endpoint_gets_the_default_and_is_told(node, transport, read):
    del transport["endpoint"]
    outcome = read(node)
    (built,) = outcome.configuration.transports
    assert built.endpoint is None
    assert (built.listening.interface, built.listening.port) == ("127.0.0.1", 8080)
    assert "no endpoint" in outcome.notices[PLACE].message
