import dataclasses
from pathlib import Path

import pytest

from wamp_transport.config import Configuration, diff, read_mapping, router_options, service_options
from wamp_transport.config.configuration import missing_directories
from wamp_transport.router.options import AnonymousLogin, Permission, ServiceOptions

PLACE = "workers[0].transports[0]"


@pytest.fixture
def build(read):
    def building(mapping):
        outcome = read(mapping)
        assert outcome.configuration is not None, str(outcome.report)
        return outcome.configuration

    return building


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({}, "tcp:8080"),
        ({"endpoint": {"type": "tcp", "port": 8080, "interface": "127.0.0.1"}}, "tcp:127.0.0.1:8080"),
        ({"endpoint": {"type": "tcp", "port": 8080, "interface": "::1"}}, "tcp:[::1]:8080"),
        ({"endpoint": {"type": "unix", "path": "run/sock"}}, "unix:run/sock"),
        ({"id": "public"}, "public"),
    ],
)
def test_keys_derive_from_id_or_endpoint_and_path(node, transport, build, change, key):
    transport.update(change)
    (built,) = build(node).transports
    assert built.key == key
    assert [service.key for service in built.paths] == [f"{key}/", f"{key}/ws"]
    assert [service.segments for service in built.paths] == [(), ("ws",)]


def test_key_stays_when_the_service_moves_in_the_file(node, worker, transport, build):
    before = build(node)
    worker["transports"].insert(
        0, {"type": "web", "endpoint": {"type": "tcp", "port": 1}, "paths": {"x": {"type": "nodeinfo"}}}
    )
    after = build(node)
    difference = diff(before, after)
    assert [one.key for one in difference.transports_added] == ["tcp:1"]
    assert [one.key for one in difference.services_added] == ["tcp:1/x"]
    assert not difference.transports_changed
    assert not difference.services_changed


def test_same_configuration_twice_makes_no_difference(node, build):
    assert not diff(build(node), build(node))
    assert build(node) == build(node)


def test_default_written_out_makes_no_difference(node, service, build):
    before = build(node)
    service.update(options={"max_frame_size": 0}, debug=False)
    assert not diff(before, build(node))


def test_changed_service_is_told_with_both_versions(node, service, build):
    before = build(node)
    service["options"] = {"max_frame_size": 1024}
    difference = diff(before, build(node))
    ((old, new),) = difference.services_changed
    assert (old.settings.options.max_frame_size, new.settings.options.max_frame_size) == (0, 1024)
    assert bool(difference)
    assert not difference.transports_changed


def test_true_and_one_are_different_values(node, transport, build):
    transport["paths"]["x"] = {"type": "json", "value": {"a": 1}}
    before = build(node)
    transport["paths"]["x"] = {"type": "json", "value": {"a": True}}
    assert diff(before, build(node)).services_changed


def test_removed_and_retyped_services_are_told(node, transport, build):
    before = build(node)
    del transport["paths"]["/"]
    transport["paths"]["ws"] = {"type": "longpoll"}
    difference = diff(before, build(node))
    assert [one.key for one in difference.services_removed] == ["tcp:8080/"]
    assert [new.type for _, new in difference.services_changed] == ["none"]


def test_changed_endpoint_options_change_the_transport(node, transport, build):
    before = build(node)
    transport["endpoint"]["backlog"] = 100
    assert [new.key for _, new in diff(before, build(node)).transports_changed] == ["tcp:8080"]


def test_changed_realms_are_told(node, worker, build):
    before = build(node)
    worker["realms"][0]["options"] = {"uri_check": "strict"}
    worker["realms"].append({"name": "realm2"})
    after = build(node)
    assert [new.name for _, new in diff(before, after).realms_changed] == ["realm1"]
    assert [realm.name for realm in diff(before, after).realms_added] == ["realm2"]
    assert [realm.name for realm in diff(after, before).realms_removed] == ["realm2"]


def test_router_is_told_realms_roles_and_permissions(node, build):
    options = router_options(build(node))
    assert options.realms["realm1"].roles["anonymous"].permissions == (
        Permission("", "prefix", call=True, subscribe=True),
    )


def test_router_is_told_key_and_login_of_a_service(node, build):
    info, websocket = build(node).services
    assert service_options(websocket) == ServiceOptions("tcp:8080/ws", AnonymousLogin())
    assert service_options(info) == ServiceOptions("tcp:8080/", None)


def test_configuration_is_immutable(node, build):
    configuration = build(node)
    with pytest.raises(dataclasses.FrozenInstanceError):
        configuration.source = "x"


def test_relative_paths_start_at_the_base_directory(tmp_path):
    configuration = Configuration("x", tmp_path / ".crossbar", (), ())
    assert configuration.resolve("..") == tmp_path
    assert configuration.resolve("../web") == tmp_path / "web"
    assert configuration.resolve("/srv/x") == Path("/srv/x")


def test_missing_directory_is_told(node, transport, read):
    transport["paths"]["/"] = {"type": "static", "directory": "nowhere"}
    outcome = read(node)
    assert "there is no directory" in outcome.notices[f'{PLACE}.paths["/"].directory'].message
    assert len(list(missing_directories(outcome.configuration))) == 1


def test_no_realms_given_opens_realm1_and_tells_it(node, worker, read):
    del worker["realms"]
    outcome = read(node)
    assert "realm1 is created" in outcome.notices["workers[0].realms"].message
    role = router_options(outcome.configuration).realms["realm1"].roles["anonymous"]
    assert Permission("", "prefix", call=True, register=True, publish=True, subscribe=True) in role.permissions


def test_empty_list_of_realms_opens_nothing(node, worker, build):
    worker["realms"] = []
    assert build(node).realms == ()


def test_no_realm_is_made_where_nobody_could_join(node, worker, transport, build):
    del worker["realms"]
    del transport["paths"]["ws"]
    assert build(node).realms == ()


def test_source_and_base_directory_are_kept(node):
    configuration = read_mapping(node, "/srv/x", source="rows", environ={})
    assert (configuration.source, configuration.base_dir) == ("rows", Path("/srv/x"))
    assert configuration.report.source == "rows"
