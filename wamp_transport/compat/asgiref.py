"""Undocumented members of asgiref: the callers of ``async_to_sync``, asgiref's threads, and its main event loop."""

import asyncio
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from threading import local
from typing import Any, Final

from asgiref.local import Local
from asgiref.sync import AsyncToSync, SyncToAsync

from .requirements import Members
from .versions import ASGIREF

MEMBERS: Final = (
    Members("asgiref.sync", "AsyncToSync", attributes={"executors": Local, "loop_thread_executors": dict}),
    Members(
        "asgiref.sync", "SyncToAsync", attributes={"context_to_thread_executor": MutableMapping, "threadlocal": local}
    ),
)

PROBLEM: Final = ASGIREF.problem(MEMBERS)
"""The reason why this module cannot be used; empty if it can be used.

Importing the module raises no error, because commands that run no server import it too.
"""


def is_called_by_sync_code() -> bool:
    """Return whether the current coroutine was called by synchronous code through ``async_to_sync``."""
    return (
        getattr(AsyncToSync.executors, "current", None) is not None
        or asyncio.get_running_loop() in AsyncToSync.loop_thread_executors
    )


def has_thread(context: Any) -> bool:
    """Return whether asgiref has started a thread for a ``ThreadSensitiveContext``."""
    return context in SyncToAsync.context_to_thread_executor


@contextmanager
def kept_main_loop() -> Iterator[None]:
    """Context manager: at the end of the block, restore asgiref's main event loop of this thread."""
    outer = getattr(SyncToAsync.threadlocal, "main_event_loop", None)
    try:
        yield
    finally:
        SyncToAsync.threadlocal.main_event_loop = outer
