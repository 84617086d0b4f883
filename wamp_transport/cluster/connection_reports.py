"""Report to the owner of the connections to Redis whether Redis can be used."""

from collections.abc import Callable
from math import inf
from typing import Final

REPORT_SECONDS: Final = 5.0
"""The minimum time between two reports that Redis cannot be used."""


class ConnectionReports:
    """The current problems of a member's connections to Redis, one for each connection.

    ``on_unreachable`` is called with a problem immediately, and again while the problem persists, but at most once per
    :data:`REPORT_SECONDS`. After such a report, ``on_reachable`` is called when no problem remains.
    """

    def __init__(self, on_unreachable: Callable[[str], None], on_reachable: Callable[[], None]) -> None:
        self._on_unreachable = on_unreachable
        self._on_reachable = on_reachable
        self._problems: dict[str, str] = {}
        self._reported_at = -inf
        self._is_reported = False

    def add(self, connection: str, problem: str, now: float) -> None:
        """Record a problem of a connection, and report it if a report is due."""
        self._problems[connection] = problem
        self.report(now)

    def remove(self, connection: str) -> None:
        """Record that a connection works."""
        self._problems.pop(connection, None)
        if self._is_reported and not self._problems:
            self._is_reported = False
            self._on_reachable()

    def report(self, now: float) -> None:
        """Report one of the problems if a report is due."""
        if self._problems and now >= self._reported_at + REPORT_SECONDS:
            self._reported_at = now
            self._is_reported = True
            self._on_unreachable(next(iter(self._problems.values())))
