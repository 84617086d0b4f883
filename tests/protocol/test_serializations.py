"""Basic Profile, "Serializers": payload arrives as it was sent in every serializer, or its sender gets an error."""

import math
from typing import Any

import cbor2
import msgpack
import pytest

from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.testing import wire_codecs

from .codes import CALL, ERROR, INVALID_PAYLOAD, INVOCATION, PUBLISH, PUBLISHED, REGISTER, RESULT, SUBSCRIBE, YIELD
from .test_sessions import assert_aborted

NAMES = ["json", "msgpack", "cbor"]


@pytest.fixture(params=NAMES)
def receiver(request):
    """The serializer of the other side."""
    return request.param


@pytest.fixture
def other(node, receiver):
    """The other side: callee of ``com.p``, subscriber to ``com.t``."""
    peer = node.join("realm1", receiver)
    peer.request([REGISTER, 1, {}, "com.p"])
    peer.request([SUBSCRIBE, 2, {}, "com.t"])
    return peer


def call_bytes(serializer: str, args: bytes) -> bytes:
    """A CALL of ``com.p`` with these bytes for args."""
    if serializer == "json":
        return b'[48,5,{},"com.p",' + args + b"]"
    return b"\x95\x30\x05\x80\xa5com.p" + args if serializer == "msgpack" else b"\x85\x18\x30\x05\xa0\x65com.p" + args


def marked(value: Any) -> Any:
    """Binary as a JSON peer sees it."""
    import base64

    if isinstance(value, bytes):
        return "\0" + base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: marked(item) for key, item in value.items()}
    return [marked(item) for item in value] if isinstance(value, list) else value


GOOD = [
    [], [None, True, False, 0, -1, 1.5, -0.0, "", "text", "ünï©ode \U0001f600 \x7f"],
    [2**53, -(2**53), 2**63 - 1, -(2**63), 2**64 - 1],
    [[[[]]], {"a": {"b": [{}]}}, {"": 1, "ä": 2, "0": 3}],
    ["com.x\nline", "\u2028", 'quote"back\\slash', "\x01\x1f", "not\0first"],
    ["x" * 70_000], [list(range(1000))], [{str(number): number for number in range(500)}],
]  # fmt: skip


@pytest.mark.parametrize("args", GOOD, ids=range(len(GOOD)))
def test_values_arrive_in_every_serializer(alice, other, args):
    alice.send([CALL, 5, {}, "com.p", args, {"kw": args}])
    invocation = other.receive()
    assert invocation[4:] == [args, {"kw": args}]
    other.send([YIELD, invocation[1], {}, args, {"kw": args}])
    assert alice.receive()[3:] == [args, {"kw": args}]
    alice.send([PUBLISH, 6, {}, "com.t", args, {"kw": args}])
    assert other.receive()[4:] == [args, {"kw": args}]


@pytest.mark.parametrize("value", [b"", b"\0\xff\xfe", bytes(range(256)), {"deep": [b"x"]}])
def test_binary_arrives_in_every_serializer(alice, other, value):
    in_json = alice.serializer == "json"
    alice.send([CALL, 5, {}, "com.p", [marked(value) if in_json else value]])
    invocation = other.receive()
    assert invocation[4] == [marked(value) if other.serializer == "json" else value]
    other.send([YIELD, invocation[1], {}, invocation[4]])
    assert alice.receive()[3] == [marked(value) if in_json else value]


@pytest.mark.parametrize("text", ["\0", "\0AAA", "\0no base64!", "\0A=="])
def test_text_that_json_reads_as_binary_is_an_error_to_its_sender(alice, other, text):
    alice.send([CALL, 5, {}, "com.p", [text]])
    if alice.serializer == "json" and text != "\0":
        error = alice.receive()
        assert error[:5] == [ERROR, CALL, 5, {}, INVALID_PAYLOAD]
        assert "base64" in error[5][0]
        assert not other.inbox
    elif alice.serializer == "json":
        assert other.receive()[4] == [text if other.serializer == "json" else b""]
    elif other.serializer == "json":
        error = alice.receive()
        assert error[:5] == [ERROR, CALL, 5, {}, INVALID_PAYLOAD]
        assert "U+0000" in error[5][0]
        assert not other.inbox
    else:
        assert other.receive()[4] == [text]


