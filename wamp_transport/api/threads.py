"""The thread pool in which the API runs synchronous handlers. It closes old database connections between calls."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast

from ..project_code import call_guarded
from ..stores.connections import with_clean_connections
from ..worker_threads import WorkerThreads

MAX_THREADS: Final = 8
"""The maximum number of synchronous handlers that run at the same time. Others wait."""

Message = TypeVar("Message")


_pool: Final = WorkerThreads("wamp-api", MAX_THREADS, around=with_clean_connections)


def awaitable(
    handler: Callable[[Message], object], *, in_order: bool = False, clean: bool = True
) -> Callable[[Message], Awaitable[Any]]:
    """Return ``handler`` as a coroutine function. A synchronous handler is called in a thread.

    If ``in_order`` is true, a synchronous handler handles one message at a time, in order of arrival; otherwise it can
    handle several at the same time. If ``clean`` is true, old database connections are closed before and after each
    call. Tests disable this.
    """
    call = getattr(handler, "__call__", None)  # noqa: B004 - it can be a coroutine function
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call):
        return cast(Callable[[Message], Awaitable[Any]], handler)

    async def in_thread(message: Message) -> Any:
        loop = asyncio.get_running_loop()
        if not clean:  # a test's executor uses this thread, whose connections must stay open
            return await loop.run_in_executor(None, call_guarded, handler, message)
        return await _pool.run(handler, message)

    turn = asyncio.Lock()

    async def in_turn(message: Message) -> Any:
        async with turn:
            return await in_thread(message)

    return in_turn if in_order else in_thread
