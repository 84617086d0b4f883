import pytest

from wamp_transport.router.effects import Send
from wamp_transport.router.options import RealmOptions, RoleOptions
from wamp_transport.router.realm import Realm
from wamp_transport.wamp.errors import PayloadError, ProtocolViolation
from wamp_transport.wamp.messages import (
    Call,
    CallOptions,
    Cancel,
    CancelOptions,
    Error,
    Event,
    EventDetails,
    EventReceived,
    Publish,
    PublishOptions,
    Register,
    RegisterOptions,
    Result,
    ResultDetails,
    Subscribe,
    SubscribeOptions,
)

ROLES = {"all": RoleOptions("all", allow_by_default=True), "none": RoleOptions("none")}


@pytest.fixture
def realm(outbox):
    return Realm(RealmOptions("realm1", ROLES), outbox, lambda: 1001)


@pytest.fixture
def session(realm, new_session):
    session = new_session()
    realm.join(session)
    return session


def subscribe(request_id, topic="com.x"):
    return Subscribe(request_id, SubscribeOptions(), topic)


def test_messages_reach_broker_and_dealer(realm, session, outbox):
    realm.receive(session, subscribe(1))
    realm.receive(session, Register(2, RegisterOptions(), "com.x"))
    realm.receive(session, Call(3, CallOptions(), "com.x"))
    assert [type(each.message).__name__ for each in outbox] == ["Subscribed", "Registered", "Invocation"]
    assert realm.broker.subscriptions
    assert realm.dealer.registrations


def test_refusal_becomes_an_error(realm, session, outbox):
    realm.receive(session, Call(3, CallOptions(), "com.x"))
    (effect,) = outbox
    assert effect.recipients == (session.id,)
    error = effect.message
    assert (error.request_type, error.request_id, error.error) == (48, 3, "wamp.error.no_such_procedure")
    assert len(error.args) == 1


@pytest.mark.parametrize(("acknowledge", "answers"), [(None, 0), (False, 0), (True, 1)])
def test_refused_publication_is_answered_only_if_it_is_acknowledged(realm, session, outbox, acknowledge, answers):
    realm.receive(session, Publish(3, PublishOptions(acknowledge=acknowledge), "com..x"))
    assert len(outbox) == answers


@pytest.mark.parametrize("message", [EventReceived(5), Cancel(5, CancelOptions())])
def test_messages_of_features_not_announced_do_nothing(realm, session, outbox, message):
    realm.receive(session, message)
    assert outbox == []


def test_detached_session_leaves_nothing(realm, session, outbox):
    realm.receive(session, subscribe(1))
    realm.receive(session, Register(2, RegisterOptions(), "com.x"))
    realm.detach(session)
    assert not any((realm.sessions, realm.broker.subscriptions, realm.dealer.registrations))
    outbox.clear()
    realm.detach(session)
    assert outbox == []


def test_roles_follow_the_options(realm, session, outbox):
    realm.configure(RealmOptions("realm1", {"all": RoleOptions("all")}))
    assert realm.roles.keys() == {"all"}
    realm.receive(session, subscribe(1))
    assert outbox[0].message.error == "wamp.error.not_authorized"


def test_undeliverable_answer_is_told_and_event_is_dropped(realm, session, outbox):
    realm.undeliverable(session, Event(1, 2, EventDetails()), PayloadError("no words"))
    assert outbox == []
    realm.undeliverable(session, Result(7, ResultDetails()), PayloadError("no words"))
    assert isinstance(outbox[0], Send)
    assert isinstance(outbox[0].message, Error)


class TestStrictRequestIds:
    STRICT = RealmOptions("realm1", ROLES, strict_request_ids=True)

    def test_sequence_from_one_is_kept(self, outbox, new_session):
        realm, session = Realm(self.STRICT, outbox, lambda: 1001), new_session()
        realm.join(session)
        for request_id in (1, 2, 3):
            realm.receive(session, subscribe(request_id))
        realm.receive(session, Cancel(1, CancelOptions()))
        with pytest.raises(ProtocolViolation, match=r"SUBSCRIBE\.request must be 4"):
            realm.receive(session, subscribe(5))

    def test_first_must_be_one(self, outbox, new_session):
        realm, session = Realm(self.STRICT, outbox, lambda: 1001), new_session()
        realm.join(session)
        with pytest.raises(ProtocolViolation, match="must be 1"):
            realm.receive(session, subscribe(2))

    def test_session_from_before_goes_on_from_where_it_is(self, realm, session):
        realm.receive(session, subscribe(500))
        realm.configure(self.STRICT)
        realm.receive(session, subscribe(700))
        realm.receive(session, subscribe(701))
        with pytest.raises(ProtocolViolation):
            realm.receive(session, subscribe(701))

    def test_detached_session_is_forgotten(self, realm, session):
        realm.configure(self.STRICT)
        realm.receive(session, subscribe(1))
        realm.detach(session)
        assert not realm._last_requests

    def test_order_counts_no_more_when_switched_off(self, realm, session):
        realm.configure(self.STRICT)
        realm.receive(session, subscribe(1))
        realm.configure(RealmOptions("realm1", ROLES))
        realm.receive(session, subscribe(77))
        realm.configure(self.STRICT)
        realm.receive(session, subscribe(5))
