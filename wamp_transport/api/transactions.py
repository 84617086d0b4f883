"""What is published inside a database transaction waits for its end, and is forgotten when that is a rollback."""

from collections.abc import Callable

from asgiref.sync import sync_to_async
from django.db import transaction

from ..compat.asgiref import is_called_by_sync_code


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
    return is_called_by_sync_code() and await sync_to_async(deferred)(work, using)
