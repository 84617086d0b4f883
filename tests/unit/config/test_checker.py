import pytest

from wamp_transport.config.checker import check, problems
from wamp_transport.config.node import Node
from wamp_transport.config.section import Finding
from wamp_transport.config.websocket import WebSocketOptions, WebSocketService


def found(annotation, value):
    checked = check(annotation, value, {})
    return {problem.path: problem for problem in problems(checked.findings, checked.data)}


def test_good_value_comes_back_typed():
    checked = check(WebSocketOptions, {"max_frame_size": 5}, {})
    assert checked.value == WebSocketOptions.model_validate({"max_frame_size": 5})
    assert checked.findings == ()


def test_all_faults_come_together_in_the_order_of_the_document():
    given = {"auto_ping_size": 1, "nope": 1, "max_frame_size": -1, "enable_rfc6455": False, "enable_hybi10": False}
    assert list(found(WebSocketOptions, given)) == ["auto_ping_size", "nope", "max_frame_size", "enable_rfc6455"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "found true"),
        (None, "found null"),
        (1.5, "found 1.5"),
        ("x", 'found "x"'),
        ("x" * 1000, 'found "' + "x" * 57 + '..."'),
        ([1], "found a list"),
        ({"a": 1}, "found an object"),
        (10**30, f"found {10**30}"),
        (2**2000, "found a huge integer"),
    ],
)
def test_what_was_found_is_shown_in_json_words(value, shown):
    assert found(WebSocketOptions, {"auto_ping_size": value})["auto_ping_size"].message.endswith(shown)


def test_key_without_a_near_one_gets_the_known_ones():
    assert found(WebSocketService, {"type": "websocket", "zzz": 1})["zzz"].hint.startswith("known here: id, url,")


def test_place_that_is_not_json_is_told_once():
    assert found(WebSocketOptions, {"auto_ping_size": object()}).keys() == {"auto_ping_size"}


@pytest.mark.parametrize("value", ["hunter2", ["hunter2"], {"users": {"joe": {"secret": "hunter2"}}}, 1])
@pytest.mark.parametrize("key", ["ticket", "wampcra", "scram", "cryptosign", "tls", "cookie", "auth"])
def test_secret_is_never_shown(key, value):
    auth = value if key == "auth" else {key: value}
    checked = check(WebSocketService, {"type": "websocket", "auth": auth}, {})
    assert checked.findings
    assert "hunter2" not in str(problems(checked.findings, checked.data))


def test_same_finding_is_told_once():
    finding = Finding(("a",), "x")
    assert len(problems([finding, finding], {"a": 1})) == 1


def test_finding_beyond_the_data_has_a_place_too():
    findings = [Finding(("a", 5, "x"), "x"), Finding(("b", "c"), "y"), Finding((), "z")]
    assert [problem.message for problem in problems(findings, {"b": 5, "a": (1,)})] == ["z", "y", "x"]


@pytest.mark.long
def test_very_many_faults_are_told_in_reasonable_time():
    given = {f"key{index}": index for index in range(5000)}
    assert len(found(WebSocketOptions, given)) == 5000


def test_wide_node_is_checked():
    given = {"workers": [{"type": "router", "realms": [5] * 2000}]}
    assert len(found(Node, given)) == 2000
