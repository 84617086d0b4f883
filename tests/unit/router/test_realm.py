import pytest

from wamp_transport.router.effects import Send, SilentRefusal
from wamp_transport.router.meta.sessions import session_details
from wamp_transport.router.options import AuthorizerOptions, RealmOptions, RoleOptions
from wamp_transport.router.pending import PendingMessages
from wamp_transport.router.permissions import ALLOWED
from wamp_transport.router.realm import Realm
from wamp_transport.router.suspension import MessageSuspended
from wamp_transport.wamp.errors import PayloadError, ProtocolViolation
from wamp_transport.wamp.features import router_roles
from wamp_transport.wamp.messages import (
    Call,
    CallOptions,
    Cancel,
    CancelOptions,
    ClientRole,
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
    Yield,
    YieldOptions,
)

ROLES = {"all": RoleOptions("all", allow_by_default=True), "none": RoleOptions("none")}


@pytest.fixture
def left():
    """The sessions that the realm ended."""
    return []


@pytest.fixture
def new_realm(outbox, environment, left):
    return lambda options: Realm(
        options, outbox, environment, lambda *arguments, **named: left.append((*arguments, *named.values()))
    )


@pytest.fixture
def realm(new_realm):
    return new_realm(RealmOptions("realm1", ROLES))


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


@pytest.mark.parametrize(("acknowledge", "kind"), [(None, SilentRefusal), (False, SilentRefusal), (True, Send)])
def test_refused_publication_is_answered_only_if_it_is_acknowledged(realm, session, outbox, acknowledge, kind):
    realm.receive(session, Publish(3, PublishOptions(acknowledge=acknowledge), "com..x"))
    (effect,) = outbox
    assert type(effect) is kind
    if kind is SilentRefusal:
        assert (effect.session_id, effect.error.request_type, effect.error.request_id) == (session.id, 16, 3)
        assert effect.error.error == "wamp.error.invalid_uri"


@pytest.mark.parametrize("message", [EventReceived(5), Cancel(5, CancelOptions())])
def test_messages_about_ended_calls_do_nothing(realm, session, outbox, message):
    realm.receive(session, message)
    assert outbox == []


class TestLeaving:
    def test_session_leaves_immediately_and_its_records_step_by_step(self, realm, session):
        for request_id, topic in enumerate(("com.x", "com.y"), 1):
            realm.receive(session, subscribe(request_id, topic))
        realm.receive(session, Register(3, RegisterOptions(), "com.x"))
        realm.detach(session)
        assert not realm.sessions
        assert realm.has_cleanup
        assert realm.run_cleanup(2) == 0
        assert not realm.dealer.registrations
        assert len(realm.broker.subscriptions) == 1
        assert realm.run_cleanup(10) == 9
        assert not realm.broker.subscriptions
        assert not realm.has_cleanup
        assert realm.run_cleanup(10) == 10

    def test_what_is_removed_in_the_meantime_takes_no_step(self, realm, session):
        for request_id, procedure in enumerate(("com.x", "com.y"), 1):
            realm.receive(session, Register(request_id, RegisterOptions(), procedure))
        realm.receive(session, subscribe(3))
        realm.detach(session)
        assert realm.run_cleanup(1) == 0
        (registration,) = realm.dealer.registrations.values()
        realm.dealer.remove_callee(session, registration)
        assert realm.run_cleanup(1) == 0
        assert not realm.broker.subscriptions
        assert realm.run_cleanup(10) == 10

    def test_session_leaves_once(self, realm, session, outbox):
        realm.detach(session)
        realm.run_cleanup(10)
        outbox.clear()
        realm.detach(session)
        assert outbox == []
        assert not realm.has_cleanup

    def test_calls_end_immediately(self, realm, session, new_session, outbox):
        callee = new_session()
        realm.join(callee)
        realm.receive(callee, Register(1, RegisterOptions(), "com.x"))
        realm.receive(session, Call(7, CallOptions(), "com.x"))
        realm.detach(callee)
        assert outbox[-1].message.error == "wamp.error.canceled"

    def test_testaments_are_published(self, realm, session, new_session, outbox):
        heir = new_session()
        realm.join(heir)
        realm.receive(heir, subscribe(1, "com.will"))
        realm.testaments.add(session, "destroyed", Publish(1, PublishOptions(), "com.will", ["bye"]))
        outbox.clear()
        realm.detach(session)
        (event,) = outbox
        assert (event.recipients, event.message.args, event.payload_format) == ((heir.id,), ["bye"], "python")
        assert session.payload_format == "json"

    def test_quiet_end_publishes_no_testament(self, realm, session, new_session, outbox):
        heir = new_session()
        realm.join(heir)
        for request_id, topic in enumerate(("com.will", "wamp.session.on_leave"), 1):
            realm.receive(heir, subscribe(request_id, topic))
        realm.testaments.add(session, "destroyed", Publish(1, PublishOptions(), "com.will"))
        outbox.clear()
        realm.detach(session, is_quiet=True)
        assert outbox == []
        assert not any(session.testaments.values())

    @pytest.mark.parametrize("options", [{}, {"ppt_scheme": "x_a"}], ids=["not authorized", "not announced"])
    def test_testament_that_may_not_be_published_is_dropped(self, realm, session, outbox, options):
        topic = "com.x" if options else "wamp.x"
        realm.testaments.add(session, "detached", Publish(1, PublishOptions(**options), topic))
        realm.detach(session)
        assert outbox == []
        assert session.payload_format == "json"


