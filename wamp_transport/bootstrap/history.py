"""Durable event history. Events are written to the database in batches, and loaded when a history is created."""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from django.db import DatabaseError
from msgspec.msgpack import encode

from ..config.configuration import Configuration
from ..node.node import Node
from ..node.observers import NodeObserver
from ..router.effects import Record
from ..router.history import History
from ..router.records import Publication
from ..stores import history
from ..wamp.payload import ABSENT, PYTHON
from .batch_writer import BatchWriter
from .plan import ConfigurationPart
from .threads import in_thread

logger = logging.getLogger(__name__)

WRITE_INTERVAL_SECONDS: Final = 0.25
"""The interval between two writes of queued events."""

BATCHES_PER_TRIM: Final = 200
"""The number of batches that are written between two deletions of events that exceed a history's limits."""

MAX_QUEUED_EVENTS: Final = 100_000
"""The maximum number of queued events. Further events are dropped, counted and logged."""

MAX_QUEUED_BYTES: Final = 64 * 1024 * 1024
"""The maximum size of the queued events."""

MAX_BATCH_EVENTS: Final = 1_000
"""The maximum number of events that are written in one transaction."""

CLOSE_SECONDS: Final = 2.0
"""The time limit for writing the queued events when the node stops."""

EVENT_OVERHEAD_BYTES: Final = 500
"""The approximate size of an event without its payload."""


class DurableHistory(ConfigurationPart, NodeObserver):
    """The part of a node that stores the events of durable histories in the database, and restores them."""

    name = "history"

    def __init__(self, node: Node) -> None:
        self._node = node
        self._writer: BatchWriter[Record] = BatchWriter(
            "events of histories",
            self._write,
            max_items=MAX_QUEUED_EVENTS,
            max_bytes=MAX_QUEUED_BYTES,
            max_batch=MAX_BATCH_EVENTS,
        )
        self._batches = 0
        self._restored: list[History] = []
        node.observers.add(self)

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Load the stored events into new durable histories.

        The router creates a new history object if a history is new or its options have changed. Therefore this method
        compares the objects, not the configurations.
        """
        present = [(realm, each) for realm, each in self._node.router.histories() if each.options.is_durable]
        self._restored = [each for _, each in present if any(each is one for one in self._restored)]
        for realm, each in present:
            if not any(each is one for one in self._restored):
                each.restore(await in_thread(history.past, realm, each.options))
                self._restored.append(each)

    async def run(self) -> None:
        """Write queued events at intervals, until canceled."""
        while True:
            await asyncio.sleep(WRITE_INTERVAL_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write the queued events. If the database fails, the events stay in the queue."""
        await self._writer.flush()

    async def stop(self) -> None:
        """Write the queued events before the process ends."""
        await self._writer.close(CLOSE_SECONDS)

    async def _write(self, batch: list[Record]) -> None:
        await in_thread(history.keep, batch)
        self._batches += 1
        if self._batches % BATCHES_PER_TRIM == 0:
            await self._trim()

    async def _trim(self) -> None:
        try:
            for realm, each in list(self._node.router.histories()):
                if each.options.is_durable:
                    await in_thread(history.trim, realm, each.options)
        except DatabaseError:
            logger.exception("Deleting old events failed; it is retried later")

    def event_recorded(self, record: Record) -> None:
        """Queue an event for writing."""
        self._writer.put(record, size_of(record.publication))


def size_of(publication: Publication) -> int:
    """Return the approximate size of a publication in bytes."""
    message = publication.message
    size = EVENT_OVERHEAD_BYTES
    for part in (message.args, message.kwargs):
        with suppress(TypeError, ValueError, OverflowError):  # an event that cannot be encoded is skipped later
            size += len(encode(part)) if publication.payload_format == PYTHON and part is not ABSENT else len(part)
    return size
