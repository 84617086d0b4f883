"""Durable event history: takes what the node records, writes it in batches, puts it back at the start."""

import asyncio
import logging
from typing import Final

from django.db import DatabaseError

from ..config.configuration import Configuration
from ..node.node import Node
from ..node.observers import NodeObserver
from ..router.effects import Record
from ..router.history import History
from ..stores import history
from .plan import ConfigurationPart
from .threads import in_thread

logger = logging.getLogger(__name__)

WRITE_SECONDS: Final = 0.25
"""How long recorded events may wait to be written together."""

TRIM_EVERY: Final = 200
"""Batches between two looks for rows that no history keeps any more."""

LARGEST_BACKLOG: Final = 100_000
"""Events that may wait for a database that does not answer; newer ones are then lost, and that is logged."""


class DurableHistory(ConfigurationPart, NodeObserver):
    """Connects a node's recorded events with the database."""

    name = "history"

    def __init__(self, node: Node) -> None:
        self._node = node
        self._waiting: list[Record] = []
        self._lost = 0
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
        if self._batches % TRIM_EVERY == 0:
            await self._trim()

    async def _trim(self) -> None:
        try:
            for realm, each in list(self._node.router.histories()):
                if each.options.is_durable:
                    await in_thread(history.trim, realm, each.options)
        except DatabaseError:
            logger.exception("Old events could not be dropped; it is tried again later")

    def event_recorded(self, record: Record) -> None:
        """Keep an event until it is written."""
        if len(self._waiting) >= LARGEST_BACKLOG:
            self._lost += 1
            if self._lost == 1:
                logger.error("The database does not take events fast enough: newer ones are not stored")
            return
        self._waiting.append(record)
