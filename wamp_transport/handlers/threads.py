"""The threads that synchronous handlers run in: a bounded pool of their own, with clean database connections."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError as FutureCancelled
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from threading import Event as Flag
from typing import Any, Final, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

from ..stores.connections import clean_connections

Outcome = TypeVar("Outcome")

DEFAULT_THREADS: Final = 8


class Threads:
    """The pool. Threads begin when they are needed. ``size`` of them at most."""

    def __init__(self, size: int = DEFAULT_THREADS) -> None:
        self.size = size
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="wamp-handler")

    @property
    def share(self) -> int:
        """How many of the threads one handler may have, so that a slow one leaves some to others."""
        return max(1, self.size // 2)

    async def run(self, work: Callable[[], Outcome], turns: asyncio.Semaphore | None = None) -> Outcome:
        """``work`` in a thread, once it has its turn; the turn lasts until the thread is free, even when cancelled."""
        turns = turns or asyncio.Semaphore(1)
        await turns.acquire()
        loop = asyncio.get_running_loop()

        def free(_: Future[Any]) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits for a turn any more
                loop.call_soon_threadsafe(turns.release)

        try:
            future = self._pool.submit(copy_context().run, _clean, work)
        except RuntimeError:  # the process ends
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
        """Of the thread that a coroutine has got for the database: it is about to go, and they with it."""
        await sync_to_async(connections.close_all)()

    def close(self) -> None:
        """Begin nothing more; what runs comes to its end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _clean(work: Callable[[], Outcome]) -> Outcome:
    with clean_connections():
        return work()
