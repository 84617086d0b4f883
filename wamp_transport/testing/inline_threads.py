"""Where synchronous handlers run in tests: in the thread of who waits, with the database connections of the test."""

import asyncio
from collections.abc import Callable, Coroutine
from threading import Event as Flag
from typing import Any, TypeVar

from ..handlers.threads import Threads
from .loop import MemoryLoop

Outcome = TypeVar("Outcome")


class NoThreads(Threads):
    """Stands where the handlers' threads are elsewhere. Connections are left as they are: they are the test's."""

    async def run(self, work: Callable[[], Outcome], turns: asyncio.Semaphore | None = None) -> Outcome:
        """See :class:`Threads`."""
        async with turns or asyncio.Semaphore(1):
            outcome: Outcome = await asyncio.get_running_loop().run_in_executor(None, work)
            return outcome

    async def close_connections(self) -> None:
        """See :class:`Threads`."""

    def wait_for(self, work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop, is_over: Flag) -> None:
        """See :class:`Threads`."""
        assert isinstance(loop, MemoryLoop)  # noqa: S101 - it is used with no other
        loop.post(work).result()
