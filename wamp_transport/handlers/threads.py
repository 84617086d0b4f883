"""The thread pool for synchronous handlers. It limits the threads of each handler, and manages database connections."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError as FutureCancelled
from concurrent.futures import Future
from contextlib import suppress
from threading import Event as Flag
from typing import Any, Final, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

from ..stores.connections import close_at_thread_end, with_clean_connections
from ..worker_threads import WorkersBusy, WorkersClosed, WorkerThreads

Outcome = TypeVar("Outcome")

DEFAULT_THREADS: Final = 8
"""The default number of threads. The setting ``HANDLER_THREADS`` overrides it."""


class HandlerThreads:
    """A pool of up to ``size`` threads for synchronous handlers."""

    def __init__(self, size: int = DEFAULT_THREADS) -> None:
        self.size = size
        self._pool = WorkerThreads("wamp-handler", size, around=with_clean_connections)

    @property
    def share(self) -> int:
        """The maximum number of threads for one handler: half of the pool, so that it cannot block other handlers."""
        return max(1, self.size // 2)

    async def run(self, work: Callable[[], Outcome], turns: asyncio.Semaphore | None = None) -> Outcome:
        """Call ``work`` in a thread and return its result. ``turns`` limits the number of concurrent calls.

        If the caller is canceled while ``work`` runs, ``work`` continues, and is a concurrent call until it ends.

        Raises WorkersBusy, WorkersClosed and any exception of ``work``. An exception that is not an ``Exception``, such
        as SystemExit, is raised as ProjectCodeError.
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
        """Run ``work`` on the loop and wait until it ends. Call this method in a thread.

        If ``is_over`` is set in the meantime, cancel ``work`` and return. Raises any exception of ``work``.
        """
        future = asyncio.run_coroutine_threadsafe(work, loop)
        while True:
            try:
                future.result(0.5)
            except TimeoutError:
                if future.done():  # the error comes from ``work``
                    raise
                if not is_over.is_set():
                    continue
                future.cancel()
            except FutureCancelled:
                pass
            return

    async def close_connections(self) -> None:
        """Close the database connections of the calling coroutine's asgiref thread, which is about to end."""

        def close() -> None:
            connections.close_all()
            close_at_thread_end()  # also for connections that Django keeps open: SQLite in memory

        await sync_to_async(close)()

    def close(self) -> None:
        """Stop accepting work. Running handlers continue."""
        self._pool.close()
