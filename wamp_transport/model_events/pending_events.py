"""Events that wait for a commit. All events of a commit share one time limit."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final
from weakref import WeakKeyDictionary, WeakSet

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..api.session import PendingPublication
from ..api.transactions import run_after_commit
from ..conf import app_settings
from ..wamp.errors import CallTimeout

logger = logging.getLogger(__name__)

MAX_COMMIT_SECONDS: Final = 5.0
"""The time limit, in seconds, for publishing the events of one commit. A lower setting ``TIMEOUT`` takes precedence."""


class Commit:
    """The events to publish after a commit, and the remaining time for publishing them.

    If a transaction is rolled back, its Commit is used again for the next transaction on the same connection. The
    discarded events disappear from the weak set ``waiting``, because nothing else refers to them.
    """

    def __init__(self) -> None:
        self.waiting: WeakSet[PendingEvent] = WeakSet()
        self.is_given_up = False
        self._deadline: float | None = None
        self._seconds = MAX_COMMIT_SECONDS

    @property
    def has_begun(self) -> bool:
        """Whether sending the events has started."""
        return self._deadline is not None

    def seconds_left(self) -> float:
        """Return the remaining seconds for sending events. The first call starts the clock."""
        if self._deadline is None:
            timeout = app_settings().api.timeout
            self._seconds = MAX_COMMIT_SECONDS if timeout is None else min(MAX_COMMIT_SECONDS, timeout)
            self._deadline = monotonic() + self._seconds
        return max(0.0, self._deadline - monotonic())

    def give_up(self, event: "PendingEvent") -> None:
        """Log that sending ``event`` took too long, and do not send the remaining events of this commit."""
        self.is_given_up = True
        rest = f", nor were {len(self.waiting)} more of the same commit" if self.waiting else ""
        logger.error(
            "%s was not published on %s%s: the router has not answered within %g seconds",
            *(event.change, event.publication.topic, rest, self._seconds),
        )


_next: WeakKeyDictionary[BaseDatabaseWrapper, Commit] = WeakKeyDictionary()
"""The next commit of each database connection. A connection belongs to one thread."""


def next_commit(using: str) -> Commit:
    """Return the Commit that collects the events of this thread's open transaction in the database ``using``.

    If no transaction is open, return a new Commit.
    """
    connection = connections[using]
    commit = _next.get(connection) if connection.in_atomic_block else None
    if commit is None or commit.has_begun:
        commit = Commit()
        if connection.in_atomic_block:
            _next[connection] = commit
    return commit


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class PendingEvent:
    """An event to publish after a commit. ``change`` describes the change of the row, for log messages.

    If the event cannot be published, ``on_failed`` is called with the event and the exception.
    """

    change: str
    publication: PendingPublication
    on_failed: "Callable[[PendingEvent, Exception], None]"
    commit: Commit

    def send_after_commit(self, using: str) -> None:
        """Publish the event after the commit. If no transaction is open, publish it now."""
        if run_after_commit(self.send, using):
            self.commit.waiting.add(self)
        else:
            self.send()

    def send(self) -> None:
        """Publish the event now. Skip it if sending an earlier event of the commit took too long."""
        self.commit.waiting.discard(self)
        if self.commit.is_given_up:
            return
        try:
            self.publication.send(self.commit.seconds_left())
        except CallTimeout:
            self.commit.give_up(self)
        except Exception as fault:  # noqa: BLE001 - the row is committed, and later callbacks must run
            self.on_failed(self, fault)
