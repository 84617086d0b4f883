"""Work that waits for the database, in threads beside the event loop."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from django.db import DatabaseError, connections

Result = TypeVar("Result")


async def in_thread(function: Callable[..., Result], *args: object, **kwargs: object) -> Result:
    """``function`` in a worker thread; after trouble with the database the thread's connections are made anew."""

    def call() -> Result:
        try:
            return function(*args, **kwargs)
        except DatabaseError:
            connections.close_all()
            raise

    return await asyncio.to_thread(call)
