"""The audit trail of a node: takes what happens without waiting, counts what is alike, writes in batches."""

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
"""How long what has happened may wait to be written together."""

MAX_QUEUED_ENTRIES: Final = 5_000
"""Entries that may wait to be written. Others are dropped and counted, and that is logged."""

MAX_QUEUED_BYTES: Final = 8 * 1024 * 1024
"""Bytes that these may have: authids are as long as peers like."""

MAX_BATCH_ENTRIES: Final = 500
"""Entries that are written in one transaction."""

ENTRY_OVERHEAD_BYTES: Final = 500
"""What an entry takes besides its texts, about."""

CLOSE_SECONDS: Final = 2.0
"""How long a node that stops waits for the last entries to be written."""

PURGE_INTERVAL_SECONDS: Final = 3600.0

GROUPING_COLUMNS: Final = ("kind", "realm", "authid", "authrole", "authmethod", "address", "reason")
"""Columns in which entries of one batch do not differ: they become one, with a count and the detail of the first."""


class AuditTrail:
    """What happened at the door of a node. ``node`` is its name."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._groups: dict[tuple[Any, ...], dict[str, Any]] = {}
        """The entries that wait and were not tried yet: what is alike is counted there."""
        self._writer: BatchWriter[tuple[tuple[Any, ...], dict[str, Any]]] = BatchWriter(
            "entries of the audit trail",
            self._write,
            max_items=MAX_QUEUED_ENTRIES,
            max_bytes=MAX_QUEUED_BYTES,
            max_batch=MAX_BATCH_ENTRIES,
        )
        self._is_failure_logged = False

    def record(self, kind: str, **columns: Any) -> None:
        """Something has happened; ``columns`` are those of :class:`~wamp_transport.models.AuditEntry`."""
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
        """Write what waits and purge what is old, until cancelled."""
        loop = asyncio.get_running_loop()
        purge_at = loop.time()
        while True:
            await asyncio.sleep(WRITE_INTERVAL_SECONDS)
            await self.flush()
            if loop.time() >= purge_at:
                purge_at = loop.time() + PURGE_INTERVAL_SECONDS
                await self._purge()

    async def flush(self) -> None:
        """Write what waits. What the database does not take stays, within bounds."""
        await self._writer.flush()

    async def close(self) -> None:
        """The process ends: write what waits."""
        await self._writer.close(CLOSE_SECONDS)

    async def _write(self, batch: list[tuple[tuple[Any, ...], dict[str, Any]]]) -> None:
        # Before anything is awaited: the counts of a batch that is being written must not change.
        for key, _ in batch:
            self._groups.pop(key, None)
        await in_thread(audit.keep, [entry for _, entry in batch])

    async def _purge(self) -> None:
        try:
            await in_thread(audit.purge, app_settings().audit_days)
        except DatabaseError as error:
            if not self._is_failure_logged:
                logger.error("Old entries of the audit trail cannot be dropped: %s", error)
            self._is_failure_logged = True
        else:
            self._is_failure_logged = False
