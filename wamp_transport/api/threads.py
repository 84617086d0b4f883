"""A thread pool for the API's synchronous handlers. It cleans up database connections."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast

from ..project_code import call_guarded
from ..stores.connections import with_clean_connections
from ..worker_threads import WorkerThreads

MAX_THREADS: Final = 8
"""The number of synchronous handlers that run at the same time; others wait."""

Message = TypeVar("Message")


_pool: Final = WorkerThreads("wamp-api", MAX_THREADS, around=with_clean_connections)


def awaitable(
    handler: Callable[[Message], object], *, in_order: bool = False, clean: bool = True
) -> Callable[[Message], Awaitable[Any]]:
    """Return ``handler`` unchanged if it is a coroutine function, and otherwise a coroutine function that calls it in a
    thread.

    With ``in_order`` a sync handler handles one message at a time, in the order of arrival; otherwise several at the
    same time. ``clean``: close old database connections around each call. Tests turn this off.
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
