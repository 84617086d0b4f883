import pytest

from wamp_transport.config.forms import (
    SECTIONS,
    check_endpoint,
    check_paths,
    check_permission,
    check_realm,
    check_role,
    check_service,
    check_transport,
    fields_of,
    service_types,
)


def faults(problems):
    return [problem.path for problem in problems if problem.level == "fault"]


def test_fields_of_a_service_leave_out_its_type():
    paths = [field.path for field in fields_of("websocket")]
    assert "options.max_frame_size" in paths
    assert "type" not in paths


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_has_fields_but_the_empty_ones(name):
    assert fields_of(name)


def test_unknown_section_has_no_fields():
    with pytest.raises(KeyError):
        fields_of("longpoll")


def test_types_offered_are_listed():
    assert "websocket" in service_types()


def test_service_is_checked_with_relative_paths():
    given = {"url": "ws://localhost/x", "options": {"max_frame_size": -1}, "nope": 1}
    assert faults(check_service("websocket", given, "/ws")) == ["url", "options.max_frame_size", "nope"]


def test_type_asked_for_is_the_one_checked():
    assert faults(check_service("redirect", {"type": "websocket", "url": "/a"})) == []


def test_url_goes_unchecked_without_a_path():
    assert faults(check_service("websocket", {"url": "ws://localhost/x"})) == []
    assert faults(check_service("websocket", {"url": "ws://localhost/ws"}, "/ws/")) == []


def test_nested_service_is_checked_with_its_full_path():
    given = {"paths": {"ws": {"type": "websocket", "url": "ws://localhost/b/ws"}}}
    assert faults(check_service("path", given, "/a")) == ["paths.ws.url"]
    assert faults(check_service("path", given, "/b")) == []


def test_unknown_type_is_told_at_type():
    assert faults(check_service("websockt", {}, "/ws")) == ["type"]


def test_service_not_offered_is_a_notice():
    (notice,) = check_service("longpoll", {}, "/lp")
    assert (notice.path, notice.level) == ("", "ignored")


@pytest.mark.parametrize("given", [None, 5, "x", []])
def test_anything_but_an_object_is_a_fault(given):
    assert faults(check_service("websocket", given, "/ws")) == [""]
    for check in (check_realm, check_role, check_permission, check_endpoint, check_transport):
        assert faults(check(given)) == [""]


def test_paths_are_checked_by_key():
    given = {"ws": {"type": "websocket", "options": {"nope": 1}}, "/": {"type": "nodeinfo", "x": 1}, "a/b": {}}
    assert faults(check_paths(given)) == ["ws.options.nope", '["/"].x', '["a/b"]', '["a/b"].type']


def test_parts_of_a_realm_are_checked_alone():
    assert faults(check_realm({"name": "x", "roles": [{"name": "trusted"}]})) == ["name", "roles[0].name"]
    assert faults(check_role({"name": "a", "permissions": [{}]})) == ["permissions[0].uri"]
    assert faults(check_permission({"uri": "a*b", "match": None})) == ["uri"]
    assert check_permission({"uri": "com.example.*", "allow": {"call": True}}) == []


def test_endpoint_is_checked_with_the_environment_given():
    assert check_endpoint({"type": "tcp", "port": "$PORT"}, environ={"PORT": "80"}) == []
    assert faults(check_endpoint({"type": "tcp", "port": "$PORT"}, environ={})) == ["port"]


def test_transport_is_checked_alone():
    given = {"type": "web", "endpoint": {"type": "unix"}, "paths": {"ws": {"type": "websocket", "x": 1}}}
    assert faults(check_transport(given)) == ["endpoint.path", "paths.ws.x"]
