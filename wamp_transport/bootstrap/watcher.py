"""The watcher of a configuration source. It applies each new revision and retries after failures."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Final

from ..config.configuration import Configuration
from ..config.report import ConfigError
from .plan import PartsBehind, text_of
from .poll_timer import PollTimer
from .sources import Source
from .started_node import StartedNode
from .threads import in_thread

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.5
"""The interval between checks for a new revision. See :mod:`.poll_timer` for exceptions."""

RETRY_SECONDS: Final = 1.0
"""The delay before the first retry. It doubles with each further failure."""

MAX_RETRY_SECONDS: Final = 30.0
"""The maximum delay before a retry. A new revision is applied without delay."""


class ConfigurationWatcher:
    """A watcher that applies new revisions of a configuration to a node.

    ``on_change`` is called after each attempt to apply a configuration, except the first.
    """

    def __init__(self, source: Source, started: StartedNode, on_change: Callable[[], Awaitable[None]]) -> None:
        self._source = source
        self._started = started
        self._on_change = on_change
        self.timer = PollTimer(POLL_SECONDS)
        self._seen: Hashable = None
        self._must_load = False
        self._delay = 0.0
        self._retry_at = 0.0
        self._source_problem = ""
        self._problem = ""

    @property
    def problem(self) -> str:
        """The reason why the newest configuration is not completely applied; empty if there is none."""
        return self._problem or self._source_problem

    async def begin(self) -> None:
        """Apply the first configuration.

        Raises ConfigError if the configuration is invalid or refused, ImproperlyConfigured if the cluster cannot be
        joined, and any exception of the source. Parts of the node that fail are retried later.
        """
        # The revision is read first: a change between the two calls is then detected as a new revision.
        revision = await in_thread(self._source.revision)
        configuration = await in_thread(self._source.load)
        self._seen = revision
        await self._apply(lambda: self._started.begin(configuration, revision))

    async def run(self) -> None:
        """Apply new revisions of the source until canceled."""
        while True:
            if self._source_problem or self._must_load or self._started.plan.behind:
                self.timer.hurry()  # there is something to retry
            await self.timer.wait()
            await self._look()

    async def _look(self) -> None:
        try:
            revision = await in_thread(self._source.revision)
        except Exception as error:
            if str(error) != self._source_problem:
                logger.error("Checking for a new configuration failed; it is retried", exc_info=error)
            self._source_problem = text_of(error)
            return
        self._source_problem = ""
        if revision != self._seen:
            self._seen, self._must_load, self._delay = revision, True, 0.0
        elif not self._is_due():
            return
        await (self._load(revision) if self._must_load else self._retry())
        await self._on_change()

    def _is_due(self) -> bool:
        must_retry = self._must_load or bool(self._started.plan.behind)
        return must_retry and asyncio.get_running_loop().time() >= self._retry_at

    async def _load(self, revision: Hashable) -> None:
        """Load and apply a new configuration. If this fails, log the reason and keep the old configuration."""
        try:
            configuration: Configuration = await in_thread(self._source.load)
            await self._apply(lambda: self._started.apply(configuration, revision))
        except ConfigError as error:
            self._retry_later(error, "The new configuration is not used; the old one still runs. %s")
        except Exception as error:  # noqa: BLE001 - a failing source must not stop the node
            self._retry_later(error, "Loading a new configuration failed; it is retried: %s")
        else:
            self._must_load = False

    async def _retry(self) -> None:
        await self._apply(self._started.retry)

    async def _apply(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except PartsBehind as error:
            self._retry_later(error)
        else:
            self._problem, self._delay = "", 0.0

    def _retry_later(self, error: Exception, message: str | None = None) -> None:
        """Schedule a retry.

        Log ``message`` if the failure differs from the last one. If parts have failed, ``message`` is None, because the
        plan has logged their failures.
        """
        self._delay = min(self._delay * 2 or RETRY_SECONDS, MAX_RETRY_SECONDS)
        self._retry_at = asyncio.get_running_loop().time() + self._delay
        text = text_of(error)
        if message is not None and text != self._problem:
            logger.error(message, text, exc_info=None if isinstance(error, ConfigError) else error)
        self._problem = text
