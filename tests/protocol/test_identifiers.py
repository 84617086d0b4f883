"""Basic Profile, "IDs": integers from 1 to 2^53, and who may choose them."""

import pytest

from .codes import CALL, PUBLISH, REGISTER, RESULT, SUBSCRIBE, SUBSCRIBED, UNREGISTER, UNSUBSCRIBE, UNSUBSCRIBED, YIELD
from .test_sessions import assert_aborted

LARGEST = 2**53


@pytest.mark.parametrize("request_id", [1, 2, 999, LARGEST - 1, LARGEST])
def test_ids_within_the_range_are_taken(alice, request_id):
    assert alice.request([SUBSCRIBE, request_id, {}, "com.x"])[:2] == [SUBSCRIBED, request_id]


@pytest.mark.parametrize("request_id", [0, -1, LARGEST + 1, 2**64 - 1, -(2**63), 1.5, True, False, "1", None, [1], {}])
@pytest.mark.parametrize("code", [SUBSCRIBE, CALL, PUBLISH, REGISTER])
def test_invalid_request_id_is_a_violation(alice, code, request_id):
    alice.send([code, request_id, {}, "com.x"])
    assert "$[1]" in assert_aborted(alice)


@pytest.mark.parametrize("other_id", [0, -1, LARGEST + 1, 1.5, True, "1", None])
@pytest.mark.parametrize("code", [UNSUBSCRIBE, UNREGISTER])
def test_other_invalid_id_is_a_violation(alice, code, other_id):
    alice.send([code, 1, other_id])
    assert "$[2]" in assert_aborted(alice)


def test_float_that_is_a_whole_number_is_an_id(alice):
    subscription = alice.request([SUBSCRIBE, 1.0, {}, "com.x"])[2]
    alice.send([UNSUBSCRIBE, 2, float(subscription)])
    assert alice.receive() == [UNSUBSCRIBED, 2]


def test_float_within_options_is_an_id(alice, bob):
    bob.request([SUBSCRIBE, 1, {}, "com.x"])
    alice.send([PUBLISH, 1, {"exclude": [float(bob.session_id)]}, "com.x", [1.0]])
    assert not bob.inbox
    assert not alice.is_closed
    alice.send([PUBLISH, 2.0, {"eligible": [float(bob.session_id)]}, "com.x", [1.0, 1.5], {"a": 2.0}])
    event = bob.receive()
    assert event[4:] == [[1.0, 1.5], {"a": 2.0}]
    assert [type(value) for value in event[4]] == [float, float]


def test_float_is_a_timeout(node, alice, bob):
    alice.request([REGISTER, 1, {}, "com.x"])
    bob.send([CALL, 1, {"timeout": 1000.0}, "com.x"])
    node.pass_time(1.1)
    assert bob.receive()[4] == "wamp.error.timeout"


@pytest.mark.parametrize(
    "procedure",
    ["session.get", "subscription.get", "subscription.list_subscribers", "subscription.count_subscribers",
     "registration.get", "registration.list_callees", "registration.count_callees"],
)  # fmt: skip
def test_float_is_an_id_in_arguments_of_the_meta_api(alice, procedure):
    ids = {
        "session": alice.session_id,
        "subscription": alice.request([SUBSCRIBE, 1, {}, "com.x"])[2],
        "registration": alice.request([REGISTER, 2, {}, "com.x"])[2],
    }
    answer = alice.request([CALL, 3, {}, f"wamp.{procedure}", [float(ids[procedure.partition(".")[0]])]])
    assert answer[0] == RESULT, answer


@pytest.mark.parametrize("number", [1.5, 2.0**54, -1.0, 0.0])
def test_other_floats_are_no_ids(alice, number):
    alice.send([UNSUBSCRIBE, 1, number])
    assert "$[2]" in assert_aborted(alice)


def test_any_unused_request_id_is_taken_by_default(alice):
    for request_id in (500, 3, LARGEST, 3):
        assert alice.request([SUBSCRIBE, request_id, {}, "com.x"])[1] == request_id


def test_request_id_of_a_call_is_free_when_the_call_has_ended(alice, bob):
    alice.request([REGISTER, 1, {}, "com.x"])
    for _ in range(2):
        bob.send([CALL, 7, {}, "com.x"])
        alice.send([YIELD, alice.receive()[1], {}])
        assert bob.receive() == [RESULT, 7, {}]


def test_invocation_ids_count_from_one_for_each_callee(alice, bob, join):
    alice.request([REGISTER, 1, {}, "com.a"])
    bob.request([REGISTER, 1, {}, "com.b"])
    caller = join()
    for number, procedure in enumerate(["com.a", "com.b", "com.a", "com.b", "com.a"], 1):
        caller.send([CALL, number, {}, procedure])
    assert [each[1] for each in alice.receive_all()] == [1, 2, 3]
    assert [each[1] for each in bob.receive_all()] == [1, 2]


def test_publications_have_different_ids(alice):
    ids = {alice.request([PUBLISH, number, {"acknowledge": True}, "com.x"])[2] for number in range(1, 6)}
    assert len(ids) == 5


def test_subscription_ids_name_topic_and_match(alice, bob):
    first = alice.request([SUBSCRIBE, 1, {}, "com.x"])[2]
    assert bob.request([SUBSCRIBE, 9, {"match": "exact"}, "com.x"])[2] == first
    others = {
        alice.request([SUBSCRIBE, 2, {"match": "prefix"}, "com.x"])[2],
        alice.request([SUBSCRIBE, 3, {"match": "wildcard"}, "com.x"])[2],
        alice.request([SUBSCRIBE, 4, {}, "com.y"])[2],
        alice.request([REGISTER, 5, {}, "com.x"])[2],
    }
    assert len(others | {first}) == 5
    assert all(1 <= each <= LARGEST for each in others)
