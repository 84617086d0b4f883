import msgspec
import pytest

from wamp_transport.serializers.structs import (
    StructSerializer,
    is_opaque,
    message_from_head,
    split_elements,
    unsayable,
    violation,
    wrong_payload,
)
from wamp_transport.wamp.errors import PayloadError, ProtocolViolation
from wamp_transport.wamp.messages import (
    Call,
    CallOptions,
    Event,
    EventDetails,
    Message,
    Publish,
    PublishOptions,
    Subscribed,
)
from wamp_transport.wamp.payload import ABSENT

RAW = msgspec.Raw


class Plain(StructSerializer):
    """JSON as it comes, to see the common steps alone."""

    name = "plain"
    checked: tuple[bytes, ...] = ()

    def check_payload(self, message, data):
        self.checked += (data,)


def read(payload_format, raw):
    if payload_format == "broken":
        raise PayloadError("cannot be read")
    return msgspec.json.decode(raw) if isinstance(raw, RAW) else raw


@pytest.fixture
def plain():
    return Plain(msgspec.json.Decoder(Message), msgspec.json.Encoder(), read)


@pytest.mark.parametrize(
    ("data", "is_checked"), [(b'[16,1,{},"t"]', True), (b'[16,1,{},"t",[],{}]', True), (b"[33,1,2]", False)]
)
def test_payload_of_messages_that_may_have_it_is_checked(plain, data, is_checked):
    plain.decode(data)
    assert plain.checked == ((data,) if is_checked else ())


def test_bytes_that_are_no_message_are_a_violation(plain):
    with pytest.raises(ProtocolViolation, match="malformed message"):
        plain.decode(b"[16]")


def test_checks_are_for_formats_to_fill_in(plain):
    with pytest.raises(NotImplementedError):
        StructSerializer.check_payload(plain, None, b"")


def test_own_payload_is_written_as_it_came(plain):
    message = Call(1, CallOptions(), "p", RAW(b"[ 1 ]"))
    assert plain.encode(message, "plain") == b'[48,1,{},"p",[ 1 ]]'


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        (ABSENT, ABSENT, b'[48,1,{},"p"]'),
        (RAW(b"[ 1 ]"), ABSENT, b'[48,1,{},"p",[1]]'),
        (ABSENT, RAW(b"{ }"), b'[48,1,{},"p",[],{}]'),
    ],
)
def test_other_payload_is_written_anew(plain, args, kwargs, expected):
    assert plain.encode(Call(1, CallOptions(), "p", args, kwargs), "other") == expected


def test_message_without_payload_is_written_whatever_the_format(plain):
    assert plain.encode(Subscribed(1, 2), "other") == b"[33,1,2]"


@pytest.mark.parametrize("values", [[object()], [{(): 1}]])
def test_values_that_cannot_be_written_are_a_payload_error(plain, values):
    with pytest.raises(PayloadError, match="plain cannot represent this payload"):
        plain.encode(Call(1, CallOptions(), "p", values), "python")


def test_payload_that_cannot_be_read_is_a_payload_error(plain):
    with pytest.raises(PayloadError, match="cannot be read"):
        plain.encode(Call(1, CallOptions(), "p", RAW(b"[1]")), "broken")
    with pytest.raises(PayloadError, match="plain cannot represent"):
        plain.encode(Call(1, CallOptions(), "p", RAW(b"[")), "other")


def test_encrypted_payload_is_opaque():
    assert is_opaque(Publish(1, PublishOptions(enc_algo="mqtt"), "t"))
    assert is_opaque(Event(1, 2, EventDetails(enc_algo="mqtt")))
    assert not is_opaque(Publish(1, PublishOptions(), "t"))
    assert not is_opaque(Subscribed(1, 2))


def test_depth_is_told_in_words():
    assert str(violation(RecursionError("maximum ..."))) == "malformed message: nested too deeply"
    assert str(violation(ValueError("because"))) == "malformed message: because"
    assert "nested too deeply" in str(unsayable("json", RecursionError()))
    assert str(unsayable("json", ValueError("because"))).endswith("because")


def test_wrong_payload_names_message_and_part():
    message = Publish(1, PublishOptions(), "t")
    assert str(wrong_payload(message, "args")) == "PUBLISH.args must be a list"
    assert str(wrong_payload(message, "kwargs", ValueError("x"))) == (
        "PUBLISH.kwargs must be a dictionary with text keys: x"
    )
    assert "nested too deeply" in str(wrong_payload(message, "args", RecursionError()))


@pytest.mark.parametrize(
    ("elements", "head", "payload"),
    [
        ([16, 1, {}, "t"], 4, 0),
        ([16, 1, {}, "t", []], 4, 1),
        ([16, 1, {}, "t", [], {}], 4, 2),
        ([33, 1, 2, 3, 4, 5, 6], 7, 0),
        ([True, 1], 2, 0),
        (["16", 1, {}, "t", []], 5, 0),
    ],
)
def test_elements_are_split_before_the_payload(elements, head, payload):
    assert tuple(map(len, split_elements(elements, elements[0]))) == (head, payload)


def test_more_elements_than_payload_has_are_a_violation():
    with pytest.raises(ProtocolViolation, match="too many"):
        split_elements([16, 1, {}, "t", [], {}, 1], 16)


@pytest.mark.parametrize("code", [0, True, 16.0, "16", None, [16], 2**70])
def test_head_with_an_unknown_code_is_a_violation(code):
    with pytest.raises(ProtocolViolation, match="code"):
        message_from_head([code, 1], lambda value: False)


def test_head_is_read_with_what_javascript_writes():
    head = [16, 1.0, {"exclude": [2.0], "acknowledge": "nothing", "_x": {"y": 1e300}}, "t"]
    message = message_from_head(head, lambda value: value == "nothing")
    assert message == Publish(1, PublishOptions(exclude=[2]), "t")


@pytest.mark.parametrize("value", [1.5, float("nan"), float("inf"), 2.0**60])
def test_float_that_is_no_id_stays_a_fault(value):
    with pytest.raises(msgspec.ValidationError):
        message_from_head([33, value, 1], lambda value: False)
