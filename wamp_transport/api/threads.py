"""The threads of synchronous handlers of the API: a pool of their own, with clean database connections."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast

from ..project_code import call_guarded
from ..stores.connections import with_clean_connections
from ..worker_threads import WorkerThreads

MAX_THREADS: Final = 8
"""Synchronous handlers that run at the same time; others wait."""

Message = TypeVar("Message")


_pool: Final = WorkerThreads("wamp-api", MAX_THREADS, around=with_clean_connections)


def awaitable(
    handler: Callable[[Message], object], *, in_order: bool = False, clean: bool = True
) -> Callable[[Message], Awaitable[Any]]:
    """Return ``handler`` as a coroutine function: as it is if it is one, else one that calls it in a thread.

    With ``in_order`` it takes one message after the other, as they arrive; else several at the same time. ``clean``:
    whether database connections are cleaned around each call; in a test they belong to the test.
    """
    call = getattr(handler, "__call__", None)  # noqa: B004 - an object may have it as a coroutine function
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call):
        return cast(Callable[[Message], Awaitable[Any]], handler)

    async def in_thread(message: Message) -> Any:
        loop = asyncio.get_running_loop()
        if not clean:  # the thread is that of the test, whose connections must not be touched
            return await loop.run_in_executor(None, call_guarded, handler, message)
        return await _pool.run(handler, message)

    turn = asyncio.Lock()

    async def in_turn(message: Message) -> Any:
        async with turn:
            return await in_thread(message)

    return in_turn if in_order else in_thread
