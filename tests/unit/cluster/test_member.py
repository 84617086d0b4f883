"""Tests of one member. tests/integration has those with real Redis servers and several members."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from tests.cluster_members import KEYS, Node, until
from wamp_transport.cluster import messages
from wamp_transport.cluster.ledger.layout import CalleeKey, MemberRecord, RegistrationKey
from wamp_transport.cluster.messages import decode_batch
from wamp_transport.router.relayed import InterestPage

from .fake_redis import Command, FakeRedis, array, bulk, fake_redis

RECORD = msgspec.msgpack.encode(MemberRecord("other", (1, 1), 10_000))


class FakeCluster:
    """A Redis of a cluster with another member, which sends nothing.

    - ``status``: the status of the answer to each operation
    - ``is_silent``: whether operations get no answer
    - ``has_other``: whether there is another member
    - ``rows``: the rows of the ledger
    """

    def __init__(self) -> None:
        self.status = b"ok"
        self.is_silent = False
        self.has_other = True
        self.rows = {b"id": b"ledger"}

    def reply(self, command: Command) -> bytes | None:
        name = command[0]
        if name == b"XREAD":
            return b"*-1\r\n" if b"BLOCK" not in command else None
        if name in {b"EVAL", b"EVALSHA"}:
            return None if self.is_silent else self.answer()
        if name == b"EXEC":
            members = [b"id", b"ledger", b"last", b"1-0 aa"]
            if self.has_other:
                members += [b"n:other", b"99 0 " + RECORD]
            rows = [part for item in self.rows.items() for part in item]
            return array(array(*map(bulk, members)), array(*map(bulk, rows)))
        return {b"MULTI": b"+OK\r\n", b"HGETALL": b"+QUEUED\r\n"}.get(name, b":1\r\n")

    def answer(self) -> bytes:
        return array(bulk(self.status), bulk(b"ledger"), bulk(b"1-0 aa"), array())


@asynccontextmanager
async def joined(cluster: FakeCluster) -> AsyncIterator[tuple[FakeRedis, Node]]:
    async with fake_redis(cluster.reply) as (fake, address):
        node = Node(str(address))
        node.member.start()
        try:
            await node.member.wait_joined()
            yield fake, node
        finally:
            await node.member.close()


async def turns() -> None:
    """Let the event loop run often enough for everything that can happen immediately."""
    for _ in range(50):
        await asyncio.sleep(0)


def appended(commands: list[Command]) -> list[messages.Batch]:
    return [decode_batch(command[4]).batch for command in commands if command[0] == b"XADD"]


def test_member_joins_reads_the_table_and_greets_the_others() -> None:
    async def run() -> None:
        async with joined(FakeCluster()) as (fake, node):
            assert node.member.is_joined
            assert node.members == {"other"}
            await until(lambda: appended(fake.commands), "the greeting is sent")
            names = [command[0] for command in fake.commands if command[0] != b"XREAD"]
            assert names[:6] == [b"EVAL", b"MULTI", b"HGETALL", b"HGETALL", b"EXEC", b"XADD"]
            (batch,) = appended(fake.commands)[:1]
            assert isinstance(batch.messages[0], InterestPage)
            first = next(command for command in fake.commands if command[0] == b"XREAD")
            assert first[2:] == [KEYS.log.encode(), KEYS.inbox(node.name).encode(), b"1-0", b"0-0"]

    asyncio.run(run())


def test_messages_of_one_turn_are_one_batch() -> None:
    async def run() -> None:
        async with joined(FakeCluster()) as (fake, node):
            await until(lambda: appended(fake.commands), "the greeting is sent")
            for _ in range(5):
                node.publish()
            await until(lambda: len(appended(fake.commands)) > 1, "the events are sent")
            assert len(appended(fake.commands)[1].messages) == 5

    asyncio.run(run())


def test_new_connection_begins_with_a_renewal_and_then_sends_everything_again() -> None:
    async def run() -> None:
        cluster = FakeCluster()
        async with joined(cluster) as (fake, node):
            await until(lambda: appended(fake.commands), "the greeting is sent")
            cluster.is_silent = True
            fake.commands.clear()
            fake.cut()
            await until(lambda: b"EVAL" in [command[0] for command in fake.commands], "a new connection")
            node.publish()
            await turns()
            assert appended(fake.commands) == []
            cluster.is_silent = False
            fake.cut()
            await until(lambda: len(appended(fake.commands)) >= 2, "everything is sent again")
            numbers = [batch.number for batch in appended(fake.commands) if batch.messages]
            assert numbers == [1, 2]

    asyncio.run(run())


def test_removed_member_ends_without_sending_anything() -> None:
    async def run() -> None:
        cluster = FakeCluster()
        async with joined(cluster) as (fake, node):
            await until(lambda: appended(fake.commands), "the greeting is sent")
            cluster.status = b"dead"
            fake.commands.clear()
            fake.cut()
            node.publish()
            await until(lambda: node.is_removed, "the node learns that it was removed")
            assert node.member.is_closed
            await node.member.close()
            assert appended(fake.commands) == []

    asyncio.run(run())


def test_member_that_leaves_deletes_its_inbox() -> None:
    async def run() -> None:
        async with joined(FakeCluster()) as (fake, node):
            await node.member.leave()
            assert fake.commands[-1][:2] == [b"DEL", KEYS.inbox(node.name).encode()]
            assert node.member.is_closed

    asyncio.run(run())


def test_name_is_refused_when_its_node_has_answered() -> None:
    """What the node has sent before does not count."""

    async def run() -> None:
        cluster = FakeCluster()
        key = RegistrationKey("realm", "exact", "com.x")
        cluster.rows[key.field] = b"single 1 2 then"
        cluster.rows[CalleeKey(key, "other", 7).field] = b"1 1 d"
        async with joined(cluster) as (fake, node):
            cluster.status = b"exists"
            assert node.callees("com.x") == [("other", 7)]
            node.register("com.x")
            count = len(fake.commands)
            await until(lambda: b"EVAL" in [command[0] for command in fake.commands[count:]], "it is sent")
            await turns()
            assert node.refused == {}
            for number, message in enumerate((InterestPage("", [], True, True), messages.Open(1, [])), 1):
                assert node.refused == {}
                node.member.on_batch(
                    messages.encode_batch(1, "other", number, 0, 0, [messages.encode_message(message)])
                )
                await turns()
            await until(lambda: list(node.refused.values()) == ["exists"], "the name is refused", seconds=0.9)

    asyncio.run(run())


def test_unreachable_redis_is_reported() -> None:
    async def run() -> None:
        node = Node("unix:///nowhere")
        node.member.start()
        waiting = asyncio.ensure_future(node.member.wait_joined())
        await until(lambda: node.problems, "the problem is reported")
        assert "cannot use Redis at unix:///nowhere" in node.problems[0]
        assert not node.member.is_joined
        await node.member.close()
        await waiting

    asyncio.run(run())


def test_events_are_reported_without_a_connection() -> None:
    async def run() -> None:
        node = Node("unix:///nowhere")
        node.link.member_joined("other", 0)
        node.member.flush_soon()
        await turns()
        assert node.link.take_events() == []
        await node.member.close()

    asyncio.run(run())


def test_nothing_is_due_all_the_time_while_redis_is_away() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        node = Node("unix:///nowhere")
        node.link.member_joined("other", loop.time())
        node.member.start()
        await until(lambda: node.problems, "the problem is reported")
        node.publish()
        await turns()
        deadline = node.link.next_deadline()
        assert deadline is not None
        assert deadline > loop.time() + 0.5
        await node.member.close()

    asyncio.run(run())


@pytest.mark.expects_errors("error while using the reading connection of the cluster")
def test_error_of_the_handler_is_logged_and_the_connection_is_made_again() -> None:
    class Faulty(Node):
        def on_link_events(self, events: object) -> None:
            raise KeyError("x")

    async def run() -> None:
        cluster = FakeCluster()
        cluster.has_other = False
        stranger = messages.encode_batch(1, "stranger", 0, 0, 0, [])
        entry = array(bulk(b"5-0"), array(bulk(b"b"), bulk(stranger)))
        reads = 0

        def reply(command: Command) -> bytes | None:
            nonlocal reads
            if command[0] == b"XREAD" and b"BLOCK" not in command:
                reads += 1
                return array(array(bulk(KEYS.inbox(node.name).encode()), array(entry)))
            return cluster.reply(command)

        async with fake_redis(reply) as (_, address):
            node = Faulty(str(address))
            node.member.start()
            await until(lambda: reads > 1, "the connection is made again")
            assert "internal error" in node.problems[0]
            await node.member.close()

    asyncio.run(run())
