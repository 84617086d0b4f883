from typing import Any

import pytest

from wamp_transport.router.meta.arguments import Arguments, convert_argument
from wamp_transport.wamp.errors import RequestRefused
from wamp_transport.wamp.ids import MAX_ID, Id
from wamp_transport.wamp.messages import PublishOptions


def refusal(act, *arguments):
    with pytest.raises(RequestRefused) as caught:
        act(*arguments)
    assert caught.value.uri == "wamp.error.invalid_argument"
    return str(caught.value)


@pytest.mark.parametrize(("args", "kwargs"), [("text", {}), (b"bytes", {}), (7, {}), (None, {}), ([], []), ([], "x")])
def test_payload_that_is_no_plain_payload_is_refused(args, kwargs):
    assert "args and kwargs" in refusal(Arguments, args, kwargs)


def test_required_argument_is_there_in_its_type():
    arguments = Arguments([7, "text"], {})
    assert arguments.require(0, "session") == 7
    assert arguments.require(1, "topic", str) == "text"
    assert "argument scope is missing" in refusal(arguments.require, 2, "scope")
    assert refusal(arguments.require, 1, "session").startswith("session: ")


@pytest.mark.parametrize("value", [0, -1, MAX_ID + 1, "7", 7.5, None, True])
def test_invalid_id_is_refused(value):
    assert refusal(Arguments([value], {}).require, 0, "session").startswith("session: ")


def test_optional_argument_may_be_left_out_or_null():
    arguments = Arguments([None, "text"], {})
    assert arguments.get(0, "reason", str) is None
    assert arguments.get(0, "reason", str, "default") == "default"
    assert arguments.get(1, "reason", str) == "text"
    assert arguments.get(2, "reason", str, "default") == "default"
    assert refusal(arguments.get, 1, "limit", int).startswith("limit: ")


def test_named_argument_may_be_left_out_or_null():
    arguments = Arguments([], {"limit": 5, "reason": None})
    assert arguments.get_keyword("limit", int) == 5
    assert arguments.get_keyword("reason", str, "default") == "default"
    assert arguments.get_keyword("topic", str) is None
    assert refusal(arguments.get_keyword, "limit", str).startswith("limit: ")


def test_value_is_converted_into_its_kind():
    assert convert_argument([1, 2], "ids", list[int]) == [1, 2]
    assert refusal(convert_argument, [1, "x"], "ids", list[int]).startswith("ids: ")


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (7.0, Id, 7),
        (float(2**53), Id, 2**53),
        ([1.0, 2], list[Id], [1, 2]),
        ({"eligible": [5.0]}, PublishOptions, PublishOptions(eligible=[5])),
        ([1.0, {"a": 2.0}], list[Any], [1.0, {"a": 2.0}]),
    ],
)
def test_whole_number_sent_as_a_float_is_a_number(value, kind, expected):
    """JavaScript clients send ids above 32 bits as floats."""
    converted = convert_argument(value, "id", kind)
    assert converted == expected
    assert repr(converted) == repr(expected)


@pytest.mark.parametrize("value", [7.5, float("nan"), float("inf"), 2.0**54, 0.0, -1.0, True, "7", "7.0"])
def test_other_values_are_no_ids(value):
    assert refusal(convert_argument, value, "id", Id).startswith("id: ")
