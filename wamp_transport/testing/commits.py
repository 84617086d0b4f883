"""Transactions of tests: what waits for their commit, and the two ways it comes to happen all the same."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.db import connections
from django.test import TestCase

from ..api.functions import Unpublished

logger = logging.getLogger(__name__)


@contextmanager
def committing() -> Iterator[None]:
    """At the end of the block what it has left to do after the commit is done, in all databases.

    A ``TestCase`` rolls its transaction back, so that nothing is ever committed; without this whatever waits for that,
    such as ``api.publish``, waits for ever. It is Django's ``captureOnCommitCallbacks(execute=True)``.
    """
    with ExitStack() as stack:
        for alias in connections:
            stack.enter_context(TestCase.captureOnCommitCallbacks(using=alias, execute=True))
        yield


@contextmanager
def committing_alone() -> Iterator[None]:
    """The same for what a handler does, which has transactions of its own where it is no test. Done is done."""
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
                    if not any(entry[2:]):
                        raise
                    logger.exception("What waited for a commit has failed")


def waiting_for_commit() -> tuple[list[Unpublished], int]:
    """What has been published and waits for a commit, and how much else waits, which may be about to publish."""
    callbacks = [entry[1] for one in connections.all(initialized_only=True) for entry in one.run_on_commit]
    owners = [getattr(callback, "__self__", None) for callback in callbacks]
    owners = [getattr(owner, "publication", owner) for owner in owners]  # those of model events have it
    published = [owner for owner in owners if isinstance(owner, Unpublished)]
    return published, len(callbacks) - len(published)