def test_binary_in_kwargs_is_checked_too(alice, other):
    alice.send([CALL, 5, {}, "com.p", [], {"a": "\0AAA"}])
    if "json" in (alice.serializer, other.serializer):
        assert alice.receive()[4] == INVALID_PAYLOAD
    else:
        assert other.receive()[5] == {"a": "\0AAA"}


# --- what one serialization says and another cannot ---

HARD: dict[str, dict[str, bytes]] = {
    "json": {
        "integer beyond 64 bit": b"[123456789012345678901234567890]",
        "integer of 5000 digits": b"[" + b"7" * 5000 + b"]",
        "number out of range": b"[1e400]",
        "escapes": b'["\\ud83d\\ude00\\u00e9\\/"]',
    },
    "msgpack": {
        "NaN": msgpack.packb([math.nan]),
        "Infinity": msgpack.packb([math.inf]),
        "extension": msgpack.packb([msgpack.ExtType(42, b"abc")]),
        "undefined of JavaScript": msgpack.packb([msgpack.ExtType(0, b"\0")]),
        "timestamp": msgpack.packb([msgpack.Timestamp(5, 7)]),
        "integer key": msgpack.packb([{1: 2}]),
        "binary key": msgpack.packb([{b"\xff": 2}]),
        "array key": b"\x91\x81\x91\x01\x02",
        "nil key": b"\x91\x81\xc0\x02",
    },
    "cbor": {
        "bignum": cbor2.dumps([2**70, -(2**70)]),
        "NaN": cbor2.dumps([math.nan]),
        "undefined": cbor2.dumps([cbor2.undefined]),
        "simple value": b"\x81\xf8\x20",
        "unknown tag": cbor2.dumps([cbor2.CBORTag(99999, "x")]),
        "date": b"\x81\xc0\x74" + b"2013-03-21T20:04:00Z",
        "uuid": cbor2.dumps([cbor2.CBORTag(37, b"0123456789abcdef")]),
        "set": cbor2.dumps([{1, 2}]),
        "decimal": b"\x81\xc4\x82\x21\x19\x6a\xb3",
        "regular expression": cbor2.dumps([cbor2.CBORTag(35, "a+")]),
        "integer key": cbor2.dumps([{1: 2}]),
        "array key": b"\x81\xa1\x81\x01\x02",
        "map key": b"\x81\xa1\xa0\x02",
        "indefinite": b"\x9f\x7f\x61a\x61b\xff\xff",
        "half float": b"\x81\xf9\x3c\x00",
    },
}


@pytest.mark.parametrize(("sender", "kind"), [(sender, kind) for sender, kinds in HARD.items() for kind in kinds])
def test_hard_payload_arrives_right_or_its_sender_gets_an_error(node, other, sender, kind):
    caller = node.join("realm1", sender)
    caller.send_bytes(call_bytes(sender, HARD[sender][kind]))
    if caller.inbox:
        error = caller.receive()
        assert error[:5] == [ERROR, CALL, 5, {}, INVALID_PAYLOAD]
        assert error[5][0]
        assert not other.inbox
        assert other.serializer != sender
    else:
        invocation = plain_or_raw(other)
        other.send([YIELD, invocation, {}])
        assert caller.receive()[:2] == [RESULT, 5]
    assert not caller.node.router.sessions[caller.session_id].calls
    assert not other.node.router.sessions[other.session_id].invocations


def plain_or_raw(peer):
    """The invocation's id; the bytes themselves are valid, and its payload is what a library reads."""
    data = peer.receive_bytes()
    if peer.serializer == "json" and b"7" * 5000 in data:
        return 1  # Python's own parser reads no integers of that length; JSON has no limit.
    message = load(peer.serializer, data)
    assert message[0] == INVOCATION
    return message[1]


