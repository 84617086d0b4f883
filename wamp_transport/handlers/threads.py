"""The threads of synchronous handlers: a separate pool with clean database connections, shared fairly."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError as FutureCancelled
from concurrent.futures import Future
from contextlib import suppress
from threading import Event as Flag
from typing import Any, Final, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

from ..stores.connections import with_clean_connections
from ..worker_threads import WorkersBusy, WorkersClosed, WorkerThreads

Outcome = TypeVar("Outcome")

DEFAULT_THREADS: Final = 8
"""The number of threads without the setting ``HANDLER_THREADS``."""


class HandlerThreads:
    """A pool of up to ``size`` threads for synchronous handlers."""

    def __init__(self, size: int = DEFAULT_THREADS) -> None:
        self.size = size
        self._pool = WorkerThreads("wamp-handler", size, around=with_clean_connections)

    @property
    def share(self) -> int:
        """The number of threads that one handler may use: half of them, so that a slow one cannot block the others."""
        return max(1, self.size // 2)

    async def run(self, work: Callable[[], Outcome], turns: asyncio.Semaphore | None = None) -> Outcome:
        """Call ``work`` in a thread and return its result. ``turns`` limits the threads that are used at the same time.

        The turn is released when the thread is free, even if the caller was canceled before. Raises WorkersBusy,
        WorkersClosed and any exception of ``work``; ProjectCodeError if that is not an ordinary exception.
        """
        turns = turns or asyncio.Semaphore(1)
        await turns.acquire()
        loop = asyncio.get_running_loop()

        def free(_: Future[Any]) -> None:
            with suppress(RuntimeError):  # the loop is closed, so no task waits for a turn
                loop.call_soon_threadsafe(turns.release)

        try:
            future = self._pool.submit(work)
        except (WorkersBusy, WorkersClosed):
            turns.release()
            raise
        future.add_done_callback(free)
        return await asyncio.wrap_future(future)

    def wait_for(self, work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop, is_over: Flag) -> None:
        """Run a coroutine on the loop and wait for it, until ``is_over`` is set. Must be called in a thread."""
        future = asyncio.run_coroutine_threadsafe(work, loop)
        while True:
            try:
                future.result(0.5)
            except TimeoutError:
                if not is_over.is_set():
                    continue
                future.cancel()
            except FutureCancelled:
                pass
            return

    async def close_connections(self) -> None:
        """Close the database connections of the asgiref thread of the calling coroutine, which is about to end."""
        await sync_to_async(connections.close_all)()

    def close(self) -> None:
        """Stop accepting handlers. Running ones continue."""
        self._pool.close()
