import pytest

from wamp_transport.config.crosschecks import check_across, enabled
from wamp_transport.config.node import Node
from wamp_transport.config.schema_walk import sections_in

PLACE = "workers[0]"


def test_realm_given_twice_is_refused_across_workers(node, worker, read):
    worker["realms"].append({"name": "realm1"})
    node["workers"].append({"type": "router", "realms": [{"name": "realm1"}]})
    faults = read(node).faults
    assert f"already taken by {PLACE}.realms[0]" in faults[f"{PLACE}.realms[1].name"].message
    assert "workers[1].realms[0].name" in faults


def test_transport_id_given_twice_is_refused(node, worker, transport, read):
    transport["id"] = "one"
    worker["transports"].append({**transport, "endpoint": {"type": "tcp", "port": 8081}})
    assert "already taken" in read(node).faults[f"{PLACE}.transports[1].id"].message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"type": "tcp", "port": 80}, {"type": "tcp", "port": 80}),
        ({"type": "tcp", "port": 80}, {"type": "tcp", "port": 80, "interface": "127.0.0.1"}),
        ({"type": "tcp", "port": 80, "interface": "0.0.0.0"}, {"type": "tcp", "port": 80, "interface": "127.0.0.1"}),
        ({"type": "tcp", "port": 80, "shared": True}, {"type": "tcp", "port": 80, "shared": True}),
        ({"type": "tcp", "port": 80}, {"type": "tcp", "port": "$PORT"}),
        ({"type": "tcp", "port": 8080}, None),
        (None, None),
        ({"type": "unix", "path": "a"}, {"type": "unix", "path": "a"}),
    ],
)
def test_same_endpoint_twice_is_refused(node, worker, read, one, other):
    worker["transports"] = [{"type": "web", "paths": {}, **({"endpoint": end} if end else {})} for end in (one, other)]
    faults = read(node, PORT="80").faults
    place = f"{PLACE}.transports[1]" + (".endpoint" if other else "")
    assert f"{PLACE}.transports[0] listens on the same" in faults[place].message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"type": "tcp", "port": 80}, {"type": "tcp", "port": 81}),
        (
            {"type": "tcp", "port": 80, "interface": "127.0.0.1"},
            {"type": "tcp", "port": 80, "interface": "127.0.0.2"},
        ),
        ({"type": "tcp", "port": 80, "interface": "0.0.0.0"}, {"type": "tcp", "port": 80, "interface": "::1"}),
        ({"type": "tcp", "port": 81}, None),
        ({"type": "unix", "path": "a"}, {"type": "unix", "path": "b"}),
    ],
)
def test_different_endpoints_are_accepted(node, worker, read, one, other):
    worker["transports"] = [{"type": "web", "paths": {}, **({"endpoint": end} if end else {})} for end in (one, other)]
    assert not read(node).faults


def test_two_services_on_one_path_are_refused(node, transport, read):
    transport["paths"] = {
        "/": {"type": "path", "paths": {"ws": {"type": "nodeinfo"}, "/": {"type": "nodeinfo"}}},
        "ws": {"type": "websocket"},
    }
    fault = read(node).faults[f"{PLACE}.transports[0].paths.ws"]
    assert fault.message.endswith("is on the same path, /ws")


def test_url_is_compared_with_the_full_nested_path(node, transport, read):
    inner = {"type": "websocket", "url": "ws://localhost/ws"}
    transport["paths"] = {"a": {"type": "path", "paths": {"/": {"type": "nodeinfo"}, "ws": inner}}}
    assert '"/a/ws"' in read(node).faults[f"{PLACE}.transports[0].paths.a.paths.ws.url"].message
    inner["url"] = "ws://localhost/a/ws/"
    assert not read(node).faults


def test_checks_across_run_beside_other_faults(node, transport, read):
    transport["paths"]["ws"] = {"type": "websocket", "url": "ws://localhost/x", "options": {"nope": 1}}
    node["version"] = 1
    assert set(read(node).faults) == {
        "version",
        f"{PLACE}.transports[0].paths.ws.url",
        f"{PLACE}.transports[0].paths.ws.options.nope",
    }


def test_anonymous_role_that_no_realm_has_is_told(node, service, read):
    service["auth"] = {"anonymous": {"type": "static", "role": "guest"}}
    notices = read(node).notices
    assert 'no realm has the role "guest"' in notices[f"{PLACE}.transports[0].paths.ws.auth.anonymous.role"].message


def test_default_anonymous_role_that_no_realm_has_is_told(node, worker, read):
    worker["realms"][0]["roles"][0]["name"] = "user"
    assert 'role "anonymous"' in read(node).notices[f"{PLACE}.transports[0].paths.ws"].message


def test_role_goes_unchecked_where_there_are_no_realms(node, worker, read):
    worker["realms"] = []
    assert read(node).report.notices == ()


@pytest.mark.parametrize(
    ("one", "other", "is_told"),
    [
        ({}, {}, False),
        ({}, {"store": {"type": "database"}, "name": "cbtid"}, False),
        ({}, {"store": {"type": "memory"}}, True),
        ({"store": {"type": "memory"}}, {"store": {"type": "memory"}}, True),
        ({"store": {"type": "file", "filename": "a"}}, {"store": {"type": "file", "filename": "a"}}, False),
        ({"store": {"type": "file", "filename": "a"}}, {"store": {"type": "file", "filename": "b"}}, True),
        ({"name": "one"}, {"name": "other", "store": {"type": "memory"}}, False),
        ({}, {"store": 5}, True),
        ({"name": []}, {"name": []}, False),
        ({}, None, False),
    ],
)
def test_one_cookie_in_two_stores_is_told(node, transport, read, one, other, is_told):
    services = {"a": one, "b": other}
    transport["paths"] = {key: {"type": "websocket", "cookie": cookie} for key, cookie in services.items()}
    problems = [*read(node).faults.values(), *read(node).notices.values()]
    assert any("in another store" in problem.message for problem in problems) is is_told


def test_cookies_of_two_ports_are_compared(node, worker, transport, read):
    transport["paths"] = {"a": {"type": "websocket", "cookie": {}}}
    other = {"type": "web", "endpoint": {"type": "tcp", "port": 8081}}
    other["paths"] = {"a": {"type": "websocket", "cookie": {"store": {"type": "memory"}}}}
    worker["transports"].append(other)
    problems = [*read(node).faults.values(), *read(node).notices.values()]
    assert any("in another store" in problem.message for problem in problems)


def test_disabled_worker_clashes_with_nothing(node, worker, read):
    node["workers"].append({**worker, "options": {"disabled": True}})
    assert not read(node).faults


def test_disabled_workers_are_taken_out():
    data = {"workers": ({"type": "router", "options": {"disabled": "$X"}, "realms": ({"name": "a"},)},)}
    sections = tuple(sections_in(Node, data))
    assert [found.section for found in enabled(sections, {"X": "1"})] == [Node]
    assert len(enabled(sections, {})) == len(sections)
    assert list(check_across(enabled(sections, {}), {})) == []