def load(serializer, data):
    """The message, with maps as pairs where keys may be what Python cannot hash."""
    if serializer == "msgpack":
        return msgpack.unpackb(data, strict_map_key=False, object_pairs_hook=lambda pairs: pairs or {})
    return wire_codecs.load(serializer, data)


@pytest.mark.parametrize(("sender", "kind"), [(sender, kind) for sender, kinds in HARD.items() for kind in kinds])
def test_hard_result_reaches_the_caller_as_a_result_or_an_error(node, receiver, sender, kind):
    callee = node.join("realm1", sender)
    callee.request([REGISTER, 1, {}, "com.p"])
    caller = node.join("realm1", receiver)
    caller.send([CALL, 5, {}, "com.p"])
    callee.receive()
    payload = HARD[sender][kind]
    heads = {"json": b"[70,1,{},", "msgpack": b"\x94\x46\x01\x80", "cbor": b"\x84\x18\x46\x01\xa0"}
    callee.send_bytes(heads[sender] + payload + (b"]" if sender == "json" else b""))
    data = caller.receive_bytes()
    if b"7" * 5000 not in data:
        answer = load(receiver, data)
        assert answer[:2] == [RESULT, 5] or answer[:5] == [ERROR, CALL, 5, {}, INVALID_PAYLOAD]
    assert not caller.inbox
    assert not callee.is_closed
    assert not caller.node.router.sessions[caller.session_id].calls


def test_event_is_dropped_for_receivers_whose_serializer_cannot_encode_it(node, receiver):
    publisher = node.join("realm1", "msgpack")
    subscribers = [node.join("realm1", name) for name in ("json", receiver, "msgpack")]
    for subscriber in subscribers:
        subscriber.request([SUBSCRIBE, 1, {}, "com.t"])
    publisher.send([PUBLISH, 1, {"acknowledge": True}, "com.t", [math.inf]])
    assert publisher.receive()[0] == PUBLISHED
    assert [len(subscriber.inbox) for subscriber in subscribers] == [0, receiver != "json", 1]


# --- what is not valid ends its sender's session and harms nobody ---

BROKEN: dict[str, dict[str, bytes]] = {
    "json": {
        "control character": b'["\x01"]',
        "single quotes": b"['a']",
        "leading zero": b"[01]",
        "trailing comma": b"[1,]",
        "cut": b"[1,2",
    },
    "msgpack": {
        "cut after invalid UTF-8, large": b"\x93\xda\x10\x00" + b"a" * 4096 + b"\xa1\xff",
        "never used code": b"\x91\xc1",
        "array longer than its data": b"\xdd\xff\xff\xff\xff\x01",
        "cut": b"\x92\x01",
    },
    "cbor": {
        "array longer than its data": b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        "reserved length": b"\x81\x1c",
        "simple value in two bytes": b"\x81\xf8\x01",
        "text in a byte string": b"\x81\x5f\x61a\xff",
        "trailing bytes": b"\x80\x00",
        "break": b"\x81\xff",
        "cut": b"\x82\x01",
    },
}


