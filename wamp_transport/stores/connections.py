"""Database connections of threads that serve no request: only working ones are used, none stays behind unasked."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet

from django.db import connections, reset_queries
from django.db.backends.base.base import BaseDatabaseWrapper

_breakdowns: Counter[str] = Counter()
"""How often a connection to a database was found broken, by the database's alias."""

_outlived = threading.local()
"""``counts``: how many of these the connections of a thread, and those it will make, come after."""

_kept: WeakSet[BaseDatabaseWrapper] = WeakSet()
_lock = threading.Lock()


@contextmanager
def clean_connections(*, keep: bool = False) -> Iterator[None]:
    """As Django does around a request: no connection that is too old or broken goes in, and none stays behind.

    A restart of the database breaks the connections of all threads. Once one thread has met that, the others take
    new ones, so that it costs one piece of work and not one in each thread. With ``keep`` connections stay open until
    they break, whatever ``CONN_MAX_AGE`` says. A transaction that is open around this is left alone.
    """
    reset_queries()
    _clean(keep)
    try:
        yield
    finally:
        _clean(keep)


def close_kept() -> None:
    """Close what ``keep`` has kept open in any thread, when no work is running there."""
    with _lock:
        kept = list(_kept)
        _kept.clear()
    for connection in kept:
        connection.inc_thread_sharing()
        try:
            connection.close()
        finally:
            connection.dec_thread_sharing()


def _clean(keep: bool) -> None:
    with _lock:
        now = dict(_breakdowns)
    outlived = getattr(_outlived, "counts", now)
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            continue
        alias = connection.alias
        if _is_broken(connection):
            connection.close()
            with _lock:
                _breakdowns[alias] += 1
                now[alias] = _breakdowns[alias]
        elif outlived.get(alias) != now.get(alias):
            connection.close()
        else:
            if keep:
                connection.close_at = None
            connection.close_if_unusable_or_obsolete()
        if keep and connection.connection is not None:
            with _lock:
                _kept.add(connection)
    _outlived.counts = now


def _is_broken(connection: BaseDatabaseWrapper) -> bool:
    """Whether there was trouble with it, and it does not work."""
    if not connection.errors_occurred:
        return False
    connection.errors_occurred = False
    return connection.connection is None or not connection.is_usable()
