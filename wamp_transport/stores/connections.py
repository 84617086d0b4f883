"""Database connections of threads that serve no request: only working ones are used, none stays behind unasked."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, connections, reset_queries
from django.db.backends.base.base import BaseDatabaseWrapper

Outcome = TypeVar("Outcome")

_breakdowns: Counter[str] = Counter()
"""How often a connection to a database was found broken, by the database's alias."""

_outlived = threading.local()
"""``counts``: how many of these the connections of a thread, and those it will make, come after."""

_idle: set[BaseDatabaseWrapper] = set()
"""What is kept open and not used at this moment."""
_closings = 0
"""How often what is kept was to be closed."""
_lock = threading.Lock()


@contextmanager
def clean_connections() -> Iterator[None]:
    """As Django does around a request: no connection that is too old or broken goes in, and none stays behind.

    A restart of the database breaks the connections of all threads. Once one thread has met that, the others take
    new ones, so that it costs one piece of work and not one in each thread. A transaction that is open around this is
    left alone.
    """
    reset_queries()
    _clean()
    try:
        yield
    finally:
        _clean()


def with_clean_connections(work: Callable[[], Outcome]) -> Outcome:
    """Do ``work`` within :func:`clean_connections`."""
    with clean_connections():
        return work()


def with_kept_connections(work: Callable[[], Outcome]) -> Outcome:
    """Do ``work`` with connections that stay open until they break, whatever ``CONN_MAX_AGE`` says.

    Where one breaks the work is done once more, with a new one: it must be such that nothing is wrong with that.
    """
    reset_queries()
    closings = _take()
    try:
        _clean(keep=True)
        try:
            return work()
        except (DatabaseError, InterfaceError):
            if not _clean(keep=True):
                raise
            return work()
    finally:
        _clean(keep=True)
        _give_back(closings)


def close_kept() -> None:
    """Close what is kept open in any thread: at once where it is idle, else when the work there is done.

    A connection that is closed while it is used takes the process along (SQLite).
    """
    global _closings  # noqa: PLW0603 - guarded by the lock
    with _lock:
        _closings += 1
        while _idle:
            connection = _idle.pop()
            connection.inc_thread_sharing()
            try:
                connection.close()
            finally:
                connection.dec_thread_sharing()


def _take() -> int:
    """This thread's connections are in use from now on."""
    with _lock:
        _idle.difference_update(connections.all(initialized_only=True))
        return _closings


def _give_back(closings: int) -> None:
    """This thread's connections are idle; they are closed where all were to be since they were taken."""
    initialized = connections.all(initialized_only=True)
    own = [each for each in initialized if not each.in_atomic_block and each.connection is not None]
    with _lock:
        if closings == _closings:
            _idle.update(own)
            return
    for connection in own:
        connection.close()


def _clean(keep: bool = False) -> bool:
    """Close what has to be closed. Whether a connection was broken."""
    found_broken = False
    with _lock:
        now = dict(_breakdowns)
    outlived = getattr(_outlived, "counts", now)
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            continue
        alias = connection.alias
        if _is_broken(connection):
            found_broken = True
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
    _outlived.counts = now
    return found_broken


def _is_broken(connection: BaseDatabaseWrapper) -> bool:
    """Whether there was trouble with it, and it does not work."""
    if not connection.errors_occurred:
        return False
    connection.errors_occurred = False
    return connection.connection is None or not connection.is_usable()