FAULTY: dict[str, dict[str, bytes]] = {
    "json": {
        "half a surrogate pair": b'["\\ud800"]',
        "half a surrogate pair before text": b'["\\ud800abcdef"]',
        "second half of a surrogate pair": b'["\\ude00x"]',
        "surrogate pair the wrong way round": b'["\\ude00\\ud83d"]',
        "half a surrogate pair as a key": b'[{"a":[{"\\ud83d":1}]}]',
        "half a surrogate pair in a large payload": b'["' + b"x" * 5000 + b'", 1.5, "\\ud83d", null]',
        "half a surrogate pair beside a long number": b'["\\ud83d", ' + b"9" * 5000 + b"]",
        "half a surrogate pair beside an infinite number": b'["\\ud83d", 1e999]',
        "NaN": b"[NaN]",
        "an infinite number": b"[-Infinity]",
        "binary that is not base64": b'["\\u0000###"]',
    },
    "msgpack": {
        "invalid UTF-8": b"\x91\xa2\xff\xfe",
        "surrogate in UTF-8": b"\x91\xa3\xed\xa0\x80",
        "invalid UTF-8, large": b"\x92\xda\x10\x00" + b"a" * 4096 + b"\xa1\xff",
        "map key that is a map": b"\x91\x81\x80\x01",
        "timestamp of a wrong size": b"\x91\xc7\x03\xff\x00\x00\x00",
    },
    "cbor": {
        "invalid UTF-8": b"\x81\x62\xff\xfe",
        "surrogate in UTF-8": b"\x81\x63\xed\xa0\x80",
        "shared value": b"\x82\xd8\x1c\x81\x01\xd8\x1d\x00",
        "value that holds itself": b"\xd8\x1c\x81\xd8\x1d\x00",
        "string reference": b"\xd9\x01\x00\x82\x63aaa\xd8\x19\x00",
        "date that is none": b"\x81\xc0\x61x",
        "time that is none": b"\x81\xc1\xfb\x7f\xf0\0\0\0\0\0\0",
        "UUID that is none": b"\x81\xd8\x25\x41a",
        "bigfloat out of range": b"\x81\xc5\x82\x1a\x3b\x9a\xca\x00\x01",
    },
}


@pytest.mark.parametrize(("sender", "kind"), [(sender, kind) for sender, kinds in BROKEN.items() for kind in kinds])
def test_broken_message_is_a_violation_and_is_not_forwarded(node, other, sender, kind):
    peer = node.join("realm1", sender)
    peer.send_bytes(call_bytes(sender, BROKEN[sender][kind]))
    assert_aborted(peer)
    assert not other.inbox


@pytest.mark.parametrize(("sender", "kind"), [(sender, kind) for sender, kinds in FAULTY.items() for kind in kinds])
class TestFaultInsideThePayload:
    """It is a fault of the payload, not of the message: the request fails, and the session goes on."""

    def test_it_fails_the_request(self, node, other, sender, kind):
        peer = node.join("realm1", sender)
        peer.send_bytes(call_bytes(sender, FAULTY[sender][kind]))
        error = peer.receive()
        assert error[:5] == [ERROR, CALL, 5, {}, INVALID_PAYLOAD]
        assert error[5][0].startswith("invalid payload: ")
        assert not other.inbox
        peer.send([CALL, 6, {}, "com.p"])
        assert other.receive()[0] == INVOCATION

    def test_it_drops_a_publication_that_asked_for_no_answer(self, node, other, sender, kind):
        peer = node.join("realm1", sender)
        head = {
            "json": b'[16,5,{},"com.t",',
            "msgpack": b"\x95\x10\x05\x80\xa5com.t",
            "cbor": b"\x85\x10\x05\xa0\x65com.t",
        }
        peer.send_bytes(head[sender] + FAULTY[sender][kind] + (b"]" if sender == "json" else b""))
        assert not peer.inbox
        assert not peer.is_closed
        assert not other.inbox
        assert [each.error.error for each in node.silent_refusals] == [INVALID_PAYLOAD]

    @pytest.mark.parametrize("code", [YIELD, ERROR])
    def test_it_fails_the_call_whose_answer_has_it(self, node, sender, kind, code):
        caller, callee = node.join("realm1", "json"), node.join("realm1", sender)
        callee.request([REGISTER, 1, {}, "com.p"])
        caller.send([CALL, 5, {}, "com.p"])
        assert callee.receive()[1] == 1
        head = {
            "json": {YIELD: b"[70,1,{},", ERROR: b'[8,68,1,{},"com.error",'},
            "msgpack": {YIELD: b"\x94\x46\x01\x80", ERROR: b"\x96\x08\x44\x01\x80\xa9com.error"},
            "cbor": {YIELD: b"\x84\x18\x46\x01\xa0", ERROR: b"\x86\x08\x18\x44\x01\xa0\x69com.error"},
        }[sender][code]
        callee.send_bytes(head + FAULTY[sender][kind] + (b"]" if sender == "json" else b""))
        assert caller.receive()[:5] == [ERROR, CALL, 5, {}, INVALID_PAYLOAD]
        assert not callee.is_closed


