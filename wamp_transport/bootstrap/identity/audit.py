"""The audit trail of a node. Entries are queued, similar entries are grouped, and groups are written in batches."""

import asyncio
import logging
from typing import Any, Final

from django.db import DatabaseError
from django.utils import timezone

from ...conf import app_settings
from ...stores.connections import has_database
from ...stores.identity import audit
from ..batch_writer import BatchWriter
from ..threads import in_thread

logger = logging.getLogger(__name__)

WRITE_INTERVAL_SECONDS: Final = 1.0
"""The interval between two writes of queued entries."""

MAX_QUEUED_ENTRIES: Final = 5_000
"""The maximum number of queued entries. Further entries are dropped, counted and logged."""

MAX_QUEUED_BYTES: Final = 8 * 1024 * 1024
"""The maximum total size of the queued entries."""

MAX_BATCH_ENTRIES: Final = 500
"""The maximum number of entries that are written in one transaction."""

ENTRY_OVERHEAD_BYTES: Final = 500
"""The approximate size of an entry without its text columns."""

CLOSE_SECONDS: Final = 2.0
"""The time limit for writing the queued entries when the node stops."""

PURGE_INTERVAL_SECONDS: Final = 3600.0
"""The interval between deletions of old entries. If many entries are written, old ones are deleted more often."""

ENTRIES_PER_PURGE: Final = 10_000
"""The number of entries that are written between two deletions of old entries."""

GROUPING_COLUMNS: Final = ("kind", "realm", "authid", "authrole", "authmethod", "address", "reason")
"""The columns by which entries are grouped.

Queued entries with equal values in these columns are stored as one entry, which contains their number and the detail of
the first of them. If the entry is about a session that another session ended, the detail names that session, and must
be equal as well.
"""


class AuditTrail:
    """The audit trail of a node. ``node`` is the name of the node."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._groups: dict[tuple[Any, ...], dict[str, Any]] = {}
        """The queued entries whose count can still increase, because they have not been passed to the database yet."""
        self._writer: BatchWriter[tuple[tuple[Any, ...], dict[str, Any]]] = BatchWriter(
            "entries of the audit trail",
            self._write,
            max_items=MAX_QUEUED_ENTRIES,
            max_bytes=MAX_QUEUED_BYTES,
            max_batch=MAX_BATCH_ENTRIES,
        )
        self._is_failure_logged = False
        self._unpurged = 0
        """The number of entries that were written since old entries were last deleted."""
        self._has_database = has_database()

    def record(self, kind: str, **columns: Any) -> None:
        """Record an event. Do nothing if the project has no audit trail or no database.

        ``columns`` are fields of :class:`~wamp_transport.models.AuditEntry`.
        """
        if not app_settings().audit_days or not self._has_database:
            return
        columns = {name: audit.fit(name, value) for name, value in columns.items() if value is not None}
        killer = columns.get("detail") if kind == "kill" else None
        key = (kind, *(columns.get(name) for name in GROUPING_COLUMNS[1:]), killer)
        known = self._groups.get(key)
        if known is not None:
            known["count"] += 1
            return
        entry = {
            "kind": kind,
            "created_at": timezone.now(),
            "node": audit.fit("node", self._node),
            "count": 1,
            **columns,
        }
        size = ENTRY_OVERHEAD_BYTES + sum(len(value) for value in columns.values() if isinstance(value, str))
        if self._writer.put((key, entry), size):
            self._groups[key] = entry

    async def run(self) -> None:
        """Write queued entries and delete old ones at intervals, until canceled."""
        loop = asyncio.get_running_loop()
        purge_at = loop.time()
        while True:
            await asyncio.sleep(WRITE_INTERVAL_SECONDS)
            await self.flush()
            is_due = loop.time() >= purge_at or self._unpurged >= ENTRIES_PER_PURGE
            if self._has_database and is_due:
                purge_at = loop.time() + PURGE_INTERVAL_SECONDS
                await self._purge()

    async def flush(self) -> None:
        """Write the queued entries. If the database fails, the entries stay in the queue."""
        await self._writer.flush()

    async def close(self) -> None:
        """Write the queued entries before the process ends."""
        await self._writer.close(CLOSE_SECONDS)

    async def _write(self, batch: list[tuple[tuple[Any, ...], dict[str, Any]]]) -> None:
        # This must come before the first await: the counts of a batch must not change while the batch is written.
        for key, _ in batch:
            self._groups.pop(key, None)
        await in_thread(audit.keep, [entry for _, entry in batch])
        self._unpurged += len(batch)

    async def _purge(self) -> None:
        self._unpurged = 0
        try:
            # Each call deletes a limited number of entries, because other writers must wait for the database meanwhile.
            while await in_thread(audit.purge, app_settings().audit_days) == audit.MAX_DELETED_ROWS:
                pass
        except DatabaseError as error:
            if not self._is_failure_logged:
                logger.error("Old entries of the audit trail cannot be deleted: %s", error)
            self._is_failure_logged = True
        else:
            self._is_failure_logged = False
