"""Run synchronous handlers in the thread that waits for them, instead of in a thread pool.

The handlers can therefore use the database connections of the test.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..handlers.threads import HandlerThreads
from ..project_code import call_guarded
from .loop import MemoryLoop

Outcome = TypeVar("Outcome")


class InlineThreads(HandlerThreads):
    """A replacement for the thread pool of handlers. It runs handlers in the current thread.

    The database connections of the handlers stay open, because they belong to the test.
    """

    async def run(self, work: Callable[[], Outcome], turns: asyncio.Semaphore | None = None) -> Outcome:
        """Run ``work`` in the current thread, between two iterations of the loop, and return its result."""
        async with turns or asyncio.Semaphore(1):
            outcome: Outcome = await asyncio.get_running_loop().run_in_executor(None, call_guarded, work)
            return outcome

    async def close_connections(self) -> None:
        """Do nothing, because the connections belong to the test."""

    def wait_for(
        self, work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop, is_over: threading.Event
    ) -> None:
        """Run ``work`` on the loop and wait until it ends. ``is_over`` is ignored."""
        assert isinstance(loop, MemoryLoop)  # noqa: S101 - this class is used with no other loop
        loop.run_on_loop(work).result()
