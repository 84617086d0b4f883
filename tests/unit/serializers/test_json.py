import msgspec
import pytest

from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.wamp.errors import PayloadError, ProtocolViolation
from wamp_transport.wamp.messages import Call, CallOptions, Publish, PublishOptions, Unsubscribe
from wamp_transport.wamp.payload import ABSENT, TOO_DEEP, InvalidPayload

JSON = SERIALIZERS["json"]


def decode(payload, options=b"{}"):
    return JSON.decode(b"[16,1," + options + b',"t"' + payload + b"]")


@pytest.mark.parametrize("payload", [b"", b",null", b",null,null", b" , null"])
def test_null_payload_counts_as_absent(payload):
    message = decode(payload)
    assert message.args is ABSENT
    assert message.kwargs is ABSENT


def test_payload_stays_the_bytes_that_came():
    message = decode(b', [ 1.0,"\\u00e9" ] , { "a":1e400 } ')
    assert bytes(message.args) == b'[ 1.0,"\\u00e9" ]'
    assert bytes(message.kwargs) == b'{ "a":1e400 }'
    assert JSON.encode(message, "json") == b'[16,1,{},"t",[ 1.0,"\\u00e9" ],{ "a":1e400 }]'


@pytest.mark.parametrize("args", [b"{}", b'"x"', b"1", b"true"])
def test_args_that_are_no_list_are_a_violation(args):
    with pytest.raises(ProtocolViolation, match=r"PUBLISH\.args"):
        decode(b"," + args)


@pytest.mark.parametrize("kwargs", [b"[]", b'"x"', b"1"])
def test_kwargs_that_are_no_dictionary_are_a_violation(kwargs):
    with pytest.raises(ProtocolViolation, match=r"PUBLISH\.kwargs"):
        decode(b",[]," + kwargs)


def test_string_in_place_of_args_is_taken_where_it_is_encrypted():
    assert bytes(decode(b',"opaque"', b'{"enc_algo":"mqtt"}').args) == b'"opaque"'
    with pytest.raises(ProtocolViolation):
        decode(b",5", b'{"enc_algo":"mqtt"}')


@pytest.mark.parametrize("payload", [b',["\\u0000AAA"]', b',[],{"a":"\\u0000AAA"}', b',["\\u0000",1e400]'])
def test_text_that_is_marked_as_binary_and_is_not_is_invalid_payload(payload):
    assert type(decode(payload).args) is InvalidPayload


@pytest.mark.parametrize("half", [b"\\ud83d", b"\\ud83dx", b"\\ude00", b"\\ude00\\ud83d"])
def test_half_a_surrogate_pair_is_invalid_payload(half):
    message = decode(b',["' + half + b'"]')
    assert (message.request_id, message.topic) == (1, "t")
    assert message.args.reason == "a text has half a surrogate pair"
    assert decode(b',[],{"a":"' + half + b'"}').args.reason == "a text has half a surrogate pair"


@pytest.mark.parametrize("options", [b'{"x":"\\ud83d"}', b'{"acknowledge":5}'])
def test_fault_in_options_stays_a_violation(options):
    with pytest.raises(ProtocolViolation, match="malformed message"):
        decode(b',["\\ud83d"]', options)


def test_deep_payload_with_half_a_surrogate_pair_is_too_deep():
    assert decode(b',["\\ud83d",' + b"[" * 100_000 + b"]" * 100_000 + b"]").args is TOO_DEEP


def test_whole_floats_are_ids_and_payload_keeps_its_bytes():
    message = JSON.decode(b'[16,1.0,{"exclude":[2.0,3e2]},"t",[1.0, 2 ],{"a":1e2}]')
    assert (message.request_id, message.options) == (1, PublishOptions(exclude=[2, 300]))
    assert (bytes(message.args), bytes(message.kwargs)) == (b"[1.0, 2 ]", b'{"a":1e2}')
    assert JSON.decode(b"[34,1,5.0]") == Unsubscribe(1, 5)
    with pytest.raises(ProtocolViolation, match=r"\$\[1\]"):
        JSON.decode(b'[16,1.5,{},"t"]')


@pytest.mark.parametrize(
    "payload", [b',["\\u0000YQ=="]', b',[],{"a":"\\u0000"}', b',["\\\\u0000AAA","\\n"],{"a":"\\n"}']
)
def test_other_uses_of_backslash_are_taken(payload):
    decode(payload)


def test_values_have_binary_as_bytes():
    assert JSON.values(msgspec.Raw(b'["\\u0000YQ==","\\u0041"]')) == [b"a", "A"]
    assert JSON.values(b'["\\u0041"]') == ["A"]


@pytest.mark.parametrize(
    "raw", [b"[1e400]", b'["\\ud800"]', b"[" * 100_000 + b"]" * 100_000, b'["\\u0000A"]', b'["\xff"]']
)
def test_values_that_cannot_be_read_are_a_payload_error(raw):
    with pytest.raises(PayloadError):
        JSON.values(raw)


def test_python_values_are_written_with_binary_marked():
    message = Publish(1, PublishOptions(), "t", [b"a"], {"b": 1})
    assert JSON.encode(message, "python") == b'[16,1,{},"t",["\\u0000YQ=="],{"b":1}]'


def test_payload_of_another_format_is_transcoded():
    assert JSON.encode(Call(1, CallOptions(), "p", msgspec.Raw(b"\x91\xc4\x01a")), "msgpack") == (
        b'[48,1,{},"p",["\\u0000YQ=="]]'
    )


def test_integers_have_any_size():
    message = Call(1, CallOptions(), "p", [2**70])
    assert JSON.encode(message, "python") == b'[48,1,{},"p",[1180591620717411303424]]'


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_cannot_be_written_are_a_payload_error(value):
    with pytest.raises(PayloadError):
        JSON.encode(Call(1, CallOptions(), "p", [value]), "python")


@pytest.mark.parametrize("data", [b"", b"[", b"\xff", b"[48]", b"[48,1.0,{},'p']", b"{}", b"null", b"[" * 100_000])
def test_what_is_no_message_is_a_violation(data):
    with pytest.raises(ProtocolViolation):
        JSON.decode(data)
