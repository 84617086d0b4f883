import importlib
import sys
from decimal import Decimal
from fractions import Fraction

import cbor2
import msgspec
import pytest

from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.wamp.errors import PayloadError, ProtocolViolation
from wamp_transport.wamp.messages import (
    Call,
    CallOptions,
    Publish,
    PublishOptions,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
)
from wamp_transport.wamp.payload import ABSENT, InvalidPayload

CBOR = SERIALIZERS["cbor"]
RAW = msgspec.Raw
PUBLISH = Publish(1, PublishOptions(), "t")


def decode(*payload, options=None):
    return CBOR.decode(cbor2.dumps([16, 1, options or {}, "t", *payload]))


def test_array_of_bytes_as_javascript_writes_it_is_bytes():
    message = decode([cbor2.CBORTag(64, b"\x00\xff")], {"in": [cbor2.CBORTag(64, b"")]})
    assert CBOR.values(message.args) == [b"\x00\xff"]
    assert CBOR.values(message.kwargs) == {"in": [b""]}


def test_array_of_bytes_that_is_none_stays_as_it_is():
    assert CBOR.values(decode([cbor2.CBORTag(64, "text")]).args) == [cbor2.CBORTag(64, "text")]


@pytest.mark.parametrize("payload", [(), (None,), (None, None), (cbor2.undefined, cbor2.undefined)])
def test_null_and_undefined_payload_count_as_absent(payload):
    message = decode(*payload)
    assert message.args is ABSENT
    assert message.kwargs is ABSENT


def test_payload_is_kept_as_cbor():
    message = decode([1.5, b"\xff", cbor2.undefined], {"a": {1: 2}})
    assert CBOR.values(message.args) == [1.5, b"\xff", cbor2.undefined]
    assert CBOR.values(message.kwargs) == {"a": {1: 2}}


@pytest.mark.parametrize("args", [{}, "x", 1, True, b"x"])
def test_args_that_are_no_list_are_a_violation(args):
    with pytest.raises(ProtocolViolation, match=r"PUBLISH\.args"):
        decode(args)


@pytest.mark.parametrize("kwargs", [[], "x", 1])
def test_kwargs_that_are_no_dictionary_are_a_violation(kwargs):
    with pytest.raises(ProtocolViolation, match=r"PUBLISH\.kwargs"):
        decode([], kwargs)


@pytest.mark.parametrize("kwargs", [{1: 2}, {b"a": 1}])
def test_kwargs_with_other_keys_than_text_are_invalid_payload(kwargs):
    assert decode([], kwargs).args.reason == "the keys of kwargs must be text"


@pytest.mark.parametrize("opaque", ["text", b"\xff"])
def test_string_in_place_of_args_is_taken_where_it_is_encrypted(opaque):
    assert CBOR.values(decode(opaque, options={"enc_algo": "mqtt"}).args) == opaque
    with pytest.raises(ProtocolViolation):
        decode(5, options={"enc_algo": "mqtt"})


def test_undefined_options_and_whole_floats_are_what_javascript_writes():
    assert decode(options={"acknowledge": cbor2.undefined, "exclude": [2.0]}).options == PublishOptions(exclude=[2])
    assert CBOR.decode(cbor2.dumps([34, 1, 2.0**53])) == Unsubscribe(1, 2**53)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x80", b"\xa0", b"\x01", b"\x81\x18\x20", b"\x84\x10", b"\x83\x18\x21\x01\x02\x00", b"\xff",
        b"\x81" * 100_000, b"\x85\x10\x01\xa0\x61\xff\x80", b"\x82\x01\xd8\x1c\x00",
        b"\x87\x10\x01\xa0\x61t\x80\xa0\x00",
    ],
)  # fmt: skip
def test_what_is_no_message_is_a_violation(data):
    with pytest.raises(ProtocolViolation):
        CBOR.decode(data)


@pytest.mark.parametrize("tag", [25, 28, 29, 256])
def test_shared_values_are_invalid_payload(tag):
    assert "shared" in decode([cbor2.CBORTag(tag, 0)]).args.reason
    with pytest.raises(ProtocolViolation, match="shared"):
        decode(options={"x": cbor2.CBORTag(tag, 0)})


@pytest.mark.parametrize("tag", [35, 36])
def test_regular_expressions_and_mail_stay_unread(tag):
    message = decode([cbor2.CBORTag(tag, "(: b")])
    assert bytes(message.args) == cbor2.dumps([cbor2.CBORTag(tag, "(: b")])
    assert CBOR.values(message.args) == [cbor2.CBORTag(tag, "(: b")]


@pytest.mark.parametrize("number", [Decimal("-12.50"), Decimal("1e300"), Decimal(2) ** -3, Fraction(-1, 3)])
def test_numbers_that_are_two_stay_what_they_are(number):
    message = decode([number, {number: 1}])
    assert CBOR.values(message.args) == [number, {number: 1}]
    assert bytes(message.args) == cbor2.dumps([number, {number: 1}])
    assert CBOR.values(decode([cbor2.CBORTag(5, [-1, 3])]).args) == [Decimal("1.5")]


