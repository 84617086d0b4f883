"""Log the loss of messages between the nodes of a cluster, at most once a minute."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

logger = logging.getLogger(__name__)

LOSS_REPORT_SECONDS: Final = 60.0
"""The minimum time between two log records about messages that were lost."""


class LossReports:
    """The log records about lost messages. ``totals`` returns a text with all losses since the start of the node."""

    def __init__(self, loop: asyncio.AbstractEventLoop, totals: Callable[[], str]) -> None:
        self._loop = loop
        self._totals = totals
        self._reported_at: float | None = None
        self._last = ""
        self._timer: asyncio.TimerHandle | None = None

    def report(self, text: str) -> None:
        """Log a loss. If another loss was logged less than a minute ago, log it later, together with further losses."""
        self._last = text
        now = self._loop.time()
        if self._reported_at is None or now >= self._reported_at + LOSS_REPORT_SECONDS:
            self._log()
        elif self._timer is None:
            self._timer = self._loop.call_at(self._reported_at + LOSS_REPORT_SECONDS, self._log)

    def close(self) -> None:
        """Log the losses that were not logged yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._log()

    def _log(self) -> None:
        """Log the last loss, with all losses since the start of the node."""
        self._timer = None
        self._reported_at = self._loop.time()
        logger.warning("%s (since the start: %s)", self._last, self._totals())
