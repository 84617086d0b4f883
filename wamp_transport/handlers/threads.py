"""A thread pool for synchronous handlers. It is shared fairly and cleans up database connections."""

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


class HandlerThreads:
    """A pool of at most ``size`` threads for synchronous handlers. One slow handler cannot occupy all of them."""

    def __init__(self, size: int = DEFAULT_THREADS) -> None:
        self.size = size
        self._pool = WorkerThreads("wamp-handler", size, around=with_clean_connections)

    @property
    def share(self) -> int:
        """The number of threads that one handler may use at the same time."""
        return max(1, self.size // 2)

    async def run(self, work: Callable[[], Outcome], turns: asyncio.Semaphore | None = None) -> Outcome:
        """Wait for ``turns``, call ``work`` in a thread, and return its result.

        The turn is released when the thread is free, even if the caller is canceled. Raises WorkersBusy, WorkersClosed,
        ProjectCodeError (see :mod:`..project_code`) and any other exception of ``work``.
        """
        turns = turns or asyncio.Semaphore(1)
        await turns.acquire()
        loop = asyncio.get_running_loop()

        def free(_: Future[Any]) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits for a turn any more
                loop.call_soon_threadsafe(turns.release)

        try:
            future = self._pool.submit(work)
        except (WorkersBusy, WorkersClosed):
            turns.release()
            raise
        future.add_done_callback(free)
        return await asyncio.wrap_future(future)

    def wait_for(self, work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop, is_over: Flag) -> None:
        """Run ``work`` on the loop and wait for it. Call this in a thread.

        Cancel ``work`` if ``is_over`` is set, because nobody waits for the result any more.
        """
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
        """Close the database connections of the current coroutine's thread, which is about to end."""
        await sync_to_async(connections.close_all)()

    def close(self) -> None:
        """Refuse further work. Running handlers continue."""
        self._pool.close()
