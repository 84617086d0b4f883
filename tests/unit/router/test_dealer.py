import pytest

from wamp_transport.router import dealer as dealer_module
from wamp_transport.router.dealer import Dealer
from wamp_transport.router.effects import Send
from wamp_transport.wamp.errors import PayloadError, ProtocolViolation, RequestRefused
from wamp_transport.wamp.messages import (
    Call,
    CallOptions,
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
    Yield,
    YieldOptions,
)


@pytest.fixture
def dealer(roles, outbox):
    return Dealer("realm1", roles, outbox)


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


def call(dealer, session, procedure, **options):
    dealer.on_call(session, Call(7, CallOptions(**options), procedure))


def refused_with(dealer, session, procedure):
    with pytest.raises(RequestRefused) as caught:
        call(dealer, session, procedure)
    assert not session.calls
    return caught.value.uri


def error(uri, text):
    return Error(48, 7, ErrorDetails(), uri, [text])


def test_call_becomes_an_invocation(dealer, register, outbox, new_session):
    caller, callee = new_session(), new_session()
    registration = register(callee, "com.x")
    call(dealer, caller, "com.x")
    assert outbox == [Send((callee.id,), Invocation(1, registration, InvocationDetails()), "json")]
    assert caller.calls[7] is callee.invocations[1]


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
def test_caller_is_disclosed_by_wish_or_rule(
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
    dealer.on_yield(callee, Yield(1, YieldOptions(**options)))
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


def test_progress_is_a_violation_while_not_announced(dealer, called):
    with pytest.raises(ProtocolViolation, match="progress"):
        call(dealer, called[0], "com.x", progress=True)
    with pytest.raises(ProtocolViolation, match="progress"):
        dealer.on_yield(called[1], Yield(1, YieldOptions(progress=True)))


def test_yield_becomes_a_result(dealer, called, outbox):
    caller, callee = called
    dealer.on_yield(callee, Yield(1, YieldOptions()))
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
    dealer.on_yield(callee, Yield(1, YieldOptions()))
    outbox.clear()
    dealer.on_yield(callee, Yield(1, YieldOptions()))
    dealer.on_error(callee, Error(68, 1, ErrorDetails(), "com.error"))
    assert outbox == []


def test_answer_to_what_was_never_asked_is_a_violation(dealer, called):
    with pytest.raises(ProtocolViolation, match="YIELD"):
        dealer.on_yield(called[1], Yield(2, YieldOptions()))
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


def test_unregister_of_what_is_not_held_is_refused(dealer, register, new_session):
    registration = register(new_session(), "com.x")
    with pytest.raises(RequestRefused) as caught:
        dealer.on_unregister(new_session(), Unregister(9, registration))
    assert caught.value.uri == "wamp.error.no_such_registration"


def test_callee_that_leaves_fails_its_calls(dealer, called, outbox):
    caller, callee = called
    dealer.detach(callee)
    assert outbox == [Send((caller.id,), error("wamp.error.canceled", "the callee has left"), "python")]
    assert not caller.calls
    assert not dealer.registrations
    assert not callee.registrations


def test_caller_that_leaves_is_told_nothing(dealer, called, outbox):
    caller, callee = called
    dealer.detach(caller)
    assert outbox == []
    assert not callee.invocations


def test_session_that_calls_itself_and_leaves_is_told_nothing(dealer, register, outbox, new_session):
    session = new_session()
    register(session, "com.x")
    call(dealer, session, "com.x")
    outbox.clear()
    dealer.detach(session)
    assert outbox == []
    assert not session.calls
    assert not session.invocations


def test_invocation_that_cannot_be_said_fails_the_call(dealer, called, outbox):
    caller, callee = called
    invocation = Invocation(1, 5, InvocationDetails())
    dealer.undeliverable(callee, invocation, PayloadError("no words"))
    assert outbox == [Send((caller.id,), error("wamp.error.invalid_payload", "no words"), "python")]
    dealer.undeliverable(callee, invocation, PayloadError("no words"))
    assert len(outbox) == 1


@pytest.mark.parametrize("message", [Result(7, ResultDetails()), Error(48, 7, ErrorDetails(), "com.error")])
def test_answer_that_cannot_be_said_becomes_an_error(dealer, outbox, new_session, message):
    caller = new_session()
    dealer.undeliverable(caller, message, PayloadError("no words"))
    assert outbox == [Send((caller.id,), error("wamp.error.invalid_payload", "no words"), "python")]


def test_error_that_says_so_already_is_not_said_again(dealer, outbox, new_session):
    dealer.undeliverable(new_session(), error("wamp.error.invalid_payload", "x"), PayloadError("no words"))
    assert outbox == []


def test_ids_that_collide_are_salted(register, new_session, monkeypatch):
    monkeypatch.setattr(dealer_module, "stable_id", lambda realm, kind, match, uri, salt: 100 + salt)
    session = new_session()
    assert [register(session, procedure) for procedure in ("com.x", "com.y", "com.z")] == [100, 101, 102]
