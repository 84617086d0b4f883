import copy
import json
import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from wamp_transport.config import ConfigError, Configuration, read_file, read_mapping, read_text, router_options
from wamp_transport.config.reader import MAX_FILE_BYTES, find_file

from ...effort import examples
from .documents import DEFAULT_NODE, WEBSOCKET_SERVICE_EXAMPLE


def refused(call, *arguments, **options):
    with pytest.raises(ConfigError) as caught:
        call(*arguments, **options)
    return caught.value.report


def message(text, tmp_path):
    (fault,) = refused(read_text, text, tmp_path, source="c").faults
    assert fault.path == ""
    return str(fault)


def node_directory(tmp_path, text, name="config.json"):
    directory = tmp_path / ".crossbar"
    directory.mkdir()
    (directory / name).write_text(text)
    return directory


def test_documented_websocket_service_runs(tmp_path):
    directory = node_directory(tmp_path, WEBSOCKET_SERVICE_EXAMPLE)
    configuration = read_file(tmp_path)
    files, websocket = configuration.services
    assert (files.path, files.type, configuration.resolve(files.settings.directory)) == ("/", "static", tmp_path)
    assert (websocket.path, websocket.type) == ("/ws", "websocket")
    assert configuration.base_dir == directory
    assert router_options(configuration).realms["realm1"].roles["anonymous"].permissions[0].call
    assert [notice.path for notice in configuration.report.notices] == [
        "workers[0].transports[0]",
        "workers[0].realms",
    ]


def test_crossbars_default_node_runs(tmp_path):
    node_directory(tmp_path, DEFAULT_NODE)
    (tmp_path / "web").mkdir()
    configuration = read_file(tmp_path)
    assert [(one.path, one.type) for one in configuration.services] == [
        ("/", "static"),
        ("/ws", "websocket"),
        ("/info", "nodeinfo"),
    ]
    assert [notice.path for notice in configuration.report.notices] == [
        "workers[0].realms[0].options.dialect",
        "workers[0].transports[0]",
        'workers[0].transports[1].paths["/"].options.enable_directory_listing',
    ]


@pytest.mark.parametrize("below", ["", ".crossbar", ".crossbar/config.json"])
def test_file_is_found_from_node_directory_config_directory_or_itself(tmp_path, below):
    directory = node_directory(tmp_path, "{}")
    configuration = read_file(tmp_path / below)
    assert (configuration.source, configuration.base_dir) == (str(directory / "config.json"), directory)


def test_finding_the_file_alone_tells_its_path(tmp_path):
    directory = node_directory(tmp_path, "")
    assert find_file(tmp_path) == directory / "config.json"
    assert refused(find_file, tmp_path / "nope").faults


def test_file_of_another_name_is_read(tmp_path):
    (tmp_path / "mine.json").write_text("{}")
    assert read_file(str(tmp_path / "mine.json")).base_dir == tmp_path


def test_byte_order_mark_is_allowed(tmp_path):
    (tmp_path / "config.json").write_bytes(b"\xef\xbb\xbf{}")
    assert read_file(tmp_path).transports == ()


@pytest.mark.parametrize("below", ["", ".crossbar", ".crossbar/config.yaml"])
def test_yaml_is_refused_clearly(tmp_path, below):
    node_directory(tmp_path, "version: 2", "config.yaml")
    assert "YAML is not offered" in str(refused(read_file, tmp_path / below))


def test_missing_file_is_told(tmp_path):
    assert "no config.json here" in str(refused(read_file, tmp_path))
    assert "no such file" in str(refused(read_file, tmp_path / "nope.json"))


def test_unreadable_name_is_told(tmp_path):
    assert refused(read_file, tmp_path / ("x" * 5000)).faults
    assert refused(read_file, "a\0b").faults
    assert "neither a file nor a directory" in str(refused(read_file, "/dev/null"))


def test_text_that_is_not_utf8_is_told_with_its_line(tmp_path):
    (tmp_path / "config.json").write_bytes(b'{\n"a": "\xff"}')
    assert "line 2: not valid UTF-8" in str(refused(read_file, tmp_path))


