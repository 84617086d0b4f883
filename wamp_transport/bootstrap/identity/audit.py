"""The audit trail of a node: events are queued without waiting, counted if they are alike, and written in batches."""

import asyncio
import logging
from typing import Any, Final

from django.db import DatabaseError
from django.utils import timezone

from ...conf import app_settings
from ...stores.identity import audit
from ..batch_writer import BatchWriter
from ..threads import in_thread

logger = logging.getLogger(__name__)

WRITE_INTERVAL_SECONDS: Final = 1.0
"""The interval at which queued entries are written."""

MAX_QUEUED_ENTRIES: Final = 5_000
"""The number of entries that may be queued. Further ones are dropped, counted and logged."""

MAX_QUEUED_BYTES: Final = 8 * 1024 * 1024
"""The number of bytes that may be queued. Peers choose authids of any length."""

MAX_BATCH_ENTRIES: Final = 500
"""The number of entries that are written in one transaction."""

ENTRY_OVERHEAD_BYTES: Final = 500
"""The approximate size of an entry without its texts."""

CLOSE_SECONDS: Final = 2.0
"""The time limit for writing the last entries when the node stops."""

PURGE_INTERVAL_SECONDS: Final = 3600.0
"""The interval at which old entries are deleted."""

GROUPING_COLUMNS: Final = ("kind", "realm", "authid", "authrole", "authmethod", "address", "reason")
"""The columns that identify alike entries. Those of one batch become one entry, with a count and the first detail."""


class AuditTrail:
    """The audit trail of the node with the name ``node``."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._groups: dict[tuple[Any, ...], dict[str, Any]] = {}
        """The entries that are queued and may still be counted up: no attempt was made to write them."""
        self._writer: BatchWriter[tuple[tuple[Any, ...], dict[str, Any]]] = BatchWriter(
            "entries of the audit trail",
            self._write,
            max_items=MAX_QUEUED_ENTRIES,
            max_bytes=MAX_QUEUED_BYTES,
            max_batch=MAX_BATCH_ENTRIES,
        )
        self._is_failure_logged = False

    def record(self, kind: str, **columns: Any) -> None:
        """Record an event. ``columns`` are columns of :class:`~wamp_transport.models.AuditEntry`."""
        if not app_settings().audit_days:
            return
        key = (kind, *(columns.get(name) for name in GROUPING_COLUMNS[1:]))
        known = self._groups.get(key)
        if known is not None:
            known["count"] += 1
            return
        present_columns = {name: value for name, value in columns.items() if value is not None}
        entry = {"kind": kind, "created_at": timezone.now(), "node": self._node, "count": 1, **present_columns}
        size = ENTRY_OVERHEAD_BYTES + sum(len(value) for value in present_columns.values() if isinstance(value, str))
        if self._writer.put((key, entry), size):
            self._groups[key] = entry

    async def run(self) -> None:
        """Write queued entries and delete old ones at intervals, until canceled."""
        loop = asyncio.get_running_loop()
        purge_at = loop.time()
        while True:
            await asyncio.sleep(WRITE_INTERVAL_SECONDS)
            await self.flush()
            if loop.time() >= purge_at:
                purge_at = loop.time() + PURGE_INTERVAL_SECONDS
                await self._purge()

    async def flush(self) -> None:
        """Write the queued entries. If the database fails, they stay in the queue, within its limits."""
        await self._writer.flush()

    async def close(self) -> None:
        """Write the queued entries, because the process ends."""
        await self._writer.close(CLOSE_SECONDS)

    async def _write(self, batch: list[tuple[tuple[Any, ...], dict[str, Any]]]) -> None:
        # Before the first await: the counts of a batch that is being written must not change.
        for key, _ in batch:
            self._groups.pop(key, None)
        await in_thread(audit.keep, [entry for _, entry in batch])

    async def _purge(self) -> None:
        try:
            await in_thread(audit.purge, app_settings().audit_days)
        except DatabaseError as error:
            if not self._is_failure_logged:
                logger.error("Old entries of the audit trail cannot be deleted: %s", error)
            self._is_failure_logged = True
        else:
            self._is_failure_logged = False
