"""Durable event history. Events are written to the database in batches, and loaded when a history is created."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from django.db import DatabaseError

from ..config.configuration import Configuration
from ..node.node import Node
from ..node.observers import NodeObserver
from ..router.effects import Record
from ..router.history import History
from ..stores import history
from ..stores.connections import has_database
from .history_writer import HistoryWriter
from .log_limiter import LogLimiter
from .plan import ConfigurationPart
from .threads import in_thread

logger = logging.getLogger(__name__)

WRITE_INTERVAL_SECONDS: Final = 0.25
"""The interval between two writes of queued events."""

MAX_LOGGED_HISTORIES: Final = 10
"""The maximum number of histories that are named in one log message."""

CLOSE_SECONDS: Final = 2.0
"""The time limit for writing the queued events when the node stops."""


class DurableHistory(ConfigurationPart, NodeObserver):
    """The part of a node that stores the events of durable histories in the database and restores them.

    It also logs if a realm removes events to keep its histories, durable or not, within ``max_history_size``.
    """

    name = "history"

    def __init__(self, node: Node) -> None:
        self._node = node
        self._writer = HistoryWriter(node.router.histories, self._report)
        self._restored: list[History] = []
        self._displaced: dict[str, int] = {}
        self._log_limiter = LogLimiter()
        self._is_unknown_logged = False
        self._has_database = has_database()
        node.observers.add(self)

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Load stored events into new durable histories, and schedule the deletion of those that exceed the limits.

        The router creates a new history object if a history is new or its options have changed. Therefore this method
        compares the objects, not the configurations.
        """
        present = [(realm, each) for realm, each in self._node.router.histories() if each.options.is_durable]
        if not self._has_database:
            for name in sorted({realm for realm, _ in present}):
                text = "Realm %s keeps its event histories in memory only, because this project has no database"
                logger.warning(text, name)
            return
        self._restored = [each for _, each in present if any(each is one for one in self._restored)]
        for realm, each in present:
            if not any(each is one for one in self._restored):
                histories = self._node.router.realms[realm].broker.event_histories
                past = await in_thread(history.past, realm, each.options, histories.space.limit)
                if histories.by_id.get(each.subscription.id) is each:  # still in use after the wait
                    histories.restore(each, past)
                    self._restored.append(each)
                    self._writer.trim(realm, each)

    async def run(self) -> None:
        """Write queued events at intervals, until canceled."""
        while True:
            await asyncio.sleep(WRITE_INTERVAL_SECONDS)
            self._log_displaced()
            await self.flush()
            if self._restored and not self._is_unknown_logged:
                self._is_unknown_logged = True
                with suppress(DatabaseError):
                    await self._log_unknown()

    async def flush(self) -> None:
        """Write the queued events. If the database fails, the events stay in the queue."""
        await self._writer.flush()

    async def stop(self) -> None:
        """Write the queued events before the process ends."""
        await self._writer.close(CLOSE_SECONDS)

    def event_recorded(self, record: Record) -> None:
        """Queue an event for writing. Without a database, report to the router that the event is not stored."""
        if self._has_database:
            self._writer.put(record)
        else:
            self._report([record], False)

    def _report(self, records: Iterable[Record], is_stored: bool) -> None:
        """Report to the router whether ``records`` are stored, so that it can answer publishers that wait for this."""
        for record in records:
            self._node.router.on_recorded(record, is_stored=is_stored)
        self._node.flush_effects()

    def _log_displaced(self) -> None:
        """Log how many events each realm has removed to keep its histories within ``max_history_size``.

        At most one message per minute is logged for each realm.
        """
        for name, realm in self._node.router.realms.items():
            histories = realm.broker.event_histories
            count = histories.displaced - self._displaced.get(name, 0)
            if count > 0 and self._log_limiter.may_log(name):
                text = "Event histories of realm %s have lost their %d oldest events: `max_history_size` is %d bytes"
                logger.warning(text, name, count, histories.space.limit)
                self._displaced[name] = histories.displaced

    async def _log_unknown(self) -> None:
        """Log which histories have events in the database, but are not configured on this node.

        These events are not deleted, because another node or a later configuration can use them. Raises DatabaseError
        if the database fails.
        """
        present = {(realm, one.options.match, one.options.uri) for realm, one in self._node.router.histories()}
        unknown = [key for key in await in_thread(history.find_all) if key not in present]
        if unknown:
            names = ", ".join(f"{uri} ({match}, realm {realm})" for realm, match, uri in unknown[:MAX_LOGGED_HISTORIES])
            text = (
                "Events of %d histories that this node does not keep are in the database: %s. Delete those that are no "
                "longer needed with `manage.py wamp clearhistory`"
            )
            logger.warning(text, len(unknown), names)
