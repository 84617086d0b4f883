from wamp_transport.router.options import ServiceOptions
from wamp_transport.router.records import CallRecord, Registration, Session, Subscription


def test_session_begins_with_nothing():
    session = Session(7, ServiceOptions("key"), "cbor")
    assert (session.id, session.payload_format, session.state, session.realm) == (7, "cbor", "closed", "")
    assert not any((session.subscriptions, session.registrations, session.calls, session.invocations))


def test_subscription_keeps_the_order_of_subscribing(new_session):
    first, second = new_session(), new_session()
    subscription = Subscription(5, "com.x", "exact")
    subscription.add(second)
    subscription.add(first)
    subscription.add(second)
    assert subscription.receivers == (second.id, first.id)


def test_receivers_are_made_once_until_the_next_change(new_session):
    session = new_session()
    subscription = Subscription(5, "com.x", "exact")
    subscription.add(session)
    assert subscription.receivers is subscription.receivers
    subscription.remove(session)
    assert subscription.receivers == ()
    subscription.remove(session)


def test_registration_and_call_name_their_sessions(new_session):
    caller, callee = new_session(), new_session()
    registration = Registration(1, "com.x", "exact", callee, disclose_caller=True)
    assert registration.callee is callee
    assert registration.disclose_caller
    call = CallRecord(caller, 2, callee, 3)
    assert (call.caller, call.request_id, call.callee, call.invocation_id) == (caller, 2, callee, 3)
