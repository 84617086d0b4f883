import pytest

from wamp_transport.router import pattern_registry
from wamp_transport.router.dealer import Dealer
from wamp_transport.router.effects import Send
from wamp_transport.router.limits import SessionLimits
from wamp_transport.router.options import Limits, RealmOptions
from wamp_transport.router.records import REQUEST_KEY, Callee
from wamp_transport.wamp.errors import PayloadError, ProtocolViolation, RequestRefused
from wamp_transport.wamp.messages import (
    Call,
    CallOptions,
    Cancel,
    CancelOptions,
    Error,
    ErrorDetails,
    Invocation,
    InvocationDetails,
    Register,
    Registered,
    RegisterOptions,
    Result,
    ResultDetails,
    Unregister,
    Unregistered,
    UnregisteredDetails,
    Yield,
    YieldOptions,
)


@pytest.fixture
def router_procedures():
    """The procedures of the router itself."""
    return {}


@pytest.fixture
def dealer(roles, outbox, environment, announce, router_procedures):
    return Dealer("realm1", roles, outbox, environment, announce, router_procedures)


@pytest.fixture
def register(dealer, outbox):
    def register(session, procedure, match=None, **options):
        dealer.on_register(session, Register(1, RegisterOptions(match=match, **options), procedure))
        sent = outbox.pop()
        assert isinstance(sent.message, Registered)
        return sent.message.registration_id

    return register


@pytest.fixture
def called(dealer, register, outbox, new_session):
    """A caller and a callee with one open call."""
    caller, callee = new_session(), new_session()
    register(callee, "com.x")
    dealer.on_call(caller, Call(7, CallOptions(), "com.x"))
    outbox.clear()
    return caller, callee


def call(dealer, session, procedure, request_id=7, **options):
    dealer.on_call(session, Call(request_id, CallOptions(**options), procedure))


def refused_with(dealer, session, procedure, **options):
    with pytest.raises(RequestRefused) as caught:
        call(dealer, session, procedure, **options)
    assert not session.calls
    return caught.value.uri


def error(uri, text):
    return Error(48, 7, ErrorDetails(), uri, [text])


def test_call_becomes_an_invocation(dealer, register, outbox, new_session):
    caller, callee = new_session(), new_session()
    registration = register(callee, "com.x")
    call(dealer, caller, "com.x")
    assert outbox == [Send((callee.id,), Invocation(1, registration, InvocationDetails()), "json")]
    assert caller.calls[7 ^ REQUEST_KEY] is callee.invocations[1]


@pytest.mark.parametrize(
    ("role", "procedure", "uri"),
    [
        ("none", "com.x", "wamp.error.not_authorized"),
        ("all", "com..x", "wamp.error.invalid_uri"),
        ("all", "com.x", "wamp.error.no_such_procedure"),
    ],
)
def test_call_that_cannot_be_made_is_refused(dealer, new_session, role, procedure, uri):
    session = new_session(role)
    assert [refused_with(dealer, session, procedure) for _ in range(2)] == [uri, uri]


def test_pattern_callee_learns_the_procedure(dealer, register, outbox, new_session):
    register(new_session(), "com.", "prefix")
    call(dealer, new_session(), "com.x")
    assert outbox[0].message.details == InvocationDetails(procedure="com.x")


@pytest.mark.parametrize(
    ("role", "procedure", "registered", "options", "disclosed"),
    [
        ("all", "com.x", {}, {}, False),
        ("all", "com.x", {}, {"disclose_me": True}, True),
        ("all", "com.x", {"disclose_caller": True}, {}, True),
        ("some", "com.known", {}, {}, True),
    ],
)
def test_caller_is_disclosed_by_its_option_or_by_its_role(
    dealer, register, outbox, new_session, role, procedure, registered, options, disclosed
):
    caller = new_session(role)
    register(new_session(), procedure, **registered)
    call(dealer, caller, procedure, **options)
    expected = InvocationDetails(caller=caller.id, caller_authid=caller.authid, caller_authrole=role)
    assert outbox[0].message.details == (expected if disclosed else InvocationDetails())


