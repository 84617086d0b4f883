"""The listener with which a node receives hints; see :mod:`.hints`.

While the channel layer works, the node polls the database less often. To check that it works, nodes send *test
messages*, which contain no kinds of changes. A node that has received nothing for a few seconds sends a test message to
all nodes, including itself. Every node that receives the message knows that hints reach it.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from random import uniform
from typing import Any, Final

from ..models.commits import KINDS, change_committed
from .hints import group_name, hint_layer, kinds_in, to_message
from .log_limiter import LogLimiter
from .poll_timer import SLOW_SECONDS, PollTimer

logger = logging.getLogger(__name__)

QUIET_SECONDS: Final = 2.0
"""The minimum time without messages before a node sends a test message. The maximum is one and a half times as long.

The time is random, so that one of the nodes usually sends a test message before the others do. The others then need not
send one.
"""

ANSWER_SECONDS: Final = 2.0
"""The time limit for opening a channel, and for receiving a test message that the node has sent itself."""

RETRY_SECONDS: Final = 1.0
"""The pause after a failure before the listener opens a new channel."""

JOIN_SECONDS: Final = 600.0
"""The maximum time before the node adds its channel to the group again, because group memberships can expire."""

CLOSE_SECONDS: Final = 0.5
"""The time limit for each step of closing the channel."""


class HintListener:
    """A listener that wakes the timers of a node's polling loops when changes are committed.

    ``timers`` maps kinds of changes to timers. A change that this process commits wakes the timer directly, without the
    channel layer.
    """

    def __init__(self, timers: Mapping[str, PollTimer]) -> None:
        self._timers = timers
        self._heard = asyncio.Event()
        self._limiter = LogLimiter()
        self._is_news = True

    async def run(self) -> None:
        """Listen until canceled."""
        loop = asyncio.get_running_loop()

        def on_committed(kind: str, **_event: Any) -> None:
            with suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(self._wake, [kind])

        change_committed.connect(on_committed, weak=False)
        try:
            await self._listen_forever()
        finally:
            change_committed.disconnect(on_committed)

    async def _listen_forever(self) -> None:
        while True:
            try:
                layer = hint_layer()
                if layer is None:  # the settings do not change while the process runs
                    await asyncio.get_running_loop().create_future()
                await self._listen(layer)
            except Exception as error:  # noqa: BLE001 - a channel layer can raise anything
                self._log_failure(error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self, layer: Any) -> None:
        """Receive hints on a new channel until this fails. Raises the exceptions of the channel layer."""
        group = group_name()
        async with asyncio.timeout(ANSWER_SECONDS):
            # Send first, in case the server is down: channels_redis keeps a queue for each new_channel() that fails.
            await layer.group_send(group, to_message(()))
            channel = await layer.new_channel()
        tasks = [
            asyncio.ensure_future(self._receive(layer, channel)),
            asyncio.ensure_future(self._probe(layer, group, channel)),
        ]
        for task in tasks:
            task.add_done_callback(_retrieve_exception)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
        finally:
            self._relax(False)
            for task in tasks:
                task.cancel()
            # A canceled task can go on, for example to unsubscribe. It must not delay the end of the process.
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await layer.group_discard(group, channel)

    async def _receive(self, layer: Any, channel: str) -> None:
        while True:
            message = await layer.receive(channel)
            self._heard.set()
            self._wake(kinds_in(message))

    async def _probe(self, layer: Any, group: str, channel: str) -> None:
        """Send test messages when necessary. Raises TimeoutError if one does not arrive."""
        loop = asyncio.get_running_loop()
        while True:
            async with asyncio.timeout(ANSWER_SECONDS):
                await layer.group_add(group, channel)
                self._heard.clear()
                await layer.group_send(group, to_message(()))
                await self._heard.wait()
            self._relax(True)
            await self._wait_for_silence(loop.time() + JOIN_SECONDS)

    async def _wait_for_silence(self, until: float) -> None:
        """Return when no message has arrived for a few seconds, or at most a few seconds after ``until``."""
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            self._heard.clear()
            try:
                async with asyncio.timeout(uniform(QUIET_SECONDS, 1.5 * QUIET_SECONDS)):  # noqa: S311 - no secret
                    await self._heard.wait()
            except TimeoutError:
                return

    def _wake(self, kinds: list[str]) -> None:
        """Wake the timers for these kinds of changes. If a kind is unknown, wake all timers."""
        is_known = all(kind in KINDS for kind in kinds)
        for kind, timer in self._timers.items():
            if kind in kinds or not is_known:
                timer.wake()

    def _relax(self, is_relaxed: bool) -> None:
        if is_relaxed and self._is_news:
            logger.info("Hints about changes arrive over the channel layer")
            self._is_news = False
        for timer in self._timers.values():
            timer.relax(is_relaxed)

    def _log_failure(self, error: Exception) -> None:
        if self._limiter.may_log("receive"):
            self._is_news = True
            text = str(error) or "no message arrived in time"
            logger.warning(
                "Hints about changes do not arrive over the channel layer, so this node looks at the database more "
                "often than every %g seconds: %s: %s",
                *(SLOW_SECONDS, type(error).__name__, text),
            )


def _retrieve_exception(task: asyncio.Future[None]) -> None:
    """Mark the exception of a task as retrieved. Otherwise, asyncio would report it, even long after the task's end."""
    if not task.cancelled():
        task.exception()
