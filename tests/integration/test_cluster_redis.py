"""Members of a cluster over real Redis servers: what they exchange, and how they connect."""

import asyncio
import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from redis import Redis

from wamp_transport.cluster.keys import ClusterKeys
from wamp_transport.cluster.ledger.layout import MemberRecord
from wamp_transport.cluster.ledger.operations import JoinRequest
from wamp_transport.cluster.ledger.scripts import COMMANDS as SCRIPT_COMMANDS
from wamp_transport.cluster.ledger.scripts import LedgerScripts
from wamp_transport.cluster.member import COMMANDS
from wamp_transport.cluster.node_state import IncompatibleMember
from wamp_transport.node.incompatible_members import incompatible_members

from ..certificates import Authority
from ..cluster_members import DEADLINE, KEYS, Node, nodes, until
from ..redis_server import RedisServer, redis_process
from .servers import free_port
from .servers import until as wait_until

pytestmark = [pytest.mark.integration, pytest.mark.long]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_process(has_port=True) as found:
        yield found


@pytest.fixture
def redis(server: RedisServer) -> Iterator[Redis]:
    """A client of an empty server."""
    with server.client() as client:
        client.flushall()
        client.script_flush()
        yield client


async def exchange(*found: Node) -> None:
    """Let all nodes exchange events and registrations."""
    counts = {node.name: node.published for node in found}
    for node in found:
        node.publish(3)
    for node in found:
        for other in found:
            if other is not node:
                expected = list(range(1, counts[other.name] + 4))
                await until(lambda: node.received[other.name] == expected, "the events arrive")  # noqa: B023
    first = found[0]
    token = first.register("com.single")
    await until(lambda: token in first.registered, "the ledger accepts the registration")
    for node in found:
        await until(lambda: node.callees("com.single") == [(first.name, 1)], "all see it")  # noqa: B023
    refused = found[-1].register("com.single")
    assert refused is not None
    if first is not found[-1]:
        await until(lambda: found[-1].refused.get(refused) == "exists", "the name is taken")
    first.unregister("com.single")
    for node in found:
        await until(lambda: node.callees("com.single") == [], "all see that it is gone")  # noqa: B023
    assert not any(node.lost for node in found)


@pytest.mark.parametrize("count", [2, 3])
def test_members_exchange_messages_and_see_registrations(server: RedisServer, redis: Redis, count: int) -> None:
    async def run() -> None:
        async with nodes(*[server.url] * count) as found:
            await exchange(*found)
            assert all(node.members == {each.name for each in found} for node in found)
            assert all(node.problems == [] for node in found)

    asyncio.run(run())


def test_many_callees_of_one_procedure(server: RedisServer, redis: Redis) -> None:
    async def run() -> None:
        async with nodes(server.url, server.url) as (first, second):
            for session in range(300):
                first.register("com.shared", session, "roundrobin")
            await until(lambda: len(second.callees("com.shared")) == 300, "all callees are seen")
            token = second.register("com.shared", 1, "roundrobin", is_forced=True)
            await until(lambda: token in second.registered, "the ledger accepts the registration")
            await until(lambda: len(first.revoked) == 300, "the others are revoked")
            await until(lambda: first.callees("com.shared") == [(second.name, 1)], "one remains")

    asyncio.run(run())


def test_large_messages_arrive(server: RedisServer, redis: Redis) -> None:
    async def run() -> None:
        async with nodes(server.url, server.url) as (first, second):
            payload = bytes(range(256)) * 8192
            first.publish(3, payload)
            first.publish(2000, b"x")
            await until(lambda: len(second.received[first.name]) == 2003, "all events arrive")
            assert second.payloads[:3] == [payload] * 3
            assert second.received[first.name] == list(range(1, 2004))

    asyncio.run(run())


def test_inbox_is_trimmed(server: RedisServer, redis: Redis) -> None:
    async def run() -> None:
        async with nodes(server.url, server.url) as (first, second):
            for number in range(1, 301):
                first.publish()
                await until(lambda: len(second.received[first.name]) == number, "the event arrives")  # noqa: B023
            assert redis.xlen(KEYS.inbox(second.name)) < 200
            first.publish(10, b"x" * 1024 * 1024)
            await until(lambda: len(second.received[first.name]) == 310, "the events arrive")
            await until(lambda: redis.memory_usage(KEYS.inbox(second.name)) < 4_000_000, "the inbox is trimmed")
            assert second.received[first.name] == list(range(1, 311))

    asyncio.run(run())


def test_clusters_with_different_secrets_do_not_meet(server: RedisServer, redis: Redis) -> None:
    async def run() -> None:
        async with nodes(server.url) as (first,), nodes(server.url, keys=ClusterKeys("test", "other")) as (second,):
            await exchange(first)
            assert second.members == {second.name}
            assert first.members == {first.name}

    asyncio.run(run())