class TestMetaEvents:
    @pytest.fixture
    def listener(self, realm, new_session, outbox):
        listener = new_session()
        realm.join(listener)
        realm.receive(listener, Subscribe(1, SubscribeOptions(match="prefix"), "wamp."))
        outbox.clear()
        return listener

    @staticmethod
    def told(outbox):
        events = [(each.message.details.topic, each.message.args) for each in outbox if isinstance(each.message, Event)]
        outbox.clear()
        return events

    def test_joining_and_leaving_are_published(self, realm, listener, session, outbox):
        realm.announce_join(session)
        assert self.told(outbox) == [("wamp.session.on_join", [session_details(session)])]
        realm.detach(session)
        expected = ("wamp.session.on_leave", [session.id, session.authid, session.authrole])
        assert self.told(outbox) == [expected]

    def test_subscriptions_to_meta_topics_publish_no_event(self, realm, listener, session, outbox):
        realm.receive(session, subscribe(1, "wamp.session.on_join"))
        assert self.told(outbox) == []
        realm.receive(session, subscribe(2))
        topics = [topic for topic, _ in self.told(outbox)]
        assert topics == ["wamp.subscription.on_create", "wamp.subscription.on_subscribe"]

    def test_no_meta_events_without_the_meta_api(self, realm, listener, session, outbox):
        realm.configure(RealmOptions("realm1", ROLES, enable_meta_api=False))
        realm.announce_join(session)
        assert self.told(outbox) == []


class TestAnnounced:
    def test_all_features_are_announced(self, realm):
        assert realm.welcome_roles() == router_roles()

    def test_meta_api_features_are_not_announced_without_it(self, realm):
        realm.configure(RealmOptions("realm1", ROLES, enable_meta_api=False))
        announced, everything = realm.welcome_roles(), router_roles()
        for role, missing in (
            ("broker", {"session_meta_api", "subscription_meta_api", "event_history"}),
            ("dealer", {"session_meta_api", "registration_meta_api", "testament_meta_api"}),
        ):
            all_features, features = everything[role]["features"], announced[role]["features"]
            assert set(features) < set(all_features)
            assert missing & set(all_features)
            assert not missing & set(features)
            assert set(features.values()) == {True}


class TestMetaProcedures:
    def test_call_is_answered_by_the_router(self, realm, session, outbox):
        realm.receive(session, Call(3, CallOptions(), "wamp.session.count"))
        assert outbox == [Send((session.id,), Result(3, ResultDetails(), [1]), "python")]

    def test_kill_ends_the_session_through_the_context(self, realm, session, new_session, left):
        other = new_session()
        realm.join(other)
        realm.receive(session, Call(3, CallOptions(), "wamp.session.kill", b"[%d]" % other.id))
        assert left == [(other.id, "wamp.close.killed", "", session)]

    def test_switched_off_they_are_not_there(self, realm, session, outbox):
        realm.configure(RealmOptions("realm1", ROLES, enable_meta_api=False))
        realm.receive(session, Call(3, CallOptions(), "wamp.session.count"))
        assert outbox[0].message.error == "wamp.error.no_such_procedure"


def test_roles_follow_the_options(realm, session, outbox):
    realm.configure(RealmOptions("realm1", {"all": RoleOptions("all", trustlevel=2)}))
    assert realm.roles.keys() == {"all", "trusted"}
    assert session.trustlevel == 2
    realm.receive(session, subscribe(1))
    assert outbox[0].message.error == "wamp.error.not_authorized"


def test_undeliverable_answer_is_an_error_and_event_is_dropped(realm, session, outbox):
    realm.on_undeliverable(session, Event(1, 2, EventDetails()), PayloadError("no words"))
    assert outbox == []
    realm.on_undeliverable(session, Result(7, ResultDetails()), PayloadError("no words"))
    assert isinstance(outbox[0], Send)
    assert isinstance(outbox[0].message, Error)


