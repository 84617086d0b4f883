import collections
import dataclasses
import datetime
import decimal
import enum
import io
import ipaddress
import itertools
import json
import pathlib
import uuid

import pytest

from wamp_transport.node.payload_values import copy_payload, from_payload, to_payload
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.wamp.errors import PayloadError
from wamp_transport.wamp.messages import Publish, PublishOptions
from wamp_transport.wamp.payload import ABSENT, PYTHON


def test_nothing_is_absent():
    assert to_payload(()) is ABSENT
    assert to_payload({}) is ABSENT
    assert to_payload(None) is ABSENT
    assert from_payload(PYTHON, ABSENT) is None


def test_given_is_a_copy_of_plain_values():
    inner = [1]
    value = {"a": (1, inner), 3: {"x"}, "b": bytearray(b"b"), "m": memoryview(b"m"), "n": 2**80, "f": 1.5, "z": None}
    copy = to_payload(value)
    inner.append(2)
    assert copy == {"a": [1, [1]], "3": ["x"], "b": b"b", "m": b"m", "n": 2**80, "f": 1.5, "z": None}
    assert type(copy["b"]) is bytes


def test_values_with_a_text_are_given_as_text():
    when = datetime.date(2026, 1, 2)
    number = decimal.Decimal("1.50")
    ident = uuid.UUID(int=1)
    assert to_payload([when, number, ident]) == ["2026-01-02", "1.50", str(ident)]


@pytest.mark.parametrize("value", [object(), io.BytesIO(), {(1, 2): 3}, {uuid.UUID(int=1): 3}, {"x": [object()]}])
def test_other_types_are_refused(value):
    with pytest.raises(PayloadError, match="cannot be sent"):
        to_payload([value])


def test_value_that_contains_itself_is_refused():
    value = []
    value.append(value)
    with pytest.raises(PayloadError, match="nested more than 100 levels deep"):
        to_payload(value)


def test_taken_is_a_copy():
    value = [{"a": [b"x"]}]
    for copy in (from_payload(PYTHON, value), copy_payload(value)):
        assert copy == value
        assert copy[0]["a"] is not value[0]["a"]


def test_taken_of_raw_payload_is_read():
    message = SERIALIZERS["json"].decode(b'[16,1,{},"com.x",["\\u0000aGk=",1]]')
    assert from_payload("json", message.args) == [b"hi", 1]


@dataclasses.dataclass
class Line:
    sku: str
    prices: object


class Color(str, enum.Enum):  # noqa: UP042 - what Django's TextChoices are
    RED = "red"


class Size(enum.IntEnum):
    LARGE = 3


class Text(str):
    def __str__(self):
        return "another text"


@pytest.mark.parametrize(
    "keys",
    [
        {1: "a", 2.5: "b"},
        {True: 0, False: 1, None: 2, -7: 3, 1e300: 4},
        {Size.LARGE: 1},
        {Text("text"): 1},
        {Color.RED: 1},
    ],
)
def test_keys_become_text_as_in_json(keys):
    copy = to_payload([keys])[0]
    assert copy == json.loads(json.dumps(keys))
    assert {type(key) for key in copy} == {str}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (map(str, [1, 2]), ["1", "2"]),
        (range(3), [0, 1, 2]),
        (zip("ab", [1, 2], strict=True), [["a", 1], ["b", 2]]),
        (filter(None, [0, 1]), [1]),
        (enumerate("a"), [[0, "a"]]),
        (reversed([1, 2]), [2, 1]),
        (itertools.chain([1], [2]), [1, 2]),
        ((number for number in (1, 2)), [1, 2]),
        ({"a": 1}.keys(), ["a"]),
        ({"a": 1}.values(), [1]),
        ({"a": (1,)}.items(), [["a", [1]]]),
        (collections.deque([1, {2: 3}]), [1, {"2": 3}]),
        (pathlib.PurePosixPath("/tmp/a"), "/tmp/a"),
        (ipaddress.ip_address("192.0.2.1"), "192.0.2.1"),
        (ipaddress.ip_address("2001:db8::1"), "2001:db8::1"),
        (ipaddress.ip_network("192.0.2.0/24"), "192.0.2.0/24"),
        (ipaddress.ip_interface("192.0.2.1/24"), "192.0.2.1/24"),
        (Line("tea", map(float, [1])), {"sku": "tea", "prices": [1.0]}),
        (Line("tea", {1: pathlib.PurePosixPath("a")}), {"sku": "tea", "prices": {"1": "a"}}),
        (Color.RED, "red"),
        (Size.LARGE, 3),
        (Text("text"), "text"),
        (collections.OrderedDict(a=1), {"a": 1}),
    ],
)
def test_other_types_that_can_be_sent(value, expected):
    (copy,) = to_payload([value])
    assert copy == expected
    assert type(copy) is type(expected)


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("args", [NAN], "args[0] is nan, which JSON cannot represent"),
        ("kwargs", {"a": [1, 2, 3, NAN]}, "kwargs['a'][3] is nan, which JSON cannot represent"),
        ("kwargs", {"a": {"b": (0, {1: -INFINITY})}}, "kwargs['a']['b'][1][1] is -inf, which JSON cannot represent"),
        ("args", [map(float, ["1", "nan"])], "args[0][1] is nan, which JSON cannot represent"),
        ("args", [Line("tea", [INFINITY])], "args[0].prices[0] is inf, which JSON cannot represent"),
        ("args", [{NAN: 1}], "args[0] has the key nan, which JSON cannot represent"),
        ("args", [{(1, 2): 1}], "args[0] has a key of type tuple, which cannot be sent"),
        ("args", [1, object()], "args[1]: a value of type object cannot be sent"),
        ("args", ["\0a"], "args[0] begins with U+0000, which JSON receivers take for binary"),
        ("args", ["ab\ud83d"], "args[0] has half a surrogate pair, which no serialization can represent"),
        ("args", [{"ab\ud83d": 1}], "args[0] has half a surrogate pair, which no serialization can represent"),
    ],
)
def test_error_says_where_the_value_is_that_some_receivers_would_miss(place, value, message):
    with pytest.raises(PayloadError) as caught:
        to_payload(value, place)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["json", "msgpack", "cbor"])
def test_every_serializer_represents_what_can_be_sent(name):
    values = [
        2**64 - 1,
        -(2**63),
        1.5,
        "\u00e9\0",
        b"\0",
        None,
        True,
        {1: [datetime.date(2026, 1, 2)]},
        Line("a", range(2)),
    ]
    message = Publish(1, PublishOptions(), "com.x", to_payload(values), to_payload({"a": values}, "kwargs"))
    assert SERIALIZERS[name].encode(message, PYTHON)


class Faulty(dict):
    def items(self):
        raise SystemExit(1)


class Untrue:
    def __bool__(self):
        raise SystemExit(1)


@pytest.mark.parametrize("value", [[Faulty(a=1)], Untrue()])
def test_code_of_a_value_that_fails_is_a_payload_error(value):
    with pytest.raises(PayloadError, match="cannot be sent"):
        to_payload(value)
