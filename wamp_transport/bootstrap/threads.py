"""Work that waits for the database, in threads beside the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar

from django.db import DatabaseError, InterfaceError

from ..stores.connections import clean_connections

Result = TypeVar("Result")

MAX_THREADS: Final = 8
"""Pieces of work at the same time; others wait. It is also how many connections a node keeps to each database."""

_pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="wamp-node")


async def in_thread(function: Callable[..., Result], *args: object, **kwargs: object) -> Result:
    """``function`` in a worker thread, which keeps its database connection, as a node asks often, until it breaks.

    Raises what the function raises; DatabaseError for all trouble with the database.
    """

    def call() -> Result:
        try:
            with clean_connections(keep=True):
                return function(*args, **kwargs)
        except InterfaceError as error:  # what some drivers say of a lost connection
            raise DatabaseError(*error.args) from error

    return await asyncio.get_running_loop().run_in_executor(_pool, copy_context().run, call)
