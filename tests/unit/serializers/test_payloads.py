import math

import pytest

from wamp_transport.serializers.payloads import from_json_values, to_json_values
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
    with pytest.raises(PayloadError, match="JSON cannot say") as caught:
        to_json_values([value])
    assert caught.value.uri == INVALID_PAYLOAD


def test_marked_strings_become_binary_again():
    assert from_json_values(["\0EOP/kA==", {"k": "\0"}, "EOP/kA=="]) == [b"\x10\xe3\xff\x90", {"k": b""}, "EOP/kA=="]


@pytest.mark.parametrize("text", ["\0A", "\0not base64", "\0YQ", "\0é"])
def test_marked_string_that_is_no_base64_is_refused(text):
    with pytest.raises(PayloadError, match="base64"):
        from_json_values({"a": [text]})
