import datetime
import decimal
import uuid

import pytest

from wamp_transport.node.payload_values import copy_payload, from_payload, to_payload
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.wamp.errors import PayloadError
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
    assert copy == {"a": [1, [1]], 3: ["x"], "b": b"b", "m": b"m", "n": 2**80, "f": 1.5, "z": None}
    assert type(copy["b"]) is bytes


def test_values_with_a_text_are_given_as_text():
    when = datetime.date(2026, 1, 2)
    number = decimal.Decimal("1.50")
    ident = uuid.UUID(int=1)
    assert to_payload([when, number, ident]) == ["2026-01-02", "1.50", str(ident)]


@pytest.mark.parametrize("value", [object(), {(1, 2): 3}, {None: 1}, {"x": [object()]}])
def test_other_types_are_refused(value):
    with pytest.raises(PayloadError, match="cannot be sent"):
        to_payload([value])


def test_value_that_contains_itself_is_refused():
    value = []
    value.append(value)
    with pytest.raises(PayloadError, match="deeper than 100"):
        to_payload(value)


def test_taken_is_a_copy():
    value = [{"a": [b"x"]}]
    for copy in (from_payload(PYTHON, value), copy_payload(value)):
        assert copy == value
        assert copy[0]["a"] is not value[0]["a"]


def test_taken_of_raw_payload_is_read():
    message = SERIALIZERS["json"].decode(b'[16,1,{},"com.x",["\\u0000aGk=",1]]')
    assert from_payload("json", message.args) == [b"hi", 1]
