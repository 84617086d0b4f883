import pytest

from wamp_transport.router.session import HANDLER_NAMES, TRANSITIONS, move, unexpected_message
from wamp_transport.wamp.messages import (
    CODES,
    Abort,
    Call,
    CallOptions,
    Goodbye,
    Hello,
    HelloDetails,
    Publish,
    Result,
    Welcome,
)


@pytest.mark.parametrize(
    ("state", "step", "following"),
    [
        ("closed", "join", "established"), ("closed", "end", "gone"), ("established", "said_goodbye", "closed"),
        ("established", "leave", "closing"), ("established", "end", "gone"), ("closing", "end", "gone"),
        ("gone", "end", "gone"), ("closed", "authenticate", "authenticating"),
        ("authenticating", "challenge", "challenging"), ("challenging", "authenticate", "authenticating"),
        ("authenticating", "join", "established"), ("established", "suspend", "suspended"),
        ("suspended", "resume", "established"), ("suspended", "leave", "closing"), ("suspended", "end", "gone"),
    ],
)  # fmt: skip
def test_step_leads_to_the_next_state(new_session, state, step, following):
    session = new_session()
    session.state = state
    move(session, step)
    assert session.state == following


@pytest.mark.parametrize(("state", "step"), [("closed", "leave"), ("closing", "leave"), ("gone", "join")])
def test_step_that_is_not_in_the_table_is_a_bug(new_session, state, step):
    session = new_session()
    session.state = state
    with pytest.raises(KeyError):
        move(session, step)


def test_every_state_accepts_abort():
    assert HANDLER_NAMES.keys() == TRANSITIONS.keys()
    assert all(Abort in accepted for accepted in HANDLER_NAMES.values())


def test_only_hello_opens_a_session():
    assert [state for state, accepted in HANDLER_NAMES.items() if accepted.get(Hello) == "on_hello"] == ["closed"]
    assert HANDLER_NAMES["closed"].keys() == {Hello, Abort}


def test_messages_of_a_router_are_not_accepted_in_a_session():
    refused = CODES.keys() - HANDLER_NAMES["established"].keys()
    assert {Hello, Welcome, Result} <= refused
    assert not {Call, Publish, Goodbye} & refused


@pytest.mark.parametrize("state", ["closing", "gone"])
def test_late_messages_of_any_kind_are_taken(state):
    assert HANDLER_NAMES[state].keys() == CODES.keys()


def test_violation_states_message_and_state(new_session):
    session = new_session()
    assert "HELLO is not for a client" in str(unexpected_message(session, Hello("r", HelloDetails())))
    session.state = "authenticating"
    assert "while the router decides" in str(unexpected_message(session, Call(1, CallOptions(), "p")))
    session.state = "challenging"
    assert "instead of AUTHENTICATE" in str(unexpected_message(session, Call(1, CallOptions(), "p")))
    session.state = "closed"
    assert "CALL before a session" in str(unexpected_message(session, Call(1, CallOptions(), "p")))
