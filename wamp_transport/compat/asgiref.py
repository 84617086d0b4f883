"""What is used of asgiref beyond its documentation: which code called a coroutine, and its thread for the database."""

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
"""Why this module cannot be relied on; empty if it can. The module is imported by commands that serve nothing as well,
so it does not raise."""


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
    """Restore at the end of the block which loop asgiref takes for this thread's main loop."""
    outer = getattr(SyncToAsync.threadlocal, "main_event_loop", None)
    try:
        yield
    finally:
        SyncToAsync.threadlocal.main_event_loop = outer
