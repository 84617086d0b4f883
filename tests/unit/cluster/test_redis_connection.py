import asyncio
import gc
from typing import Any

import pytest

from wamp_transport.cluster.redis_address import RedisAddress
from wamp_transport.cluster.redis_connection import CHUNK_BYTES, RedisConnection, UnreachableError

from .fake_redis import bulk, fake_redis

PING = ("PING",)


async def echo_twice(connection: RedisConnection, replies: list[Any]) -> None:
    await connection.send([("ECHO", b"a"), ("ECHO", 5)])
    replies.append(await connection.receive())
    replies.append(await connection.receive())


def test_replies_come_in_order() -> None:
    async def run() -> None:
        async with fake_redis(lambda command: bulk(command[1])) as (fake, address):
            connection = RedisConnection(address, 1)
            replies: list[Any] = []
            with pytest.raises(UnreachableError, match="has ended"):
                await connection.run(lambda: echo_twice(connection, replies))
            assert replies == [b"a", b"5"]
            assert fake.commands == [[b"ECHO", b"a"], [b"ECHO", b"5"]]

    asyncio.run(run())


def test_large_commands_are_written_in_parts() -> None:
    async def run() -> None:
        async with fake_redis(lambda command: bulk(b"%d" % len(command[1]))) as (_, address):
            connection = RedisConnection(address, 1)

            async def job() -> None:
                commands = [("ECHO", b"x" * CHUNK_BYTES), ("ECHO", b"y" * 3 * CHUNK_BYTES), ("ECHO", b"z")]
                await connection.send(commands)
                sizes = [int(await connection.receive()) for _ in commands]
                assert sizes == [CHUNK_BYTES, 3 * CHUNK_BYTES, 1]

            with pytest.raises(UnreachableError, match="has ended"):
                await connection.run(job)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (b"-OOM command not allowed\r\n", "cannot use Redis at .*: OutOfMemoryError: command not allowed"),
        (b"-READONLY You can't write\r\n", "write"),
        (b"-LOADING Redis is loading\r\n", "loading"),
        (b"-NOPERM no permissions\r\n", "no permissions"),
        (b"-MOVED 7 10.0.0.1:6379\r\n", "MovedError: 7 10|MOVED 7 10"),
    ],
)
def test_error_reply_ends_the_connection(reply: bytes, message: str) -> None:
    async def run() -> None:
        async with fake_redis(lambda command: reply) as (_, address):
            connection = RedisConnection(address, 1)

            async def job() -> None:
                await connection.send([PING])
                await connection.receive()

            with pytest.raises(UnreachableError, match=message):
                await connection.run(job)

    asyncio.run(run())


def test_lost_connection() -> None:
    async def run() -> None:
        async with fake_redis(lambda command: fake.cut()) as (fake, address):
            connection = RedisConnection(address, 1)

            async def job() -> None:
                await connection.send([PING])
                await connection.receive()

            with pytest.raises(UnreachableError, match="cannot use Redis"):
                await connection.run(job)

    asyncio.run(run())


def test_lost_connection_is_not_replaced_while_a_job_writes() -> None:
    """redis-py connects again for a command. The node must first learn that the connection was lost."""

    async def run() -> None:
        async with fake_redis(lambda command: fake.cut()) as (fake, address):
            connection = RedisConnection(address, 1)
            lost = asyncio.Event()

            async def read() -> None:
                try:
                    await connection.receive()
                finally:
                    lost.set()

            async def write() -> None:
                await connection.send([PING])
                await lost.wait()
                await connection.send([PING])

            with pytest.raises(UnreachableError):
                await connection.run(read, write)
            # The server accepts connections in their order: this one comes after any that was made by mistake.
            next_one = RedisConnection(address, 1)

            async def ask() -> None:
                await next_one.send([PING])
                await next_one.receive()

            with pytest.raises(UnreachableError):
                await next_one.run(ask)
            assert fake.connections == 2

    asyncio.run(run())


def test_server_that_does_not_listen() -> None:
    async def run() -> None:
        connection = RedisConnection(RedisAddress("unix:///nowhere"), 1)
        with pytest.raises(UnreachableError, match="cannot use Redis at unix:///nowhere: "):
            await connection.run()

    asyncio.run(run())


def test_connection_ends_if_redis_owes_a_reply_for_too_long() -> None:
    """A long time between two checks counts as one second, because this process may have been stopped."""

    async def run() -> None:
        async with fake_redis(lambda command: b"+PONG\r\n" if len(fake.commands) == 1 else None) as (fake, address):
            connection = RedisConnection(address, 2)
            now = asyncio.get_running_loop().time()

            async def job() -> None:
                connection.check(now + 100)
                await connection.send([PING])
                connection.check(now + 200)
                await connection.receive()
                await connection.send([PING])
                connection.check(now + 300)
                connection.check(now + 400)
                connection.check(now + 400.5)
                await asyncio.sleep(0.01)
                reached.append(True)
                connection.check(now + 402)
                await connection.receive()

            reached: list[bool] = []
            with pytest.raises(UnreachableError, match="does not answer"):
                await connection.run(job)
            assert reached

    asyncio.run(run())


def test_writing_ends_with_the_connection_if_the_socket_accepts_nothing() -> None:
    async def run() -> None:
        async with fake_redis(lambda command: None) as (fake, address):
            fake.is_reading = False
            connection = RedisConnection(address, 1)
            written: list[int] = []

            async def write() -> None:
                while True:
                    await connection.send([("ECHO", b"x" * CHUNK_BYTES)])
                    written.append(1)

            async def check() -> None:
                now = asyncio.get_running_loop().time()
                for step in range(5):
                    await asyncio.sleep(0.01)
                    connection.check(now + step)
                await asyncio.Event().wait()

            with pytest.raises(UnreachableError, match="does not answer"):
                await connection.run(write, check)
            assert len(written) < 20

    asyncio.run(run())


def test_error_in_a_job_is_raised() -> None:
    async def run() -> None:
        async with fake_redis(lambda command: None) as (_, address):
            connection = RedisConnection(address, 1)

            async def job() -> None:
                raise KeyError("x")

            with pytest.raises(KeyError):
                await connection.run(job)

    asyncio.run(run())


async def cancel_twice(connection: RedisConnection, turns: int, failure: Exception | None = None) -> None:
    """Cancel a task that runs a connection, and again ``turns`` turns later. Its job ends after that, or fails."""
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def job() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()
            if failure is not None:
                raise failure

    task = asyncio.ensure_future(connection.run(job))
    await begun.wait()
    task.cancel()
    for _ in range(turns):  # the task waits for the end of the connection, or for its job
        await asyncio.sleep(0)
    task.cancel()
    if failure is not None:
        may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not connection.is_open
    may_end.set()
    await asyncio.sleep(0)


def test_socket_is_closed_if_the_task_is_canceled_twice() -> None:
    async def run() -> None:
        async with fake_redis(lambda command: bulk(command[1])) as (_, address):
            await cancel_twice(RedisConnection(address, 1), 3)

    asyncio.run(run())


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_job_that_fails_after_the_task_was_canceled_is_not_reported_by_asyncio(
    caplog: pytest.LogCaptureFixture, turns: int
) -> None:
    async def run() -> None:
        async with fake_redis(lambda command: bulk(command[1])) as (_, address):
            await cancel_twice(RedisConnection(address, 1), turns, ConnectionError("lost"))

    asyncio.run(run())
    gc.collect()
    assert "never retrieved" not in caplog.text
