"""Durable event history: takes what the node records, writes it in batches, puts it back at the start."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Final

from django.db import DatabaseError

from ..node.node import Node
from ..router.effects import Record
from ..router.options import HistoryOptions, RouterOptions
from ..stores import history
from .threads import in_thread

logger = logging.getLogger(__name__)

WRITE_SECONDS: Final = 0.25
"""How long recorded events may wait to be written together."""

TRIM_EVERY: Final = 200
"""Batches between two looks for rows that no history keeps any more."""

LARGEST_BACKLOG: Final = 100_000
"""Events that may wait for a database that does not answer; newer ones are then lost, and that is logged."""


class DurableHistory:
    """Connects a node's recorded events with the database."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._waiting: list[Record] = []
        self._lost = 0
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
        if not self._waiting:
            return
        batch, self._waiting = self._waiting, []
        try:
            await in_thread(history.keep, batch)
        except DatabaseError:
            logger.exception("%d events could not be stored; they are tried again", len(batch))
            self._waiting = batch + self._waiting
            return
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
        if len(self._waiting) >= LARGEST_BACKLOG:
            self._lost += 1
            if self._lost == 1:
                logger.error("The database does not take events fast enough: newer ones are not stored")
            return
        self._waiting.append(record)


def _durable(options: RouterOptions) -> Iterator[tuple[str, HistoryOptions]]:
    for realm in options.realms.values():
        for wanted in realm.history:
            if wanted.is_durable:
                yield realm.name, wanted
