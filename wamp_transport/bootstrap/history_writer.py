"""The writer of event histories. It writes events to the database in batches, and deletes old ones.

The queue of a history contains at most as many events as the history in memory. When the history removes its oldest
event, the queue drops it too, because its row would be deleted again immediately. Therefore, the limits of the
histories, in number and in bytes, apply to the queues as well. While the database does not respond, the only events
that are lost are those that the history in memory no longer contains.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from django.db import DatabaseError

from ..router.effects import Record
from ..router.history import History
from ..router.options import Match
from ..stores import history as store
from .log_limiter import LogLimiter
from .threads import in_thread

logger = logging.getLogger(__name__)

MAX_BATCH_EVENTS: Final = 1_000
"""The maximum number of events that are written in one transaction."""

MAX_BATCH_BYTES: Final = 8 * 1024 * 1024
"""When the events in a transaction reach this total size in bytes, no more are added to it."""

TRIM_RATIO: Final = 4
"""The old events of a history are deleted from the database each time a quarter of its events has been replaced."""

Key = tuple[str, Match, str]
"""The realm, match policy and URI of a history."""


class HistoryWriter:
    """The queues of events that wait for the database, one for each history, and the task that writes them.

    It belongs to one event loop. ``histories()`` yields the histories of the router with their realms.
    ``on_recorded(records, is_stored)`` is called with True when events have been written. It is called with False for
    events that were dropped, and also if the database fails, so that publishers do not wait any longer. After such a
    failure, writing is retried at the next :meth:`flush`.
    """

    def __init__(
        self,
        histories: Callable[[], Iterator[tuple[str, History]]],
        on_recorded: Callable[[Iterable[Record], bool], None],
    ) -> None:
        self._histories = histories
        self._on_recorded = on_recorded
        self._queues: dict[Key, deque[Record]] = {}
        self._written: Counter[Key] = Counter()
        """The number of events of each history that were written since old ones were last deleted."""
        self._loaded: dict[Key, History] = {}
        """The histories into which the stored events have been loaded. Events of other histories are not deleted."""
        self._untrimmed: set[Key] = set()
        self._writing: asyncio.Task[None] | None = None
        self._is_closed = False
        self._is_failing = False
        """Whether the last attempt to write failed. If so, only :meth:`flush` starts the next attempt."""
        self._log_limiter = LogLimiter()

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def put(self, record: Record) -> None:
        """Queue an event without waiting. If the publisher waits for it to be stored, start to write immediately.

        After :meth:`close`, report the event as not stored. While the database fails, only :meth:`flush` writes.
        """
        if self._is_closed:
            self._on_recorded([record], False)
            return
        queue = self._queues.setdefault(_key(record), deque())
        queue.append(record)
        self._shorten(queue, record.kept)
        if record.confirmation is not None and self._writing is None and not self._is_failing:
            self._start()

    def trim(self, realm: str, history: History) -> None:
        """At the next :meth:`flush`, delete the stored events that the history no longer contains.

        Call this after the stored events have been loaded into the history.
        """
        key = realm, history.options.match, history.options.uri
        self._loaded[key] = history
        self._untrimmed.add(key)

    async def flush(self) -> None:
        """Write the queued events and delete old ones. If the database fails, the events stay in the queue."""
        if self._writing is None and (self._queues or self._untrimmed):
            self._start()
        if self._writing is not None:
            # Shielded: if the caller is canceled, the writing task must continue, or its batch would be lost.
            await asyncio.shield(self._writing)

    async def close(self, seconds: float) -> None:
        """Refuse new events and write the queued ones. After ``seconds``, drop the rest."""
        self._is_closed = True
        self._untrimmed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self.flush()
        except TimeoutError:
            if self._writing is not None:
                self._writing.cancel()
                await asyncio.wait([self._writing])
        left = [record for queue in self._queues.values() for record in queue]
        self._queues.clear()
        if left:
            logger.error("The process ends: %d events of histories are lost", len(left))
            self._on_recorded(left, False)

    def _start(self) -> None:
        self._writing = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        """Write all queued events. After each batch, delete a limited number of old events."""
        try:
            while self._queues or self._untrimmed:
                await self._write(self._take_batch())
                await self._trim_next()
            self._is_failing = False
        except DatabaseError as error:
            self._is_failing = True
            self._stop_waiting()
            if self._log_limiter.may_log("failure"):
                logger.error("Writing events of histories failed, and is retried; %d are queued: %s", len(self), error)
        finally:
            self._writing = None

    async def _write(self, batch: list[Record]) -> None:
        """Write a batch. If the database fails, put the events back into their queues and raise DatabaseError."""
        if not batch:
            return
        try:
            await in_thread(store.keep, batch)
        except (DatabaseError, asyncio.CancelledError):
            for record in reversed(batch):
                self._queues.setdefault(_key(record), deque()).appendleft(record)
            raise
        except Exception:  # events that cannot be written must not keep others from being written
            logger.exception("%d events of histories are lost: they cannot be written", len(batch))
            self._on_recorded(batch, False)
            return
        for key, count in Counter(map(_key, batch)).items():
            self._written[key] += count
            if key in self._loaded and self._written[key] * TRIM_RATIO >= len(self._loaded[key]):
                del self._written[key]
                self._untrimmed.add(key)
        self._on_recorded(batch, True)

    def _stop_waiting(self) -> None:
        """Report to waiting publishers that their events are not stored yet. The events stay queued."""
        waiting = [record for queue in self._queues.values() for record in queue if record.confirmation is not None]
        self._on_recorded(waiting, False)
        for record in waiting:
            record.confirmation = None

    def _take_batch(self) -> list[Record]:
        """Remove and return the next events to write, up to the limits of a batch.

        If a history has more events than fit, the rest is written after the events of the other histories, so that a
        busy history does not delay them.
        """
        batch: list[Record] = []
        size = 0
        current = self._current()
        for key, queue in list(self._queues.items()):
            if key in current:
                self._shorten(queue, len(current[key]))
            if len(batch) >= MAX_BATCH_EVENTS or size >= MAX_BATCH_BYTES:
                continue  # this queue's turn comes in the next batch
            while queue and len(batch) < MAX_BATCH_EVENTS and size < MAX_BATCH_BYTES:
                batch.append(queue.popleft())
                size += batch[-1].publication.size
            del self._queues[key]
            if queue:
                self._queues[key] = queue
        return batch

    def _shorten(self, queue: deque[Record], length: int) -> None:
        """Drop the oldest events of a queue until it is no longer than its history, which has ``length`` events."""
        while len(queue) > length:
            self._on_recorded([queue.popleft()], False)

    async def _trim_next(self) -> None:
        """Delete some of the stored events that a history no longer contains.

        Raises DatabaseError if the database fails.
        """
        if not self._untrimmed:
            return
        key = next(iter(self._untrimmed))
        history = self._loaded.get(key)
        if history is None or history is not self._current().get(key):  # replaced, or not loaded
            self._untrimmed.discard(key)
            return
        history.remove_expired(datetime.now(UTC))
        try:
            deleted = await in_thread(store.trim, *key, len(history))
        except DatabaseError:
            raise
        except Exception:  # a bug must not keep events from being written
            logger.exception("Old events of the history of %s cannot be deleted", key[2])
            deleted = 0
        if deleted < store.MAX_TRIMMED_ROWS:
            self._untrimmed.discard(key)

    def _current(self) -> dict[Key, History]:
        return {(realm, one.options.match, one.options.uri): one for realm, one in self._histories()}


def _key(record: Record) -> Key:
    return record.realm, record.match, record.uri
