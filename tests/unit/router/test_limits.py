import pytest

from wamp_transport.router.limits import LIMIT_ERRORS, NO_LIMITS, SMALL_BYTES, UNLIMITED, SessionCounts, SessionLimits
from wamp_transport.router.options import Limits
from wamp_transport.wamp.errors import RequestRefused

REALM = ("realm 'a'", Limits(calls=3, depth=10, payload_size=50))
ROLE = ("role 'b'", Limits(calls=2, depth=20, uri_length=40))


def test_strictest_limit_applies_and_zero_is_no_limit():
    limits = SessionLimits(REALM, ROLE)
    assert (limits.calls, limits.depth, limits.uri_length, limits.payload_size) == (2, 10, 40, 50)
    assert limits.subscriptions == limits.registrations == UNLIMITED
    assert limits.unchecked_size == 10
    assert NO_LIMITS.unchecked_size == SMALL_BYTES
    assert NO_LIMITS.unchecked_calls > 10**12


@pytest.mark.parametrize(("name", "value", "whose"), [("calls", 2, "role 'b'"), ("depth", 10, "realm 'a'")])
def test_refusal_states_limit_owner_and_value(name, value, whose):
    refusal = SessionLimits(REALM, ROLE).refusal(name)
    assert refusal.uri == LIMIT_ERRORS[name][0]
    assert str(value) in str(refusal)
    assert str(refusal).endswith(f"the limit of {whose}")


def test_nesting_ends_where_the_serializer_does():
    assert str(NO_LIMITS.refusal("depth")) == "payload is nested deeper than the serializer can read"


def test_sessions_of_each_owner_are_counted():
    session_counts = SessionCounts()
    two, one = ("realm", Limits(sessions=2)), ("role", Limits(sessions=1))
    free = ("service", Limits())
    session_counts.check(two, one, free)
    session_counts.enter((two, one, free))
    session_counts.check(two, free)
    with pytest.raises(RequestRefused, match="no room for more than 1 sessions: the limit of role"):
        session_counts.check(two, one)
    session_counts.enter((two, free))
    with pytest.raises(RequestRefused, match="limit of realm"):
        session_counts.check(two, free)
    session_counts.leave((two, one, free))
    session_counts.check(two, one, free)
