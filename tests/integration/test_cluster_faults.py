"""Members of a cluster while Redis, a connection or a member fails.

Each test lets nodes publish all the time. In the end, each event must have arrived once and in order.
"""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from wamp_transport.cluster.window import LinkSizes

from ..cluster_members import KEYS, Node, nodes, until
from ..redis_server import RedisServer, redis_process
from .servers import Process, free_port

pytestmark = [pytest.mark.integration, pytest.mark.long]


@pytest.fixture(params=["empty", "with data"])
def restarted(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server that is empty after a restart, and one that has all data."""
    options = {"appendonly": "yes", "appendfsync": "always"} if request.param == "with data" else {}
    with redis_process(**options) as server:
        yield server


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_process() as found:
        yield found


@asynccontextmanager
async def traffic(*found: Node, interval: float = 0.005) -> AsyncIterator[None]:
    """Let the nodes publish all the time. In the end, wait until everything has arrived, and check it."""

    async def publish() -> None:
        while True:
            for node in found:
                node.publish(2)
            await asyncio.sleep(interval)

    task = asyncio.ensure_future(publish())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await all_arrive(*found)


async def all_arrive(*found: Node) -> None:
    """Wait until each node has received the last event of each other node, and check all."""
    for node in found:
        for other in found:
            if other is not node:
                received = node.received[other.name]
                await until(lambda: received[-1:] == [other.published], "the last event arrives")  # noqa: B023
                assert received == list(range(1, other.published + 1))
        assert node.lost == 0
        await until(lambda: node.member.is_joined, "both connections work")  # noqa: B023


async def tables_agree(*found: Node) -> None:
    tables = [node.member.table for node in found]
    names = {node.name for node in found}
    await until(lambda: all(table.rows == tables[0].rows for table in tables), "the tables are equal")
    assert all(node.members == names for node in found)


def test_redis_is_killed_and_starts_again(restarted: RedisServer) -> None:
    async def run() -> None:
        async with nodes(*[restarted.url] * 3) as found:
            for node in found:
                node.register(f"com.{node.name}")
            await until(lambda: all(node.registered for node in found), "all have registered")
            async with traffic(*found):
                for pause in (0.0, 1.0):
                    await asyncio.sleep(0.2)
                    restarted.kill()
                    await asyncio.sleep(pause)
                    restarted.start()
                    await until(lambda: not any(node.link.is_away for node in found), "the nodes are back")
                    await asyncio.sleep(0.5)
            for node in found:
                await until(lambda: found[0].callees(f"com.{node.name}") == [(node.name, 1)], "restated")  # noqa: B023
                assert not node.revoked
            assert not any(node.is_removed for node in found)
            await tables_agree(*found)

    asyncio.run(run())


def test_nothing_is_lost_while_redis_is_away_for_almost_five_seconds(restarted: RedisServer) -> None:
    async def run() -> None:
        async with nodes(*[restarted.url] * 2) as found:
            async with traffic(*found):
                await asyncio.sleep(0.1)
                restarted.kill()
                await asyncio.sleep(4)
                restarted.start()
            assert all(len(node.problems) == 1 for node in found)
            assert all(node.recoveries == 1 for node in found)
            assert all(peer.counters.dropped_events == 0 for node in found for peer in node.link.peers.values())

    asyncio.run(run())


def test_events_are_dropped_and_counted_while_redis_is_away_longer(server: RedisServer) -> None:
    async def run() -> None:
        async with nodes(*[server.url] * 2) as (first, second):
            server.kill()
            await until(lambda: first.link.is_away, "the node notices it")
            first.publish(5)
            assert first.link.peers[second.name].counters.dropped_events == 5
            assert first.register("com.x") is not None
            await until(lambda: list(first.refused.values()) == ["unavailable"], "the REGISTER is refused")
            assert first.register("com.y") is None
            await until(lambda: len(first.problems) > 1, "the problem is reported again")
            server.start()
            await until(lambda: first.recoveries == 1, "the recovery is reported")
            assert not first.link.is_away
            await tables_agree(first, second)
            first.publish(1)
            await until(lambda: second.received[first.name] == [6], "events arrive again")
            assert first.register("com.y") is not None

    asyncio.run(run())


def test_connections_are_closed_by_the_server(server: RedisServer) -> None:
    async def run() -> None:
        async with nodes(*[server.url] * 3) as found:
            with server.client() as redis:
                async with traffic(*found):
                    for _ in range(10):
                        await asyncio.sleep(0.1)
                        own = redis.client_id()
                        for client in redis.client_list():
                            if int(client["id"]) != own:
                                redis.client_kill_filter(client["id"])
            await tables_agree(*found)

    asyncio.run(run())


def test_redis_is_paused(server: RedisServer) -> None:
    async def run() -> None:
        async with nodes(*[server.url] * 2) as found, traffic(*found):
            await asyncio.sleep(0.2)
            with server.paused():
                await asyncio.sleep(4)

    asyncio.run(run())


def test_output_is_limited_while_redis_does_not_read(server: RedisServer) -> None:
    """What does not fit into the windows is dropped and counted. The bytes do not pile up in the connection."""
    sizes = LinkSizes(min_window_bytes=256 * 1024, all_windows_bytes=1024 * 1024)

    async def run() -> None:
        async with nodes(*[server.url] * 2, sizes=sizes) as (first, second):
            with server.paused():
                for _ in range(100):
                    first.publish(1, b"x" * 100_000)
                    await asyncio.sleep(0.005)
                counters = first.link.peers[second.name].counters
                assert counters.dropped_events > 50
            await until(lambda: len(second.payloads) == 100 - counters.dropped_events, "the others arrive")
            assert second.received[first.name] == sorted(set(second.received[first.name]))
            assert second.lost == 0

    asyncio.run(run())


def test_redis_is_out_of_memory(server: RedisServer) -> None:
    async def run() -> None:
        async with nodes(*[server.url] * 2) as found:
            with server.client() as redis:
                async with traffic(*found):
                    await asyncio.sleep(0.2)
                    redis.config_set("maxmemory", 1)
                    await until(lambda: all(node.problems for node in found), "the problem is reported")
                    assert "maxmemory" in found[0].problems[0]
                    await asyncio.sleep(1)
                    redis.config_set("maxmemory", 0)
            await tables_agree(*found)

    asyncio.run(run())


def test_redis_becomes_a_replica_for_some_time(server: RedisServer) -> None:
    """A replica replies to all writes with an error."""

    async def run() -> None:
        async with nodes(*[server.url] * 2) as found:
            with server.client() as redis:
                async with traffic(*found):
                    redis.replicaof("127.0.0.1", free_port())
                    await until(lambda: all(node.problems for node in found), "the problem is reported")
                    assert "replica" in found[0].problems[0]
                    redis.replicaof("NO", "ONE")
            await tables_agree(*found)

    asyncio.run(run())


@pytest.mark.parametrize("lost", ["all", "members", "rows"])
def test_the_ledger_is_lost(server: RedisServer, lost: str) -> None:
    """Redis has evicted a key, or somebody has deleted all. The nodes state everything again."""

    async def run() -> None:
        async with nodes(*[server.url] * 3) as found:
            for node in found:
                node.register(f"com.{node.name}")
            await until(lambda: all(node.registered for node in found), "all have registered")
            with server.client() as redis:
                redis.flushall() if lost == "all" else redis.delete(getattr(KEYS, lost))
            first = found[0]
            ledger = first.member.table.ledger
            await until(lambda: all(node.member.table.ledger != ledger for node in found), "a new ledger begins")
            for node in found:
                await until(lambda: len(node.member.table.rows) == 6, "all rows are restated")  # noqa: B023
                assert node.open == {each.name for each in found} - {node.name}
                assert not node.revoked
            await tables_agree(*found)
            async with traffic(*found):
                await asyncio.sleep(0.2)

    asyncio.run(run())


def test_redis_starts_with_an_older_copy() -> None:
    async def run(server: RedisServer) -> None:
        async with nodes(*[server.url] * 3) as found:
            first, second, third = found
            first.register("com.first")
            await until(lambda: first.registered, "the first procedure is registered")
            with server.client() as redis:
                redis.save()
            async with traffic(*found):
                second.register("com.second")
                await until(lambda: second.registered, "the second procedure is registered")
                first.unregister("com.first")
                await until(lambda: third.callees("com.first") == [], "the first one is gone")
                await asyncio.sleep(0.2)
                server.kill()
                server.start()
                await until(lambda: not first.link.is_away, "the node is back")
                # The copy has as many rows as the ledger had before.
                await until(lambda: third.callees("com.second") == [(second.name, 1)], "the second one is restated")
                await until(lambda: third.callees("com.first") == [], "the first one is removed again")
            await tables_agree(*found)
            assert third.callees("com.first") == []
            assert third.callees("com.second") == [(second.name, 1)]

    with redis_process() as server:
        asyncio.run(run(server))


def test_killed_member_is_removed_and_its_inbox_deleted(server: RedisServer) -> None:
    async def run() -> None:
        async with nodes(*[server.url] * 3, lease=5.0) as (first, second, third):
            token = third.register("com.x")
            await until(lambda: token in third.registered, "the procedure is registered")
            await third.member.close()
            await until(lambda: first.link.peers[third.name].is_silent, "the node is silent")
            retried = first.register("com.x")
            names = {first.name, second.name}
            await until(lambda: first.members == second.members == names, "the member is removed")
            assert set(first.link.peers) == {second.name}
            with server.client() as redis:
                await until(lambda: not redis.exists(KEYS.inbox(third.name)), "its inbox is deleted")
            # The node that registers a name of a silent node waits until the name is free.
            assert first.refused == {}
            await until(lambda: retried in first.registered, "the name is free")
            await tables_agree(first, second)

    asyncio.run(run())


# --- one direction ---------------------------------------------------------------------------------------------------


class Proxy:
    """A TCP server that forwards to the Redis server. ``is_dropping`` are the directions whose bytes it drops."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.is_dropping = {"to server": False, "to client": False}
        self.tasks: set[asyncio.Future[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_unix_connection(self.target)
        jobs = [self.copy(reader, back_writer, "to server"), self.copy(back_reader, writer, "to client")]
        tasks = [asyncio.ensure_future(job) for job in jobs]
        self.tasks.update(tasks)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()
        back_writer.close()

    async def copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if not self.is_dropping[direction]:
                    writer.write(data)


@asynccontextmanager
async def proxy(server: RedisServer) -> AsyncIterator[tuple[Proxy, str]]:
    found = Proxy(str(server.socket))
    listener = await asyncio.start_server(found.serve, "127.0.0.1", 0, family=socket.AF_INET)
    try:
        yield found, f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        for task in found.tasks:
            task.cancel()
        listener.close()
        await listener.wait_closed()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("direction", ["to server", "to client"])
def test_connections_are_cut_in_one_direction(server: RedisServer, direction: str) -> None:
    async def run() -> None:
        async with proxy(server) as (cut, url), nodes(url, server.url) as found:
            async with traffic(*found):
                await asyncio.sleep(0.2)
                cut.is_dropping[direction] = True
                await until(lambda: found[0].problems, "the node notices it")
                cut.is_dropping[direction] = False
            assert "does not answer" in found[0].problems[0]
            await until(lambda: found[0].recoveries == 1, "the recovery is reported")
            await tables_agree(*found)

    asyncio.run(run())


def test_lost_inbox_is_noticed_and_counted(server: RedisServer) -> None:
    """Redis has evicted the inbox after the sender's commands had succeeded."""

    async def run() -> None:
        async with proxy(server) as (cut, url), nodes(server.url, url) as (first, second):
            inbox = KEYS.inbox(second.name)
            first.publish(3)
            await until(lambda: second.received[first.name] == [1, 2, 3], "the first events arrive")
            cut.is_dropping["to client"] = True
            first.publish(5)
            with server.client() as redis:
                last = redis.xinfo_stream(inbox)["last-generated-id"]
                await until(lambda: redis.xinfo_stream(inbox)["last-generated-id"] != last, "Redis has the batch")
                redis.delete(inbox)
            cut.is_dropping["to client"] = False
            await until(lambda: second.lost, "the loss is noticed")
            first.publish(2)
            await until(lambda: second.received[first.name] == [1, 2, 3, 9, 10], "the next events arrive")
            assert second.lost == 1
            await until(lambda: first.lost == 1, "the sender gets to know it")

    asyncio.run(run())


# --- processes -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def process(url: str, lease: float, tmp_path: Path) -> AsyncIterator[Process]:
    """Run a node in another process."""
    command = [sys.executable, "-m", "tests.integration.cluster_process", url, str(lease)]
    found = Process(command, tmp_path / "node")
    try:
        yield found
    finally:
        found.process.kill()
        found.process.wait()


def last_line(node: Process) -> dict[str, Any]:
    """Return the last complete line that the process has printed."""
    lines = node.output.rpartition("\n")[0].splitlines()
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return found


@pytest.mark.full
def test_process_is_stopped_for_less_than_its_lease(server: RedisServer, tmp_path: Path) -> None:
    async def run() -> None:
        async with nodes(server.url) as (first,), process(server.url, 10, tmp_path) as other:
            await until(lambda: last_line(other).get("received") is not None, "the other node runs")
            other.process.send_signal(signal.SIGSTOP)
            for _ in range(40):
                first.publish(10)
                await asyncio.sleep(0.1)
            other.process.send_signal(signal.SIGCONT)
            await until(lambda: last_line(other)["received"] == first.published, "all events arrive")
            assert last_line(other)["is_ordered"]
            assert last_line(other)["lost"] == first.lost == 0
            (received,) = first.received.values()
            assert received == list(range(1, len(received) + 1))

    asyncio.run(run())


@pytest.mark.full
def test_process_is_stopped_for_longer_than_its_lease(server: RedisServer, tmp_path: Path) -> None:
    async def run() -> None:
        async with nodes(server.url) as (first,), process(server.url, 3, tmp_path) as other:
            await until(lambda: last_line(other).get("received") is not None, "the other node runs")
            other.process.send_signal(signal.SIGSTOP)
            await until(lambda: len(first.members) == 1, "the other node is removed")
            other.process.send_signal(signal.SIGCONT)
            await until(lambda: last_line(other).get("is_removed"), "it learns that it was removed")

    asyncio.run(run())


@pytest.mark.full
def test_process_is_killed(server: RedisServer, tmp_path: Path) -> None:
    async def run() -> None:
        async with nodes(server.url) as (first,), process(server.url, 3, tmp_path) as other:
            await until(lambda: last_line(other).get("received") is not None, "the other node runs")
            (name,) = first.open
            other.process.kill()
            await until(lambda: len(first.members) == 1, "the other node is removed")
            assert first.open == set()
            with server.client() as redis:
                await until(lambda: not redis.exists(KEYS.inbox(name)), "its inbox is deleted")

    asyncio.run(run())