def test_file_beyond_the_limit_is_refused(tmp_path):
    (tmp_path / "config.json").write_bytes(b" " * (MAX_FILE_BYTES + 1))
    assert "16 MiB" in str(refused(read_file, tmp_path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1, column 1"),
        ('{"a": 1\n "b": 2}', "line 2, column 2"),
        ('{"a": 1,}', "no comma after the last item"),
        ('{"a": [1 ,\n ] }', "no comma after the last item"),
        ("{'a': 1}", "double quotes"),
        ('{\n// comment\n"a": 1}', "no comments"),
        ("{} {}", "line 1, column 4"),
        ("[" * 200_000, "nested too deeply"),
        ("[" + "1" * 5000 + "]", "too many digits"),
    ],
)
def test_invalid_json_is_one_fault_with_its_place(tmp_path, text, words):
    assert words in message(text, tmp_path)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "1e999"])
def test_numbers_beyond_json_are_refused(tmp_path, text):
    faults = refused(read_text, text, tmp_path).faults
    assert any("infinite or not a number" in fault.message for fault in faults)


def test_repeated_key_is_refused_at_its_place(tmp_path):
    text = '{"version": 2, "workers": [{"type": "router", "realms": [], "realms": []}]}'
    (fault,) = refused(read_text, text, tmp_path).faults
    assert (fault.path, fault.message) == ("workers[0].realms", "key given more than once in the same object")


def test_all_problems_come_together(tmp_path):
    text = (
        '{"version": 1, "version": 1, "workrs": [], "workers": '
        '[{"type": "container"}, {"type": "router", "realms": [{}], "transports": [{"type": "web"}]}]}'
    )
    report = refused(read_text, text, tmp_path, source="c")
    assert [fault.path for fault in report.faults] == [
        "version",
        "version",
        "workrs",
        "workers[1].realms[0].name",
        "workers[1].transports[0].paths",
    ]
    assert [notice.path for notice in report.notices] == ["workers[0]"]
    assert str(report).startswith("c: 5 faults, 1 notice\n")


def test_deep_and_wide_mappings_are_refused(tmp_path):
    deep = {}
    deep["a"] = deep
    assert "nested deeper" in str(refused(read_mapping, deep, tmp_path))
    assert len(refused(read_mapping, {str(index): 0 for index in range(3000)}, tmp_path).faults) == 3000


def test_nested_paths_up_to_the_limit_are_read(tmp_path):
    paths = {"ws": {"type": "websocket"}}
    for _ in range(25):
        paths = {"a": {"type": "path", "paths": paths}}
    transport = {"type": "web", "paths": paths}
    configuration = read_mapping({"workers": [{"type": "router", "realms": [], "transports": [transport]}]}, tmp_path)
    assert configuration.services[0].segments == ("a",) * 25 + ("ws",)


def test_environment_of_the_process_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("WAMP_PORT", "9001")
    transport = {"type": "web", "endpoint": {"type": "tcp", "port": "$WAMP_PORT"}, "paths": {}}
    configuration = read_mapping({"workers": [{"type": "router", "transports": [transport]}]}, tmp_path)
    assert configuration.transports[0].listening.port == 9001


EVERYTHING = {
    "$schema": "x",
    "version": 2,
    "controller": {"id": "node1", "options": {"title": "x"}},
    "workers": [
        {
            "type": "router",
            "id": "worker1",
            "options": {"title": "x", "disabled": "${OFF}", "pythonpath": ["."], "env": {"vars": {"A": "hunter2"}}},
            "realms": [
                {
                    "name": "realm1",
                    "options": {"uri_check": "loose", "enable_meta_api": True},
                    "store": {"type": "memory", "event-history": [{"uri": "a", "limit": 5}]},
                    "roles": [
                        {
                            "name": "anonymous",
                            "permissions": [
                                {"uri": "a.*.c", "allow": {"call": True}, "disclose": {"caller": True}, "cache": True},
                                {"uri": "", "match": "prefix", "allow": {"subscribe": True}},
                            ],
                        },
                        {"name": "open", "allow-by-default": True},
                    ],
                }
            ],
            "transports": [
                {
                    "type": "web",
                    "id": "public",
                    "endpoint": {"type": "tcp", "port": "$PORT", "interface": "127.0.0.1", "backlog": 10},
                    "options": {"access_log": True, "client_timeout": 5},
                    "max_connections": 5,
                    "paths": {
                        "/": {"type": "static", "directory": "..", "options": {"mime_types": {".x": "a/b"}}},
                        "ws": {
                            "type": "websocket",
                            "url": "ws://localhost/ws",
                            "serializers": ["json", "ubjson"],
                            "auth": {"anonymous": {"type": "static", "role": "open"}},
                            "cookie": {"store": {"type": "file", "filename": "c"}},
                            "options": {
                                "allowed_origins": ["https://a:443"],
                                "auto_ping_interval": 1000,
                                "compression": {"deflate": {"memory_level": 5}},
                            },
                        },
                        "a": {"type": "path", "paths": {"j": {"type": "json", "value": {"x": [1, None, "y"]}}}},
                        "r": {"type": "redirect", "url": "/ws"},
                        "lp": {"type": "longpoll", "options": {}},
                    },
                },
                {"type": "websocket", "endpoint": {"type": "unix", "path": "sock"}, "debug": True},
                {"type": "rawsocket", "endpoint": {"type": "tcp", "port": 1}},
            ],
            "components": [{"type": "class", "classname": "x.Y", "realm": "realm1"}],
        },
        {"type": "container", "components": []},
    ],
}