def test_encryption_is_passed_on(dealer, register, outbox, new_session):
    caller, callee = new_session(), new_session()
    register(callee, "com.x")
    options = {"enc_algo": "mqtt", "enc_key": "k", "enc_serializer": "json"}
    call(dealer, caller, "com.x", **options)
    assert outbox.pop().message.details == InvocationDetails(**options)
    dealer.calls.on_yield(callee, Yield(1, YieldOptions(**options)))
    assert outbox.pop().message.details == ResultDetails(**options)


def test_pattern_callee_that_may_not_serve_is_passed_over(dealer, register, outbox, new_session):
    limited, other = new_session("some"), new_session()
    register(limited, "com.sec", "prefix")
    assert refused_with(dealer, new_session(), "com.secret") == "wamp.error.no_such_procedure"
    register(other, "com.", "prefix")
    call(dealer, new_session(), "com.secret")
    assert outbox[-1].recipients == (other.id,)


def test_patterns_do_not_serve_reserved_procedures(dealer, register, new_session):
    register(new_session(), "", "prefix")
    assert refused_with(dealer, new_session(), "wamp.session.count") == "wamp.error.no_such_procedure"


def test_id_of_an_open_call_used_again_is_a_violation(dealer, called):
    with pytest.raises(ProtocolViolation, match="7"):
        call(dealer, called[0], "com.y")


def test_yield_becomes_a_result(dealer, called, outbox):
    caller, callee = called
    dealer.calls.on_yield(callee, Yield(1, YieldOptions()))
    assert outbox == [Send((caller.id,), Result(7, ResultDetails()), "json")]
    assert not caller.calls
    assert not callee.invocations


def test_error_of_the_callee_is_passed_on(dealer, called, outbox):
    caller, callee = called
    dealer.on_error(callee, Error(68, 1, ErrorDetails(), "com.error"))
    assert outbox == [Send((caller.id,), Error(48, 7, ErrorDetails(), "com.error"), "json")]
    assert not caller.calls


def test_error_with_an_invalid_uri_is_replaced(dealer, called, outbox):
    caller, callee = called
    dealer.on_error(callee, Error(68, 1, ErrorDetails(), "no uri"))
    assert outbox[0].message.error == "wamp.error.invalid_uri"
    assert not caller.calls


def test_late_answers_are_dropped(dealer, called, outbox):
    callee = called[1]
    dealer.calls.on_yield(callee, Yield(1, YieldOptions()))
    outbox.clear()
    dealer.calls.on_yield(callee, Yield(1, YieldOptions()))
    dealer.on_error(callee, Error(68, 1, ErrorDetails(), "com.error"))
    assert outbox == []


def test_answer_to_an_invocation_that_was_never_sent_is_a_violation(dealer, called):
    with pytest.raises(ProtocolViolation, match="YIELD"):
        dealer.calls.on_yield(called[1], Yield(2, YieldOptions()))
    with pytest.raises(ProtocolViolation, match="ERROR"):
        dealer.on_error(called[1], Error(68, 2, ErrorDetails(), "com.error"))
    with pytest.raises(ProtocolViolation, match="request_type"):
        dealer.on_error(called[1], Error(48, 1, ErrorDetails(), "com.error"))


@pytest.mark.parametrize(
    ("role", "procedure", "uri"),
    [
        ("none", "com.x", "wamp.error.not_authorized"),
        ("all", "com..x", "wamp.error.invalid_uri"),
        ("all", "wamp.x", "wamp.error.invalid_uri"),
        ("all", "com.taken", "wamp.error.procedure_already_exists"),
    ],
)
def test_registration_that_is_not_allowed_is_refused(dealer, register, new_session, role, procedure, uri):
    register(new_session(), "com.taken")
    with pytest.raises(RequestRefused) as caught:
        dealer.on_register(new_session(role), Register(1, RegisterOptions(), procedure))
    assert caught.value.uri == uri
    assert len(dealer.registrations) == 1


