import enum
from pathlib import PurePosixPath
from types import MappingProxyType

import pytest

from wamp_transport.config.normalize import MAX_NESTING_DEPTH, RepeatedKeys, normalize


def cleaned(value):
    findings = []
    return normalize(value, findings), [(finding.location, finding.message) for finding in findings]


def test_json_values_stay_and_lists_become_tuples():
    value = {"a": [1, 2.5, None, True, "x", {"b": []}]}
    assert cleaned(value) == ({"a": (1, 2.5, None, True, "x", {"b": ()})}, [])


def test_other_mappings_tuples_paths_and_subclasses_become_plain():
    number = enum.IntEnum("Number", {"ONE": 1})
    text = type("Text", (str,), {})
    result, findings = cleaned(MappingProxyType({"a": (number.ONE, text("x"), PurePosixPath("/a"))}))
    assert (result, findings) == ({"a": (1, "x", "/a")}, [])
    assert [type(item) for item in result["a"]] == [int, str, str]


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", 1j, lambda: None])
def test_what_json_cannot_say_is_found(value):
    result, findings = cleaned({"a": [value]})
    assert result == {"a": (None,)}
    assert findings[0][0] == ("a", 0)
    assert "expected a JSON value" in findings[0][1]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_number_without_a_value_is_found(value):
    assert cleaned([value])[1][0][0] == (0,)


def test_text_that_is_no_unicode_is_found_in_values_and_keys():
    assert cleaned({"a": "\ud800"})[1] == [(("a",), "expected valid Unicode text, found a lone surrogate")]
    assert cleaned({"\ud800": 1})[1] == [((), "expected keys of valid Unicode text, found a lone surrogate")]


def test_keys_that_are_no_text_are_found():
    assert cleaned({1: 2}) == ({}, [((), "expected keys that are strings, found a int")])


def test_deep_nesting_is_found_not_followed():
    value = []
    value.append(value)
    findings = cleaned(value)[1]
    assert [message for _, message in findings] == [f"nested deeper than {MAX_NESTING_DEPTH} levels"]


def test_repeated_keys_are_found_at_their_place():
    given = {"a": RepeatedKeys([("x", 1), ("x", 2), ("\ud800", 1)], ("x", "\ud800"))}
    assert cleaned(given)[1][0] == (("a", "x"), "key given more than once in the same object")
