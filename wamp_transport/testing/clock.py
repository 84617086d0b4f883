"""The clock of a test: it stands still, and is moved by the test or by whoever waits."""

from asgiref.sync import sync_to_async

from .loop import MemoryLoop


class Clock:
    """Time as the router, coroutines of handlers and timeouts see it. Django's and Python's own does not change."""

    def __init__(self, loop: MemoryLoop) -> None:
        self._loop = loop

    @property
    def time(self) -> float:
        """Seconds since the test began."""
        return round(self._loop.time(), 9)

    @property
    def jumps(self) -> bool:
        """Whether the clock goes on to the next thing that is due when the test waits and nothing else is left to do.

        True unless set. Where it is not, a test that waits for what only time can bring fails.
        """
        return self._loop.jumps

    @jumps.setter
    def jumps(self, jumps: bool) -> None:
        self._loop.jumps = jumps

    @property
    def next_due(self) -> float | None:
        """In how many seconds something is due, None where nothing is."""
        return self._loop.next_due()

    def advance(self, seconds: float) -> None:
        """Let time pass; all that is due meanwhile happens, in order."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._loop.advance(seconds)

    async def aadvance(self, seconds: float) -> None:
        """:meth:`advance` for coroutines."""
        await sync_to_async(self.advance)(seconds)
