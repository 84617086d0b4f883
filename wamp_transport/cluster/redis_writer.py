"""The writing connection: a node uses it to append batches to the inboxes of other nodes, and to change the ledger."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from .ledger.scripts import Command
from .redis_connection import RedisConnection


class Output(Struct, gc=False):
    """A command, and the function that handles its reply.

    If the reply is an error, the connection ends, and the function is not called.
    """

    command: Command
    on_reply: Callable[[Any], None]


class RedisWriter:
    """Writes the commands that ``take_outputs`` returns, and passes each reply to the function in its output."""

    def __init__(self, connection: RedisConnection, take_outputs: Callable[[], Sequence[Output]]) -> None:
        self._connection = connection
        self._take_outputs = take_outputs
        self._pending: deque[Callable[[Any], None]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._is_due = True

    async def run(self) -> None:
        """Connect, and write until the connection ends. Always raises; see :meth:`.RedisConnection.run`."""
        await self._connection.run(self._write, self._read)

    # Hot path.

    def wake(self) -> bool:
        """Take and write the outputs at the end of the current turn of the event loop.

        Return False if this is not possible, because the connection is not ready or its socket accepts no more bytes.
        In this case, the outputs are taken later. Until then, the messages stay in the windows of the link, which are
        limited.
        """
        self._is_due = True
        waiter = self._waiter
        if waiter is None:
            return False
        if not waiter.done():
            waiter.set_result(None)
        return True

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._is_due:
                self._waiter = loop.create_future()
                await self._waiter
                self._waiter = None
            self._is_due = False
            outputs = self._take_outputs()
            if outputs:
                self._pending.extend([each.on_reply for each in outputs])
                await self._connection.send([each.command for each in outputs])

    async def _read(self) -> None:
        receive, pending = self._connection.receive, self._pending
        while True:
            reply = await receive()
            pending.popleft()(reply)
