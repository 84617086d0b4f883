import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from wamp_transport.cluster.keys import ClusterKeys
from wamp_transport.cluster.ledger.log import LogEntry
from wamp_transport.cluster.redis_connection import RedisConnection, UnreachableError
from wamp_transport.cluster.redis_reader import BATCHES_PER_TURN, TRIM_BATCHES, TRIM_BYTES, RedisReader

from .fake_redis import Command, FakeRedis, array, bulk, fake_redis

KEYS = ClusterKeys("shop", "secret")
LOG = KEYS.log.encode()
INBOX = KEYS.inbox("n").encode()
NOTHING = b"*-1\r\n"


class Handler:
    """Records what is read, in order."""

    def __init__(self) -> None:
        self.read: list[object] = []
        self.is_ready = False

    def log_position(self) -> str:
        return "7-1"

    def on_log(self, entries: Sequence[LogEntry]) -> None:
        self.read += [entry.position for entry in entries]

    def on_batch(self, data: bytes) -> None:
        self.read.append(data)

    def on_ready(self) -> None:
        self.is_ready = True


def stream(key: bytes, *entries: tuple[bytes, list[bytes]]) -> bytes:
    encoded = [array(bulk(entry_id), array(*map(bulk, values))) for entry_id, values in entries]
    return array(bulk(key), array(*encoded))


def inbox(first: int, *batches: bytes) -> bytes:
    return stream(INBOX, *((b"5-%d" % (first + place), [b"b", data]) for place, data in enumerate(batches)))


def read(
    replies: list[bytes], handler: Handler, then: Callable[[FakeRedis], Awaitable[None]] | None = None
) -> list[Command]:
    """Let a reader read these replies to XREAD, until there is none left. Return the commands."""

    def reply(command: Command) -> bytes | None:
        if command[0] == b"XREAD":
            return replies.pop(0) if replies else b"-ERR end of the test\r\n"
        return b":1\r\n"

    async def run() -> list[Command]:
        async with fake_redis(reply) as (fake, address):
            reader = RedisReader(RedisConnection(address, 5), KEYS, "n", handler, handler.on_ready)
            with pytest.raises(UnreachableError, match="end of the test"):
                await reader.run()
            return fake.commands

    return asyncio.run(run())


def test_log_is_handled_before_the_inbox() -> None:
    handler = Handler()
    entry = (b"8-0", [b"prev", b"7-1 aa", b"mark", b"bb", b"n:x", b"record"])
    read([array(inbox(0, b"batch"), stream(LOG, entry))], handler)
    assert handler.read == ["8-0 bb", b"batch"]
    assert handler.is_ready


def test_each_read_continues_after_the_last_one() -> None:
    handler = Handler()
    commands = read([NOTHING, array(inbox(1, b"a", b"b")), array(inbox(3, b"c"))], handler)
    streams = [b"STREAMS", LOG, INBOX, b"7-1"]
    block = [b"BLOCK", b"1000"]
    assert commands == [
        [b"XREAD", *streams, b"0-0"],
        [b"XREAD", *block, *streams, b"0-0"],
        [b"XREAD", *block, *streams, b"5-2"],
        [b"XREAD", *block, *streams, b"5-3"],
    ]
    assert handler.read == [b"a", b"b", b"c"]


@pytest.mark.parametrize(("count", "size"), [(TRIM_BATCHES, 1), (2, TRIM_BYTES // 2)])
def test_inbox_is_trimmed_after_many_batches_or_bytes(count: int, size: int) -> None:
    batches = [b"x" * size] * count
    commands = read([array(inbox(1, *batches[:-1])), array(inbox(count, *batches[-1:]))], Handler())
    assert [command[0] for command in commands] == [b"XREAD", b"XREAD", b"XTRIM", b"XREAD"]
    assert commands[2] == [b"XTRIM", INBOX, b"MINID", b"5-%d" % (count + 1)]


def test_inbox_is_trimmed_when_nothing_comes() -> None:
    commands = read([array(inbox(1, b"a")), NOTHING, NOTHING], Handler())
    assert [command[0] for command in commands] == [b"XREAD", b"XREAD", b"XTRIM", b"XREAD", b"XREAD"]


def test_others_may_run_while_many_batches_are_handled() -> None:
    seen: list[int] = []

    class Slow(Handler):
        def on_batch(self, data: bytes) -> None:
            super().on_batch(data)
            if len(self.read) == 1:
                asyncio.get_running_loop().call_soon(lambda: seen.append(len(self.read)))

    handler = Slow()
    read([array(inbox(1, *[b"a"] * (3 * BATCHES_PER_TURN)))], handler)
    assert seen == [BATCHES_PER_TURN]
    assert len(handler.read) == 3 * BATCHES_PER_TURN
