import pytest

from wamp_transport.wamp.messages import UnregisteredDetails


def test_registrations_are_listed_by_way_of_matching(ask, caller, register):
    assert ask("registration.list") == {"exact": [], "prefix": [], "wildcard": []}
    ids = {"exact": [register(caller, "com.x")], "prefix": [register(caller, "com.", "prefix")], "wildcard": []}
    assert ask("registration.list") == ids


def test_registration_is_looked_up_by_exact_pattern(ask, caller, register, refused):
    exact, prefix = register(caller, "com.x"), register(caller, "com.", "prefix")
    assert ask("registration.lookup", "com.x") == exact
    assert ask("registration.lookup", "com.", {"match": "prefix"}) == prefix
    assert ask("registration.lookup", "com.", {"match": "prefix", "invoke": "first", "other": 1}) == prefix
    assert ask("registration.lookup", "com.", {}) is None
    assert refused("registration.lookup", "com.", {"match": "any"}) == "invalid_argument"
    assert refused("registration.lookup") == "invalid_argument"


def test_registration_that_a_call_goes_to_is_matched(ask, caller, register):
    exact, prefix = register(caller, "com.x"), register(caller, "com.", "prefix")
    assert [ask("registration.match", uri) for uri in ("com.x", "com.y", "org.y")] == [exact, prefix, None]


def test_registration_is_described(ask, caller, register):
    registration = register(caller, "com.x", invoke="first")
    assert ask("registration.get", registration) == {
        "id": registration,
        "created": "2026-01-01T00:00:00.000Z",
        "uri": "com.x",
        "match": "exact",
        "invoke": "first",
    }


def test_callees_are_listed_in_the_order_of_registering(ask, join, register):
    sessions = [join(), join()]
    (registration,) = {register(session, "com.x", invoke="first") for session in sessions}
    assert ask("registration.list_callees", registration) == [session.id for session in sessions]
    assert ask("registration.count_callees", registration) == 2


@pytest.mark.parametrize("procedure", ["get", "list_callees", "count_callees", "remove_callee"])
def test_registration_that_is_not_there_is_an_error(refused, procedure):
    assert refused(f"registration.{procedure}", 99, 1) == "no_such_registration"
    assert refused(f"registration.{procedure}", "com.x") == "invalid_argument"


@pytest.mark.parametrize(
    ("args", "kwargs", "reason"),
    [
        ([], {}, "wamp.error.unregistered"),
        (["com.reason"], {}, "com.reason"),
        ([], {"reason": "com.reason"}, "com.reason"),
    ],
)
def test_removed_callee_gets_the_reason(ask, join, register, outbox, context, args, kwargs, reason):
    session = join(callee=["registration_revocation"])
    registration = register(session, "com.x")
    assert ask("registration.remove_callee", registration, session.id, *args, **kwargs) is None
    assert not context.dealer.registrations
    details = UnregisteredDetails(registration=registration, reason=reason)
    assert (outbox[0].recipients, outbox[0].message.details) == ((session.id,), details)


def test_session_that_is_no_callee_cannot_be_removed(refused, caller, join, register):
    registration = register(join(), "com.x")
    assert refused("registration.remove_callee", registration, caller.id) == "no_such_session"
    assert refused("registration.remove_callee", registration) == "invalid_argument"
