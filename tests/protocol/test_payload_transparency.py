"""Advanced Profile, "Payload Passthru Mode": calls, and Autobahn's older options, whose names begin with enc_."""

import pytest

from .codes import (
    ABORT,
    CALL,
    CANCELED,
    ERROR,
    EVENT,
    INVOCATION,
    PROTOCOL_VIOLATION,
    PUBLISH,
    PUBLISHED,
    REGISTER,
    RESULT,
    SUBSCRIBE,
    YIELD,
)
from .roles import joined, open_calls

PROCEDURE = "com.example.procedure"
FEATURE = ["payload_passthru_mode"]
NOT_SUPPORTED = "wamp.error.feature_not_supported"
PPT = {"ppt_scheme": "x_mine", "ppt_serializer": "cbor", "ppt_cipher": "aes256gcm", "ppt_keyid": "key-1"}
ENC = [
    {"enc_algo": "cryptobox", "enc_key": "k", "enc_serializer": "cbor"},
    {"enc_algo": "mqtt", "enc_serializer": "json"},
    {"enc_algo": "x_own"},
]


def opaque(serializer):
    """A payload that only the ends can read."""
    return "AQID" if serializer == "json" else b"\x01\x02\x03"


# Autobahn's form.


@pytest.mark.parametrize("enc", ENC)
def test_enc_passes_through_publications(alice, bob, serializer, enc):
    bob.request([SUBSCRIBE, 1, {}, "com.topic"])
    alice.send([PUBLISH, 1, enc, "com.topic", opaque(serializer)])
    event = bob.receive()
    assert (event[0], event[3], event[4:]) == (EVENT, enc, [opaque(serializer)])


@pytest.mark.parametrize("enc", ENC)
def test_enc_passes_through_calls_both_ways(alice, bob, serializer, enc):
    bob.request([REGISTER, 1, {}, PROCEDURE])
    alice.send([CALL, 1, enc, PROCEDURE, opaque(serializer)])
    assert bob.receive()[3:] == [enc, opaque(serializer)]
    bob.send([YIELD, 1, enc, opaque(serializer)])
    assert alice.receive() == [RESULT, 1, enc, opaque(serializer)]
    alice.send([CALL, 2, {}, PROCEDURE])
    bob.send([ERROR, INVOCATION, 2, enc, "com.example.error", opaque(serializer)])
    assert alice.receive() == [ERROR, CALL, 2, enc, "com.example.error", opaque(serializer)]


@pytest.mark.parametrize("target", ["json", "msgpack", "cbor"])
def test_enc_reaches_every_serializer(node, serializer, target):
    sender, receiver = node.join("realm1", serializer), node.join("realm1", target)
    receiver.request([REGISTER, 1, {}, PROCEDURE])
    receiver.request([SUBSCRIBE, 2, {}, "com.topic"])
    sender.send([CALL, 1, ENC[0], PROCEDURE, "text"])
    sender.send([PUBLISH, 2, ENC[0], "com.topic", "text"])
    assert [message[3:] for message in receiver.receive_all()] == [[ENC[0], "text"]] * 2


def test_enc_passes_through_progressive_calls(node, serializer):
    features = ["progressive_call_invocations", "progressive_call_results", "call_canceling"]
    callee, caller = joined(node, serializer, callee=features), joined(node, serializer, caller=features)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send([CALL, 1, {"progress": True, "receive_progress": True, **ENC[0]}, PROCEDURE, opaque(serializer)])
    caller.send([CALL, 1, {"progress": True, **ENC[2]}, PROCEDURE, opaque(serializer)])
    caller.send([CALL, 1, {}, PROCEDURE, ["plain"]])
    common = {"receive_progress": True}
    assert [invocation[3:] for invocation in callee.receive_all()] == [
        [{"progress": True, **common, **ENC[0]}, opaque(serializer)],
        [{"progress": True, **common, **ENC[2]}, opaque(serializer)],
        [common, ["plain"]],
    ]
    callee.send([YIELD, 1, {"progress": True, **ENC[0]}, opaque(serializer)])
    assert caller.receive() == [RESULT, 1, {"progress": True, **ENC[0]}, opaque(serializer)]


def test_payload_that_is_opaque_without_enc_is_a_violation(alice, serializer):
    alice.send([CALL, 1, {}, PROCEDURE, opaque(serializer)])
    assert alice.close_reason == PROTOCOL_VIOLATION


@pytest.mark.parametrize("algorithm", ["", "rot13", 1])
def test_unknown_enc_algo_is_a_violation(alice, algorithm):
    alice.send([PUBLISH, 1, {"enc_algo": algorithm}, "com.topic", []])
    assert alice.close_reason == PROTOCOL_VIOLATION


# The specification's form.


