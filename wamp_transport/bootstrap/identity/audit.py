"""The audit trail of a node: takes what happens without waiting, counts what is alike, writes in batches."""

import asyncio
import logging
from typing import Any, Final

from django.db import DatabaseError
from django.utils import timezone

from ...conf import app_settings
from ...stores.identity import audit
from ..threads import in_thread

logger = logging.getLogger(__name__)

WRITE_SECONDS: Final = 1.0
"""How long what has happened may wait to be written together."""

LARGEST_BACKLOG: Final = 5_000
"""Entries that may wait to be written. What else happens until then is counted and told in the log."""

PURGE_SECONDS: Final = 3600.0

ALIKE: Final = ("kind", "realm", "authid", "authrole", "authmethod", "address", "reason")
"""Columns in which entries of one batch do not differ: they become one, with a count and the detail of the first."""


class AuditTrail:
    """What happened at the door of a node. ``node`` is its name."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._waiting: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._lost = 0
        self._is_troubled = False

    def record(self, kind: str, **columns: Any) -> None:
        """Something has happened; ``columns`` are those of :class:`~wamp_transport.models.AuditEntry`."""
        if not app_settings().audit_days:
            return
        key = (kind, *(columns.get(name) for name in ALIKE[1:]))
        known = self._waiting.get(key)
        if known is not None:
            known["count"] += 1
        elif len(self._waiting) >= LARGEST_BACKLOG:
            self._lost += 1
        else:
            given = {name: value for name, value in columns.items() if value is not None}
            self._waiting[key] = {"kind": kind, "at": timezone.now(), "node": self._node, "count": 1, **given}

    async def run(self) -> None:
        """Write what waits and purge what is old, until cancelled."""
        loop = asyncio.get_running_loop()
        purge_at = loop.time()
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.flush()
            if loop.time() >= purge_at:
                purge_at = loop.time() + PURGE_SECONDS
                await self._guarded(audit.purge, app_settings().audit_days)

    async def flush(self) -> None:
        """Write what waits. What the database does not take stays, within bounds."""
        if self._lost:
            logger.error("%d events are missing in the audit trail: too many at a time", self._lost)
            self._lost = 0
        if self._waiting:
            batch, self._waiting = self._waiting, {}
            if not await self._guarded(audit.keep, list(batch.values())):
                self._waiting = {**batch, **self._waiting}

    async def _guarded(self, function: Any, *args: Any) -> bool:
        try:
            await in_thread(function, *args)
        except DatabaseError as error:
            if not self._is_troubled:
                logger.error("The audit trail cannot be written: %s", error)
            self._is_troubled = True
            return False
        self._is_troubled = False
        return True
