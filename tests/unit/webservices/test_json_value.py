import asyncio
import json

import pytest

from wamp_transport.webservices.answers import UnsupportedScope
from wamp_transport.webservices.json_value import JsonValue
from wamp_transport.webservices.paths import REST

VALUES = [None, True, 0, -1.5, "", "é\u20ac\U0001f600", "\ud800", [], {}, {"b": 1, "a": [1, {"c": None}]}, 2**70]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("prettify", [True, False])
def test_value_comes_back_as_it_was(ask, value, prettify):
    reply = ask(JsonValue(value, prettify=prettify))
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert json.loads(reply.body) == value


def test_default_is_compact_and_for_this_origin(ask):
    reply = ask(JsonValue({"b": 1, "a": [1, 2]}))
    assert reply.body == b'{"b":1,"a":[1,2]}'
    assert "access-control-allow-origin" not in reply.headers
    assert "cache-control" not in reply.headers


def test_options_change_layout_and_headers(ask):
    reply = ask(JsonValue({"b": 1}, prettify=True, allow_cross_origin=True, discourage_caching=True))
    assert reply.body == b'{\n  "b": 1\n}\n'
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in reply.headers
    assert reply.headers["cache-control"] == "no-store"


def test_head_is_answered_and_other_methods_refused(ask):
    assert ask(JsonValue(1), method="HEAD").headers["content-length"] == "1"
    for method in ("POST", "PUT", "OPTIONS", "get"):
        reply = ask(JsonValue(1), method=method)
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(("rest", "status"), [((), 200), (("",), 200), (("below",), 404), (("", ""), 404)])
def test_nothing_is_below_the_value(ask, rest, status):
    assert ask(JsonValue(1), **{REST: rest}).status == status


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object(), b"x", [float("-inf")]])
def test_value_that_json_cannot_say_is_refused(value):
    with pytest.raises((ValueError, TypeError)):
        JsonValue(value)


def test_value_changed_later_is_not_seen(ask):
    value = {"a": 1}
    app = JsonValue(value)
    value["a"] = 2
    assert json.loads(ask(app).body) == {"a": 1}


def test_other_scope_is_refused():
    with pytest.raises(UnsupportedScope):
        asyncio.run(JsonValue(1)({"type": "websocket"}, None, None))
