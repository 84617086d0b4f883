"""The threads of synchronous handlers: a pool of their own, with clean database connections, shared fairly."""

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
    """Threads for synchronous handlers, ``size`` at most, and turns, so that one slow handler leaves some to others."""

    def __init__(self, size: int = DEFAULT_THREADS) -> None:
        self.size = size
        self._pool = WorkerThreads("wamp-handler", size, around=with_clean_connections)

    @property
    def share(self) -> int:
        """How many of the threads one handler may have, so that a slow one leaves some to others."""
        return max(1, self.size // 2)

    async def run(self, work: Callable[[], Outcome], turns: asyncio.Semaphore | None = None) -> Outcome:
        """Call ``work`` in a thread once it is its turn, and return what it returns.

        The turn lasts until the thread is free, even when the caller is canceled. Raises WorkersBusy, WorkersClosed,
        and what ``work`` raises; of project code that is no ordinary exception, ProjectCodeError.
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
        """In a thread: let the loop do something and wait for it, unless nobody waits for this thread any more."""
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
        """Close those of the thread that a coroutine has got for the database: it is about to end."""
        await sync_to_async(connections.close_all)()

    def close(self) -> None:
        """Begin nothing more. Handlers that run go on."""
        self._pool.close()