class TestStrictRequestIds:
    STRICT = RealmOptions("realm1", ROLES, strict_request_ids=True)

    def test_sequence_from_one_is_kept(self, new_realm, new_session):
        realm, session = new_realm(self.STRICT), new_session()
        realm.join(session)
        for request_id in (1, 2, 3):
            realm.receive(session, subscribe(request_id))
        realm.receive(session, Cancel(1, CancelOptions()))
        with pytest.raises(ProtocolViolation, match=r"SUBSCRIBE\.request must be 4"):
            realm.receive(session, subscribe(5))

    def test_first_must_be_one(self, new_realm, new_session):
        realm, session = new_realm(self.STRICT), new_session()
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

    def test_order_is_not_checked_after_it_was_switched_off(self, realm, session):
        realm.configure(self.STRICT)
        realm.receive(session, subscribe(1))
        realm.configure(RealmOptions("realm1", ROLES))
        realm.receive(session, subscribe(77))
        realm.configure(self.STRICT)
        realm.receive(session, subscribe(5))

    def test_parts_of_one_call_repeat_its_id(self, new_realm, new_session):
        realm = new_realm(self.STRICT)
        feature = ["progressive_call_invocations", "call_canceling"]
        caller, callee = new_session(caller=feature), new_session(callee=feature)
        for each in (caller, callee):
            realm.join(each)
        realm.receive(callee, Register(1, RegisterOptions(), "com.x"))
        for _ in range(2):
            realm.receive(caller, Call(1, CallOptions(progress=True), "com.x"))
        realm.receive(callee, Yield(1, YieldOptions()))
        realm.receive(caller, Call(1, CallOptions(), "com.x"))
        realm.receive(caller, subscribe(2))


# --- changed rules ---------------------------------------------------------------------------------------------------

ASKED = {"all": RoleOptions("all", authorizer=AuthorizerOptions("com.a"))}


@pytest.fixture
def holder(realm, session, outbox):
    """A session with a subscription, a registration and a testament."""
    session.roles = {
        "subscriber": ClientRole({"subscription_revocation": True}),
        "callee": ClientRole({"registration_revocation": True}),
    }
    realm.receive(session, subscribe(1))
    realm.receive(session, Register(2, RegisterOptions(), "com.x"))
    realm.testaments.add(session, "destroyed", Publish(3, PublishOptions(), "com.x"))
    outbox.clear()
    return session


@pytest.mark.parametrize(
    ("roles", "revoked"),
    [
        (ROLES, []),
        ({"all": RoleOptions("all")}, ["Unregistered", "Unsubscribed"]),
        (ASKED, ["Unregistered", "Unsubscribed"]),
    ],
)
def test_review_revokes_one_record_in_each_step(realm, holder, outbox, roles, revoked):
    realm.configure(RealmOptions("realm1", roles))
    assert not outbox
    assert realm.has_cleanup
    assert realm.run_cleanup(1) == 0
    assert len(outbox) <= 1
    assert realm.run_cleanup(10) == 9
    assert [type(each.message).__name__ for each in outbox] == revoked
    assert not realm.has_cleanup
    assert bool(holder.testaments["destroyed"]) is (roles is not ASKED)


def test_review_skips_records_that_were_removed_meanwhile(realm, holder, outbox):
    realm.receive(holder, Subscribe(4, SubscribeOptions(), "com.y"))
    realm.configure(RealmOptions("realm1", {"all": RoleOptions("all")}))
    realm.run_cleanup(2)
    (left,) = holder.subscriptions.values()
    realm.broker.remove_subscriber(holder, left)
    outbox.clear()
    realm.run_cleanup(10)
    assert not outbox
    assert not realm.has_cleanup


def test_holder_that_leaves_is_not_reviewed(realm, holder, outbox):
    realm.configure(RealmOptions("realm1", {"all": RoleOptions("all")}))
    holder.state = "closing"
    realm.run_cleanup(10)
    assert not outbox


def test_authorizer_that_stays_is_trusted(new_realm, new_session, outbox):
    realm = new_realm(RealmOptions("realm1", ASKED))
    session = new_session()
    realm.join(session)
    session.pending = PendingMessages()
    question = ("subscribe", "com.x", "exact", b"{}", "")
    session.pending.answers[question] = ALLOWED
    realm.receive(session, subscribe(1))
    session.pending = None
    realm.configure(RealmOptions("realm1", ASKED, allow_disclose_me=False))
    realm.run_cleanup(10)
    assert session.subscriptions


def test_testament_needs_no_second_answer(new_realm, new_session, outbox):
    realm = new_realm(RealmOptions("realm1", {**ASKED, "open": RoleOptions("open", allow_by_default=True)}))
    session, other = new_session(), new_session("open")
    for each in (session, other):
        realm.join(each)
    realm.receive(other, subscribe(1))
    realm.testaments.add(session, "destroyed", Publish(3, PublishOptions(), "com.x"))
    outbox.clear()
    realm.detach(session)
    assert [type(each.message).__name__ for each in outbox] == ["Event"]
    assert session.pending is None


def test_suspended_message_is_counted_once(new_realm, new_session):
    realm = new_realm(RealmOptions("realm1", ASKED, strict_request_ids=True))
    session = new_session()
    realm.join(session)
    message = subscribe(1)
    with pytest.raises(MessageSuspended) as suspended:
        realm.receive(session, message)
    session.pending = PendingMessages()
    session.pending.message = message
    session.pending.answers[suspended.value.suspension.key] = ALLOWED
    realm.receive(session, message)
    assert session.subscriptions
    with pytest.raises(ProtocolViolation):
        realm.receive(session, subscribe(3))
