import pytest

from wamp_transport.router.decisions import Admit, Deny, Permit
from wamp_transport.router.effects import AwaitNextHello, Close, Send, SessionJoined, SessionLeft, StopSending, Withdraw
from wamp_transport.router.options import (
    AnonymousLogin,
    AuthorizerOptions,
    Limits,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.router.router import Router
from wamp_transport.testing.memory import take_effects
from wamp_transport.wamp.errors import PayloadError
from wamp_transport.wamp.messages import (
    Abort,
    Call,
    CallOptions,
    Error,
    Event,
    Goodbye,
    Hello,
    HelloDetails,
    ReasonDetails,
    Register,
    RegisterOptions,
    Result,
    ResultDetails,
    Subscribe,
    SubscribeOptions,
    Welcome,
)

OPEN = ServiceOptions("open", AnonymousLogin())
ROLES = {"anonymous": RoleOptions("anonymous", allow_by_default=True)}
REALMS = {"realm1": RealmOptions("realm1", ROLES), "realm2": RealmOptions("realm2", ROLES)}
HELLO = HelloDetails(roles={"caller": None})
SUBSCRIBE = Subscribe(1, SubscribeOptions(), "com.x")


@pytest.fixture
def router(environment):
    options = RouterOptions(realms=REALMS, agent="test", goodbye_timeout=5)
    return Router(options, environment)


@pytest.fixture
def opened(router):
    return router.open_session(OPEN, "json")


@pytest.fixture
def joined(router, opened):
    router.receive(opened, Hello("realm1", HELLO))
    take_effects(router)
    return opened


def messages(router):
    return [each.message for each in take_effects(router) if isinstance(each, Send)]


def test_session_ids_in_use_are_not_given_again(world):
    world.session_ids = iter([5, 5, 5, 6])
    router = Router(RouterOptions(), world.environment)
    assert [router.open_session(OPEN, "json") for _ in range(2)] == [5, 6]


def test_effects_are_taken_once_in_order(router, opened):
    router.receive(opened, Hello("realm1", HELLO))
    router.receive(opened, SUBSCRIBE)
    assert [type(each).__name__ for each in messages(router)] == ["Welcome", "Subscribed"]
    assert take_effects(router) == []


def test_hello_is_welcomed(router, opened):
    router.receive(opened, Hello("realm1", HELLO))
    (welcome,) = messages(router)
    assert isinstance(welcome, Welcome)
    assert welcome.session_id == opened
    assert (welcome.details.realm, welcome.details.agent) == ("realm1", "test")
    assert welcome.details.authid.startswith("anonymous-")
    assert opened in router.realms["realm1"].sessions


@pytest.mark.parametrize(
    ("service", "hello", "reason"),
    [
        (OPEN, Hello(None, HELLO), "no_such_realm"),
        (OPEN, Hello("nowhere", HELLO), "no_such_realm"),
        (ServiceOptions("shut"), Hello("realm1", HELLO), "no_matching_auth_method"),
        (OPEN, Hello("realm1", HelloDetails(roles={"caller": None}, authmethods=["x"])), "no_matching_auth_method"),
        (ServiceOptions("x", AnonymousLogin("x")), Hello("realm1", HELLO), "no_such_role"),
        (OPEN, Hello("realm1", HelloDetails()), "protocol_violation"),
        (OPEN, Hello("realm1", HelloDetails(roles={"dealer": None})), "protocol_violation"),
    ],
)
def test_hello_that_leads_to_no_session_is_aborted(router, service, hello, reason):
    session_id = router.open_session(service, "json")
    router.receive(session_id, hello)
    send, close = take_effects(router)
    assert send.message.reason == close.reason == f"wamp.error.{reason}"
    assert send.message.details.message == close.message
    assert not router.sessions


def test_message_out_of_place_is_a_violation(router, opened):
    router.receive(opened, SUBSCRIBE)
    send, close = take_effects(router)
    assert isinstance(send.message, Abort)
    assert close == Close(opened, "wamp.error.protocol_violation", send.message.details.message)


def test_every_method_ignores_sessions_that_are_gone(router, joined):
    router.close_session(joined)
    take_effects(router)
    router.close_session(joined)
    router.receive(joined, SUBSCRIBE)
    router.violate(joined, "x")
    router.on_undeliverable(joined, Result(1, ResultDetails()), PayloadError("x"))
    router.leave(joined, "x", "x")
    assert take_effects(router) == []


def test_lost_session_leaves_its_realm(router, joined):
    router.receive(joined, SUBSCRIBE)
    router.close_session(joined)
    assert not router.sessions
    assert not router.realms["realm1"].sessions
    assert router.has_cleanup
    router.run_cleanup(100)
    assert not router.realms["realm1"].broker.subscriptions
    assert not router.has_cleanup


def test_cleanup_steps_are_shared_among_realms(router):
    for realm in ("realm1", "realm2"):
        session_id = router.open_session(OPEN, "json")
        router.receive(session_id, Hello(realm, HELLO))
        router.receive(session_id, SUBSCRIBE)
        router.close_session(session_id)
    router.run_cleanup(1)
    assert router.has_cleanup
    router.run_cleanup(1)
    assert not any(realm.broker.subscriptions for realm in router.realms.values())


def test_session_has_the_transport_details(router):
    session_id = router.open_session(OPEN, "json", {"peer": "1.2.3.4"})
    assert router.sessions[session_id].transport == {"peer": "1.2.3.4"}


def test_joining_is_published_after_welcome(router, joined):
    router.receive(joined, Subscribe(1, SubscribeOptions(), "wamp.session.on_join"))
    take_effects(router)
    router.receive(router.open_session(OPEN, "json"), Hello("realm2", HELLO))
    assert [type(each) for each in messages(router)] == [Welcome]
    router.receive(router.open_session(OPEN, "json"), Hello("realm1", HELLO))
    assert [type(each) for each in messages(router)] == [Welcome, Event]


@pytest.mark.parametrize("realms", [frozenset({"realm2"}), frozenset()])
def test_realm_that_a_service_does_not_reach_is_not_there(router, realms):
    session_id = router.open_session(ServiceOptions("x", AnonymousLogin(), realms), "json")
    router.receive(session_id, Hello("realm1", HELLO))
    assert messages(router)[0].reason == "wamp.error.no_such_realm"


def test_realm_that_a_service_reaches_is_joined(router):
    session_id = router.open_session(ServiceOptions("x", AnonymousLogin(), frozenset({"realm1"})), "json")
    router.receive(session_id, Hello("realm1", HELLO))
    assert isinstance(messages(router)[0], Welcome)


def test_full_realm_takes_no_more_sessions(router):
    router.configure(RouterOptions(realms={"realm1": RealmOptions("realm1", ROLES, limits=Limits(sessions=1))}))
    for _ in range(2):
        router.receive(router.open_session(OPEN, "json"), Hello("realm1", HELLO))
    welcome, abort = messages(router)
    assert isinstance(welcome, Welcome)
    assert abort.reason == "wamp.error.quota_exceeded"


def test_goodbye_is_answered_and_the_transport_awaits_the_next_hello(router, joined):
    session = router.sessions[joined]
    router.receive(joined, Goodbye(ReasonDetails(), "wamp.close.normal"))
    send, release, left = take_effects(router)
    assert send.message == Goodbye(ReasonDetails(), "wamp.close.goodbye_and_out")
    assert release == AwaitNextHello(joined, "wamp.close.normal")
    assert left == SessionLeft(session, "wamp.close.normal")
    assert not router.sessions
    assert not router.realms["realm1"].sessions


def test_abort_closes(router, joined):
    left = SessionLeft(router.sessions[joined], "com.reason")
    router.receive(joined, Abort(ReasonDetails(), "com.reason"))
    assert take_effects(router) == [Close(joined, "com.reason", "the client aborted"), left]


def test_joining_and_losing_the_transport_are_effects(router, opened):
    router.receive(opened, Hello("realm1", HELLO))
    session = router.sessions[opened]
    assert SessionJoined(session) in take_effects(router)
    router.close_session(opened)
    assert take_effects(router) == [SessionLeft(session, "wamp.close.transport_lost")]


def test_session_that_never_joined_does_not_leave(router, opened):
    router.close_session(opened)
    assert take_effects(router) == []


def test_undeliverable_message_reaches_its_realm(router, joined, opened):
    router.on_undeliverable(joined, Result(7, ResultDetails()), PayloadError("no words"))
    (error,) = messages(router)
    assert isinstance(error, Error)
    session_id = router.open_session(OPEN, "json")
    router.on_undeliverable(session_id, Result(7, ResultDetails()), PayloadError("no words"))
    assert take_effects(router) == []


class TestLeaving:
    def test_goodbye_is_sent_once_and_the_session_is_out(self, router, joined):
        router.leave(joined, "wamp.close.killed", "out")
        router.leave(joined, "wamp.close.killed", "out")
        assert messages(router) == [Goodbye(ReasonDetails(message="out"), "wamp.close.killed")]
        assert not router.realms["realm1"].sessions
        router.receive(joined, SUBSCRIBE)
        assert take_effects(router) == []

    def test_quiet_end_publishes_no_event(self, router, joined):
        victims = [router.open_session(OPEN, "json") for _ in range(2)]
        for victim in victims:
            router.receive(victim, Hello("realm1", HELLO))
        router.receive(joined, Subscribe(1, SubscribeOptions(), "wamp.session.on_leave"))
        take_effects(router)
        router.leave(victims[0], "wamp.close.killed", "out", is_quiet=True)
        assert [type(each) for each in messages(router)] == [Goodbye]
        router.leave(victims[1], "wamp.close.killed", "out")
        assert [type(each) for each in messages(router)] == [Goodbye, Event]

    def test_answer_closes(self, router, joined):
        router.leave(joined, "wamp.close.killed", "out")
        take_effects(router)
        router.receive(joined, Goodbye(ReasonDetails(), "wamp.close.goodbye_and_out"))
        (close,) = take_effects(router)
        assert (type(close), close.session_id) == (Close, joined)
        assert not router.sessions

    def test_no_answer_closes_in_time(self, router, joined, world):
        world.now = 100.0
        router.leave(joined, "wamp.close.killed", "out")
        take_effects(router)
        router.advance(104.9)
        assert take_effects(router) == []
        router.advance(105.0)
        (close,) = take_effects(router)
        assert (type(close), close.session_id) == (Close, joined)

    def test_before_hello_it_is_an_abort(self, router, opened):
        router.leave(opened, "wamp.close.system_shutdown", "down")
        send, close = take_effects(router)
        assert isinstance(send.message, Abort)
        assert close.reason == "wamp.close.system_shutdown"

    def test_all_leave(self, router, joined):
        router.open_session(OPEN, "json")
        router.leave_all("wamp.close.system_shutdown", "down")
        assert [type(each) for each in messages(router)] == [Goodbye, Abort]

    def test_session_that_was_ended_gets_no_more_messages_and_closes_with_the_reason(self, router, joined):
        router.leave(joined, "wamp.close.killed", "")
        send, mute, left = take_effects(router)
        assert send.message == Goodbye(ReasonDetails(), "wamp.close.killed")
        assert mute == StopSending(joined)
        assert left == SessionLeft(router.sessions[joined], "wamp.close.killed")
        router.receive(joined, Goodbye(ReasonDetails(), "wamp.close.goodbye_and_out"))
        assert take_effects(router) == [Close(joined, "wamp.close.killed", "")]


class TestTime:
    def test_no_hello_in_time_is_aborted(self, router, opened):
        assert router.next_deadline() == 10.0
        router.advance(9.9)
        assert take_effects(router) == []
        router.advance(10.0)
        send, close = take_effects(router)
        assert "10 seconds" in send.message.details.message
        assert close.reason == "wamp.error.protocol_violation"
        assert router.next_deadline() is None

    def test_joined_and_gone_sessions_are_left_alone(self, router, joined):
        gone = router.open_session(OPEN, "json")
        router.close_session(gone)
        router.advance(60.0)
        assert take_effects(router) == []
        assert router.next_deadline() is None

    def test_call_without_an_answer_ends(self, router, joined):
        router.receive(joined, Register(1, RegisterOptions(), "com.x"))
        router.receive(joined, Call(2, CallOptions(timeout=1500), "com.x"))
        take_effects(router)
        assert router.next_deadline() == 1.5
        router.advance(1.5)
        assert [each.error for each in messages(router)] == ["wamp.error.timeout"]


class TestConfigure:
    def test_sessions_of_a_removed_realm_end(self, router, joined):
        router.configure(RouterOptions(realms={"realm2": REALMS["realm2"]}))
        assert [each.reason for each in messages(router)] == ["wamp.close.close_realm"]
        assert router.realms.keys() == {"realm2"}
        router.receive(joined, Goodbye(ReasonDetails(), "wamp.close.goodbye_and_out"))
        assert not router.sessions

    def test_closing_session_is_no_part_of_a_realm_of_the_same_name(self, router, joined):
        router.configure(RouterOptions())
        router.configure(RouterOptions(realms=REALMS))
        router.receive(joined, Goodbye(ReasonDetails(), "wamp.close.goodbye_and_out"))
        assert not router.realms["realm1"].sessions

    def test_realm_that_stays_the_same_is_left_alone(self, router, joined):
        realm = router.realms["realm1"]
        roles = dict(realm.roles)
        router.configure(RouterOptions(realms=REALMS))
        assert router.realms["realm1"] is realm
        assert realm.roles == roles
        assert take_effects(router) == []

    def test_sessions_of_a_removed_role_end(self, router, joined):
        kept = router.open_session(ServiceOptions("x", AnonymousLogin("other")), "json")
        both = {**ROLES, "other": RoleOptions("other")}
        router.configure(RouterOptions(realms={"realm1": RealmOptions("realm1", both)}))
        router.receive(kept, Hello("realm1", HELLO))
        take_effects(router)
        router.configure(RouterOptions(realms={"realm1": RealmOptions("realm1", {"other": both["other"]})}))
        (goodbye,) = messages(router)
        assert goodbye.reason == "wamp.error.no_such_role"
        assert router.sessions[kept].state == "established"

    def test_new_realm_opens(self, router):
        router.configure(RouterOptions(realms={**REALMS, "realm3": RealmOptions("realm3", ROLES)}))
        assert "realm3" in router.realms


@pytest.mark.parametrize(
    ("message", "types"),
    [
        (Goodbye(ReasonDetails(), "wamp.close.normal"), [Send, AwaitNextHello, Send, SessionLeft]),
        (Abort(ReasonDetails(), "com.reason"), [Close, Send, SessionLeft]),
        (Welcome(1, None), [Send, Close, Send, SessionLeft]),
    ],
)
def test_effects_of_leaving_come_after_the_end(router, joined, message, types):
    router.receive(joined, Subscribe(1, SubscribeOptions(), "wamp.session.on_leave"))
    take_effects(router)
    router.receive(joined, message)
    assert [type(each) for each in take_effects(router)] == types


def test_abort_is_the_last_message_of_a_session(router, joined):
    router.receive(joined, Register(1, RegisterOptions(), "com.x"))
    router.receive(joined, Call(2, CallOptions(), "com.x"))
    take_effects(router)
    router.violate(joined, "x")
    send, close, left = take_effects(router)
    assert isinstance(send.message, Abort)
    assert isinstance(close, Close)
    assert isinstance(left, SessionLeft)


def test_session_that_is_gone_is_not_aborted_again(router, joined):
    session = router.sessions[joined]
    router.close_session(joined)
    take_effects(router)
    router._abort(session, "com.reason", "again")
    assert take_effects(router) == []


# --- decisions from outside ------------------------------------------------------------------------------------------

TICKET = ServiceOptions("ticket", AnonymousLogin(), authmethods=frozenset({"ticket"}))
WITH_TICKET = HelloDetails(roles={"caller": None}, authmethods=["ticket"])


@pytest.fixture
def asking(environment):
    roles = {"anonymous": RoleOptions("anonymous", authorizer=AuthorizerOptions("com.a", timeout=3))}
    return Router(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}), environment)


