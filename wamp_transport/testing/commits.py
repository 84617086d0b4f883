"""Run on-commit callbacks in tests, although tests usually roll back their transactions."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.db import connections
from django.test import TestCase

from ..api.session import PendingPublication

logger = logging.getLogger(__name__)


@contextmanager
def run_on_commit() -> Iterator[None]:
    """Context manager: when the block ends, run the on-commit callbacks that were added inside it, in all databases.

    A ``TestCase`` rolls its transaction back, so events that ``api.publish`` sends after the commit would never be
    sent. This context manager is like Django's ``captureOnCommitCallbacks(execute=True)``, but for all databases.
    """
    with ExitStack() as stack:
        for alias in connections:
            stack.enter_context(TestCase.captureOnCommitCallbacks(using=alias, execute=True))
        yield


@contextmanager
def run_on_handler_commit() -> Iterator[None]:
    """Context manager: when the block ends, run and remove the on-commit callbacks that a handler added inside it.

    Outside of tests, a handler has its own transactions, and their callbacks run when they are committed. In a test,
    the handler shares the transaction of the test. The callbacks are removed so that :func:`run_on_commit` does not run
    them again.
    """
    before = {one: len(one.run_on_commit) for one in connections.all(initialized_only=True) if one.in_atomic_block}
    try:
        yield
    finally:
        for connection in connections.all(initialized_only=True):
            start = before.get(connection, 0) if connection.in_atomic_block else None
            while start is not None and len(connection.run_on_commit) > start:
                entry = connection.run_on_commit.pop(start)
                try:
                    entry[1]()
                except Exception:
                    if not any(entry[2:]):  # not registered with robust=True
                        raise
                    logger.exception("A callback that waited for a commit has failed")


def waiting_for_commit() -> tuple[list[PendingPublication], int]:
    """Return the publications that wait for a commit, and the number of other on-commit callbacks.

    The other callbacks can also publish events when they run.
    """
    callbacks = [entry[1] for one in connections.all(initialized_only=True) for entry in one.run_on_commit]
    owners = [getattr(callback, "__self__", None) for callback in callbacks]
    owners = [getattr(owner, "publication", owner) for owner in owners]  # a PendingEvent of model events
    published = [owner for owner in owners if isinstance(owner, PendingPublication)]
    return published, len(callbacks) - len(published)