def test_configuration_with_everything_runs(tmp_path):
    configuration = read_mapping(EVERYTHING, tmp_path, environ={"PORT": "9000"})
    assert [service.key for service in configuration.services] == [
        "public/",
        "public/ws",
        "public/a/j",
        "public/r",
        "public/lp",
        "unix:sock/",
    ]
    assert "hunter2" not in str(configuration.report)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["$PORT", "${X}", "websocket", "web", "tcp", "path", "*", "a.*", "ws://x/ws", "\ud800", "[key]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(value, above=()):
    yield above
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*above, key))


PLACES = [place for place in places(EVERYTHING) if place]
KEYS = sorted({step for place in PLACES for step in place if isinstance(step, str)})


def change(document, place, action, value, key):
    """Replace, remove, repeat or add at a place; places that an earlier change took away are left."""
    *above, last = place
    for step in above:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return
    try:
        if action == "replace":
            document[last] = value
        elif action == "remove":
            del document[last]
        elif action == "repeat" and isinstance(document, list):
            document.append(copy.deepcopy(document[last]))
        elif action == "move":
            document[key] = document.pop(last)
        elif action == "add":
            document[last][key] = value
    except (AttributeError, KeyError, IndexError, TypeError):  # an earlier change put a string or a number there
        return


MUTATION = st.tuples(
    st.sampled_from(PLACES),
    st.sampled_from(["replace", "remove", "repeat", "move", "add"]),
    JSON,
    st.sampled_from(KEYS) | st.text(max_size=8),
)


def outcome_of(call, *arguments, **options):
    """The configuration, or the report of why there is none. Any other exception is a failure."""
    try:
        return call(*arguments, **options)
    except ConfigError as error:
        return error.report


def is_sound(outcome):
    if isinstance(outcome, Configuration):
        return bool(str(outcome.report)) and router_options(outcome) is not None
    return bool(outcome.faults) and bool(str(outcome))


@pytest.mark.long
@settings(max_examples=examples(80), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutations=st.lists(MUTATION, min_size=1, max_size=4))
def test_any_mutation_is_read_or_refused(mutations):
    document = copy.deepcopy(EVERYTHING)
    for mutation in mutations:
        change(document, *mutation)
    assert is_sound(outcome_of(read_mapping, document, "/nowhere", environ={"PORT": "9000"}))


@settings(max_examples=examples(40), deadline=None)
@given(value=JSON)
@example(value={"[key]": None})
def test_any_json_is_read_or_refused(value):
    assert is_sound(outcome_of(read_text, json.dumps(value), "/nowhere", environ={}))


@settings(max_examples=examples(40), deadline=None)
@given(text=st.text(alphabet='{}[]:,"ab1 \\\n-.e', max_size=40))
def test_any_text_is_read_or_refused(text):
    assert is_sound(outcome_of(read_text, text, "/nowhere", environ={}))


def test_deep_stack_does_not_change_the_outcome(tmp_path):
    def deeper(levels):
        return deeper(levels - 1) if levels else refused(read_text, "[" * 900 + "]" * 900, tmp_path)

    assert deeper(sys.getrecursionlimit() // 4).faults