@pytest.mark.parametrize("ppt", [PPT, {"ppt_scheme": "wamp", "ppt_serializer": "cbor"}, {"ppt_scheme": "mqtt"}])
def test_ppt_passes_through_calls_both_ways(node, serializer, ppt):
    callee = joined(node, serializer, callee=FEATURE)
    caller = joined(node, serializer, caller=FEATURE)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    payload = [opaque(serializer)]
    caller.send([CALL, 1, ppt, PROCEDURE, payload])
    assert callee.receive()[3:] == [ppt, payload]
    callee.send([YIELD, 1, ppt, payload])
    assert caller.receive() == [RESULT, 1, ppt, payload]
    caller.send([CALL, 2, ppt, PROCEDURE, payload])
    callee.send([ERROR, INVOCATION, 2, ppt, "com.example.error", payload])
    assert caller.receive() == [ERROR, CALL, 2, ppt, "com.example.error", payload]


@pytest.mark.parametrize("features", [{}, {"callee": FEATURE}, {"publisher": FEATURE}])
def test_caller_that_did_not_announce_breaks_the_protocol(node, serializer, features):
    callee, caller = joined(node, serializer, callee=FEATURE), joined(node, serializer, **features)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send([CALL, 1, PPT, PROCEDURE, ["x"]])
    assert caller.receive()[::2] == [ABORT, PROTOCOL_VIOLATION]
    assert caller.close_reason == PROTOCOL_VIOLATION
    assert not callee.inbox


@pytest.mark.parametrize("answer", [[YIELD, 1, PPT, ["x"]], [ERROR, INVOCATION, 1, PPT, "com.example.error", ["x"]]])
def test_callee_that_did_not_announce_breaks_the_protocol(node, serializer, answer):
    callee, caller = joined(node, serializer, caller=FEATURE), joined(node, serializer, caller=FEATURE)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send([CALL, 1, {}, PROCEDURE])
    callee.receive()
    callee.send(answer)
    assert callee.receive()[::2] == [ABORT, PROTOCOL_VIOLATION]
    assert [error[:5] for error in caller.receive_all()] == [[ERROR, CALL, 1, {}, CANCELED]]
    assert not open_calls(node)


def test_publisher_that_did_not_announce_breaks_the_protocol(node, serializer):
    publisher = joined(node, serializer, caller=FEATURE)
    publisher.send([PUBLISH, 1, PPT, "com.topic", ["x"]])
    assert publisher.close_reason == PROTOCOL_VIOLATION


def test_subscriber_that_did_not_announce_gets_the_event(node, serializer):
    publisher, subscriber = joined(node, serializer, publisher=FEATURE), joined(node, serializer)
    subscriber.request([SUBSCRIBE, 1, {}, "com.topic"])
    assert publisher.request([PUBLISH, 1, {"acknowledge": True, **PPT}, "com.topic", ["x"]])[0] == PUBLISHED
    event = subscriber.receive()
    assert event[3:] == [PPT, ["x"]]


def test_callee_that_did_not_announce_is_not_called(node, serializer):
    callee, caller = joined(node, serializer), joined(node, serializer, caller=FEATURE)
    callee.request([REGISTER, 1, {"concurrency": 1}, PROCEDURE])
    error = caller.request([CALL, 1, PPT, PROCEDURE, ["x"]])
    assert error[:5] == [ERROR, CALL, 1, {}, NOT_SUPPORTED]
    assert not callee.inbox
    assert not open_calls(node)
    caller.send([CALL, 2, {}, PROCEDURE])
    assert callee.receive()[0] == INVOCATION


def test_result_for_a_caller_that_did_not_announce_is_an_error_at_both_ends(node, serializer):
    callee, caller = joined(node, serializer, callee=FEATURE), joined(node, serializer)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send([CALL, 7, {}, PROCEDURE])
    callee.receive()
    assert callee.request([YIELD, 1, PPT, ["x"]])[:5] == [ERROR, YIELD, 1, {}, NOT_SUPPORTED]
    assert [error[:5] for error in caller.receive_all()] == [[ERROR, CALL, 7, {}, NOT_SUPPORTED]]
    assert not callee.is_closed
    assert not open_calls(node)


def test_late_result_in_ppt_is_dropped(node, serializer):
    callee, caller = joined(node, serializer, callee=FEATURE), joined(node, serializer)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send([CALL, 7, {}, PROCEDURE])
    callee.receive()
    caller.lose()
    callee.send([YIELD, 1, PPT, ["x"]])
    assert not callee.inbox
    assert not callee.is_closed


def test_attributes_without_a_scheme_are_no_ppt(node, serializer):
    callee, caller = joined(node, serializer), joined(node, serializer)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send([CALL, 1, {"ppt_cipher": "aes256gcm"}, PROCEDURE, ["x"]])
    assert callee.receive()[4] == ["x"]
    assert not caller.is_closed