def test_unregistered_procedure_is_gone(dealer, register, outbox, new_session):
    callee = new_session()
    registration = register(callee, "com.x")
    dealer.on_unregister(callee, Unregister(9, registration))
    assert outbox == [Send((callee.id,), Unregistered(9), "python")]
    assert not dealer.registrations
    assert refused_with(dealer, new_session(), "com.x") == "wamp.error.no_such_procedure"


def test_unregister_of_another_registration_is_refused(dealer, register, new_session):
    registration = register(new_session(), "com.x")
    with pytest.raises(RequestRefused) as caught:
        dealer.on_unregister(new_session(), Unregister(9, registration))
    assert caught.value.uri == "wamp.error.no_such_registration"


def test_invocation_that_cannot_be_encoded_fails_the_call(dealer, called, outbox):
    caller, callee = called
    invocation = Invocation(1, 5, InvocationDetails())
    dealer.on_undeliverable(callee, invocation, PayloadError("no words"))
    assert outbox == [Send((caller.id,), error("wamp.error.invalid_payload", "no words"), "python")]
    dealer.on_undeliverable(callee, invocation, PayloadError("no words"))
    assert len(outbox) == 1


def test_ids_that_collide_are_salted(register, new_session, monkeypatch):
    monkeypatch.setattr(pattern_registry, "stable_id", lambda realm, kind, match, uri, salt: 100 + salt)
    session = new_session()
    assert [register(session, procedure) for procedure in ("com.x", "com.y", "com.z")] == [100, 101, 102]


PROGRESSIVE = ["progressive_call_invocations", "progressive_call_results", "payload_passthru_mode"]
CANCELING = ["call_canceling"]


@pytest.fixture
def caller(new_session):
    """A caller with all features."""
    return new_session(caller=PROGRESSIVE)


@pytest.fixture
def callee(new_session):
    """A callee with all features."""
    return new_session(callee=[*PROGRESSIVE, *CANCELING, "call_timeout", "call_reroute"])


def recipients(outbox):
    return [recipient for each in outbox for recipient in each.recipients]


def test_cancel_reaches_the_call(dealer, called, outbox):
    caller, callee = called
    dealer.calls.on_cancel(caller, Cancel(7, CancelOptions()))
    assert outbox == [Send((caller.id,), error("wamp.error.canceled", "the call was canceled"), "python")]
    assert not callee.invocations


def test_procedure_of_the_router_is_answered_by_it(dealer, router_procedures, outbox, new_session, register):
    seen = []
    router_procedures["wamp.session.count"] = lambda session, message: seen.append((session, message))
    session = new_session()
    call(dealer, session, "wamp.session.count")
    assert seen == [(session, Call(7, CallOptions(), "wamp.session.count"))]
    assert refused_with(dealer, new_session("none"), "wamp.session.count") == "wamp.error.not_authorized"
    assert outbox == []


def test_pattern_callee_without_a_role_is_not_called(dealer, register, new_session, roles):
    register(new_session("some"), "com.", "prefix")
    del roles["some"]
    assert refused_with(dealer, new_session(), "com.x") == "wamp.error.no_such_procedure"


