"""Work in threads beside the event loop: what waits for the database, and what may take long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from threading import Lock
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from django.db import DatabaseError, InterfaceError

from ..stores.connections import with_kept_connections
from .functions import with_clean_connections

Result = TypeVar("Result")

MAX_THREADS: Final = 2
"""Pieces of work at the same time; others wait. It is also how many connections a node keeps to each database.

More would take the interpreter from the event loop, not get more done: with 8 a storm of logins by principals of the
database made other sessions' calls take 50 ms instead of 2, at the same number of logins (``make bench-logins``).
"""

LONGEST_QUEUE: Final = 200
"""Logins that may wait for a thread; further ones fail at once."""

LONGEST_WAIT: Final = 5.0
"""Seconds that a login may wait for a thread: less than the whole of it may take, so that it is told why it fails."""

_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, ThreadPoolExecutor] = WeakKeyDictionary()
"""The threads of each event loop; they end with it."""


def with_database(work: Callable[[], Result]) -> Result:
    """Do ``work`` with the connections that this thread keeps. Raises DatabaseError for all trouble with them."""
    try:
        return with_kept_connections(work)
    except InterfaceError as error:  # what some drivers say of a lost connection
        raise DatabaseError(*error.args) from error


async def in_thread(function: Callable[..., Result], *args: object, **kwargs: object) -> Result:
    """``function`` in a worker thread, which keeps its database connection, as a node asks often, until it breaks.

    When that happens the function is called once more. Raises what it raises; DatabaseError for all trouble with the
    database. Once the interpreter ends, no thread takes work any more: the task is canceled.
    """

    def call() -> Result:
        return with_database(lambda: function(*args, **kwargs))

    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        pool = _pools[loop] = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="wamp-node")
    try:
        future = loop.run_in_executor(pool, copy_context().run, call)
    except RuntimeError as error:  # the interpreter ends, as it does for a reload in development
        raise asyncio.CancelledError from error
    return await future


async def finished(seconds: float) -> None:
    """Wait for what runs in the threads of this loop, ``seconds`` at most: it goes on when its task is canceled."""
    pool = _pools.pop(asyncio.get_running_loop(), None)
    if pool is not None:
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(pool.shutdown), seconds)


class Busy(Exception):
    """Too many logins wait for a thread already."""


class Threads:
    """Threads for what is slow, and a queue that ends: by length, and by the seconds that anything waits in it.

    ``around`` runs the work, and sees to the thread's database connections.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        longest: int = LONGEST_QUEUE,
        longest_wait: float = LONGEST_WAIT,
        around: Callable[[Callable[[], Any]], Any] = with_clean_connections,
    ) -> None:
        self._pool = ThreadPoolExecutor(threads, name)
        self._longest = threads + longest
        self._longest_wait = longest_wait
        self._around = around
        self._count = 0
        self._mutex = Lock()

    async def run(self, function: Callable[[], Result]) -> Result:
        """Run ``function`` in a thread. Raises Busy, and what it raises. When cancelled, what runs goes on."""
        with self._mutex:
            if self._count >= self._longest:
                raise Busy
            self._count += 1
        future = self._pool.submit(self._around, function)
        future.add_done_callback(lambda _: self._done())
        is_late = False

        def expire() -> None:
            nonlocal is_late
            is_late = future.cancel()  # what runs goes on

        timer = asyncio.get_running_loop().call_later(self._longest_wait, expire)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if is_late:
                raise Busy from None
            raise
        finally:
            timer.cancel()

    def close(self) -> None:
        """Nothing more is run."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _done(self) -> None:
        with self._mutex:
            self._count -= 1