@pytest.mark.parametrize(
    ("sender", "data"),
    [
        ("json", b'[48,5,{},"com.p",[],{"a":"\\ud83d"}]'),
        ("json", b'[48,5,{},"com.p",[],{"a":"\\u0000###"}]'),
        ("msgpack", b"\x96\x30\x05\x80\xa5com.p\x90\x81\x05\x01"),
        ("cbor", b"\x86\x18\x30\x05\xa0\x65com.p\x80\xa1\x05\x01"),
    ],
)
def test_fault_in_kwargs_fails_the_request(node, sender, data):
    peer = node.join("realm1", sender)
    peer.send_bytes(data)
    assert peer.receive()[:5] == [ERROR, CALL, 5, {}, INVALID_PAYLOAD]
    assert not peer.is_closed


@pytest.mark.parametrize(
    "data",
    [
        b'[48,5,{},"com.\\ud83d",[]]',
        b'[48,5,{"rkey":"\\ud83d"},"com.p",[]]',
        b'[32,5,{},"com.\\ud83d"]',
        b'[48,5,{},"com.p","\\ud83d"]',
        b'[48,5,{},"com.p",{"a":"\\ud83d"}]',
        b'[48,5,{},"com.p",[],["\\ud83d"]]',
        b'[48,5,{},"com.p",["\\ud83d"],{},1]',
        b'[48,0,{},"com.p",["\\ud83d"]]',
        b'["\\ud83d"]',
        b'{"a":"\\ud83d"}',
        b"[NaN]",
    ],
)
def test_faults_elsewhere_stay_violations(node, data):
    peer = node.join("realm1", "json")
    peer.send_bytes(data)
    assert_aborted(peer)


def test_typed_array_of_bytes_stays_one_between_cbor_clients(node):
    """JavaScript sends and expects a ``Uint8Array`` so."""
    caller, callee = node.join("realm1", "cbor"), node.join("realm1", "cbor")
    callee.request([REGISTER, 1, {}, "com.p"])
    caller.send_bytes(call_bytes("cbor", b"\x81\xd8\x40\x43\x01\x02\x03"))
    assert callee.receive_bytes().endswith(b"\x81\xd8\x40\x43\x01\x02\x03")


@pytest.mark.parametrize("serializer", ["json", "msgpack"])
def test_typed_array_of_bytes_is_binary_elsewhere(node, serializer):
    caller, callee = node.join("realm1", "cbor"), node.join("realm1", serializer)
    callee.request([REGISTER, 1, {}, "com.p"])
    caller.send_bytes(call_bytes("cbor", b"\x81\xd8\x40\x43\x01\x02\x03"))
    assert callee.receive()[4] == [marked(b"\1\2\3") if serializer == "json" else b"\1\2\3"]


@pytest.mark.parametrize("depth", [10, 60, 99])
def test_nesting_within_the_limits_arrives_everywhere(alice, other, depth):
    value: Any = 1
    for _ in range(depth):
        value = [value]
    alice.send([CALL, 5, {}, "com.p", [value]])
    assert other.receive()[4] == [value]


def test_nesting_that_cannot_be_transcoded_is_an_error_to_its_sender(node):
    caller, callee = node.join("realm1", "json"), node.join("realm1", "cbor")
    callee.request([REGISTER, 1, {}, "com.p"])
    caller.send_bytes(call_bytes("json", b"[" * 900 + b"]" * 900))
    assert not (caller.inbox and callee.inbox)
    if caller.inbox:
        assert caller.receive()[4] == INVALID_PAYLOAD
    else:
        assert callee.receive_bytes()


