"""The clock of a test. It stands still until the test advances it or waits for something."""

from asgiref.sync import sync_to_async

from .loop import MemoryLoop


class Clock:
    """The time of the router, of coroutines in handlers and of timeouts. ``time`` and ``datetime`` are not affected."""

    def __init__(self, loop: MemoryLoop) -> None:
        self._loop = loop

    @property
    def time(self) -> float:
        """Seconds since the test began."""
        return round(self._loop.time(), 9)

    @property
    def auto_advance(self) -> bool:
        """Whether the clock advances to the next timer when the test waits and nothing else is left to run.

        True by default. If False, a test that waits for something that only a timer can cause fails.
        """
        return self._loop.auto_advance

    @auto_advance.setter
    def auto_advance(self, auto_advance: bool) -> None:
        self._loop.auto_advance = auto_advance

    @property
    def next_due(self) -> float | None:
        """Seconds until the next timer, None if there is none."""
        return self._loop.next_due()

    def advance(self, seconds: float) -> None:
        """Advance the clock. Everything due meanwhile runs, in order."""
        if seconds < 0:
            raise ValueError("the clock cannot be turned back")
        self._loop.advance(seconds)

    async def aadvance(self, seconds: float) -> None:
        """:meth:`advance` for coroutines."""
        await sync_to_async(self.advance)(seconds)
