"""Management of database connections outside of requests, where Django does not close old and broken connections."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from django.apps import apps
from django.db import DatabaseError, InterfaceError, connections, reset_queries, router
from django.db.backends.base.base import BaseDatabaseWrapper

Outcome = TypeVar("Outcome")

_breakdowns: Counter[str] = Counter()
"""The number of broken connections that were found, by database alias."""

_outlived = threading.local()
"""Per-thread data. ``counts`` is a copy of ``_breakdowns`` from the last check of the thread's connections."""

_ends = threading.local()
"""Per-thread data. ``closer`` is the thread's :class:`_ThreadEnd`, if the thread has used connections."""

_idle: set[BaseDatabaseWrapper] = set()
"""The connections that :func:`with_kept_connections` keeps open and that are not in use."""
_closings = 0
"""The number of times that :func:`close_kept` has been called."""
_lock = threading.Lock()


class NoDatabase(DatabaseError):
    """Raised if the project has no database for the tables of this app."""

    def __init__(self) -> None:
        super().__init__("this project has no database (settings.DATABASES is empty)")


def has_database() -> bool:
    """Return whether the project has a database for the tables of this app.

    A node that is configured by a file or by the settings works without one.
    """
    alias = router.db_for_write(apps.get_model("wamp_transport", "RunningNode"))
    engine: str = connections.settings[alias]["ENGINE"]
    return engine != "django.db.backends.dummy"


def require_database() -> None:
    """Raise NoDatabase if the project has no database."""
    if not has_database():
        raise NoDatabase


@contextmanager
def clean_connections() -> Iterator[None]:
    """Context manager: close old and broken connections before and after the block, as Django does around a request.

    A restart of the database breaks the connections of all threads. When one thread has detected a broken connection,
    the other threads also close their connections and open new ones. Therefore, only one call fails instead of one call
    in each thread. A connection with an open transaction is not closed.
    """
    reset_queries()
    _clean()
    try:
        yield
    finally:
        _clean()


def with_clean_connections(work: Callable[[], Outcome]) -> Outcome:
    """Call ``work`` inside :func:`clean_connections` and return its result."""
    with clean_connections():
        return work()


def with_kept_connections(work: Callable[[], Outcome]) -> Outcome:
    """Call ``work`` with connections that stay open until they break, regardless of ``CONN_MAX_AGE``.

    If a connection breaks, ``work`` is called a second time with a new connection. Therefore, calling ``work`` twice
    must be safe.
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
    """Close the connections that :func:`with_kept_connections` keeps open, in all threads.

    Idle connections are closed immediately, the others when they become idle. With SQLite, closing a connection that is
    in use would crash the process.
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


def close_at_thread_end() -> None:
    """Make sure that the current connections of this thread are closed when the thread ends.

    This includes connections to SQLite databases in memory, which Django does not close, but not connections that
    threads share. In the main thread, do nothing. :func:`clean_connections` and :func:`with_kept_connections` call this
    function.
    """
    if threading.current_thread() is threading.main_thread():
        return  # it ends with the process
    if not hasattr(_ends, "closer"):
        _ends.closer = _ThreadEnd()
    _ends.closer.connections = connections.all(initialized_only=True)


def _take() -> int:
    """Mark this thread's connections as in use. Return how often :func:`close_kept` has been called so far."""
    with _lock:
        _idle.difference_update(connections.all(initialized_only=True))
        return _closings


def _give_back(closings: int) -> None:
    """Mark this thread's connections as idle, or close them if :func:`close_kept` was called in the meantime.

    ``closings`` is the result of :func:`_take`. Connections with an open transaction are left unchanged.
    """
    initialized = connections.all(initialized_only=True)
    own = [each for each in initialized if not each.in_atomic_block and each.connection is not None]
    with _lock:
        if closings == _closings:
            _idle.update(own)
            return
    for connection in own:
        connection.close()


def _clean(keep: bool = False) -> bool:
    """Close this thread's old and broken connections. Return whether one was broken.

    Connections with an open transaction are skipped. If ``keep`` is true, no connection counts as old, regardless of
    ``CONN_MAX_AGE``.
    """
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
    close_at_thread_end()
    return found_broken


class _ThreadEnd:
    """An object that closes the ``connections`` of a thread at its end. Neither Django nor the drivers do this.

    It is a thread-local value, and therefore destroyed in its thread, as the last action of the thread.
    """

    def __init__(self) -> None:
        self._owner = os.getpid(), threading.get_ident()
        self.connections: list[BaseDatabaseWrapper] = []

    def __del__(self) -> None:
        # A forked process destroys the values of the other threads too. Their connections belong to its parent.
        if self._owner != (os.getpid(), threading.get_ident()):
            return
        for connection in self.connections:
            with _lock:
                _idle.discard(connection)
            if not connection.allow_thread_sharing:  # else another thread owns it
                with suppress(DatabaseError, InterfaceError):
                    _close_finally(connection)


def _close_finally(connection: BaseDatabaseWrapper) -> None:
    connection.close()
    if connection.connection is not None:  # Django does not close SQLite in memory, which would delete the database
        BaseDatabaseWrapper.close(connection)


def _is_broken(connection: BaseDatabaseWrapper) -> bool:
    """Return whether errors have occurred on the connection and it no longer works."""
    if not connection.errors_occurred:
        return False
    connection.errors_occurred = False
    return connection.connection is None or not connection.is_usable()
