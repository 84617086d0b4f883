"""Work that waits for the database, in threads beside the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from django.db import DatabaseError, InterfaceError

from ..stores.connections import with_kept_connections

Result = TypeVar("Result")

MAX_THREADS: Final = 2
"""Pieces of work at the same time; others wait. It is also how many connections a node keeps to each database.

More would take the interpreter from the event loop, not get more done: with 8 a storm of logins by principals of the
database made other sessions' calls take 50 ms instead of 2, at the same number of logins (``make bench-logins``).
"""

_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, ThreadPoolExecutor] = WeakKeyDictionary()
"""The threads of each event loop; they end with it."""


async def in_thread(function: Callable[..., Result], *args: object, **kwargs: object) -> Result:
    """``function`` in a worker thread, which keeps its database connection, as a node asks often, until it breaks.

    When that happens the function is called once more. Raises what it raises; DatabaseError for all trouble with the
    database. Once the interpreter ends, no thread takes work any more: the task is canceled.
    """

    def call() -> Result:
        try:
            return with_kept_connections(lambda: function(*args, **kwargs))
        except InterfaceError as error:  # what some drivers say of a lost connection
            raise DatabaseError(*error.args) from error

    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        pool = _pools[loop] = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="wamp-node")
    try:
        future = loop.run_in_executor(pool, copy_context().run, call)
    except RuntimeError as error:  # the interpreter ends, as it does for a reload in development
        raise asyncio.CancelledError from error
    return await future
