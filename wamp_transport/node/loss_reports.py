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
        """Log a loss, but wait until a minute has passed since the previous log record.

        If further losses are reported meanwhile, only the text of the last one is logged, together with the totals.
        """
        self._last = text
        now = self._loop.time()
        if self._reported_at is None or now >= self._reported_at + LOSS_REPORT_SECONDS:
            self._log()
        elif self._timer is None:
            self._timer = self._loop.call_at(self._reported_at + LOSS_REPORT_SECONDS, self._log)

    def close(self) -> None:
        """Log the losses that have not been logged yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._log()

    def _log(self) -> None:
        """Log the last loss, with all losses since the start of the node."""
        self._timer = None
        self._reported_at = self._loop.time()
        logger.warning("%s (since the start: %s)", self._last, self._totals())
