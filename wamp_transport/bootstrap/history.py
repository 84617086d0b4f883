"""Durable event history: write what the node records in batches, and read it back at the start."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from django.db import DatabaseError
from msgspec.msgpack import encode

from ..node.node import Node
from ..router.effects import Record
from ..router.options import HistoryOptions, RouterOptions
from ..router.records import Publication
from ..stores import history
from ..wamp.payload import ABSENT, PYTHON
from .batch_writer import BatchWriter
from .threads import in_thread

logger = logging.getLogger(__name__)

WRITE_SECONDS: Final = 0.25
"""How long recorded events may wait to be written together."""

TRIM_EVERY: Final = 200
"""Batches between two looks for rows that no history keeps any more."""

MAX_WAITING: Final = 100_000
"""Events that may wait for a database that does not answer; newer ones are then lost, and that is logged."""

MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
"""Bytes of payload that may wait so."""

MAX_BATCH: Final = 1_000
"""Events that are written in one transaction."""

LAST_SECONDS: Final = 2.0
"""How long a node that stops waits for the last events to be written."""

EVENT_BYTES: Final = 500
"""What an event takes besides its payload, about."""


class DurableHistory:
    """Connects a node's recorded events with the database."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._writer: BatchWriter[Record] = BatchWriter(
            "events of histories",
            self._write,
            max_items=MAX_WAITING,
            max_bytes=MAX_WAITING_BYTES,
            max_batch=MAX_BATCH,
        )
        self._batches = 0
        self._options: RouterOptions | None = None
        node.recorder = self._take

    async def restore(self, options: RouterOptions) -> None:
        """Fill the durable histories that are new with what is stored of them."""
        known = set(_durable(self._options)) if self._options is not None else set()
        self._options = options
        for realm, wanted in _durable(options):
            if (realm, wanted) not in known:
                stored = await in_thread(history.past, realm, wanted)
                self._node.router.realms[realm].broker.restore(wanted.match, wanted.uri, stored)

    async def run(self) -> None:
        """Write what is recorded, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits. What a database that does not answer cannot take is tried again."""
        await self._writer.flush()

    async def close(self) -> None:
        """The process ends: write what waits."""
        await self._writer.close(LAST_SECONDS)

    async def _write(self, batch: list[Record]) -> None:
        await in_thread(history.keep, batch)
        self._batches += 1
        if self._batches % TRIM_EVERY == 0 and self._options is not None:
            await self._trim(self._options)

    async def _trim(self, options: RouterOptions) -> None:
        try:
            for realm, wanted in _durable(options):
                await in_thread(history.trim, realm, wanted)
        except DatabaseError:
            logger.exception("Old events could not be dropped; it is tried again later")

    def _take(self, record: Record) -> None:
        self._writer.put(record, size_of(record.publication))


def size_of(publication: Publication) -> int:
    """Return about how many bytes a publication takes."""
    message = publication.message
    size = EVENT_BYTES
    for part in (message.args, message.kwargs):
        with suppress(TypeError, ValueError, OverflowError):  # then it is left out when it is written
            size += len(encode(part)) if publication.payload_format == PYTHON and part is not ABSENT else len(part)
    return size


def _durable(options: RouterOptions) -> Iterator[tuple[str, HistoryOptions]]:
    for realm in options.realms.values():
        for wanted in realm.history:
            if wanted.is_durable:
                yield realm.name, wanted
