"""What is published inside a database transaction waits for its end, and is forgotten when that is a rollback."""

import asyncio
from collections.abc import Callable

from asgiref.sync import AsyncToSync, sync_to_async
from django.db import transaction


def deferred(work: Callable[[], object], using: str | None) -> bool:
    """Whether ``work`` waits for the commit of a transaction that this thread has open; else it is not called.

    When it fails after the commit, that is logged: what was committed stays so, and callbacks of others still run.
    """
    if not transaction.get_connection(using).in_atomic_block:
        return False
    transaction.on_commit(work, using=using, robust=True)
    return True


async def adeferred(work: Callable[[], object], using: str | None) -> bool:
    """The same in a coroutine: the transaction is one of the synchronous code that called it by ``async_to_sync``.

    Without such code around there is none, and no thread is asked.
    """
    is_called_by_sync_code = (
        getattr(AsyncToSync.executors, "current", None) is not None
        or asyncio.get_running_loop() in AsyncToSync.loop_thread_executors
    )
    return is_called_by_sync_code and await sync_to_async(deferred)(work, using)
