"""Postpones what is published inside a database transaction until its commit. A rollback discards it."""

from collections.abc import Callable

from asgiref.sync import sync_to_async
from django.db import transaction

from ..compat.asgiref import is_called_by_sync_code


def run_after_commit(work: Callable[[], object], using: str | None) -> bool:
    """Call ``work`` after the commit of this thread's open transaction. Return False if none is open, without a call.

    Exceptions of ``work`` are logged: the transaction is committed by then, and other callbacks have to run.
    """
    if not transaction.get_connection(using).in_atomic_block:
        return False
    transaction.on_commit(work, using=using, robust=True)
    return True


async def arun_after_commit(work: Callable[[], object], using: str | None) -> bool:
    """Do the same for a coroutine, with the transaction of the sync code that called it through ``async_to_sync``.

    A coroutine that was not called that way has no transaction, so no thread is asked for one.
    """
    return is_called_by_sync_code() and await sync_to_async(run_after_commit)(work, using)