def test_node_without_a_common_protocol_version_is_a_member_but_no_peer(server: RedisServer, redis: Redis) -> None:
    record = msgspec.msgpack.encode(MemberRecord("later release", (2, 3), 10_000))
    join = JoinRequest("later", "ledger", 10_000, record)

    async def run() -> None:
        async with nodes(server.url) as (first,):
            redis.execute_command(*LedgerScripts(KEYS).full_command(join))
            await until(lambda: first.members == {first.name, "later"}, "the member is seen")
            assert first.link.peers == {}
            assert list(incompatible_members(first.member)) == [IncompatibleMember("later", "later release", (2, 3))]

    asyncio.run(run())


def test_member_that_leaves_is_gone_with_its_inbox(server: RedisServer, redis: Redis) -> None:
    async def run() -> None:
        async with nodes(server.url, server.url) as (first, second):
            token = second.register("com.x")
            await until(lambda: token in second.registered, "the ledger accepts the registration")
            second.unregister("com.x")
            await second.member.leave()
            assert second.member.is_closed
            await until(lambda: first.members == {first.name}, "the other node sees it")
            assert first.link.peers == {}
            assert first.callees("com.x") == []
            assert not redis.exists(KEYS.inbox(second.name))
            await first.member.leave()
        assert set(redis.keys()) == {key.encode() for key in (KEYS.members, KEYS.rows, KEYS.log)}

    asyncio.run(run())


def test_removed_member_learns_it_and_ends(server: RedisServer, redis: Redis) -> None:
    """Another node can have removed it from the ledger while it was away."""

    async def run() -> None:
        async with nodes(server.url, server.url) as (first, second):
            redis.hdel(KEYS.members, f"n:{second.name}")
            redis.hset(KEYS.members, f"d:{second.name}", "1")
            second.register("com.x")
            await until(lambda: second.is_removed, "the node learns that it was removed")
            await until(lambda: second.member.is_closed, "the member has ended")
            second.publish()
            assert not first.is_removed

    asyncio.run(run())


def test_scripts_are_sent_again_if_redis_has_forgotten_them(server: RedisServer, redis: Redis) -> None:
    async def run() -> None:
        async with nodes(server.url, server.url) as (first, second):
            for number in range(4):
                redis.script_flush()
                first.register(f"com.{number}.a")
                second.register(f"com.{number}.b")
                second.unregister(f"com.{number - 1}.b")
                await until(lambda: len(first.registered) == len(second.registered) == number + 1, "done")  # noqa: B023
            await until(lambda: first.member.table.rows == second.member.table.rows, "the tables are equal")
            assert len([field for field in first.member.table.rows if field.startswith(b"c:")]) == 5

    asyncio.run(run())


# --- ways to connect -------------------------------------------------------------------------------------------------


def check_exchange(*urls: str) -> None:
    async def run() -> None:
        async with nodes(*urls) as found:
            await exchange(*found)

    asyncio.run(run())


def test_tcp_and_unix_socket(server: RedisServer, redis: Redis) -> None:
    check_exchange(f"redis://127.0.0.1:{server.port}", server.url)


def test_database_number(server: RedisServer, redis: Redis) -> None:
    check_exchange(f"redis://127.0.0.1:{server.port}/3", f"{server.url}?db=3")
    assert redis.dbsize() == 0
    with server.client(db="3") as third:
        assert third.dbsize() > 0


def test_password() -> None:
    with redis_process(has_port=True, requirepass="se/cret") as server:
        password = quote("se/cret", safe="")
        check_exchange(f"redis://:{password}@127.0.0.1:{server.port}", f"{server.url}?password={password}")
        message = refusal(f"redis://:wrong@127.0.0.1:{server.port}")
        assert "password" in message
        assert "wrong" not in message


@contextmanager
def tls_server(directory: Path) -> Iterator[tuple[RedisServer, str, str]]:
    """Run a server with TLS. Yield it, its URL, and the option with the certificate authority."""
    authority = Authority()
    key, certificate = authority.issue().write(directory, "server")
    trusted = authority.write(directory / "authority.pem")
    port = free_port()
    files = {"tls_cert_file": str(certificate), "tls_key_file": str(key), "tls_ca_cert_file": str(trusted)}
    with redis_process(tls_port=str(port), tls_auth_clients="no", **files) as server:
        yield server, f"rediss://127.0.0.1:{port}", f"?ssl_ca_certs={trusted}"


def test_tls(tmp_path: Path) -> None:
    with tls_server(tmp_path) as (_, address, option):
        check_exchange(*[address + option] * 2)
        assert "certificate" in refusal(address).lower()


