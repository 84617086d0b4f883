import msgspec
import pytest

from wamp_transport.wamp.messages import (
    CODES,
    Call,
    CallOptions,
    Details,
    Subscribed,
    Unregistered,
    UnregisteredDetails,
    Unsubscribe,
)
from wamp_transport.wamp.payload import ABSENT
from wamp_transport.wamp.wire import FIXED_FIELDS, WRITERS, wire

RAW = msgspec.Raw(b"[1]")


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        (ABSENT, ABSENT, b'[48,1,{},"p"]'),
        (RAW, ABSENT, b'[48,1,{},"p",[1]]'),
        (ABSENT, msgspec.Raw(b'{"a":1}'), b'[48,1,{},"p",[],{"a":1}]'),
        (RAW, msgspec.Raw(b"{}"), b'[48,1,{},"p",[1],{}]'),
    ],
)
def test_absent_payload_is_left_off(args, kwargs, expected):
    assert msgspec.json.encode(wire(Call(1, CallOptions(), "p", args, kwargs))) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (Subscribed(1, 2), b"[33,1,2]"),
        (Unsubscribe(1, 2), b"[34,1,2]"),
        (Unsubscribe(1, 2, Details()), b"[34,1,2,{}]"),
        (Unregistered(1), b"[67,1]"),
        (Unregistered(0, UnregisteredDetails(5)), b'[67,0,{"registration":5}]'),
    ],
)
def test_absent_optional_element_is_left_off(message, expected):
    assert msgspec.json.encode(wire(message)) == expected


def test_every_message_has_a_writer():
    assert WRITERS.keys() == CODES.keys()
    assert FIXED_FIELDS[Call] == 3
