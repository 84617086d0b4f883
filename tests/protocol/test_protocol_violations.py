"""Basic Profile, "Protocol Errors": messages that end a session, and the reason in ABORT."""

import pytest

from wamp_transport.router.options import RealmOptions, RoleOptions, RouterOptions
from wamp_transport.testing.memory import MemoryNode

from .codes import (
    CALL,
    CANCEL,
    CANCELED,
    ERROR,
    GOODBYE,
    INVOCATION,
    PUBLISH,
    PUBLISHED,
    REGISTER,
    SUBSCRIBE,
    SUBSCRIBED,
    UNSUBSCRIBE,
    YIELD,
)
from .test_sessions import assert_aborted


@pytest.mark.parametrize("message", [[], {}, 1, "x", None, [None], ["32", 1, {}, "com.x"], [0], [7, 1], [-1], [999, 1]])
def test_invalid_message_is_a_violation(alice, message):
    alice.send(message)
    assert "malformed message" in assert_aborted(alice)


def test_invalid_message_before_hello_is_a_violation(peer):
    peer.send([])
    assert_aborted(peer)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\xff\xff", b"[", b"\x94\x10", b"\x84\x10", b"{}", b"nonsense"])
def test_bytes_that_are_no_message_are_a_violation(alice, data):
    alice.send_bytes(data)
    assert "malformed message" in assert_aborted(alice)


def test_bytes_after_a_message_are_a_violation(alice):
    trailing = {"json": b"1", "msgpack": b"\x01", "cbor": b"\x01"}[alice.serializer]
    message = {
        "json": b'[32,1,{},"com.x"]',
        "msgpack": b"\x94\x20\x01\x80\xa5com.x",
        "cbor": b"\x84\x18\x20\x01\xa0\x65com.x",
    }[alice.serializer]
    alice.send_bytes(message)
    assert alice.receive()[0] == SUBSCRIBED
    alice.send_bytes(message + trailing)
    assert_aborted(alice)


@pytest.mark.parametrize(
    "message",
    [
        [SUBSCRIBE, 1, {}],
        [SUBSCRIBE, 1, {}, "com.x", "more"],
        [PUBLISH, 1, {}, "com.x", [], {}, None],
        [CALL, 1, {}, "com.x", [], {}, 1],
        [YIELD, 1],
        [GOODBYE, {}],
        [GOODBYE, {}, "com.x", 1],
        [UNSUBSCRIBE, 1, 2, {}, {}],
        [CANCEL, 1, {}, 1],
    ],
    ids=str,
)
def test_too_few_or_too_many_elements_are_a_violation(alice, message):
    alice.send(message)
    assert_aborted(alice)


@pytest.mark.parametrize(
    "message",
    [
        [SUBSCRIBE, 1, [], "com.x"],
        [SUBSCRIBE, 1, None, "com.x"],
        [SUBSCRIBE, 1, {}, 5],
        [SUBSCRIBE, 1, {}, None],
        [PUBLISH, 1, {}, "com.x", {}],
        [PUBLISH, 1, {}, "com.x", "text"],
        [PUBLISH, 1, {}, "com.x", 1],
        [PUBLISH, 1, {}, "com.x", [], []],
        [PUBLISH, 1, {}, "com.x", [], "text"],
        [GOODBYE, {}, 1],
        [GOODBYE, {"message": 1}, "com.x"],
        [ERROR, "68", 1, {}, "com.x"],
    ],
    ids=str,
)
def test_element_of_a_wrong_type_is_a_violation(alice, message):
    alice.send(message)
    assert_aborted(alice)


OPTIONS = {
    PUBLISH: {
        "acknowledge": 1, "exclude_me": "no", "exclude": 1, "eligible": ["a"], "exclude_authid": "a",
        "eligible_authid": [1], "exclude_authrole": [None], "eligible_authrole": {}, "disclose_me": 0, "retain": "yes",
        "transaction_hash": 1, "enc_algo": "unheard of", "ppt_scheme": "x_mine", "forward_for": [{}],
    },
    SUBSCRIBE: {"match": "regex", "get_retained": 1},
    CALL: {
        "timeout": -1, "receive_progress": 1, "progress": "x", "disclose_me": [], "enc_key": 1, "ppt_scheme": 1,
    },
    REGISTER: {
        "match": 1, "invoke": "all", "concurrency": 0, "force_reregister": "x", "disclose_caller": 1,
    },
    CANCEL: {"mode": "now"},
    YIELD: {"progress": 1, "enc_serializer": 1, "ppt_scheme": 1},
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "option", "value"),
    [(code, option, value) for code, options in OPTIONS.items() for option, value in options.items()],
)
def test_option_of_a_wrong_type_is_named_in_the_abort(alice, code, option, value):
    uri = [] if code in (CANCEL, YIELD) else ["com.example.uri"]
    alice.send([code, 1, {option: value}, *uri])
    assert option in assert_aborted(alice)


