import msgpack
import msgspec
import pytest

from wamp_transport.serializers.msgpack import check_large
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.serializers.structs import TOO_MANY_KEYS
from wamp_transport.wamp.errors import PayloadError, ProtocolViolation
from wamp_transport.wamp.messages import Call, CallOptions, PublishOptions, Unsubscribe
from wamp_transport.wamp.payload import ABSENT, InvalidPayload

MSGPACK = SERIALIZERS["msgpack"]
UNDEFINED = msgpack.ExtType(0, b"\0")
LARGE = "x" * 4096


def decode(*payload, options=None):
    return MSGPACK.decode(msgpack.packb([16, 1, options or {}, "t", *payload]))


@pytest.mark.parametrize("payload", [(), (None,), (None, None), (UNDEFINED, UNDEFINED), (UNDEFINED, None)])
def test_nil_and_undefined_payload_count_as_absent(payload):
    message = decode(*payload)
    assert message.args is ABSENT
    assert message.kwargs is ABSENT


@pytest.mark.parametrize("size", [1, 5000])
def test_payload_stays_the_bytes_that_came(size):
    args, kwargs = msgpack.packb([1.0, "x" * size, UNDEFINED]), msgpack.packb({"a": {1: b"\xff" * size}})
    data = b"\x96\x30\x01\x80\xa1p" + args + kwargs
    message = MSGPACK.decode(data)
    assert (bytes(message.args), bytes(message.kwargs)) == (args, kwargs)
    assert MSGPACK.encode(message, "msgpack") == data


@pytest.mark.parametrize("args", [{}, "x", 1, True, b"x", {"a": LARGE}, LARGE])
def test_args_that_are_no_list_are_a_violation(args):
    with pytest.raises(ProtocolViolation, match=r"PUBLISH\.args"):
        decode(args)


@pytest.mark.parametrize("kwargs", [[], "x", 1, [LARGE]])
def test_kwargs_that_are_no_dictionary_are_a_violation(kwargs):
    with pytest.raises(ProtocolViolation, match=r"PUBLISH\.kwargs"):
        decode([], kwargs)


@pytest.mark.parametrize("kwargs", [{1: 2}, {b"a": 1}, {1: LARGE}])
def test_kwargs_with_other_keys_than_text_are_invalid_payload(kwargs):
    assert type(decode([], kwargs).args) is InvalidPayload


@pytest.mark.parametrize("opaque", ["text", b"\xff", b"\xff" * 5000])
def test_string_in_place_of_args_is_taken_where_it_is_encrypted(opaque):
    assert MSGPACK.values(decode(opaque, options={"enc_algo": "mqtt"}).args) == opaque


@pytest.mark.parametrize("data", [b"\x05", b"\xa1\xff"])
def test_other_things_in_place_of_args_are_a_violation_even_so(data):
    with pytest.raises(ProtocolViolation, match=r"PUBLISH\.args"):
        MSGPACK.decode(b"\x95\x10\x01\x81\xa8enc_algo\xa4mqtt\xa1t" + data)


def test_undefined_options_and_whole_floats_are_what_javascript_writes():
    options = {"acknowledge": UNDEFINED, "exclude": [2.0]}
    assert decode([], {}, options=options).options == PublishOptions(exclude=[2])
    assert decode([1.0], options=options).args == msgspec.Raw(msgpack.packb([1.0]))
    assert decode(options=options).args is ABSENT
    assert MSGPACK.decode(msgpack.packb([34, 1, 2.0**53])) == Unsubscribe(1, 2**53)


@pytest.mark.parametrize(
    ("elements", "place"),
    [
        ([16, 1, {"acknowledge": msgpack.ExtType(1, b"\0")}, "t"], "acknowledge"),
        ([16, 1, {"acknowledge": UNDEFINED, "exclude_me": 5}, "t"], "exclude_me"),
        ([16, 1.5, {}, "t"], r"\[1\]"),
        ([16, 1, {"acknowledge": UNDEFINED}, "t", [], {}, 1], "too many"),
        ([16, 1.0, {}, "t", 5], "args"),
        ([16.0, 1, {}, "t"], "code"),
        ([UNDEFINED], "code"),
        (["x", 1.0], r"\[0\]"),
    ],
)
def test_other_faults_stay_faults(elements, place):
    with pytest.raises(ProtocolViolation, match=place):
        MSGPACK.decode(msgpack.packb(elements))


def test_values_are_read():
    assert MSGPACK.values(msgspec.Raw(b"\x92\x01\xc4\x01a")) == [1, b"a"]


