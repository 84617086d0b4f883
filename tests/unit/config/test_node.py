import pytest

from wamp_transport.config.configuration import service_options


@pytest.mark.parametrize("version", [1, 3, True, 2.0, "2", None, []])
def test_version_other_than_2_is_refused(node, read, version):
    node["version"] = version
    assert "expected 2, found" in read(node).faults["version"].message


def test_version_and_schema_are_optional(node, read):
    del node["version"]
    assert not read(node).faults
    assert not read(node | {"$schema": "https://example.com/schema.json"}).faults


@pytest.mark.parametrize("key", ["id", "options", "manhole", "connections", "keyring"])
def test_controller_is_ignored_and_told(node, read, key):
    node["controller"] = {key: {"title": "x"}}
    outcome = read(node)
    assert list(outcome.notices) == [f"controller.{key}"]


def test_unknown_key_of_the_controller_is_refused(node, read):
    node["controller"] = {"optoins": {}}
    assert read(node).faults["controller.optoins"].hint == "did you mean 'options'?"


@pytest.mark.parametrize("kind", ["container", "guest", "websocket-testee", "proxy", "hostmonitor"])
def test_worker_that_is_no_router_is_left_out_and_told(node, read, kind):
    node["workers"].append({"type": kind, "components": [{"type": "class"}]})
    outcome = read(node)
    assert "this worker is ignored" in outcome.notices["workers[1]"].message
    assert len(outcome.configuration.transports) == 1


def test_unknown_worker_type_is_refused(node, read):
    node["workers"].append({"type": "roter"})
    assert "did you mean 'router'?" in read(node).faults["workers[1].type"].hint


@pytest.mark.parametrize(
    ("key", "value"),
    [("components", [{"type": "class"}]), ("connections", [{}]), ("manhole", {"endpoint": {}})],
)
def test_part_of_a_router_worker_not_offered_is_told(node, worker, read, key, value):
    worker[key] = value
    assert list(read(node).notices) == [f"workers[0].{key}"]


def test_empty_parts_go_without_notice(node, worker, read):
    worker.update(components=[], connections=[], options={})
    assert read(node).report.notices == ()


OPTIONS = {
    "title": "x",
    "python": "/usr/bin/python",
    "pythonpath": ["."],
    "cpu_affinity": [0, 1],
    "env": {"inherit": True},
    "extra": {"a": 1},
    "expose_controller": True,
    "expose_shared": True,
}


@pytest.mark.parametrize("key", OPTIONS)
def test_worker_option_is_told_to_be_ignored(node, worker, read, key):
    worker["options"] = {key: OPTIONS[key]}
    assert list(read(node).notices) == [f"workers[0].options.{key}"]


@pytest.mark.parametrize(
    ("key", "value"), [("title", 5), ("pythonpath", "."), ("cpu_affinity", ["0"]), ("disabled", 1), ("disabled", "yes")]
)
def test_bad_worker_option_is_refused(node, worker, read, key, value):
    worker["options"] = {key: value}
    assert any(path.startswith(f"workers[0].options.{key}") for path in read(node).faults)


def test_disabled_worker_is_left_out_and_told(node, worker, read):
    node["workers"].append({**worker, "options": {"disabled": True}})
    outcome = read(node)
    assert not outcome.faults
    assert list(outcome.notices) == ["workers[1]"]
    assert len(outcome.configuration.transports) == len(outcome.configuration.realms) == 1


def test_worker_is_disabled_from_the_environment(node, worker, read):
    worker["options"] = {"disabled": "${OFF}"}
    assert read(node, OFF="1").configuration.transports == ()
    assert len(read(node, OFF="").configuration.transports) == 1
    assert len(read(node).configuration.transports) == 1


def test_transports_of_several_router_workers_lead_to_the_realms_of_their_own(node, worker, read):
    node["workers"].append(
        {
            "type": "router",
            "realms": [{"name": "realm2"}],
            "transports": [
                {"type": "web", "endpoint": {"type": "tcp", "port": 8081}, "paths": {"ws": {"type": "websocket"}}}
            ],
        }
    )
    outcome = read(node)
    assert [realm.name for realm in outcome.configuration.realms] == ["realm1", "realm2"]
    assert len(outcome.configuration.transports) == 2
    confined = {service.key: service_options(service).realms for service in outcome.configuration.services}
    assert set(confined.values()) == {frozenset({"realm1"}), frozenset({"realm2"})}


def test_transports_of_the_only_router_worker_lead_to_all_realms(node, read):
    for service in read(node).configuration.services:
        assert service_options(service).realms is None


@pytest.mark.parametrize("given", [{}, {"workers": []}, {"version": 2, "workers": [{"type": "router"}]}])
def test_node_that_serves_nothing_is_accepted(read, given):
    outcome = read(given)
    assert not outcome.faults
    assert (outcome.configuration.realms, outcome.configuration.transports) == ((), ())


@pytest.mark.parametrize("given", [None, [], "x", 5, True, 1.5])
def test_node_that_is_no_object_is_refused(read, given):
    assert "expected an object" in read(given).faults[""].message


@pytest.mark.parametrize(
    ("change", "path"), [({"worker": []}, "worker"), ({"workers": {}}, "workers"), ({"controller": []}, "controller")]
)
def test_bad_node_is_refused(node, read, change, path):
    assert path in read(node | change).faults
