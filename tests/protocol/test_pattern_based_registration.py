"""Advanced Profile, "Pattern-based Registrations"."""

import pytest

from .codes import CALL, INVOCATION, NO_SUCH_PROCEDURE, REGISTER, REGISTERED, UNREGISTER, UNREGISTERED


@pytest.fixture
def registered(join):
    """Callees by pattern: the patterns of the specification's example."""
    patterns = [
        ("exact", "a1.b2.c3.d4.e55"), ("prefix", "a1.b2.c3"), ("prefix", "a1.b2.c3.d4"),
        ("wildcard", "a1.b2..d4.e5"), ("wildcard", "a1.b2.c33..e5"), ("wildcard", "a1.b2..d4.e5..g7"),
        ("wildcard", "a1.b2..d4..f6.g7"),
    ]  # fmt: skip
    callees = {}
    for match, pattern in patterns:
        callee = join()
        assert callee.request([REGISTER, 1, {"match": match}, pattern])[0] == REGISTERED
        callees[match, pattern] = callee
    return callees


@pytest.mark.parametrize(
    ("procedure", "expected"),
    [
        ("a1.b2.c3.d4.e55", ("exact", "a1.b2.c3.d4.e55")),
        ("a1.b2.c3.d98.e74", ("prefix", "a1.b2.c3")),
        ("a1.b2.c3.d4.e325", ("prefix", "a1.b2.c3.d4")),
        ("a1.b2.c55.d4.e5", ("wildcard", "a1.b2..d4.e5")),
        # By the definition of prefix matching; the example in the text contradicts it.
        ("a1.b2.c33.d4.e5", ("prefix", "a1.b2.c3")),
        ("a1.b2.c88.d4.e5.f6.g7", ("wildcard", "a1.b2..d4.e5..g7")),
        ("a2.b2.c2.d2.e2", None),
    ],
)
def test_best_registration_is_called(registered, join, procedure, expected):
    caller = join()
    caller.send([CALL, 1, {}, procedure])
    called = [key for key, callee in registered.items() if callee.inbox]
    if expected is None:
        assert caller.receive()[4] == NO_SUCH_PROCEDURE
        assert not called
    else:
        assert called == [expected]
        details = registered[expected].receive()[3]
        assert details == ({} if expected[0] == "exact" else {"procedure": procedure})


def test_same_uri_may_be_registered_once_for_each_match(alice, bob):
    for request_id, match in enumerate(["exact", "prefix", "wildcard"], 1):
        assert alice.request([REGISTER, request_id, {"match": match}, "com.x"])[0] == REGISTERED
        assert bob.request([REGISTER, request_id, {"match": match}, "com.x"])[4] == (
            "wamp.error.procedure_already_exists"
        )


def test_pattern_that_is_unregistered_uncovers_the_next_best(alice, bob):
    longer = alice.request([REGISTER, 1, {"match": "prefix"}, "com.a"])[2]
    bob.request([REGISTER, 1, {"match": "prefix"}, "com."])
    assert alice.request([CALL, 2, {}, "com.abc"])[0] == INVOCATION
    assert alice.request([UNREGISTER, 3, longer])[0] == UNREGISTERED
    alice.send([CALL, 4, {}, "com.abc"])
    assert bob.receive()[0] == INVOCATION


def test_patterns_with_very_many_components_harm_nobody(alice, bob):
    bob.request([REGISTER, 1, {"match": "wildcard"}, ".".join(["a", ""] * 10_000)])
    alice.send([CALL, 1, {}, ".".join("a" * 20_000)])
    assert bob.receive()[0] == INVOCATION
