"""The clock of a test. It stands still unless the test advances it or waits for something."""

from asgiref.sync import sync_to_async

from .loop import MemoryLoop


class Clock:
    """The clock of the router, of coroutines in handlers, and of timeouts.

    It does not affect ``time`` and ``datetime``.
    """

    def __init__(self, loop: MemoryLoop) -> None:
        self._loop = loop

    @property
    def time(self) -> float:
        """The time since the test began, in seconds."""
        return round(self._loop.time(), 9)

    @property
    def auto_advance(self) -> bool:
        """Whether the clock advances to the next timer when the test waits and nothing else can run.

        The default is True. If False, a test fails if it waits for something that only a timer can cause.
        """
        return self._loop.auto_advance

    @auto_advance.setter
    def auto_advance(self, auto_advance: bool) -> None:
        self._loop.auto_advance = auto_advance

    @property
    def next_due(self) -> float | None:
        """The time until the next timer, in seconds; None if there is no timer."""
        return self._loop.next_due()

    def advance(self, seconds: float) -> None:
        """Advance the clock. All timers that become due run, in order."""
        if seconds < 0:
            raise ValueError("the clock cannot be turned back")
        self._loop.advance(seconds)

    async def aadvance(self, seconds: float) -> None:
        """Advance the clock. See :meth:`advance`."""
        await sync_to_async(self.advance)(seconds)
