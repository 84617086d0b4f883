"""Functions that defer a publication until the open database transaction is committed. A rollback discards it."""

from collections.abc import Callable

from asgiref.sync import sync_to_async
from django.db import transaction

from ..compat.asgiref import is_called_by_sync_code


def run_after_commit(work: Callable[[], object], using: str | None) -> bool:
    """Call ``work`` after this thread's open transaction is committed. If none is open, do nothing and return False.

    Exceptions of ``work`` are logged, because the transaction is already committed and other callbacks must still run.
    """
    if not transaction.get_connection(using).in_atomic_block:
        return False
    transaction.on_commit(work, using=using, robust=True)
    return True


async def arun_after_commit(work: Callable[[], object], using: str | None) -> bool:
    """Call ``work`` after the open transaction of the synchronous caller is committed.

    The synchronous caller is the code that called this coroutine, directly or indirectly, with ``async_to_sync``. If
    there is no such code, or if it has no open transaction, do nothing and return False.
    """
    return is_called_by_sync_code() and await sync_to_async(run_after_commit)(work, using)
