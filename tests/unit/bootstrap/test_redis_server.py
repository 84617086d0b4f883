"""What is wrong with the Redis server of a cluster."""

import pytest

from tests.redis_server import redis_process
from wamp_transport.bootstrap.redis_server import RedisFindings, find_unprotected, inspect_redis, judge_redis


@pytest.mark.parametrize(("version", "is_old"), [
    ("6.0.16", True), ("5.0", True), ("6.2.0", False), ("7.0.15", False), ("255.255.255", False), ("unknown", False),
])  # fmt: skip
def test_old_servers_are_faults(version: str, is_old: bool) -> None:
    fault = judge_redis({"redis_version": version}).fault
    assert bool(fault) is is_old
    if is_old:
        assert fault == f"Redis {version} is too old: a cluster needs Redis 6.2 or newer, or Valkey"


@pytest.mark.parametrize(("policy", "is_warned_of"), [
    ("noeviction", False), ("volatile-lru", False), ("allkeys-lru", True), ("allkeys-random", True), (None, False),
])  # fmt: skip
def test_eviction_of_any_key_is_warned_of(policy: str | None, is_warned_of: bool) -> None:
    found = judge_redis({"redis_version": "7.0.0"} | ({"maxmemory_policy": policy} if policy else {}))
    assert bool(found.warning) is is_warned_of
    assert found.fault == ""


@pytest.mark.parametrize(("url", "text"), [
    ("unix:///run/redis", ""),
    ("redis://localhost", ""),
    ("redis://[::1]:6379", ""),
    ("rediss://user:secret@redis.example", ""),
    ("rediss://redis.example?password=secret", ""),
    ("redis://10.0.0.1", "The cluster connects to Redis on 10.0.0.1 without a password and without TLS"),
])  # fmt: skip
def test_unprotected_connections_are_found(url: str, text: str) -> None:
    assert find_unprotected(url) == text


def test_server_that_cannot_be_reached_is_no_fault_of_its_own() -> None:
    found = inspect_redis("redis://127.0.0.1:1/0")
    assert found.is_unreachable
    assert "127.0.0.1:1" in found.fault


@pytest.mark.long
def test_real_server_is_inspected() -> None:
    with redis_process(maxmemory_policy="allkeys-lfu") as redis:
        assert "allkeys-lfu" in inspect_redis(redis.url).warning
    with redis_process() as redis:
        assert inspect_redis(redis.url) == RedisFindings()


@pytest.mark.long
def test_user_without_the_command_info_is_accepted() -> None:
    with redis_process() as redis:
        with redis.client() as client:
            client.acl_setuser("node", enabled=True, nopass=True, commands=["+@all", "-info"], keys=["*"])
        assert inspect_redis(redis.url.replace("unix://", "unix://node:x@")) == RedisFindings()