@pytest.mark.parametrize(("option", "value"), [("ppt_scheme", "x_mine")])
def test_call_with_an_option_whose_feature_is_not_announced_is_a_violation(alice, bob, option, value):
    bob.request([REGISTER, 1, {}, "com.example.procedure"])
    alice.send([CALL, 1, {option: value}, "com.example.procedure"])
    assert option in assert_aborted(alice)


@pytest.mark.parametrize(("option", "value"), [("ppt_scheme", "x_mine")])
def test_yield_with_an_option_whose_feature_is_not_announced_is_a_violation(alice, bob, option, value):
    alice.request([REGISTER, 1, {}, "com.example.procedure"])
    bob.send([CALL, 1, {"receive_progress": True}, "com.example.procedure"])
    alice.send([YIELD, alice.receive()[1], {option: value}])
    assert option in assert_aborted(alice)
    assert bob.receive()[:5] == [ERROR, CALL, 1, {}, CANCELED]


def test_reuse_of_an_open_call_is_a_violation(alice, bob):
    alice.request([REGISTER, 1, {}, "com.example.procedure"])
    bob.send([CALL, 5, {}, "com.example.procedure"])
    alice.receive()
    bob.send([CALL, 5, {}, "com.example.other"])
    assert "5" in assert_aborted(bob)


def test_yield_for_an_invocation_never_sent_is_a_violation(alice):
    alice.send([YIELD, 1, {}])
    assert "YIELD" in assert_aborted(alice)


def test_error_for_an_invocation_never_sent_is_a_violation(alice):
    alice.send([ERROR, INVOCATION, 1, {}, "com.example.error"])
    assert "ERROR" in assert_aborted(alice)


def test_answer_to_an_invocation_of_another_session_is_a_violation(alice, bob, join):
    alice.request([REGISTER, 1, {}, "com.example.procedure"])
    bob.send([CALL, 1, {}, "com.example.procedure"])
    invocation = alice.receive()
    mallory = join()
    mallory.send([YIELD, invocation[1], {}, ["forged"]])
    assert_aborted(mallory)
    assert not bob.inbox


@pytest.mark.parametrize("request_type", [SUBSCRIBE, CALL, PUBLISH, REGISTER, 0, -1, 70])
def test_error_for_another_kind_of_request_is_a_violation(alice, bob, request_type):
    alice.request([REGISTER, 1, {}, "com.example.procedure"])
    bob.send([CALL, 1, {}, "com.example.procedure"])
    invocation = alice.receive()
    alice.send([ERROR, request_type, invocation[1], {}, "com.example.error"])
    assert "request_type" in assert_aborted(alice)
    assert bob.receive()[4] == CANCELED


class TestStrictRequestIds:
    @pytest.fixture
    def alice(self, serializer):
        roles = {"anonymous": RoleOptions("anonymous", allow_by_default=True)}
        node = MemoryNode(RouterOptions(realms={"realm1": RealmOptions("realm1", roles, strict_request_ids=True)}))
        return node.join("realm1", serializer)

    def test_sequence_from_one_is_kept(self, alice):
        assert alice.request([SUBSCRIBE, 1, {}, "com.x"])[0] == SUBSCRIBED
        assert alice.request([CALL, 2, {}, "com.x"])[0] == ERROR
        assert alice.request([PUBLISH, 3, {"acknowledge": True}, "com.x"])[0] == PUBLISHED
        alice.send([CANCEL, 2, {}])
        assert alice.request([UNSUBSCRIBE, 4, 1])[0] == ERROR

    @pytest.mark.parametrize("request_id", [2, 7, 2**53])
    def test_gap_is_a_violation(self, alice, request_id):
        alice.send([SUBSCRIBE, request_id, {}, "com.x"])
        assert "SUBSCRIBE.request must be 1" in assert_aborted(alice)

    def test_id_used_before_is_a_violation(self, alice):
        alice.request([SUBSCRIBE, 1, {}, "com.x"])
        alice.send([SUBSCRIBE, 1, {}, "com.x"])
        assert_aborted(alice)


@pytest.mark.parametrize(
    "message",
    [
        [48, 1, {"ppt_scheme": "x_any"}, "com.example.unknown"],
        [16, 1, {"ppt_scheme": "x_any"}, "wamp.not_for_clients"],
    ],
)
def test_option_of_a_feature_not_announced_is_a_violation_wherever_it_goes(alice, message):
    answer = alice.request(message)
    assert answer[0] == 3
    assert answer[2] == "wamp.error.protocol_violation"


@pytest.mark.parametrize("other", ["msgpack", "cbor"])
def test_numbers_as_keys_of_options_are_a_violation(node, other):
    peer = node.join("realm1", other)
    answer = peer.request([48, 1, {5: 1}, "com.p"])
    assert answer[0] == 3
    assert "str" in answer[1]["message"] or "text keys" in answer[1]["message"]