class TestDetails:
    def test_trustlevel_is_sent(self, dealer, register, outbox, new_session):
        caller = new_session()
        caller.trustlevel = 5
        register(new_session(), "com.x")
        call(dealer, caller, "com.x")
        call(dealer, caller, "com.x", 8, disclose_me=True)
        assert outbox[0].message.details == InvocationDetails(trustlevel=5)
        assert outbox[1].message.details.trustlevel == 5

    @pytest.mark.parametrize(
        ("features", "registered", "told"),
        [({}, {}, None), ({"callee": ["call_timeout"]}, {}, None), ({}, {"forward_timeout": True}, 500)],
    )
    def test_timeout_is_sent_to_callees_that_registered_for_it(
        self, dealer, register, outbox, new_session, environment, features, registered, told
    ):
        register(new_session(**features), "com.x", **registered)
        call(dealer, new_session(), "com.x", timeout=500)
        assert outbox[0].message.details == InvocationDetails(timeout=told)
        assert environment.deadlines.next() == 0.5

    def test_longest_time_holds_for_every_call(self, dealer, register, new_session, environment):
        dealer.configure(RealmOptions("realm1", max_call_timeout=3.0))
        register(new_session(), "com.x")
        call(dealer, new_session(), "com.x")
        assert environment.deadlines.next() == 3.0

    def test_disclosing_oneself_is_refused_where_not_allowed(self, dealer, register, new_session):
        dealer.configure(RealmOptions("realm1", allow_disclose_me=False))
        register(new_session(), "com.x")
        uri = refused_with(dealer, new_session(), "com.x", disclose_me=True)
        assert uri == "wamp.error.option_disallowed.disclose_me"

    def test_passthru_is_passed_on_between_peers_that_know_it(self, dealer, register, outbox, caller, callee):
        register(callee, "com.x")
        call(dealer, caller, "com.x", ppt_scheme="x_a")
        assert outbox[0].message.details == InvocationDetails(ppt_scheme="x_a")

    def test_passthru_to_a_callee_that_does_not_know_it_is_refused(self, dealer, register, caller, new_session):
        register(new_session(), "com.x")
        assert refused_with(dealer, caller, "com.x", ppt_scheme="x_a") == "wamp.error.feature_not_supported"

    def test_passthru_that_was_not_announced_is_a_violation(self, dealer, register, callee, new_session):
        register(callee, "com.x")
        with pytest.raises(ProtocolViolation, match="ppt_scheme"):
            call(dealer, new_session(), "com.x", ppt_scheme="x_a")

    def test_progressive_results_need_a_caller_that_asks(self, dealer, register, outbox, new_session):
        register(new_session(), "com.x")
        call(dealer, new_session(), "com.x", receive_progress=True)
        call(dealer, new_session(), "com.x", disclose_me=True)
        assert [each.message.details.receive_progress for each in outbox] == [True, None]

    def test_progressive_results_need_both_ends_if_strict(self, dealer, register, outbox, caller, callee, new_session):
        dealer.configure(RealmOptions("realm1", strict_progress=True))
        register(callee, "com.x")
        register(new_session(), "com.y")
        call(dealer, caller, "com.x", receive_progress=True)
        call(dealer, caller, "com.y", 8, receive_progress=True)
        call(dealer, new_session(), "com.x", receive_progress=True)
        assert [each.message.details.receive_progress for each in outbox] == [True, None, None]
        assert [caller.calls[each ^ REQUEST_KEY].wants_progress for each in (7, 8)] == [True, False]