def test_login_is_decided_by_ticket(asking):
    opened = asking.open_session(TICKET, "json")
    asking.receive(opened, Hello("realm1", WITH_TICKET))
    (asked,) = take_effects(asking)
    asking.decide(asked.ticket + 1, Deny())
    assert not take_effects(asking)
    asking.decide(asked.ticket, Admit("realm1", "alice", "anonymous", "ticket", "static"))
    asking.decide(asked.ticket, Deny())
    assert [type(each).__name__ for each in messages(asking)] == ["Welcome"]


@pytest.mark.parametrize("way", ["leave", "close"])
def test_end_withdraws_the_question(asking, way):
    opened = asking.open_session(TICKET, "json")
    asking.receive(opened, Hello("realm1", WITH_TICKET))
    (asked,) = take_effects(asking)
    if way == "leave":
        asking.leave(opened, "com.reason", "")
    else:
        asking.close_session(opened)
    assert Withdraw(asked.ticket) in take_effects(asking)
    assert asking.next_deadline() is None


@pytest.mark.parametrize("way", ["decided", "time", "rules"])
def test_message_waits_for_its_decision(asking, world, way):
    opened = asking.open_session(TICKET, "json")
    asking.receive(opened, Hello("realm1", HELLO))
    take_effects(asking)
    asking.receive(opened, SUBSCRIBE)
    (asked,) = take_effects(asking)
    assert asking.next_deadline() == 3.0
    if way == "decided":
        asking.decide(asked.ticket, Permit(True))
    elif way == "time":
        world.now = 3.0
        asking.advance(3.0)
    else:
        asking.configure(RouterOptions(realms=REALMS))
    (answer,) = messages(asking)
    assert type(answer).__name__ == ("Error" if way == "time" else "Subscribed")


def test_queued_goodbye_is_answered_in_order(asking):
    opened = asking.open_session(TICKET, "json")
    asking.receive(opened, Hello("realm1", HELLO))
    asking.receive(opened, SUBSCRIBE)
    asking.receive(opened, Goodbye(ReasonDetails(), "wamp.close.normal"))
    asked = take_effects(asking)[-1]
    asking.decide(asked.ticket, Permit(True))
    assert [type(each).__name__ for each in messages(asking)] == ["Subscribed", "Goodbye"]
    assert opened not in asking.sessions
