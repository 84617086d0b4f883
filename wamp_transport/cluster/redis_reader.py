"""The reading connection: the connection to Redis on which a node reads the ledger's log and its own inbox."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from .keys import ClusterKeys
from .ledger.log import LogEntry, parse_entry
from .ledger.scripts import Command
from .redis_connection import RedisConnection

BLOCK_SECONDS: Final = 1.0
"""The time after which Redis replies even if there is nothing to read. Therefore, a dead connection is detected."""

TRIM_BATCHES: Final = 64
TRIM_BYTES: Final = 1024 * 1024
"""The inbox is trimmed when this many batches or bytes in it have been handled, or when there is nothing to read."""

BATCHES_PER_TURN: Final = 64
"""The number of batches that are handled before other tasks may run."""


class StreamHandler(Protocol):
    """The receiver of everything that a :class:`RedisReader` reads."""

    def log_position(self) -> str:
        """Return the id of the log entry after which to continue reading."""

    def on_log(self, entries: Sequence[LogEntry]) -> None:
        """Handle entries of the log."""

    def on_batch(self, data: bytes) -> None:
        """Handle an entry of the inbox."""


class RedisReader:
    """Reads the log and the inbox with one command, which Redis carries out as one step.

    A message that a node has sent because of an entry of the log is in the inbox only after that entry is in the log.
    Since the entries of the log are handled first, no message is handled before the entry that it depends on.
    """

    def __init__(
        self,
        connection: RedisConnection,
        keys: ClusterKeys,
        node_id: str,
        handler: StreamHandler,
        on_ready: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._log = keys.log
        self._inbox = keys.inbox(node_id)
        self._handler = handler
        self._on_ready = on_ready
        # Redis may have restarted, and may derive new ids in the inbox from an earlier clock. So a new connection reads
        # the whole inbox. Batches that arrive again are recognized by their numbers.
        self._position = b"0-0"
        self._handled_batches = 0
        self._handled_bytes = 0

    async def run(self) -> None:
        """Connect, and read until the connection ends. Always raises; see :meth:`.RedisConnection.run`.

        ``on_ready`` is called after the first reply.
        """
        await self._connection.run(self._read)

    # Hot path.

    async def _read(self) -> None:
        send, receive = self._connection.send, self._connection.receive
        blocking: Command = ()
        is_idle = False
        while True:
            commands: list[Command] = []
            is_trimming = self._is_trimming_due(is_idle=is_idle)
            if is_trimming:
                commands.append(self._trim())
            streams = (self._log, self._inbox, self._handler.log_position(), self._position)
            commands.append(("XREAD", *blocking, "STREAMS", *streams))
            await send(commands)
            if is_trimming:
                await receive()
            reply = await receive()
            is_idle = not reply
            if reply:
                await self._handle(dict(reply))
            if not blocking:
                blocking = ("BLOCK", round(BLOCK_SECONDS * 1000))
                self._on_ready()

    async def _handle(self, streams: dict[bytes, Any]) -> None:
        log = streams.get(self._log.encode())
        if log:
            self._handler.on_log([parse_entry(entry_id, values) for entry_id, values in log])
        inbox = streams.get(self._inbox.encode(), ())
        on_batch = self._handler.on_batch
        for count, (entry_id, values) in enumerate(inbox, 1):
            data = values[1]
            on_batch(data)
            self._position = entry_id
            self._handled_batches += 1
            self._handled_bytes += len(data)
            if count % BATCHES_PER_TURN == 0:
                await asyncio.sleep(0)

    # End of the hot path.

    def _is_trimming_due(self, *, is_idle: bool) -> bool:
        if is_idle:
            return self._handled_batches > 0
        return self._handled_batches >= TRIM_BATCHES or self._handled_bytes >= TRIM_BYTES

    def _trim(self) -> Command:
        """Return the command that removes the handled batches.

        The command must be sent on this connection. On another one, it could reach a Redis that has restarted and
        assigns lower ids, and could remove batches that have not been read.
        """
        self._handled_batches = self._handled_bytes = 0
        milliseconds, _, number = self._position.partition(b"-")
        return ("XTRIM", self._inbox, "MINID", b"%b-%d" % (milliseconds, int(number) + 1))