def test_member_that_closes_waits_for_the_end_of_its_tls_connections(tmp_path: Path) -> None:
    """It does not wait for ever."""

    async def close(server: RedisServer, *, is_paused: bool) -> None:
        before = len(os.listdir("/proc/self/fd"))
        async with nodes(url) as (node,):
            with server.paused():
                closing = asyncio.ensure_future(node.member.close())
                for _ in range(20):
                    await asyncio.sleep(0)
                assert not closing.done()
                if is_paused:
                    await asyncio.wait_for(closing, DEADLINE)
            await closing
            if is_paused:
                await until(lambda: len(os.listdir("/proc/self/fd")) == before, "the sockets are closed")

    with tls_server(tmp_path) as (server, address, option):
        url = address + option
        asyncio.run(close(server, is_paused=False))
        gc.collect()  # reports sockets that were not closed
        asyncio.run(close(server, is_paused=True))


def test_redis_cluster_with_one_shard() -> None:
    with redis_process(has_port=True, cluster_enabled="yes") as server:
        with server.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            wait_until(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"), "the cluster is ready")
        check_exchange(*[f"redis://127.0.0.1:{server.port}"] * 2)


def refusal(url: str) -> str:
    """Return the first reason for which a member cannot join."""

    async def run() -> str:
        node = Node(url)
        node.member.start()
        await until(lambda: node.problems, "the problem is reported")
        assert not node.member.is_joined
        await node.member.close()
        return node.problems[0]

    return asyncio.run(run())


# --- permissions -----------------------------------------------------------------------------------------------------

DOCUMENTED = tuple(sorted({*COMMANDS, *SCRIPT_COMMANDS}))


@contextmanager
def user(redis: Redis, commands: tuple[str, ...], pattern: str = f"{KEYS.prefix}*") -> Iterator[str]:
    """Create a user who may use these commands with these keys, and yield the user's part of a URL."""
    allowed = [f"+{name.lower()}" for name in commands]
    redis.execute_command("ACL", "SETUSER", "shop", "reset", "on", ">secret", f"~{pattern}", *allowed)
    redis.execute_command("ACL", "LOG", "RESET")
    try:
        yield "shop:secret"
    finally:
        redis.acl_deluser("shop")


async def use_all_commands(redis: Redis, url: str) -> str:
    """Let two nodes do everything that requires a command. Return the first problem, empty if there is none."""
    redis.hset(KEYS.members, mapping={"id": "abandoned", "clock": 1, "heard": 1, "n:old": "1 1 r"})
    redis.hset(KEYS.rows, "id", "abandoned")
    first, second = found = [Node(url, lease=4), Node(url, lease=4)]

    def problems() -> list[str]:
        return [problem for node in found for problem in node.problems]

    async def step(condition: Callable[[], Any]) -> None:
        await until(lambda: condition() or problems(), "the step is done")

    async def steps() -> None:
        first.member.start()
        await step(lambda: first.member.is_joined)
        second.member.start()
        await step(lambda: len(first.open) == len(second.open) == 1)
        for number in range(1, 71):
            first.publish()
            await step(lambda: len(second.received[first.name]) == number)  # noqa: B023
        token = first.register("com.x", 1, "roundrobin")
        await step(lambda: token in first.registered)
        forced = second.register("com.x", 1, "roundrobin", is_forced=True)
        await step(lambda: forced in second.registered)
        second.unregister("com.x")
        await step(lambda: first.callees("com.x") == [])
        leaving = asyncio.ensure_future(second.member.leave())
        await step(leaving.done)
        leaving.cancel()

    try:
        await steps()
        return next(iter(problems()), "")
    finally:
        for node in found:
            await node.member.close()


def test_documented_commands_suffice(server: RedisServer, redis: Redis) -> None:
    with user(redis, DOCUMENTED) as login:
        url = f"redis://{login}@127.0.0.1:{server.port}"
        assert asyncio.run(use_all_commands(redis, url)) == ""
        assert redis.acl_log() == []


@pytest.mark.parametrize("missing", DOCUMENTED)
def test_each_documented_command_is_needed(server: RedisServer, redis: Redis, missing: str) -> None:
    with user(redis, tuple(name for name in DOCUMENTED if name != missing)) as login:
        url = f"redis://{login}@127.0.0.1:{server.port}"
        assert asyncio.run(use_all_commands(redis, url)).startswith("cannot use Redis at redis://127.0.0.1")
        assert missing.lower() in {entry["object"].lower() for entry in redis.acl_log()}


def test_other_keys_are_not_needed_and_not_allowed(server: RedisServer, redis: Redis) -> None:
    with user(redis, DOCUMENTED, "{wamp:other:*") as login:
        assert "permission" in refusal(f"redis://{login}@127.0.0.1:{server.port}")
