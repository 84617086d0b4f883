"""A limiter for log messages about problems that last or occur often."""

from time import monotonic
from typing import Final

LOG_INTERVAL_SECONDS: Final = 60.0
"""The minimum interval between two log messages about the same problem."""


class LogLimiter:
    """A limiter that allows one log message per minute for each problem."""

    def __init__(self) -> None:
        self._logged_at: dict[str, float] = {}

    def may_log(self, problem: str) -> bool:
        """Return whether to log this problem now. If this returns True, the caller must log it."""
        now = monotonic()
        if now - self._logged_at.get(problem, -LOG_INTERVAL_SECONDS) < LOG_INTERVAL_SECONDS:
            return False
        self._logged_at[problem] = now
        return True

    def reset(self) -> None:
        """Allow the next message about each problem."""
        self._logged_at.clear()
