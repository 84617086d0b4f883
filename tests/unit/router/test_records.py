import pytest

from wamp_transport.router.options import ServiceOptions
from wamp_transport.router.records import Callee, CallPeer, CallRecord, Peer, Registration, Session, Subscription
from wamp_transport.wamp.messages import Call, CallOptions, ClientRole, RegisterOptions


def test_new_session_is_closed_and_holds_nothing():
    session = Session(7, ServiceOptions("key"), "cbor")
    assert (session.id, session.payload_format, session.state, session.realm) == (7, "cbor", "closed", "")
    assert not any((session.subscriptions, session.registrations, session.calls, session.invocations))


def test_subscription_keeps_the_order_of_subscribing(new_session):
    first, second = new_session(), new_session()
    subscription = Subscription(5, "com.x", "exact", "")
    subscription.add(second, None)
    subscription.add(first, None)
    subscription.add(second, None)
    assert subscription.receivers == (second.id, first.id)


def test_receivers_are_made_once_until_the_next_change(new_session):
    session = new_session()
    subscription = Subscription(5, "com.x", "exact", "")
    subscription.add(session, "key")
    assert subscription.receivers is subscription.receivers
    assert subscription.node_keys == {session.id: "key"}
    subscription.remove(session)
    assert subscription.receivers == ()
    assert not subscription.node_keys
    subscription.remove(session)


def test_registration_and_call_name_their_sessions(new_session):
    caller, session = new_session(), new_session()
    registration = Registration(1, "com.x", "exact", "single", "")
    callee = registration.callees[session.id] = Callee(session, 1, RegisterOptions(disclose_caller=True))
    assert callee.disclose_caller
    record = CallRecord(caller, 2, Call(2, CallOptions(), "com.x"), registration, callee, 3)
    assert (record.caller, record.request_id, record.callee, record.invocation_id) == (caller, 2, callee, 3)


@pytest.mark.parametrize(
    ("roles", "has"),
    [
        ({}, False),
        ({"callee": None}, False),
        ({"callee": ClientRole()}, False),
        ({"callee": ClientRole({"call_canceling": False})}, False),
        ({"callee": ClientRole({"other": True})}, False),
        ({"caller": ClientRole({"call_canceling": True})}, False),
        ({"callee": ClientRole({"call_canceling": True})}, True),
        ({"callee": ClientRole({"call_cancelling": True})}, True),
    ],
)
def test_feature_is_there_if_announced_in_one_of_its_spellings(new_session, roles, has):
    session = new_session()
    session.roles = roles
    assert session.has("callee", "call_canceling", "call_cancelling") is has


def test_registration_has_an_active_callee_until_the_last_leaves(new_session):
    registration = Registration(1, "com.x", "exact", "first", "")
    assert not registration.has_active_callee
    sessions = [new_session(), new_session()]
    for number, session in enumerate(sessions):
        registration.callees[session.id] = Callee(session, number, RegisterOptions())
    sessions[0].state = "gone"
    assert registration.has_active_callee
    sessions[1].state = "closing"
    assert not registration.has_active_callee


def test_callee_accepts_calls_while_it_is_active_and_below_its_limit(new_session):
    session = new_session()
    callee, limited = Callee(session, 1, RegisterOptions()), Callee(session, 2, RegisterOptions(concurrency=2))
    callee.in_flight = limited.in_flight = 1
    assert callee.can_accept_call
    assert limited.can_accept_call
    callee.in_flight = limited.in_flight = 2
    assert callee.can_accept_call
    assert not limited.can_accept_call
    session.state = "closing"
    assert not callee.can_accept_call


def test_attributes_of_a_peer_are_those_of_the_protocol(new_remote_peer, new_session):
    """The peer of the tests has exactly the attributes of ``CallPeer``, and a session has them too."""
    named = {name for kind in (Peer, CallPeer) for name in kind.__annotations__}
    assert named == set(type(new_remote_peer()).__slots__)
    assert all(hasattr(new_session(), name) for name in named)


def test_subscription_with_a_peer_of_another_node(new_remote_peer):
    peer = new_remote_peer()
    subscription = Subscription(5, "com.x", "exact", "")
    subscription.add(peer, None)
    assert subscription.is_in_use
    peer.state = "gone"
    assert not subscription.is_in_use
    subscription.remove(peer)
    assert subscription.receivers == ()