class TestProgressiveCalls:
    @pytest.fixture
    def streaming(self, dealer, register, outbox, caller, callee):
        """The registration of a call whose first part was sent."""
        registration = register(callee, "com.x")
        call(dealer, caller, "com.x", progress=True)
        outbox.clear()
        return registration

    def test_parts_are_one_invocation(self, dealer, streaming, outbox, caller, callee):
        call(dealer, caller, "com.x", progress=True)
        call(dealer, caller, "com.x")
        assert [each.message for each in outbox] == [
            Invocation(1, streaming, InvocationDetails(progress=True)),
            Invocation(1, streaming, InvocationDetails()),
        ]
        assert not caller.calls[7 ^ REQUEST_KEY].is_streaming
        with pytest.raises(ProtocolViolation, match="7"):
            call(dealer, caller, "com.x")

    def test_parts_go_to_a_pattern_with_the_procedure(self, dealer, register, outbox, caller, callee):
        register(callee, "com.", "prefix")
        call(dealer, caller, "com.x", progress=True)
        call(dealer, caller, "com.x")
        first, second = (each.message.details for each in outbox)
        assert first == InvocationDetails(progress=True, procedure="com.x")
        assert second == InvocationDetails(procedure="com.x")

    def test_payload_of_each_part_is_encrypted_by_itself(self, dealer, register, outbox, caller, callee):
        register(callee, "com.x")
        call(dealer, caller, "com.x", progress=True, enc_key="1", transaction_hash="h")
        call(dealer, caller, "com.x", enc_key="2")
        assert outbox[1].message.details == InvocationDetails(enc_key="2", transaction_hash="h")

    def test_part_for_another_procedure_is_a_violation(self, dealer, streaming, caller):
        with pytest.raises(ProtocolViolation, match=r"com\.x"):
            call(dealer, caller, "com.y", progress=True)

    def test_parts_of_a_call_that_was_refused_are_dropped(self, dealer, outbox, caller):
        with pytest.raises(RequestRefused):
            call(dealer, caller, "com.x", progress=True)
        call(dealer, caller, "com.x", progress=True)
        call(dealer, caller, "com.x")
        assert outbox == []
        assert not caller.ended_streams

    def test_parts_after_the_end_are_dropped_up_to_the_last(self, dealer, streaming, outbox, caller, callee):
        dealer.calls.on_yield(callee, Yield(1, YieldOptions()))
        outbox.clear()
        call(dealer, caller, "com.x", progress=True)
        call(dealer, caller, "com.x")
        assert outbox == []
        call(dealer, caller, "com.x")
        assert isinstance(outbox[0].message, Invocation)

    def test_ended_stream_is_no_matter_of_other_calls(self, dealer, streaming, outbox, caller, callee):
        dealer.calls.on_yield(callee, Yield(1, YieldOptions()))
        outbox.clear()
        call(dealer, caller, "com.x", 8)
        assert isinstance(outbox[0].message, Invocation)

    def test_without_the_feature_it_is_a_violation_if_strict(self, dealer, register, callee, new_session):
        dealer.configure(RealmOptions("realm1", strict_progress=True))
        register(callee, "com.x")
        with pytest.raises(ProtocolViolation, match="progressive_call_invocations"):
            call(dealer, new_session(), "com.x", progress=True)

    @pytest.mark.parametrize("features", [[], PROGRESSIVE, [*PROGRESSIVE, *CANCELING]])
    def test_callee_that_may_be_able_is_asked(self, dealer, register, outbox, new_session, features):
        register(new_session(callee=features), "com.x")
        call(dealer, new_session(), "com.x", progress=True)
        assert outbox[0].message.details == InvocationDetails(progress=True)

    def test_callee_that_announces_canceling_alone_is_not_asked(self, dealer, register, caller, new_session):
        register(new_session(callee=CANCELING), "com.x")
        assert refused_with(dealer, caller, "com.x", progress=True) == "wamp.error.feature_not_supported"

    @pytest.mark.parametrize("features", [[], PROGRESSIVE, CANCELING])
    def test_callee_that_cannot_is_not_asked_if_strict(self, dealer, register, caller, new_session, features):
        dealer.configure(RealmOptions("realm1", strict_progress=True))
        register(new_session(callee=features), "com.x")
        assert refused_with(dealer, caller, "com.x", progress=True) == "wamp.error.feature_not_supported"


