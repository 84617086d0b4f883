"""Advanced Profile, "Registration Revocation"."""

import pytest

from .codes import CALL, ERROR, EVENT, NO_SUCH_PROCEDURE, REGISTER, REGISTERED, RESULT, SUBSCRIBE, UNREGISTERED, YIELD
from .roles import joined

PROCEDURE = "com.example.procedure"
UNREGISTERED_REASON = "wamp.error.unregistered"
FEATURE = ["registration_revocation"]


def revoked(registration, reason=UNREGISTERED_REASON):
    return [UNREGISTERED, 0, {"registration": registration, "reason": reason}]


@pytest.mark.parametrize("match", ["exact", "prefix", "wildcard"])
def test_forced_registration_takes_over(node, serializer, match):
    old, new = joined(node, serializer, callee=FEATURE), joined(node, serializer)
    registration = old.request([REGISTER, 1, {"match": match}, PROCEDURE])[2]
    answer = new.request([REGISTER, 1, {"match": match, "force_reregister": True}, PROCEDURE])
    assert answer[:2] == [REGISTERED, 1]
    assert old.receive_all() == [revoked(registration)]
    old.send([CALL, 1, {}, PROCEDURE])
    assert not old.inbox
    assert len(new.inbox) == 1


@pytest.mark.parametrize("invoke", ["single", "roundrobin", "last"])
def test_forced_registration_throws_out_all(node, serializer, invoke):
    announced = [True, False, True, False, True]
    callees = [joined(node, serializer, callee=FEATURE if each else []) for each in announced]
    for callee in callees:
        registration = callee.request([REGISTER, 1, {"invoke": "roundrobin"}, PROCEDURE])[2]
    new = joined(node, serializer)
    assert new.request([REGISTER, 1, {"invoke": invoke, "force_reregister": True}, PROCEDURE])[0] == REGISTERED
    assert [callee.receive_all() for callee in callees] == [
        [revoked(registration)] if each else [] for each in announced
    ]
    for request_id in range(1, 6):
        callees[0].send([CALL, request_id, {}, PROCEDURE])
    assert len(new.inbox) == 5
    assert not any(callee.inbox for callee in callees)
    assert [callee.node.router.sessions[callee.session_id].registrations for callee in callees] == [{}] * 5


def test_forced_registration_of_a_free_procedure_is_an_ordinary_one(alice):
    assert alice.request([REGISTER, 1, {"force_reregister": True}, PROCEDURE])[0] == REGISTERED
    assert not alice.inbox


def test_session_that_forces_its_own_registration_holds_it_still(node, serializer):
    peer = joined(node, serializer, callee=FEATURE)
    registration = peer.request([REGISTER, 1, {}, PROCEDURE])[2]
    peer.send([REGISTER, 2, {"force_reregister": True}, PROCEDURE])
    messages = peer.receive_all()
    assert messages == [revoked(registration), [REGISTERED, 2, messages[-1][2]]]
    peer.send([CALL, 3, {}, PROCEDURE])
    assert len(peer.inbox) == 1


def test_other_patterns_stay(node, serializer):
    old, new = joined(node, serializer, callee=FEATURE), joined(node, serializer)
    old.request([REGISTER, 1, {"match": "prefix"}, PROCEDURE])
    new.request([REGISTER, 1, {"force_reregister": True}, PROCEDURE])
    assert not old.inbox


def test_open_call_of_a_revoked_callee_goes_on(node, serializer):
    old, new, caller = (joined(node, serializer, callee=FEATURE) for _ in range(3))
    old.request([REGISTER, 1, {}, PROCEDURE])
    caller.send([CALL, 1, {}, PROCEDURE])
    invocation = old.receive()
    new.request([REGISTER, 1, {"force_reregister": True}, PROCEDURE])
    old.receive()
    old.send([YIELD, invocation[1], {}, ["still"]])
    assert caller.receive() == [RESULT, 1, {}, ["still"]]


def test_refused_forced_registration_removes_no_callee(node, serializer):
    old, new = joined(node, serializer, callee=FEATURE), joined(node, serializer)
    old.request([REGISTER, 1, {}, PROCEDURE])
    assert new.request([REGISTER, 1, {"force_reregister": True}, "wamp.session.count"])[0] == ERROR
    assert new.request([REGISTER, 2, {"force_reregister": False}, PROCEDURE])[4] == (
        "wamp.error.procedure_already_exists"
    )
    assert not old.inbox


def test_forced_registration_publishes_meta_events_in_order(node, serializer, placement):
    callees = [joined(node, serializer, callee=FEATURE) for _ in range(2)]
    new, listener = joined(node, serializer), joined(node, serializer)
    for callee in callees:
        callee.request([REGISTER, 1, {"invoke": "first"}, PROCEDURE])
    topics = {}
    for number, name in enumerate(["on_create", "on_register", "on_unregister", "on_delete"], 1):
        topics[listener.request([SUBSCRIBE, number, {}, f"wamp.registration.{name}"])[2]] = name
    new.request([REGISTER, 1, {"force_reregister": True}, PROCEDURE])
    events = [(event[0], topics[event[1]], event[4][0]) for event in listener.receive_all()]
    expected = [
        (EVENT, "on_unregister", callees[0].session_id),
        (EVENT, "on_unregister", callees[1].session_id),
        (EVENT, "on_delete", callees[1].session_id),
        (EVENT, "on_create", new.session_id),
        (EVENT, "on_register", new.session_id),
    ]
    if placement > 1:  # The nodes of the callees publish the events, and neither these nor the callees have an order.
        ids = [callee.session_id for callee in callees]
        events = [(*event[:2], ids[1] if event[1] == "on_delete" else event[2]) for event in events]
        events.sort(key=expected.index)
    assert events == expected


@pytest.mark.parametrize(
    ("args", "reason"), [([], UNREGISTERED_REASON), (["com.example.moving"], "com.example.moving")]
)
@pytest.mark.parametrize("features", [FEATURE, []])
def test_removed_callee_is_notified_if_it_announced_revocation(node, serializer, features, args, reason):
    callee, admin = joined(node, serializer, callee=features), joined(node, serializer)
    registration = callee.request([REGISTER, 1, {}, PROCEDURE])[2]
    call = [CALL, 1, {}, "wamp.registration.remove_callee", [registration, callee.session_id, *args]]
    assert admin.request(call) == [RESULT, 1, {}, [None]]
    assert callee.receive_all() == ([revoked(registration, reason)] if features else [])
    assert admin.request([CALL, 2, {}, PROCEDURE])[4] == NO_SUCH_PROCEDURE
    assert admin.request([REGISTER, 3, {}, PROCEDURE])[0] == REGISTERED
