"""Advanced Profile, "Pattern-based Registrations"."""

import pytest

from wamp_transport.router.options import (
    AnonymousLogin,
    Permission,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.testing.memory import MemoryNode

from .codes import (
    CALL,
    ERROR,
    INVALID_URI,
    INVOCATION,
    NO_SUCH_PROCEDURE,
    REGISTER,
    REGISTERED,
    RESULT,
    UNREGISTER,
    UNREGISTERED,
)


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


def test_patterns_have_at_most_64_components_and_uris_more(alice, bob):
    pattern = ".".join(["a", ""] * 32)
    error = bob.request([REGISTER, 1, {"match": "wildcard"}, pattern + "."])
    assert error[4] == INVALID_URI
    assert bob.request([REGISTER, 2, {"match": "wildcard"}, pattern])[0] == REGISTERED
    alice.send([CALL, 1, {}, ".".join("a" * 500)])
    assert alice.receive()[4] == NO_SUCH_PROCEDURE
    alice.send([CALL, 2, {}, ".".join("a" * 64)])
    assert bob.receive()[0] == INVOCATION


@pytest.mark.parametrize("leaving", ["com.example.procedure", "com.example", "com.example."])
@pytest.mark.parametrize("match", ["exact", "prefix"])
def test_callee_that_is_leaving_hides_no_other(alice, bob, join, node, match, leaving):
    alice.request([REGISTER, 1, {"match": match}, leaving])
    bob.request([REGISTER, 1, {"match": "wildcard"}, "com..procedure"])
    caller = join()
    node.runs_cleanup = False
    alice.lose()
    caller.send([CALL, 1, {}, "com.example.procedure"])
    assert bob.receive()[3] == {"procedure": "com.example.procedure"}
    bob.lose()
    assert caller.receive()[0] == ERROR
    assert caller.request([CALL, 2, {}, "com.example.procedure"])[4] == NO_SUCH_PROCEDURE


@pytest.fixture
def barred(serializer):
    """Joins as ``limited``, which may not register below ``com.secret.``, or as ``free``."""
    rules = (Permission("com.", "prefix", call=True, register=True), Permission("com.secret.", "prefix", call=True))
    roles = {"limited": RoleOptions("limited", rules), "free": RoleOptions("free", allow_by_default=True)}
    node = MemoryNode(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}))
    return lambda role: node.join("realm1", serializer, ServiceOptions(role, AnonymousLogin(role)))


def test_callee_that_is_barred_from_a_procedure_does_not_serve_it(barred):
    limited, caller = barred("limited"), barred("free")
    assert limited.request([REGISTER, 1, {"match": "prefix"}, "com."])[0] == REGISTERED
    assert caller.request([CALL, 1, {}, "com.secret.x"])[4] == NO_SUCH_PROCEDURE
    caller.send([CALL, 2, {}, "com.open.x"])
    assert [invocation[3]["procedure"] for invocation in limited.receive_all()] == ["com.open.x"]


def test_callee_that_is_barred_hides_no_other_pattern(barred):
    limited, free, caller = barred("limited"), barred("free"), barred("free")
    limited.request([REGISTER, 1, {"match": "prefix"}, "com."])
    free.request([REGISTER, 1, {"match": "wildcard"}, "com..x"])
    caller.send([CALL, 1, {}, "com.secret.x"])
    assert free.receive()[0] == INVOCATION
    caller.send([CALL, 2, {}, "com.open.x"])
    assert limited.receive()[0] == INVOCATION


@pytest.mark.parametrize("invoke", ["first", "last", "random", "roundrobin", "queue_least_loaded"])
def test_callee_that_is_barred_is_passed_over_in_its_own_pattern(barred, invoke):
    limited, free, caller = barred("limited"), barred("free"), barred("free")
    for callee in (limited, free):
        callee.request([REGISTER, 1, {"match": "prefix", "invoke": invoke}, "com."])
    for request_id in range(1, 4):
        caller.send([CALL, request_id, {}, "com.secret.x"])
    assert len(free.inbox) == 3
    assert not limited.inbox


@pytest.mark.parametrize(
    ("match", "pattern"), [("prefix", "wam"), ("prefix", "w"), ("wildcard", "..count"), ("wildcard", "..")]
)
def test_meta_procedures_are_not_served_by_patterns(alice, bob, match, pattern):
    assert bob.request([REGISTER, 1, {"match": match}, pattern])[0] == REGISTERED
    assert alice.request([CALL, 1, {}, "wamp.session.count"])[0] == RESULT
    assert alice.request([CALL, 2, {}, "wamp.session.nothing"])[4] == NO_SUCH_PROCEDURE
    assert not bob.inbox


def test_patterns_of_one_length_have_at_most_256_arrangements_of_wildcards(alice, bob):
    """Otherwise one client could make each call as slow as it likes."""
    for number in range(257):
        pattern = ".".join("" if number >> bit & 1 else "a" for bit in range(9))
        answer = bob.request([REGISTER, number + 1, {"match": "wildcard"}, pattern])
        assert answer[0] == (REGISTERED if number < 256 else ERROR)
    assert answer[4] == "wamp.error.quota_exceeded"
    assert alice.request([REGISTER, 1, {"match": "wildcard"}, ".".join("b" * 9)])[0] == REGISTERED
