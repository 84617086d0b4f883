"""Events on their way: they wait for a commit, and the commit waits for the router, for all of them once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final
from weakref import WeakKeyDictionary, WeakSet

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..api.functions import Unpublished
from ..api.transactions import deferred
from ..conf import app_settings
from ..wamp.errors import CallTimeout

logger = logging.getLogger(__name__)

PATIENCE: Final = 5.0
"""Seconds that a commit waits for the router at most; less where the setting TIMEOUT is less."""


class Commit:
    """A commit, as the router sees it: what there is to tell after it, and how long the router may take for all that.

    One that never happens is taken for the next on its connection. What was rolled back is known by nobody referring
    to it any more.
    """

    def __init__(self) -> None:
        self.waiting: WeakSet[Told] = WeakSet()
        self.is_given_up = False
        self._deadline: float | None = None
        self._patience = PATIENCE

    @property
    def has_begun(self) -> bool:
        """Whether its events are being sent."""
        return self._deadline is not None

    def seconds_left(self) -> float:
        """What the router has left. Its time begins when this is asked for the first time."""
        if self._deadline is None:
            timeout = app_settings().api.timeout
            self._patience = PATIENCE if timeout is None else min(PATIENCE, timeout)
            self._deadline = monotonic() + self._patience
        return max(0.0, self._deadline - monotonic())

    def give_up(self, told: "Told") -> None:
        """The router was too slow for ``told``, and is asked no more."""
        self.is_given_up = True
        rest = f", nor were {len(self.waiting)} more of the same commit" if self.waiting else ""
        logger.error(
            "%s was not published on %s%s: the router has not answered within %g seconds",
            *(told.change, told.publication.topic, rest, self._patience),
        )


_next: WeakKeyDictionary[BaseDatabaseWrapper, Commit] = WeakKeyDictionary()
"""The commit that each connection, which is one thread's, comes to next."""


def next_commit(using: str) -> Commit:
    """The commit of the transaction that this thread has open; one by itself where none is."""
    connection = connections[using]
    commit = _next.get(connection) if connection.in_atomic_block else None
    if commit is None or commit.has_begun:
        commit = Commit()
        if connection.in_atomic_block:
            _next[connection] = commit
    return commit


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Told:
    """The event of a change. ``on_failed`` takes what goes wrong when it is published."""

    change: str
    publication: Unpublished
    on_failed: "Callable[[Told, Exception], None]"
    commit: Commit

    def send_after_commit(self, using: str) -> None:
        """Publish it after the commit, or now where no transaction is open."""
        if deferred(self.send, using):
            self.commit.waiting.add(self)
        else:
            self.send()

    def send(self) -> None:
        """Publish it now, unless the router has not answered before."""
        self.commit.waiting.discard(self)
        if self.commit.is_given_up:
            return
        try:
            self.publication.send(self.commit.seconds_left())
        except CallTimeout:
            self.commit.give_up(self)
        except Exception as fault:  # noqa: BLE001 - the row is committed, and what comes after it must run
            self.on_failed(self, fault)