def test_few_shared_values_that_unfold_to_many_cost_nothing(node):
    bomb = b"\x98\x65" + b"\xd8\x1c\x82\x61a\x61b"
    for level in range(100):
        reference = b"\xd8\x1d" + cbor2.dumps(level)
        bomb += b"\xd8\x1c\x82" + reference * 2
    peer = node.join("realm1", "cbor")
    peer.send_bytes(b"\x85\x10\x01\xa0\x61a" + bomb)
    assert "shared" in str(node.silent_refusals[0].error.args)
    peer.send_bytes(b"\x84\x10\x01\xa1\x61z" + bomb + b"\x61a")
    assert "shared" in assert_aborted(peer)


# --- undefined, null and absent ---


def undefined(serializer: str) -> bytes:
    return b"\xd4\x00\x00" if serializer == "msgpack" else b"\xf7"


@pytest.mark.parametrize("sender", ["msgpack", "cbor"])
def test_undefined_options_count_as_absent(node, sender):
    alice, bob = node.join("realm1", sender), node.join("realm1", sender)
    bob.request([SUBSCRIBE, 1, {}, "com.t"])
    nothing = undefined(sender)
    if sender == "msgpack":
        data = b"\x95\x10\x01\x82\xabacknowledge" + nothing + b"\xa7exclude" + nothing + b"\xa5com.t" + b"\x91"
    else:
        data = b"\x85\x10\x01\xa2\x6backnowledge" + nothing + b"\x67exclude" + nothing + b"\x65com.t" + b"\x81"
    alice.send_bytes(data + nothing)
    event = bob.receive_bytes()
    assert not alice.inbox
    # Payload stays as it was sent.
    assert event.endswith(nothing)


@pytest.mark.parametrize("sender", ["msgpack", "cbor"])
def test_undefined_args_and_kwargs_count_as_absent(node, sender):
    caller, callee = node.join("realm1", sender), node.join("realm1", sender)
    callee.request([REGISTER, 1, {}, "com.p"])
    head = {"msgpack": b"\x96\x30\x05\x80\xa5com.p", "cbor": b"\x86\x18\x30\x05\xa0\x65com.p"}[sender]
    caller.send_bytes(head + undefined(sender) * 2)
    assert callee.receive()[4:] == []


@pytest.mark.parametrize(
    "options",
    [
        dict.fromkeys(["acknowledge", "exclude_me", "exclude", "eligible", "exclude_authid", "disclose_me", "retain"]),
        {"x_private": None, "_private": {"any": ["thing"]}, "unknown": 5},
    ],
)
def test_null_and_unknown_options_count_as_absent(alice, bob, options):
    bob.request([SUBSCRIBE, 1, {"match": None, "get_retained": None, "unknown": [1]}, "com.t"])
    alice.send([PUBLISH, 1, options, "com.t", [1]])
    assert bob.receive()[3:] == [{}, [1]]
    assert not alice.inbox


def test_msgpack_extension_in_options_that_is_not_undefined_is_a_violation(node):
    peer = node.join("realm1", "msgpack")
    peer.send_bytes(msgpack.packb([PUBLISH, 1, {"acknowledge": msgpack.ExtType(5, b"\0")}, "com.t"]))
    assert "acknowledge" in assert_aborted(peer)


# --- keys made to collide ---


def int_map(serializer: str, count: int, *, more: int = 0) -> bytes:
    """Args that consist of one map with ``count`` numbers as keys, in a message with ``more`` bytes of text."""
    value = [dict.fromkeys(range(count)), "x" * more]
    return msgpack.packb(value) if serializer == "msgpack" else cbor2.dumps(value)


@pytest.mark.parametrize("serializer", ["msgpack", "cbor"])
@pytest.mark.parametrize(("count", "more"), [(101, 0), (101, 5000), (1000, 0), (5000, 0)])
def test_map_with_many_keys_that_are_not_text_fails_its_request_and_not_the_session(node, serializer, count, more):
    caller, callee = node.join("realm1", serializer), node.join("realm1", serializer)
    callee.request([REGISTER, 1, {}, "com.p"])
    caller.send_bytes(call_bytes(serializer, int_map(serializer, count, more=more)))
    error = caller.receive()
    assert error[:5] == [ERROR, CALL, 5, {}, INVALID_PAYLOAD]
    assert "key" in error[5][0]
    caller.send([CALL, 6, {}, "com.p"])
    assert callee.receive()[0] == INVOCATION
    assert not callee.inbox