class TestShared:
    def test_callees_of_one_policy_take_turns(self, dealer, register, outbox, new_session):
        sessions = [new_session(), new_session()]
        ids = {register(session, "com.x", invoke="roundrobin") for session in sessions}
        assert len(ids) == 1
        caller = new_session()
        for request_id in (1, 2, 3):
            call(dealer, caller, "com.x", request_id)
        first, second = (session.id for session in sessions)
        assert recipients(outbox) == [first, second, first]

    def test_another_policy_is_refused(self, dealer, register, new_session):
        register(new_session(), "com.x", invoke="roundrobin")
        with pytest.raises(RequestRefused) as caught:
            register(new_session(), "com.x", invoke="random")
        assert caught.value.uri == "wamp.error.procedure_exists_with_different_invocation_policy"

    def test_registering_again_changes_nothing(self, dealer, register, new_session, announced):
        session = new_session()
        registration = register(session, "com.x", invoke="first")
        announced.clear()
        assert register(session, "com.x", invoke="first") == registration
        assert announced == []

    @pytest.mark.parametrize(
        ("first", "second", "uri"),
        [
            (None, None, "procedure_already_exists"),
            ("single", "single", "procedure_already_exists"),
            ("first", None, "procedure_exists_with_different_invocation_policy"),
        ],
    )
    def test_registering_again_keeps_to_the_policy(self, register, new_session, first, second, uri):
        session = new_session()
        register(session, "com.x", invoke=first)
        with pytest.raises(RequestRefused) as caught:
            register(session, "com.x", invoke=second)
        assert caught.value.uri == f"wamp.error.{uri}"

    def test_registration_is_removed_with_its_last_callee(self, dealer, register, new_session, announced):
        first, second = new_session(), new_session()
        for session in (first, second):
            registration_id = register(session, "com.x", invoke="first")
        registration = dealer.registrations[registration_id]
        announced.clear()
        for _ in range(2):
            dealer.remove_callee(first, registration)
        assert list(registration.callees) == [second.id]
        dealer.remove_callee(second, registration)
        assert not dealer.registrations
        assert [(event[0], event[2]) for event in announced] == [
            ("wamp.registration.on_unregister", first.id),
            ("wamp.registration.on_unregister", second.id),
            ("wamp.registration.on_delete", second.id),
        ]

    def test_busy_callees_are_passed_over_and_none_is_an_error(self, dealer, register, outbox, new_session):
        sessions = [new_session(), new_session()]
        for session in sessions:
            register(session, "com.x", invoke="first", concurrency=1)
        for _ in sessions:
            call(dealer, new_session(), "com.x")
        assert recipients(outbox) == [session.id for session in sessions]
        assert refused_with(dealer, new_session(), "com.x") == "wamp.error.no_available_callee"

    def test_only_callee_that_is_busy_is_no_callee(self, dealer, register, new_session):
        register(new_session(), "com.x", concurrency=1)
        call(dealer, new_session(), "com.x")
        assert refused_with(dealer, new_session(), "com.x") == "wamp.error.no_available_callee"

    def test_callee_of_a_pattern_that_may_not_serve_is_passed_over(self, dealer, register, outbox, new_session):
        limited, other = new_session("some"), new_session()
        for session in (limited, other):
            register(session, "com.", "prefix", invoke="first")
        call(dealer, new_session(), "com.secret")
        assert recipients(outbox) == [other.id]


class TestLeaving:
    """A callee that has left is skipped before its registrations are removed."""

    def test_its_registration_makes_room_for_another(self, dealer, register, outbox, new_session):
        gone, session = new_session(), new_session()
        register(gone, "com.x")
        gone.state = "gone"
        register(session, "com.x")
        call(dealer, new_session(), "com.x")
        assert recipients(outbox) == [session.id]
        assert not gone.registrations

    def test_its_registration_hides_no_pattern(self, dealer, register, outbox, new_session):
        gone, first, second = new_session(), new_session(), new_session()
        register(gone, "com.x")
        register(first, "com.", "prefix")
        register(second, "", "prefix")
        gone.state = "gone"
        call(dealer, new_session(), "com.x")
        first.state = "gone"
        call(dealer, new_session(), "com.x")
        assert recipients(outbox) == [first.id, second.id]

    def test_procedure_without_another_callee_is_not_there(self, dealer, register, new_session):
        gone = new_session()
        register(gone, "com.x")
        gone.state = "gone"
        assert refused_with(dealer, new_session(), "com.x") == "wamp.error.no_such_procedure"

    def test_leaving_callee_gets_no_revocation(self, dealer, register, outbox, new_session):
        gone = new_session(callee=["registration_revocation"])
        registration = dealer.registrations[register(gone, "com.x")]
        gone.state = "gone"
        dealer.revoke(gone, registration, "com.reason")
        assert outbox == []


