"""A server that speaks Redis' protocol and replies as a test decides."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from hiredis import Reader

from wamp_transport.cluster.redis_address import RedisAddress

Command = list[bytes]


class FakeRedis:
    """Records the commands, and sends what ``reply`` returns for each of them: bytes, or None for no reply.

    ``connections`` is the number of connections that clients have made.

    If ``is_reading`` is set to False, the server reads nothing more after the next bytes.
    """

    def __init__(self, reply: Callable[[Command], bytes | None]) -> None:
        self.reply = reply
        self.commands: list[Command] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.connections = 0
        self.is_reading = True
        self._may_end = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.connections += 1
        parser = Reader()
        try:
            while self.is_reading and (data := await reader.read(65536)):
                parser.feed(data)
                while (command := parser.gets()) is not False:
                    self.commands.append(command)
                    answer = self.reply(command)
                    if answer is not None:
                        writer.write(answer)
            if not self.is_reading:
                await self._may_end.wait()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def cut(self) -> None:
        """Close all connections."""
        self._may_end.set()
        for writer in self.writers:
            writer.close()
        self.writers.clear()


@asynccontextmanager
async def fake_redis(reply: Callable[[Command], bytes | None]) -> AsyncIterator[tuple[FakeRedis, RedisAddress]]:
    fake = FakeRedis(reply)
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        path = Path(directory) / "s"
        server = await asyncio.start_unix_server(fake.serve, path)
        try:
            yield fake, RedisAddress(f"unix://{path}")
        finally:
            fake.cut()
            server.close()
            await server.wait_closed()
            await asyncio.sleep(0.02)


def bulk(data: bytes | None) -> bytes:
    """Encode a string, or nothing."""
    return b"$-1\r\n" if data is None else b"$%d\r\n%b\r\n" % (len(data), data)


def array(*values: bytes) -> bytes:
    """Encode an array of encoded values."""
    return b"*%d\r\n%b" % (len(values), b"".join(values))
