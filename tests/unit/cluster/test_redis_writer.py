import asyncio
from typing import Any

import pytest

from wamp_transport.cluster.redis_connection import CHUNK_BYTES, RedisConnection, UnreachableError
from wamp_transport.cluster.redis_writer import Output, RedisWriter

from .fake_redis import Command, bulk, fake_redis


class Source:
    """The outputs of a node: a list of commands, and their replies."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.replies: list[Any] = []
        self.turns = 0

    def take_outputs(self) -> list[Output]:
        self.turns += 1
        commands, self.waiting = self.waiting, []
        return [Output(("ECHO", each), self.replies.append) for each in commands]


async def until(source: Source, count: int) -> None:
    async with asyncio.timeout(5):
        while len(source.replies) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def test_commands_of_a_turn_are_written_together_at_its_end() -> None:
    async def run() -> None:
        async with fake_redis(lambda command: bulk(command[1])) as (_, address):
            source = Source()
            writer = RedisWriter(RedisConnection(address, 5), source.take_outputs)
            assert not writer.wake()
            task = asyncio.ensure_future(writer.run())
            source.waiting = [b"first"]
            await until(source, 1)
            turns = source.turns
            for number in range(5):
                source.waiting.append(b"%d" % number)
                assert writer.wake()
            await until(source, 6)
            assert source.replies == [b"first", b"0", b"1", b"2", b"3", b"4"]
            assert source.turns == turns + 1
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(run())


def test_error_ends_the_connection() -> None:
    def reply(command: Command) -> bytes:
        return {b"b": bulk(b"b"), b"c": b"-OOM no memory\r\n"}[command[1]]

    async def run() -> None:
        async with fake_redis(reply) as (_, address):
            source = Source()
            source.waiting = [b"b", b"c"]
            with pytest.raises(UnreachableError, match="no memory"):
                await RedisWriter(RedisConnection(address, 5), source.take_outputs).run()
            assert source.replies == [b"b"]

    asyncio.run(run())


def test_outputs_are_not_taken_while_the_socket_accepts_nothing() -> None:
    async def run() -> None:
        async with fake_redis(lambda command: None) as (fake, address):
            fake.is_reading = False
            connection = RedisConnection(address, 5)
            source = Source()
            writer = RedisWriter(connection, source.take_outputs)
            task = asyncio.ensure_future(writer.run())
            source.waiting = [b"x" * CHUNK_BYTES] * 100
            async with asyncio.timeout(5):
                while source.waiting:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            source.waiting = [b"x"]
            assert not writer.wake()
            for _ in range(50):
                await asyncio.sleep(0)
            assert source.waiting == [b"x"]
            connection.fail("enough")
            with pytest.raises(UnreachableError, match="enough"):
                await task

    asyncio.run(run())