class TestSharded:
    def test_key_chooses_the_callee(self, dealer, register, outbox, new_session):
        for key in ("a", "b"):
            register(new_session(), "com.x", invoke="roundrobin", nkey=key)
        caller = new_session()
        for request_id in (1, 2, 3):
            call(dealer, caller, "com.x", request_id, runmode="partition", rkey="key")
        assert len(set(recipients(outbox))) == 1

    def test_callees_without_a_key_have_no_shard(self, dealer, register, new_session):
        register(new_session(), "com.x")
        uri = refused_with(dealer, new_session(), "com.x", runmode="partition", rkey="key")
        assert uri == "wamp.error.no_available_callee"

    @pytest.mark.parametrize("options", [{"runmode": "all"}, {"runmode": "partition"}])
    def test_other_modes_are_refused(self, dealer, register, new_session, options):
        register(new_session(), "com.x")
        assert refused_with(dealer, new_session(), "com.x", **options) == "wamp.error.feature_not_supported"


class TestRerouting:
    UNAVAILABLE = Error(68, 1, ErrorDetails(), "wamp.error.unavailable")

    def test_next_callee_gets_the_call_once(self, dealer, register, outbox, new_session):
        sessions = [new_session(callee=["call_reroute"]) for _ in range(2)]
        for session in sessions:
            register(session, "com.x", invoke="roundrobin")
        caller = new_session()
        call(dealer, caller, "com.x")
        dealer.on_error(sessions[0], self.UNAVAILABLE)
        dealer.on_error(sessions[1], self.UNAVAILABLE)
        assert recipients(outbox) == [sessions[0].id, sessions[1].id, caller.id]
        assert outbox[-1].message.error == "wamp.error.no_available_callee"
        assert not caller.calls

    def test_progress_is_accepted_from_a_callee_that_did_not_announce_it(self, dealer, register, outbox, new_session):
        session, caller = new_session(), new_session()
        register(session, "com.x")
        call(dealer, caller, "com.x")
        dealer.on_error(session, self.UNAVAILABLE)
        assert outbox[-1].message.error == "wamp.error.unavailable"

    def test_time_goes_on_from_the_first_callee_to_the_next(self, dealer, register, new_session, world):
        sessions = [new_session(callee=["call_reroute"]) for _ in range(2)]
        for session in sessions:
            register(session, "com.x", invoke="roundrobin")
        call(dealer, new_session(), "com.x", timeout=3000)
        world.now = 2.0
        dealer.on_error(sessions[0], self.UNAVAILABLE)
        assert world.environment.deadlines.next() == 3.0

    def test_killed_call_is_not_rerouted(self, dealer, register, outbox, caller, callee, new_session):
        for session in (callee, new_session()):
            register(session, "com.x", invoke="first")
        call(dealer, caller, "com.x")
        dealer.calls.on_cancel(caller, Cancel(7, CancelOptions(mode="kill")))
        dealer.on_error(callee, self.UNAVAILABLE)
        assert outbox[-1].message.error == "wamp.error.unavailable"

    def test_progressive_call_is_not_rerouted(self, dealer, register, outbox, caller, callee):
        register(callee, "com.x")
        call(dealer, caller, "com.x", progress=True)
        dealer.on_error(callee, self.UNAVAILABLE)
        assert outbox[-1].message.error == "wamp.error.no_available_callee"


class TestLimits:
    def test_registrations_beyond_the_limit_are_refused(self, dealer, register, new_session):
        session = new_session()
        session.limits = SessionLimits(("realm1", Limits(registrations=1)))
        register(session, "com.x")
        with pytest.raises(RequestRefused) as caught:
            register(session, "com.y")
        assert caught.value.uri == "wamp.error.quota_exceeded"

    def test_calls_beyond_the_limit_are_refused(self, dealer, register, new_session):
        register(new_session(), "com.x")
        caller = new_session()
        caller.limits = SessionLimits(("realm1", Limits(calls=1)))
        call(dealer, caller, "com.x", 1)
        with pytest.raises(RequestRefused) as caught:
            call(dealer, caller, "com.x", 2)
        assert caught.value.uri == "wamp.error.quota_exceeded"


