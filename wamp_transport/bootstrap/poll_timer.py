"""The timer of a loop that polls the database for changes.

A *hint* is a message that another process sends when it has committed a change; see :mod:`.hints`. Hints can be lost,
so the loop never stops polling, but it polls less often while hints arrive.
"""

import asyncio
from contextlib import suppress
from typing import Final

SLOW_SECONDS: Final = 5.0
"""The interval between two polls while hints arrive."""

MIN_PAUSE_SECONDS: Final = 0.025
"""The minimum pause between two polls. It limits polling to 40 times a second, however many hints arrive."""

WORK_FACTOR: Final = 1
"""The minimum pause after a poll, as a multiple of the time that the poll and the resulting work took.

Without this pause, a series of many changes would keep a node busy with loading a large configuration again and again.
"""

FAST_POLLS: Final = 4
"""The number of polls after a hint for which the normal interval is used.

If the database has replicas, the change may not have reached a replica when the hint arrives. A later poll finds it.
"""


class PollTimer:
    """The timer of one polling loop. ``seconds`` is the normal interval. Use it on the event loop only.

    While :attr:`is_relaxed` is set, the interval is SLOW_SECONDS, except after :meth:`hurry` and :meth:`wake`.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._is_relaxed = False
        self._is_due = False
        self._fast_polls = 0
        self._changed = asyncio.Event()
        self._returned_at: float | None = None

    @property
    def is_relaxed(self) -> bool:
        """Whether the loop polls slowly, because hints arrive."""
        return self._is_relaxed

    @property
    def interval(self) -> float:
        """The current interval in seconds."""
        return SLOW_SECONDS if self._is_relaxed and not self._fast_polls else self._seconds

    def relax(self, is_relaxed: bool) -> None:
        """Set whether to poll slowly. If this differs from the current value, also poll now.

        When hints begin to arrive, this poll finds changes that were committed shortly before. When hints stop
        arriving, it finds changes whose hints were lost.
        """
        if is_relaxed != self._is_relaxed:
            self._is_relaxed = is_relaxed
            self.wake()

    def wake(self) -> None:
        """Poll now, or as soon as the minimum pause after the last poll has passed."""
        self._is_due = True
        self.hurry()

    def hurry(self) -> None:
        """Use the normal interval for the next :data:`FAST_POLLS` polls, even if hints arrive."""
        self._fast_polls = FAST_POLLS
        self._changed.set()

    async def wait(self) -> None:
        """Return when the next poll is due."""
        loop = asyncio.get_running_loop()
        begun_at = loop.time()
        work = 0.0 if self._returned_at is None else begun_at - self._returned_at
        await asyncio.sleep(min(max(MIN_PAUSE_SECONDS, WORK_FACTOR * work), self._seconds))
        while not self._is_due and (left := begun_at + self.interval - loop.time()) > 0:
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._changed.wait()
        self._is_due = False
        self._fast_polls = max(0, self._fast_polls - 1)
        self._returned_at = loop.time()
