"""Limits of realm, role and service: a request above a limit is answered with an error, and the session stays."""

from typing import Any

import pytest

from wamp_transport.router.options import (
    AnonymousLogin,
    Limits,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.testing.memory import MemoryNode, MemoryPeer
from wamp_transport.testing.wire_codecs import dump

from .codes import (
    ABORT,
    CALL,
    ERROR,
    EVENT,
    INTERRUPT,
    INVALID_PAYLOAD,
    INVALID_URI,
    INVOCATION,
    PUBLISH,
    PUBLISHED,
    REGISTER,
    REGISTERED,
    RESULT,
    SUBSCRIBE,
    SUBSCRIBED,
    YIELD,
)
from .roles import CANCELING, joined

PROCEDURE, TOPIC = "com.example.procedure", "com.example.topic"
QUOTA_EXCEEDED = "wamp.error.quota_exceeded"
SIZE_EXCEEDED = "wamp.error.payload_size_exceeded"
NOTHING = Limits()
HEADS: dict[str, list[Any]] = {"call": [CALL, 1, {}, PROCEDURE], "publish": [PUBLISH, 1, {"acknowledge": True}, TOPIC]}


def options(realm: Limits = NOTHING, role: Limits = NOTHING, **others: Limits) -> RouterOptions:
    roles = {"anonymous": RoleOptions("anonymous", allow_by_default=True, limits=role)}
    roles |= {name: RoleOptions(name, allow_by_default=True, limits=limits) for name, limits in others.items()}
    return RouterOptions(realms={"realm1": RealmOptions("realm1", roles, limits=realm)})


def service(limits: Limits = NOTHING, key: str = "ws", role: str = "anonymous") -> ServiceOptions:
    return ServiceOptions(key, AnonymousLogin(role), limits=limits)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def deep_bytes(serializer: str, head: list[Any], depth: int) -> bytes:
    """A message with args of this depth, as text."""
    if serializer == "json":
        return dump("json", head)[:-1] + b"," + b"[" * depth + b"]" * depth + b"]"
    data = dump(serializer, head)
    one = {"msgpack": b"\x91", "cbor": b"\x81"}[serializer]
    return bytes((data[0] + 1,)) + data[1:] + one * (depth - 1) + bytes((one[0] - 1,))


@pytest.fixture
def strict(serializer: str) -> MemoryNode:
    """A router whose realm has low limits."""
    return MemoryNode(options(Limits(uri_length=30, depth=5, payload_size=200)))


@pytest.fixture
def caller(strict: MemoryNode, serializer: str) -> MemoryPeer:
    return joined(strict, serializer)


@pytest.fixture
def callee(strict: MemoryNode, serializer: str) -> MemoryPeer:
    peer = strict.join("realm1", serializer)
    peer.request([REGISTER, 1, {}, PROCEDURE])
    peer.request([SUBSCRIBE, 2, {}, TOPIC])
    return peer


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize(
    ("payload", "uri", "text"),
    [
        ([nested(6)], INVALID_PAYLOAD, "payload with more than 5 lists and dictionaries inside each other"),
        ([[], {"a": nested(5)}], INVALID_PAYLOAD, "payload with more than 5 lists and dictionaries inside each other"),
        ([["x" * 200]], SIZE_EXCEEDED, "payload of more than 200 bytes"),
        ([["x" * 100], {"a": "x" * 100}], SIZE_EXCEEDED, "payload of more than 200 bytes"),
    ],
)
def test_payload_beyond_a_limit_is_refused_and_the_session_lives_on(caller, callee, head, payload, uri, text):
    error = caller.request([*head, *payload])
    assert error == [ERROR, head[0], 1, {}, uri, [f"{text}: the limit of realm 'realm1'"]]
    assert not callee.inbox
    caller.send([*head, [nested(4)]])
    assert callee.receive()[0] in (INVOCATION, EVENT)


@pytest.mark.parametrize("payload", [[nested(6)], [["x" * 200]]])
def test_unacknowledged_event_beyond_a_limit_is_dropped(caller, callee, payload):
    caller.send([PUBLISH, 1, {}, TOPIC, *payload])
    assert not callee.inbox
    assert not caller.inbox


@pytest.mark.parametrize("depth", [7, 90, 2_000, 100_000])
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_any_depth_is_an_error_of_its_request(serializer, head, depth):
    # Without a limit of the size, because how deep the serializer can read depends on the version of Python.
    node = MemoryNode(options(Limits(depth=5)))
    caller, callee = joined(node, serializer), node.join("realm1", serializer)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    callee.request([SUBSCRIBE, 2, {}, TOPIC])
    caller.send_bytes(deep_bytes(serializer, head, depth))
    assert caller.receive()[:5] == [ERROR, head[0], 1, {}, INVALID_PAYLOAD]
    assert not callee.inbox
    assert caller.request([CALL, 2, {}, "wamp.session.count"])[0] == RESULT


def test_payload_that_no_serializer_can_read_is_an_error_without_any_limit(serializer):
    node = MemoryNode(options())
    peer = node.join("realm1", serializer)
    peer.send_bytes(deep_bytes(serializer, [CALL, 1, {}, PROCEDURE], 100_000))
    error = peer.receive()
    assert error[:5] == [ERROR, CALL, 1, {}, INVALID_PAYLOAD]
    assert error[5] == ["payload is nested deeper than the serializer can read"]


def test_depth_without_a_request_to_answer_aborts(caller, serializer):
    caller.send_bytes(deep_bytes(serializer, [CALL, 1], 100_000))
    abort = caller.receive()
    assert abort[0] == ABORT
    assert abort[1]["message"].startswith("malformed message")


@pytest.mark.parametrize("part", [[nested(6)], [["x" * 200]]])
@pytest.mark.parametrize("kind", ["yield", "error"])
def test_answer_beyond_a_limit_is_an_error_for_its_caller(caller, callee, part, kind):
    caller.send([CALL, 1, {}, PROCEDURE])
    invocation = callee.receive()[1]
    head = [YIELD, invocation, {}] if kind == "yield" else [ERROR, INVOCATION, invocation, {}, "com.x"]
    callee.send([*head, *part])
    error = caller.receive()
    assert error[:4] == [ERROR, CALL, 1, {}]
    assert error[4] in (INVALID_PAYLOAD, SIZE_EXCEEDED)
    assert error[5][0].startswith("the callee answered with payload")
    callee.send([YIELD, invocation, {}])
    assert not caller.inbox
    assert not callee.inbox


def test_progressive_result_beyond_a_limit_stops_its_callee(strict, serializer):
    features = ["progressive_call_results", *CANCELING]
    caller, callee = joined(strict, serializer, caller=features), joined(strict, serializer, callee=features)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send([CALL, 1, {"receive_progress": True}, PROCEDURE])
    callee.receive()
    callee.send([YIELD, 1, {"progress": True}, [nested(5)]])
    assert callee.receive()[:2] == [INTERRUPT, 1]
    assert caller.receive()[4] == INVALID_PAYLOAD


def test_part_of_a_call_beyond_a_limit_ends_the_call(strict, serializer):
    features = ["progressive_call_invocations", *CANCELING]
    caller, callee = joined(strict, serializer, caller=features), joined(strict, serializer, callee=features)
    callee.request([REGISTER, 1, {}, PROCEDURE])
    caller.send([CALL, 1, {"progress": True}, PROCEDURE])
    assert callee.receive()[0] == INVOCATION
    caller.send([CALL, 1, {"progress": True}, PROCEDURE, [nested(5)]])
    assert caller.receive()[:5] == [ERROR, CALL, 1, {}, INVALID_PAYLOAD]
    assert callee.receive()[:2] == [INTERRUPT, 1]
    caller.send([CALL, 1, {}, PROCEDURE])
    assert not caller.inbox
    assert not callee.inbox


@pytest.mark.parametrize(
    "message",
    [
        [CALL, 1, {}, "c" * 31],
        [PUBLISH, 1, {"acknowledge": True}, "c" * 31],
        [SUBSCRIBE, 1, {}, "c" * 31],
        [SUBSCRIBE, 1, {"match": "prefix"}, "c" * 31],
        [REGISTER, 1, {}, "c" * 31],
    ],
)
def test_uri_beyond_the_limit_is_invalid(caller, message):
    error = caller.request(message)
    assert error[:5] == [ERROR, message[0], 1, {}, INVALID_URI]
    assert error[5] == ["a URI of more than 30 characters: the limit of realm 'realm1'"]


def test_testament_keeps_the_limit_of_uris(caller):
    error = caller.request([CALL, 1, {}, "wamp.session.add_testament", ["c" * 31, [], {}]])
    assert error[4] == INVALID_URI


def test_strictest_limit_of_realm_role_and_service_counts(serializer):
    node = MemoryNode(options(Limits(subscriptions=3), Limits(subscriptions=2)))
    for given, count, owner in (
        (NOTHING, 2, "role 'anonymous' of realm 'realm1'"),
        (Limits(subscriptions=1), 1, "service 'ws'"),
    ):
        peer = node.join("realm1", serializer, service(given))
        for number in range(count):
            assert peer.request([SUBSCRIBE, number + 1, {}, f"{TOPIC}{number}"])[0] == SUBSCRIBED
        error = peer.request([SUBSCRIBE, 9, {}, TOPIC])
        assert error[4:] == [QUOTA_EXCEEDED, [f"more than {count} subscriptions: the limit of {owner}"]]


def test_repeated_registration_does_not_count_twice(serializer):
    node = MemoryNode(options(Limits(registrations=1)))
    peer = node.join("realm1", serializer)
    shared = {"invoke": "roundrobin"}
    assert peer.request([REGISTER, 1, shared, PROCEDURE])[0] == REGISTERED
    assert peer.request([REGISTER, 2, shared, PROCEDURE])[0] == REGISTERED
    assert peer.request([REGISTER, 3, {}, f"{PROCEDURE}2"])[4] == QUOTA_EXCEEDED


def refusal(node: MemoryNode, serializer: str, through: ServiceOptions) -> list[Any]:
    late = node.connect(serializer, through)
    answer = late.request([1, "realm1", {"roles": {"caller": {}}}])
    assert late.is_closed
    return [answer[0], answer[2], answer[1]["message"]]


def test_sessions_of_a_role_and_a_service_are_counted(serializer):
    node = MemoryNode(options(few=Limits(sessions=1)))
    one = node.join("realm1", serializer, service(role="few"))
    text = "no room for more than 1 sessions: the limit of role 'few' of realm 'realm1'"
    assert refusal(node, serializer, service(role="few", key="other")) == [ABORT, QUOTA_EXCEEDED, text]
    narrow = service(Limits(sessions=2))
    two = node.join("realm1", serializer, narrow)
    text = "no room for more than 2 sessions: the limit of service 'ws'"
    assert refusal(node, serializer, narrow) == [ABORT, QUOTA_EXCEEDED, text]
    one.lose()
    node.join("realm1", serializer, narrow)
    two.send([6, {}, "wamp.close.normal"])
    node.join("realm1", serializer, narrow)
    node.join("realm1", serializer, service(role="few", key="other"))


def test_changed_limits_reach_running_sessions(serializer):
    node = MemoryNode(options())
    peer = node.join("realm1", serializer, service())
    call = [CALL, 1, {}, "wamp.session.list", ["x" * 50]]
    assert peer.request(call)[4] != SIZE_EXCEEDED
    node.configure(options(role=Limits(payload_size=40)))
    assert peer.request(call)[4] == SIZE_EXCEEDED
    node.configure(options())
    assert peer.request(call)[4] != SIZE_EXCEEDED
    node.router.configure(options(), {"ws": service(Limits(payload_size=40)), "other": service(key="other")})
    assert peer.request(call)[4] == SIZE_EXCEEDED
    assert peer.request([PUBLISH, 2, {"acknowledge": True}, TOPIC])[0] == PUBLISHED


MANY = ".".join(["a", *63 * [""], "b"])
"""A pattern with one component too many."""


@pytest.mark.parametrize("match", ["prefix", "wildcard"])
@pytest.mark.parametrize("code", [SUBSCRIBE, REGISTER])
def test_pattern_with_too_many_components_is_refused(node, serializer, code, match):
    peer = node.join("realm1", serializer)
    pattern = MANY if match == "wildcard" else "a." * 64
    error = peer.request([code, 1, {"match": match}, pattern])
    assert error[:5] == [ERROR, code, 1, {}, INVALID_URI]
    assert error[5] == ["a pattern may have at most 64 components, not 65"]
    fitting = "a..b" if match == "wildcard" else "a." * 63
    assert peer.request([code, 2, {"match": match}, fitting])[1] == 2
    assert peer.request([code, 3, {}, "a." * 64 + "b"])[0] in (SUBSCRIBED, REGISTERED)


@pytest.mark.parametrize("kind", ["subscription", "registration"])
def test_meta_procedures_refuse_uris_with_too_many_components(node, serializer, kind):
    peer = node.join("realm1", serializer)
    for request_id, (name, args) in enumerate(
        [("lookup", [MANY, {"match": "wildcard"}]), ("match", ["a." * 64 + "b"]), ("match", ["a." * 1_000_000 + "b"])],
        1,
    ):
        error = peer.request([CALL, request_id, {}, f"wamp.{kind}.{name}", args])
        assert error[:5] == [ERROR, CALL, request_id, {}, INVALID_URI]


def test_bytes_of_calls_in_flight_are_limited(serializer):
    node = MemoryNode(options(Limits(calls_size=10_000)))
    callee, caller, other = (joined(node, serializer) for _ in range(3))
    assert callee.request([REGISTER, 1, {}, PROCEDURE])[0] == REGISTERED
    caller.send([CALL, 1, {}, PROCEDURE, ["x" * 6000]])
    first = callee.receive()
    error = caller.request([CALL, 2, {}, PROCEDURE, ["x" * 6000]])
    assert error[:5] == [ERROR, CALL, 2, {}, QUOTA_EXCEEDED]
    other.send([CALL, 1, {}, PROCEDURE, ["x" * 6000]])
    assert callee.receive()[0] == INVOCATION
    callee.send([YIELD, first[1], {}])
    assert caller.receive()[0] == RESULT
    caller.send([CALL, 3, {}, PROCEDURE, ["x" * 6000]])
    assert callee.receive()[0] == INVOCATION
    assert {
        session.calls_size > 6000 for router in node.routers for session in router.sessions.values() if session.calls
    } == {True}
    callee.lose()
    assert {session.calls_size for router in node.routers for session in router.sessions.values()} == {0}


def test_rerouted_calls_in_flight_count(serializer):
    node = MemoryNode(options(Limits(calls_size=10_000)))
    first, second, caller = (joined(node, serializer, callee=["call_reroute"]) for _ in range(3))
    for callee in (first, second):
        assert callee.request([REGISTER, 1, {"invoke": "first"}, PROCEDURE])[0] == REGISTERED
    caller.send([CALL, 1, {}, PROCEDURE, ["x" * 6000]])
    first.send([ERROR, INVOCATION, first.receive()[1], {}, "wamp.error.unavailable"])
    assert second.receive()[0] == INVOCATION
    error = caller.request([CALL, 2, {}, PROCEDURE, ["x" * 6000]])
    assert error[:5] == [ERROR, CALL, 2, {}, QUOTA_EXCEEDED]
    second.lose()
    assert {session.calls_size for router in node.routers for session in router.sessions.values()} == {0}


def test_many_small_calls_in_flight_are_limited_as_well(serializer):
    node = MemoryNode(options(Limits(calls_size=10_000)))
    callee, caller = joined(node, serializer), joined(node, serializer)
    assert callee.request([REGISTER, 1, {}, PROCEDURE])[0] == REGISTERED
    for number in range(1, 100):
        caller.send([CALL, number, {}, PROCEDURE])
    assert 10 < len(callee.receive_all()) < 30
