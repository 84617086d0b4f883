import pytest

from wamp_transport.config.paths import SERVICE_TYPES, segments_at

PLACE = "workers[0].transports[0].paths"
OTHERS = [
    *("longpoll", "archive", "wsgi", "resource", "cgi", "wap", "reverseproxy", "websocket-reverseproxy"),
    *("publisher", "caller", "webhook", "catalog", "pairme", "upload"),
]


@pytest.mark.parametrize("key", ["/", "ws", "A-b_9", "0", "_", "-", "type", "paths"])
def test_path_of_one_segment_is_accepted(transport, read, node, key):
    transport["paths"] = {key: {"type": "websocket"}}
    outcome = read(node)
    assert not outcome.faults
    assert outcome.configuration.services[0].path == "/" + key.strip("/")


@pytest.mark.parametrize("key", ["a/b", "/ws", "ws/", "a.b", "é", "", "ws\n", "//", " ", "%77s", "a b"])
def test_other_path_is_refused(transport, read, node, key):
    transport["paths"][key] = {"type": "nodeinfo"}
    (fault,) = read(node).faults.values()
    assert "expected a path of letters" in fault.message


def test_deep_path_is_refused_with_the_way_to_write_it(transport, read, node):
    transport["paths"]["a/b"] = {"type": "nodeinfo"}
    assert 'type "path"' in read(node).faults[f'{PLACE}["a/b"]'].hint


def test_root_may_be_absent(transport, read, node):
    del transport["paths"]["/"]
    assert read(node).report.notices == read(node).report.faults == ()


def test_nested_paths_are_flattened(transport, read, node):
    transport["paths"] = {
        "a": {
            "type": "path",
            "paths": {
                "/": {"type": "nodeinfo"},
                "b": {"type": "path", "paths": {"ws": {"type": "websocket", "url": "ws://localhost/a/b/ws"}}},
            },
        }
    }
    services = read(node).configuration.services
    assert [(service.path, service.type, service.config_path) for service in services] == [
        ("/a", "nodeinfo", f'{PLACE}.a.paths["/"]'),
        ("/a/b/ws", "websocket", f"{PLACE}.a.paths.b.paths.ws"),
    ]


@pytest.mark.parametrize("kind", OTHERS)
def test_service_not_offered_keeps_its_path_and_is_told(transport, read, node, kind):
    transport["paths"]["x"] = {"type": kind, "anything": {"goes": [1]}}
    outcome = read(node)
    assert f'"{kind}" are not offered yet' in outcome.notices[f"{PLACE}.x"].message
    assert [(one.path, one.type) for one in outcome.configuration.services][-1] == ("/x", "none")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"type": "websockt"}, "did you mean 'websocket'?"),
        ({"type": "pusher"}, "did you mean 'publisher'?"),
        ({"type": "zzz"}, "expected one of"),
        ({"type": 5}, "found 5"),
        ({"type": None}, "found null"),
        ({"type": ["websocket"]}, "found a list"),
        ({}, "required and missing"),
    ],
)
def test_unknown_type_is_refused(transport, read, node, given, words):
    transport["paths"]["x"] = given
    assert words in str(read(node).faults[f"{PLACE}.x.type"])


@pytest.mark.parametrize("given", [None, 5, "websocket", [], True])
def test_service_that_is_no_object_is_refused(transport, read, node, given):
    transport["paths"]["x"] = given
    assert "expected an object" in read(node).faults[f"{PLACE}.x"].message


def test_fault_in_a_nested_service_tells_the_whole_path(transport, read, node):
    transport["paths"]["a"] = {"type": "path", "paths": {"websocket": {"type": "websocket", "options": {"x": 1}}}}
    assert list(read(node).faults) == [f"{PLACE}.a.paths.websocket.options.x"]


def test_segments_skip_the_words_between():
    assert segments_at(("paths", "paths", "paths", "/", "paths", "ws")) == ("paths", "ws")
    assert segments_at(()) == ()


def test_types_offered_are_six():
    assert set(SERVICE_TYPES) == {"websocket", "static", "path", "json", "redirect", "nodeinfo"}
