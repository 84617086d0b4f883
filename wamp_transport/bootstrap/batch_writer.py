"""A queue whose items are written to slow storage in batches, so that the event loop never waits."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from django.db import DatabaseError

from .log_limiter import LogLimiter

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


class BatchWriter(Generic[Item]):
    """A queue of items and the task that writes them, in batches and in order. It belongs to one event loop.

    ``name`` describes the items in the log, such as "events of histories". ``write`` writes a batch. If it raises
    DatabaseError, the batch is retried at the next :meth:`flush`. After any other exception, the batch is dropped. The
    queue holds up to ``max_items`` items with a total of ``max_bytes``. Further items are dropped, counted and logged.
    If ``is_eager``, items are written as soon as they are queued, not only at each :meth:`flush`.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[list[Item]], Awaitable[None]],
        *,
        max_items: int,
        max_bytes: int,
        max_batch: int,
        is_eager: bool = False,
    ) -> None:
        self.max_items = max_items
        self.max_bytes = max_bytes
        self.max_batch = max_batch
        self.dropped = 0
        self._name = name
        self._write = write
        self._is_eager = is_eager
        self._waiting: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._is_closed = False
        self._unreported = 0
        self._log_limiter = LogLimiter()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: Item, size: int = 0) -> bool:
        """Queue an item of ``size`` bytes without waiting. Return False if the item was dropped."""
        if self._is_closed or len(self._waiting) >= self.max_items or self._bytes + size > self.max_bytes:
            self._drop(1)
            return False
        self._waiting.append((item, size))
        self._bytes += size
        if self._is_eager and self._writing is None:
            self._start()
        return True

    async def flush(self) -> None:
        """Write the queued items. If the database fails, the items stay in the queue."""
        if self._writing is None and self._waiting:
            self._start()
        if self._writing is not None:
            # Shielded: if the caller is canceled, the writing task must continue, or its batch would be lost.
            await asyncio.shield(self._writing)
        self._report_dropped()

    async def close(self, seconds: float) -> None:
        """Refuse new items and write the queued ones. After ``seconds``, drop the rest."""
        self._is_closed = True
        try:
            async with asyncio.timeout(seconds):
                await self.flush()
        except TimeoutError:
            if self._writing is not None:
                self._writing.cancel()
        left = len(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        if left:
            self.dropped += left
            logger.error("The process ends: %d %s are lost", left, self._name)
        self._log_limiter.reset()
        self._report_dropped()

    def _start(self) -> None:
        self._writing = asyncio.get_running_loop().create_task(self._write_all())

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self.max_batch, len(self._waiting)))]
                self._bytes -= sum(size for _, size in batch)
                try:
                    await self._write([item for item, _ in batch])
                except DatabaseError as error:
                    self._waiting.extendleft(reversed(batch))
                    self._bytes += sum(size for _, size in batch)
                    if self._log_limiter.may_log("failure"):
                        text = "Writing %d %s failed, and is retried: %s"
                        logger.error(text, len(batch), self._name, error)
                    return
                except Exception:
                    self.dropped += len(batch)
                    logger.exception("%d %s are lost: they cannot be written", len(batch), self._name)
        finally:
            self._writing = None

    def _drop(self, count: int) -> None:
        self.dropped += count
        self._unreported += count
        if not self._is_closed:
            self._report_dropped()

    def _report_dropped(self) -> None:
        if self._unreported and self._log_limiter.may_log("dropped"):
            count, self._unreported = self._unreported, 0
            text = "%d %s are lost: %d are queued already, and they are not written fast enough"
            logger.error(text, count, self._name, len(self._waiting))
