import json
import math

import cbor2
import msgpack
import msgspec
import pytest

from wamp_transport.serializers.payloads import from_json_values, has_deep_brackets, is_nested_deeper, to_json_values
from wamp_transport.serializers.registry import is_deeper, values_of
from wamp_transport.wamp.errors import INVALID_PAYLOAD, PayloadError


@pytest.mark.parametrize("value", [None, True, 0, -5, 2**70, 1.5, "text", "", "a\0", [], {}, [1, {"a": ["b"]}]])
def test_what_json_can_say_stays_as_it_is(value):
    assert to_json_values(value) == value
    assert from_json_values(value) == value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"", "\0"),
        (b"\x10\xe3\xff\x90", "\0EOP/kA=="),
        (bytearray(b"a"), "\0YQ=="),
        (memoryview(b"a"), "\0YQ=="),
        ([b"a", {"k": b"a"}], ["\0YQ==", {"k": "\0YQ=="}]),
        ((1, b"a"), [1, "\0YQ=="]),
    ],
)
def test_binary_is_marked_and_written_in_base64(value, written):
    assert to_json_values(value) == written


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, {1: 2}, {None: 1}, {b"a": 1}, {1}, object(), "\0", "\0A"]
)
def test_what_json_cannot_say_is_refused(value):
    with pytest.raises(PayloadError, match="JSON cannot represent") as caught:
        to_json_values([value])
    assert caught.value.uri == INVALID_PAYLOAD


def test_marked_strings_become_binary_again():
    assert from_json_values(["\0EOP/kA==", {"k": "\0"}, "EOP/kA=="]) == [b"\x10\xe3\xff\x90", {"k": b""}, "EOP/kA=="]


@pytest.mark.parametrize("text", ["\0A", "\0not base64", "\0YQ", "\0é"])
def test_marked_string_that_is_no_base64_is_refused(text):
    with pytest.raises(PayloadError, match="base64"):
        from_json_values({"a": [text]})


DUMP = {"json": lambda value: json.dumps(value).encode(), "msgpack": msgpack.packb, "cbor": cbor2.dumps}


def nested(depth):
    """Lists and dictionaries in turn, with text that looks like brackets."""
    value = "]}]}"
    for level in range(depth):
        value = [value, 1, "\\"] if level % 2 else {'"[{': value, "b": "["}
    return value


@pytest.mark.parametrize("payload_format", ["python", "json", "msgpack", "cbor"])
@pytest.mark.parametrize("depth", [2, 9, 10, 30])
def test_depth_is_exact_in_every_format(payload_format, depth):
    value = nested(depth)
    raw = value if payload_format == "python" else msgspec.Raw(DUMP[payload_format](value))
    assert not is_deeper(payload_format, raw, depth)
    assert is_deeper(payload_format, raw, depth - 1)


@pytest.mark.parametrize("payload_format", DUMP)
def test_wide_payload_is_not_deep(payload_format):
    for value in ([{"a": [1, 2], "b": "text"}] * 500, ["[" * 5000], ["ä" * 5000], [b"\x91" * 5000]):
        if payload_format != "json" or value != [b"\x91" * 5000]:
            assert not is_deeper(payload_format, msgspec.Raw(DUMP[payload_format](value)), 10)


@pytest.mark.parametrize("payload_format", DUMP)
def test_many_deep_values_are_measured(payload_format):
    value = [nested(19)] * 50
    raw = msgspec.Raw(DUMP[payload_format](value))
    assert not is_deeper(payload_format, raw, 20)
    assert is_deeper(payload_format, raw, 19)


@pytest.mark.parametrize("payload_format", ["json", "msgpack"])
def test_what_cannot_be_read_for_its_depth_is_deeper(payload_format):
    deep = {"json": b'["]",' + b"[" * 100_000 + b"]" * 100_001, "msgpack": b"\x91" * 100_000 + b"\xc0"}
    assert is_deeper(payload_format, msgspec.Raw(deep[payload_format]), 100)


@pytest.mark.parametrize(
    ("payload_format", "payload"),
    [
        ("json", b'["[",' + b"9" * 5000 + b"," + b"[" * 200 + b"]" * 201),
        ("msgpack", b"\x93\xc7\x0c\xff" + bytes(4) + b"\x7f" * 8 + b"\x81\x01\x02" + b"\x91" * 199 + b"\x90"),
    ],
)
def test_value_that_python_does_not_take_does_not_hide_the_depth(payload_format, payload):
    raw = msgspec.Raw(payload)
    with pytest.raises(PayloadError):
        values_of(payload_format, raw)
    assert is_deeper(payload_format, raw, 200)
    assert not is_deeper(payload_format, raw, 201)


def test_brackets_are_counted_by_pairs():
    assert not has_deep_brackets(b"[]" * 1000, 1)
    assert has_deep_brackets(b"[" * 30 + b"]" * 30, 29)
    assert not has_deep_brackets((b"[" * 30 + b"]" * 30) * 9, 30)


def test_values_without_lists_have_no_depth():
    assert not is_nested_deeper("text", 0)
    assert is_nested_deeper([], 0)
    assert not is_nested_deeper([], 1)