@pytest.mark.parametrize("serializer", ["msgpack", "cbor"])
def test_answer_of_a_callee_with_too_many_keys_fails_the_call(node, serializer):
    caller, callee = node.join("realm1", serializer), node.join("realm1", serializer)
    callee.request([REGISTER, 1, {}, "com.p"])
    caller.send([CALL, 5, {}, "com.p"])
    invocation_id = callee.receive()[1]
    head = b"\x94\x46" + bytes([invocation_id]) + b"\x80"
    if serializer == "cbor":
        head = b"\x84\x18\x46" + bytes([invocation_id]) + b"\xa0"
    callee.send_bytes(head + int_map(serializer, 101))
    assert caller.receive()[:5] == [ERROR, CALL, 5, {}, INVALID_PAYLOAD]
    assert not callee.is_closed


@pytest.mark.parametrize("serializer", ["msgpack", "cbor"])
def test_options_with_many_keys_that_are_not_text_are_a_violation(node, serializer):
    options = dict.fromkeys(range(101))
    peer = node.join("realm1", serializer)
    message = [SUBSCRIBE, 1, {"x": options}, "com.t"]
    peer.send_bytes(msgpack.packb(message) if serializer == "msgpack" else cbor2.dumps(message))
    assert "key" in assert_aborted(peer)


def test_set_with_many_values_that_are_not_text_fails_its_request_and_not_the_session(node):
    peer = node.join("realm1", "cbor")
    for values in (set(range(101)), frozenset(range(5000))):
        peer.send_bytes(call_bytes("cbor", cbor2.dumps([values])))
        assert peer.receive()[4] == INVALID_PAYLOAD


@pytest.mark.parametrize("serializer", ["msgpack", "cbor"])
def test_large_maps_with_arrays_for_keys_fail_their_request(node, serializer):
    keys = b"".join(msgpack.packb([number, 1]) + b"\xc0" for number in range(1000))
    bodies = [b"\x91\xde\x03\xe8" + keys, b"\x92\x81\x01\x02\xde\x03\xe8" + keys]
    if serializer == "cbor":
        keys = b"".join(b"\x82\x01\x19" + number.to_bytes(2, "big") + b"\xf6" for number in range(1000))
        bodies = [b"\x81\xb9\x03\xe8" + keys]
    peer = node.join("realm1", serializer)
    for body in bodies:
        peer.send_bytes(call_bytes(serializer, body))
        error = peer.receive()
        assert error[4] == INVALID_PAYLOAD
        assert "key" in error[5][0]


@pytest.mark.parametrize("serializer", ["msgpack", "cbor"])
@pytest.mark.parametrize("more", [0, 5000])
def test_map_with_a_hundred_numbers_for_keys_arrives(node, serializer, more):
    caller, callee = node.join("realm1", serializer), node.join("realm1", serializer)
    callee.request([REGISTER, 1, {}, "com.p"])
    value = [dict.fromkeys(range(100)), {b"a": {1.5: None}}, "x" * more]
    caller.send([CALL, 5, {}, "com.p", value])
    assert callee.receive()[4] == value


def test_msgpack_maps_with_many_keys_that_are_text_or_binary_arrive(node):
    caller, callee = node.join("realm1", "msgpack"), node.join("realm1", "msgpack")
    callee.request([REGISTER, 1, {}, "com.p"])
    value = [{f"{number}": number for number in range(200)}, {b"%d" % number: number for number in range(1000)}]
    caller.send([CALL, 5, {}, "com.p", value])
    assert callee.receive()[4] == value


def test_all_serializers_are_offered():
    assert list(SERIALIZERS) == NAMES