class TestRevoking:
    def test_callee_with_the_feature_is_notified(self, dealer, register, outbox, new_session):
        for features, told in (({}, False), ({"callee": ["registration_revocation"]}, True)):
            session = new_session(**features)
            registration = dealer.registrations[register(session, "com.x")]
            dealer.revoke(session, registration, "com.reason")
            details = UnregisteredDetails(registration=registration.id, reason="com.reason")
            assert outbox == ([Send((session.id,), Unregistered(0, details), "python")] if told else [])
        assert not dealer.registrations

    def test_forced_registration_takes_the_place_of_others(self, dealer, register, outbox, new_session, announced):
        old, new = new_session(), new_session()
        register(old, "com.x")
        announced.clear()
        register(new, "com.x", force_reregister=True)
        (registration,) = dealer.registrations.values()
        assert list(registration.callees) == [new.id]
        assert not old.registrations
        assert [event[0].rpartition("_")[2] for event in announced] == ["unregister", "delete", "create", "register"]


def test_registrations_are_found_by_procedure(dealer, register, new_session):
    exact, pattern = register(new_session(), "com.x"), register(new_session(), "com.", "prefix")
    assert dealer.lookup("prefix", "com.").id == pattern
    assert dealer.lookup("exact", "com.") is None
    assert dealer.best_registration("com.x").id == exact
    assert dealer.best_registration("com.y").id == pattern
    assert dealer.best_registration("org.y") is None


def test_new_registration_is_announced_before_its_callee(register, new_session, announced):
    session = new_session()
    registration = register(session, "com.x")
    details = {
        "id": registration,
        "created": "2026-01-01T00:00:00.000Z",
        "uri": "com.x",
        "match": "exact",
        "invoke": "single",
    }
    assert announced == [
        ("wamp.registration.on_create", "com.x", session.id, details),
        ("wamp.registration.on_register", "com.x", session.id, registration),
    ]


# --- peers of other nodes -----------------------------------------------------------------------------------------


@pytest.fixture
def remote_callee(dealer, register, new_session, new_remote_peer):
    """The only active callee of ``com.x``: a peer of another node."""
    local, peer = new_session(), new_remote_peer()
    registration = dealer.registrations[register(local, "com.x", invoke="roundrobin")]
    registration.callees[peer.id] = Callee(peer, 2, RegisterOptions(invoke="roundrobin"))
    dealer.remove_callee(local, registration)
    return peer


def test_call_is_sent_to_a_callee_of_another_node(dealer, outbox, remote_callee, new_session):
    caller = new_session()
    call(dealer, caller, "com.x", disclose_me=True)
    (sent,) = outbox
    assert (sent.recipients, sent.message.request_id) == ((remote_callee.id,), 1)
    assert sent.message.details.caller == caller.id
    assert remote_callee.invocations[1] is caller.calls[7 ^ REQUEST_KEY]


def test_callee_of_another_node_that_left_gets_no_calls(dealer, remote_callee, new_session):
    remote_callee.state = "gone"
    assert refused_with(dealer, new_session(), "com.x") == "wamp.error.no_such_procedure"


def test_caller_of_another_node_gets_the_result(dealer, outbox, register, new_session, new_remote_peer):
    callee, caller = new_session(), new_remote_peer()
    registration = dealer.registrations[register(callee, "com.x")]
    dealer.calls.open(caller, Call(7, CallOptions(), "com.x"), registration, registration.callees[callee.id])
    dealer.calls.on_yield(callee, Yield(1, YieldOptions()))
    assert outbox == [Send((caller.id,), Result(7, ResultDetails()), "json")]
    assert not caller.calls
