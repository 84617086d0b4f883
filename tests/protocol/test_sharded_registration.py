"""Advanced Profile, "Sharded Registration"."""

import pytest

from .codes import CALL, ERROR, PROTOCOL_VIOLATION, REGISTER, RESULT, YIELD

PROCEDURE = "com.example.procedure"
NOT_SUPPORTED = "wamp.error.feature_not_supported"
NO_AVAILABLE_CALLEE = "wamp.error.no_available_callee"
KEYS = [f"resource-{number}" for number in range(60)]
PLACES = {"a": [0, 1, 3, 6, 7, 8, 9], "b": [2], "c": [4, 5]}
"""Where the first ten keys belong: on every node, in every version."""


@pytest.fixture
def shards(join):
    """Callees by node key."""
    callees = {}
    for key in ("a", "b", "c"):
        callees[key] = join()
        callees[key].request([REGISTER, 1, {"invoke": "roundrobin", "nkey": key}, PROCEDURE])
    return callees


@pytest.fixture
def shard_of(join, shards):
    """Calls with a resource key; returns the node key of the callee that was asked."""
    caller = join()
    request_ids = iter(range(1, 10_000))

    def call(rkey):
        caller.send([CALL, next(request_ids), {"runmode": "partition", "rkey": rkey}, PROCEDURE, [rkey]])
        (asked,) = [node_key for node_key, callee in shards.items() if callee.inbox]
        invocation = shards[asked].receive()
        assert invocation[3:] == [{}, [rkey]]
        shards[asked].send([YIELD, invocation[1], {}, [asked]])
        assert caller.receive()[0] == RESULT
        return asked

    return call


def test_same_key_goes_to_the_same_shard(shards, shard_of):
    first = {key: shard_of(key) for key in KEYS}
    assert {key: shard_of(key) for key in reversed(KEYS)} == first
    assert set(first.values()) == set(shards)


def test_shard_that_leaves_moves_only_its_own_keys(shards, shard_of):
    before = {key: shard_of(key) for key in KEYS}
    shards["b"].lose()
    after = {key: shard_of(key) for key in KEYS}
    assert {key for key in KEYS if before[key] != after[key]} == {key for key in KEYS if before[key] == "b"}


def test_shard_that_returns_takes_its_keys_back(join, shards, shard_of):
    before = {key: shard_of(key) for key in KEYS}
    shards["b"].lose()
    shards["b"] = join()
    shards["b"].request([REGISTER, 1, {"invoke": "roundrobin", "nkey": "b"}, PROCEDURE])
    assert {key: shard_of(key) for key in KEYS} == before


@pytest.mark.parametrize("order", ["abc", "cba", "bca"])
def test_order_of_registering_does_not_matter(join, order):
    callees = {}
    for key in order:
        callees[key] = join()
        callees[key].request([REGISTER, 1, {"invoke": "first", "nkey": key}, PROCEDURE])
    caller = join()
    for request_id, key in enumerate(KEYS[:10], 1):
        caller.send([CALL, request_id, {"runmode": "partition", "rkey": key}, PROCEDURE, [key]])
    got = {node_key: [each[4][0] for each in callee.receive_all()] for node_key, callee in callees.items()}
    assert got == {node_key: [KEYS[number] for number in numbers] for node_key, numbers in PLACES.items()}


def test_partition_without_a_key_is_an_error(alice, shards):
    error = alice.request([CALL, 1, {"runmode": "partition"}, PROCEDURE])
    assert error[:5] == [ERROR, CALL, 1, {}, NOT_SUPPORTED]
    assert "rkey" in error[5][0]
    assert not any(callee.inbox for callee in shards.values())


@pytest.mark.parametrize("options", [{}, {"rkey": "resource-1"}])
def test_call_of_all_shards_is_not_supported(alice, shards, options):
    error = alice.request([CALL, 1, {"runmode": "all", **options}, PROCEDURE])
    assert error[:5] == [ERROR, CALL, 1, {}, NOT_SUPPORTED]
    assert not any(callee.inbox for callee in shards.values())


@pytest.mark.parametrize("options", [{"runmode": "some"}, {"runmode": "partition", "rkey": 1}])
def test_option_of_a_wrong_kind_is_a_violation(alice, options):
    alice.send([CALL, 1, options, PROCEDURE])
    assert alice.close_reason == PROTOCOL_VIOLATION


def test_call_without_runmode_follows_the_policy(alice, shards):
    for request_id in range(1, 4):
        alice.send([CALL, request_id, {"rkey": "resource-1"}, PROCEDURE])
    assert [len(callee.inbox) for callee in shards.values()] == [1, 1, 1]


def test_callees_without_a_node_key_have_no_shard(alice, bob):
    bob.request([REGISTER, 1, {"invoke": "roundrobin"}, PROCEDURE])
    error = alice.request([CALL, 1, {"runmode": "partition", "rkey": "k"}, PROCEDURE])
    assert error[:5] == [ERROR, CALL, 1, {}, NO_AVAILABLE_CALLEE]
    assert not bob.inbox


def test_single_callee_with_a_node_key_is_a_shard(alice, bob):
    bob.request([REGISTER, 1, {"nkey": "only"}, PROCEDURE])
    alice.send([CALL, 1, {"runmode": "partition", "rkey": "k"}, PROCEDURE])
    assert bob.receive()[3] == {}


def test_key_of_excessive_length_is_refused(alice):
    error = alice.request([REGISTER, 1, {"nkey": "x" * 256}, PROCEDURE])
    assert error[:5] == [ERROR, REGISTER, 1, {}, "wamp.error.invalid_argument"]