@pytest.mark.parametrize("tag", [4, 5, 30])
@pytest.mark.parametrize("numbers", [[0, 2**4096], [2**4096, 1], [1], 1, [1, 2, 3], ["1", 2], [1.0, 2], [True, None]])
def test_numbers_that_are_none_or_too_long_are_invalid_payload(tag, numbers):
    assert f"tag {tag}" in decode([cbor2.CBORTag(tag, numbers)]).args.reason


def test_numbers_that_no_decimal_can_be_are_invalid_payload():
    for tag, numbers in ((4, [1_000_000, 1]), (5, [-1_000_000, 1]), (30, [1, 0])):
        assert "does not hold a number" in decode([cbor2.CBORTag(tag, numbers)]).args.reason


def test_number_that_is_too_long_is_a_violation_before_payload_that_is_too_deep():
    with pytest.raises(ProtocolViolation):
        CBOR.decode(cbor2.dumps([16, 1, {"x": cbor2.CBORTag(4, [0, 2**4096])}, "t"])[:-2] + b"\x81" * 100_000)


def test_fault_in_options_names_its_place():
    with pytest.raises(ProtocolViolation, match="retain"):
        decode(options={"retain": 1})


def reason(message):
    """Why the payload of a message is not accepted."""
    assert type(message.args) is InvalidPayload
    return message.args.reason


def test_keys_of_other_types_are_accepted_if_they_are_few():
    assert decode([{1: 2, (1, 2): 3}])
    assert decode([{1: 2}, {3, 4}, "x" * 4096])
    hundred = dict.fromkeys(range(100))
    assert CBOR.values(decode([hundred, {**hundred, "text": 1}]).args) == [hundred, {**hundred, "text": 1}]
    assert "100 keys" in reason(decode([dict.fromkeys(range(101))]))
    for value in ({1: dict.fromkeys(range(101))}, [{*range(101)}], cbor2.CBORTag(5000, [dict.fromkeys(range(101))])):
        assert "100 keys" in reason(decode([value]))


def test_tag_without_hash_as_message_code_is_a_violation():
    fraction, no_uuid = "d81e82011001", "d8254100"
    for payload in ("81" + no_uuid, "80"):
        with pytest.raises(ProtocolViolation, match="malformed message"):
            CBOR.decode(bytes.fromhex("84" + fraction[:-2] + "01a0" + payload))


def test_large_message_that_may_have_many_keys_of_other_types_is_not_decoded():
    for value in (dict.fromkeys(range(1000)), {*range(1000)}, {1: "\u0439" * 2000}):
        assert "neither text nor binary" in reason(decode([value]))


def test_many_keys_of_other_types_beside_payload_are_a_violation():
    with pytest.raises(ProtocolViolation, match="100 keys"):
        decode(options={"x": dict.fromkeys(range(101))})


@pytest.mark.parametrize(
    ("message", "elements"),
    [
        (Subscribed(1, 2), [33, 1, 2]),
        (Unsubscribed(1), [35, 1]),
        (PUBLISH, [16, 1, {}, "t"]),
        (Publish(1, PublishOptions(retain=True), "t", RAW(b"\x81\x01")), [16, 1, {"retain": True}, "t", [1]]),
        (Publish(1, PublishOptions(), "t", ABSENT, RAW(b"\xa1\x61a\x01")), [16, 1, {}, "t", [], {"a": 1}]),
        (Publish(1, PublishOptions(), "t", RAW(b"\x81\x01"), RAW(b"\xa0")), [16, 1, {}, "t", [1], {}]),
    ],
)
def test_messages_are_written(message, elements):
    assert CBOR.encode(message, "cbor") == cbor2.dumps(elements)


def test_python_values_are_written():
    assert CBOR.encode(Publish(1, PublishOptions(), "t", [b"a"]), "python") == cbor2.dumps([16, 1, {}, "t", [b"a"]])


def test_payload_of_another_format_is_transcoded():
    message = Call(1, CallOptions(), "p", RAW(b'["\\u0000YQ==",123456789012345678901234567890]'))
    assert CBOR.encode(message, "json") == cbor2.dumps([48, 1, {}, "p", [b"a", 123456789012345678901234567890]])


@pytest.mark.parametrize("values", [[object()], RAW(b"\x91\xc7\x01\x05a")])
def test_values_that_cannot_be_written_are_a_payload_error(values):
    with pytest.raises(PayloadError, match="cbor cannot represent"):
        CBOR.encode(Call(1, CallOptions(), "p", values), "msgpack")


@pytest.mark.parametrize("raw", [b"\x81\x61\xff", b"\x81", b"\x81" * 5000])
def test_values_that_cannot_be_read_are_a_payload_error(raw):
    with pytest.raises(PayloadError):
        CBOR.values(raw)


def test_module_says_which_package_it_needs(monkeypatch):
    def older(data, **options):
        raise TypeError("loads() got an unexpected keyword argument")

    monkeypatch.setattr(cbor2, "loads", older)
    monkeypatch.delitem(sys.modules, "wamp_transport.serializers.cbor")
    with pytest.raises(ImportError, match="cbor2"):
        importlib.import_module("wamp_transport.serializers.cbor")
