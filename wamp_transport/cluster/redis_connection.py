"""A connection to Redis on which commands are written without waiting for the replies to earlier ones.

Redis sends the replies in the order of the commands.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from .ledger.scripts import Command
from .redis_address import CONNECT_SECONDS, RedisAddress

CHUNK_BYTES: Final = 256 * 1024
"""The number of bytes that are written before waiting until the socket accepts them."""

MAX_OWED_BYTES: Final = 2 * 1024 * 1024
"""Maximum size of the commands without a reply. Above it, nothing more is written.

This limits the memory for output that the socket does not accept. Waiting for the socket alone is not enough: asyncio
does not report a full buffer in Python 3.12.0 to 3.12.8 and 3.13.0 to 3.13.1 (CVE-2024-12254).
"""

CLOSE_SECONDS: Final = 1.0
"""The maximum time for which the end of a connection waits for Redis."""

MAX_CHECK_STEP: Final = 1.0
"""Maximum number of seconds between two checks that count towards the time without a reply.

Therefore, a pause of this process does not count as a pause of Redis.
"""


class UnreachableError(Exception):
    """Raised when a connection cannot be made, was lost, or got an error from Redis. The message says why."""


class RedisConnection:
    """One connection, which is used until it fails.

    The connection fails if Redis owes replies and has not sent any for ``max_silence`` seconds. Call :meth:`check`
    regularly to detect this.
    """

    def __init__(self, address: RedisAddress, max_silence: float) -> None:
        self._address = address
        self._max_silence = max_silence
        self._connection: AbstractConnection = address.make_connection()
        loop = asyncio.get_running_loop()
        self._failure: asyncio.Future[None] = loop.create_future()
        self._owed: deque[int] = deque()
        """The sizes of the commands without a reply."""
        self._owed_bytes = 0
        self._replied = asyncio.Event()
        self._replies = 0
        self._checked_replies = 0
        self._checked_at = loop.time()
        self._silence = 0.0

    async def run(self, *jobs: Callable[[], Awaitable[None]]) -> None:
        """Connect, and run the jobs that use the connection, until one of them ends or the connection fails.

        Always raises an exception: that of a job, or UnreachableError.
        """
        tasks: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._connection.connect()  # type: ignore[no-untyped-call]
            tasks = [asyncio.ensure_future(job()) for job in jobs]
            for task in tasks:
                task.add_done_callback(_retrieve_exception)
            done, _ = await asyncio.wait([*tasks, self._failure], return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
            raise UnreachableError(f"the connection to Redis at {self._address} has ended")
        except (TimeoutError, RedisTimeoutError) as error:
            raise UnreachableError(f"Redis at {self._address} does not answer") from error
        except ResponseError as error:
            # The name of the class stands for the code at the beginning of the error, which redis-py removes.
            name = type(error).__name__
            raise UnreachableError(f"cannot use Redis at {self._address}: {name}: {error}") from error
        except (RedisError, OSError) as error:
            raise UnreachableError(f"cannot use Redis at {self._address}: {error}") from error
        finally:
            for task in tasks:
                task.cancel()
            await self._close()
            await asyncio.gather(*tasks, return_exceptions=True)
            if not self._failure.cancel():
                self._failure.exception()  # read it, so that asyncio does not report it

    async def _close(self) -> None:
        """Close the socket. With TLS, also wait for a moment until Redis has confirmed the end of the connection.

        redis-py closes the socket before it waits. So it is closed even if this task is canceled a second time.
        """
        with suppress(TimeoutError, RedisError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._connection.disconnect()

    @property
    def is_open(self) -> bool:
        """Whether the socket is open."""
        return bool(self._connection.is_connected)

    def fail(self, reason: str) -> None:
        """End the connection: :meth:`run` raises UnreachableError."""
        if not self._failure.done():
            self._failure.set_exception(UnreachableError(reason))

    def check(self, now: float) -> None:
        """End the connection if Redis has owed a reply for too long."""
        step = min(now - self._checked_at, MAX_CHECK_STEP)
        self._checked_at = now
        if not self._owed or self._replies != self._checked_replies:
            self._checked_replies = self._replies
            self._silence = 0.0
            return
        self._silence += step
        if self._silence >= self._max_silence:
            self.fail(f"Redis at {self._address} does not answer")

    # Hot path.

    async def send(self, commands: Sequence[Command]) -> None:
        """Write commands. Wait only if the socket does not accept the bytes, or if Redis owes too many replies."""
        chunk: list[bytes] = []
        size = 0
        for command in commands:
            data = pack_command(command)  # type: ignore[arg-type]
            chunk.append(data)
            size += len(data)
            self._owed.append(len(data))
            if size >= CHUNK_BYTES:
                await self._write(chunk, size)
                chunk, size = [], 0
        if chunk:
            await self._write(chunk, size)

    async def _write(self, chunk: list[bytes], size: int) -> None:
        while self._owed_bytes > MAX_OWED_BYTES:
            self._replied.clear()
            await self._replied.wait()
        if not self.is_open:  # lost a moment ago: redis-py would connect again, and send the commands there
            raise UnreachableError(f"the connection to Redis at {self._address} was lost")
        self._owed_bytes += size
        await self._connection.send_packed_command(b"".join(chunk), check_health=False)

    async def receive(self) -> Any:
        """Return the next reply. Raises ResponseError if it is an error."""
        try:
            reply = await self._connection.read_response()
        except ResponseError:
            self._count_reply()
            raise
        self._count_reply()
        return reply

    def _count_reply(self) -> None:
        self._replies += 1
        self._owed_bytes -= self._owed.popleft()
        self._replied.set()


def _retrieve_exception(task: asyncio.Future[Any]) -> None:
    """Mark the exception of a job as retrieved, so that asyncio does not report it if :meth:`.run` is canceled."""
    if not task.cancelled():
        task.exception()
