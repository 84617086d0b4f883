"""Durable event history: write what the node records in batches, and read it back at the start."""

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
"""How long recorded events may wait to be written together."""

BATCHES_PER_TRIM: Final = 200
"""Batches between two looks for rows that no history keeps any more."""

MAX_QUEUED_EVENTS: Final = 100_000
"""Events that may wait for a database that does not answer; newer ones are then lost, and that is logged."""

MAX_QUEUED_BYTES: Final = 64 * 1024 * 1024
"""Bytes of payload that may wait so."""

MAX_BATCH_EVENTS: Final = 1_000
"""Events that are written in one transaction."""

CLOSE_SECONDS: Final = 2.0
"""How long a node that stops waits for the last events to be written."""

EVENT_OVERHEAD_BYTES: Final = 500
"""What an event takes besides its payload, about."""


class DurableHistory(ConfigurationPart, NodeObserver):
    """Connects a node's recorded events with the database."""

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
        """Fill the durable histories that were not filled yet with what is stored of them.

        The router makes a new history where one is new or has other options; that is what counts here, not how the
        configurations differ.
        """
        present = [(realm, each) for realm, each in self._node.router.histories() if each.options.is_durable]
        self._restored = [each for _, each in present if any(each is one for one in self._restored)]
        for realm, each in present:
            if not any(each is one for one in self._restored):
                each.restore(await in_thread(history.past, realm, each.options))
                self._restored.append(each)

    async def run(self) -> None:
        """Write what is recorded, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_INTERVAL_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits. What a database that does not answer cannot take is tried again."""
        await self._writer.flush()

    async def stop(self) -> None:
        """Write the queued events, as the process ends."""
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
            logger.exception("Old events could not be dropped; it is tried again later")

    def event_recorded(self, record: Record) -> None:
        """Queue an event to be written."""
        self._writer.put(record, size_of(record.publication))


def size_of(publication: Publication) -> int:
    """Return the approximate size of a publication in bytes."""
    message = publication.message
    size = EVENT_OVERHEAD_BYTES
    for part in (message.args, message.kwargs):
        with suppress(TypeError, ValueError, OverflowError):  # such an event is skipped when it is written
            size += len(encode(part)) if publication.payload_format == PYTHON and part is not ABSENT else len(part)
    return size