@pytest.mark.parametrize("raw", [b"\x91\xa1\xff", b"\x91", b"\x91" * 100_000 + b"\x90"])
def test_values_that_cannot_be_read_are_a_payload_error(raw):
    with pytest.raises(PayloadError):
        MSGPACK.values(raw)


def test_python_values_are_written():
    assert MSGPACK.encode(Call(1, CallOptions(), "p", [b"a"]), "python") == b"\x95\x30\x01\x80\xa1p\x91\xc4\x01a"


def test_integer_beyond_64_bit_is_a_payload_error():
    with pytest.raises(PayloadError, match="msgpack cannot represent"):
        MSGPACK.encode(Call(1, CallOptions(), "p", msgspec.Raw(b"[123456789012345678901234567890]")), "json")


@pytest.mark.parametrize(
    "value", [{"a": LARGE}, {b"\xff": LARGE}, {7: LARGE, 2.5: 0, None: 1, True: 2}, [msgpack.ExtType(5, b"x"), LARGE]]
)
def test_large_messages_with_simple_keys_are_taken(value):
    check_large(msgpack.packb(value))
    assert decode([value])


def after_large_topic(data):
    return MSGPACK.decode(b"\x95\x10\x01\x80\xda\x10\x00" + b"t" * 4096 + b"\x91" + data)


@pytest.mark.parametrize("data", [b"\x81\x01", b"\xc1", b"\x01\x02"])
def test_large_messages_that_are_broken_are_a_violation(data):
    with pytest.raises(PayloadError):
        check_large(data)
    with pytest.raises(ProtocolViolation):
        after_large_topic(data)


@pytest.mark.parametrize("data", [b"\x81\x01\xa1\xff", b"\xa1\xff"])
def test_large_messages_with_invalid_text_are_invalid_payload(data):
    with pytest.raises(PayloadError):
        check_large(data)
    assert type(after_large_topic(data).args) is InvalidPayload


@pytest.mark.parametrize(
    "data",
    [
        b"\x82\x91\x01\x02\x01\x02",
        b"\x82\x80\x01\x01\x02",
        b"\x82\xd4\x05\x00\x01\x01\x02",
        b"\x81\x01\x81\x91\x01\x02",
        msgpack.packb(dict.fromkeys(range(101))),
        msgpack.packb([{1: dict.fromkeys(range(101))}]),
    ],
)
def test_large_messages_with_other_keys_or_too_many_have_invalid_payload(data):
    with pytest.raises(PayloadError, match="key"):
        check_large(data)
    assert "key" in after_large_topic(data).args.reason


def test_number_of_other_keys_is_checked_in_small_messages():
    hundred = dict.fromkeys(range(100))
    assert MSGPACK.values(decode([hundred, {**hundred, "a": 1, b"b": 2}]).args) == [
        hundred,
        {**hundred, "a": 1, b"b": 2},
    ]
    assert decode([{index: 0 for index in range(101)}]).args.reason == TOO_MANY_KEYS
    # Keys that are equal count as well: only building the map could tell.
    same = b"\x95\x10\x01\x80\xa1t\x91\xde\x00\x65" + 101 * b"\x01\x00"
    assert MSGPACK.decode(same).args.reason == TOO_MANY_KEYS


def test_fault_is_found_whatever_the_number_of_keys():
    with pytest.raises(ProtocolViolation):
        MSGPACK.decode(b"\x95\x10\x01\x80\xa1t\x91\xde\x00\x65" + 101 * b"\x01")


def nested(depth, innermost):
    value = innermost
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("innermost", ["x", b"x", 1.5, {"é": None}])
@pytest.mark.parametrize("depth", [1, 4, 5, 6, 7, 8, 20])
def test_depth_of_many_values_is_told_exactly(depth, innermost):
    raw = msgpack.packb([[[]] * 200, *nested(depth, innermost)])
    real = depth + isinstance(innermost, dict)
    for limit in range(2, 25):
        assert SERIALIZERS["msgpack"].is_deeper(raw, limit) == (max(real, 3) > limit)


@pytest.mark.parametrize("depth", range(10))
def test_large_message_is_checked_at_any_depth(depth):
    good = msgpack.packb([16, 1, {}, "a.b", [LARGE, 0]])
    assert good.endswith(b"\x00")
    with pytest.raises(ProtocolViolation):
        MSGPACK.decode(good[:-1] + b"\x91" * depth + b"\xc1")
    assert "utf-8" in MSGPACK.decode(good[:-1] + b"\x91" * depth + b"\xa1\xff").args.reason
    assert "key" in MSGPACK.decode(good[:-1] + b"\x91" * depth + b"\x81\x91\x01\x02").args.reason
