"""Where synchronous handlers run: a bounded pool, never the event loop, with clean database connections."""

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Final, TypeVar, cast

from ..stores.connections import clean_connections

MAX_THREADS: Final = 8
"""Synchronous handlers that run at the same time; others wait."""

Message = TypeVar("Message")


def _new_pool() -> None:
    global _pool  # noqa: PLW0603 - one pool a process is the design
    _pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="wamp-api")


_pool: ThreadPoolExecutor
_new_pool()
os.register_at_fork(after_in_child=_new_pool)
"""A process that was forked off has none of the threads of its parent; the old pool would take them for idle."""


def awaitable(
    handler: Callable[[Message], object], *, in_order: bool = False, clean: bool = True
) -> Callable[[Message], Awaitable[Any]]:
    """``handler`` as what the loop can run: a coroutine function as it is, any other in a thread.

    ``in_order``: one message after the other, as they have come; else at the same time. ``clean``: whether database
    connections are cleaned around each call; in a test they belong to the test.
    """
    call = getattr(handler, "__call__", None)  # noqa: B004 - an object may have it as a coroutine function
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call):
        return cast(Callable[[Message], Awaitable[Any]], handler)

    async def in_thread(message: Message) -> Any:
        loop = asyncio.get_running_loop()
        run = partial(_clean, handler) if clean else handler
        return await loop.run_in_executor(_pool, copy_context().run, run, message)

    turn = asyncio.Lock()

    async def in_turn(message: Message) -> Any:
        async with turn:
            return await in_thread(message)

    return in_turn if in_order else in_thread


def _clean(handler: Callable[[Message], object], message: Message) -> object:
    with clean_connections():
        return handler(message)
