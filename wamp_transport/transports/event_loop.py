"""Hooks for asyncio's event loop: shorter turns, a callback at the end of each turn, and polling instead of sleeping.

A turn is one iteration of the loop. The last two hooks replace the ``select`` method of the loop's selector, because
asyncio has no interface for them. A callback that is scheduled with ``call_soon`` would run one turn later, after
another check for I/O. This would cost a system call and some microseconds for each message that arrives alone.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from ..compat.asyncio import limit_ready_sockets, selector_of

MAX_SOCKETS_PER_TURN: Final = 64
"""Maximum number of sockets that are handled in one turn of the loop.

If thousands of clients disconnect at the same moment, other clients wait only for those that are handled in one turn.
"""

STAY_AWAKE_AFTER: Final = 4
"""The number of short waits in succession after which the loop begins to poll."""

MAX_SHORT_WAITS: Final = 8
"""Upper bound of the counter of short waits. A long wait subtracts ``STAY_AWAKE_AFTER``.

As a result, the loop polls only if four of five waits are short. This is the case while peers respond to each other,
but not if messages arrive at random times.
"""


def shorten_turns(loop: Any) -> bool:
    """Limit the number of sockets that ``loop`` handles in one turn. Return False if ``loop`` does not support this."""
    return limit_ready_sockets(loop, MAX_SOCKETS_PER_TURN)


def call_at_end_of_turns(loop: Any, callback: Callable[[], bool]) -> bool:
    """Call ``callback`` at the end of each turn of ``loop``, before the loop waits for I/O.

    ``callback`` must not raise an exception. It must return true if it can have created new work for the loop. In this
    case, the loop does not wait. If ``loop`` has no selector, do nothing and return False; otherwise return True.
    """
    selector = selector_of(loop)
    if selector is None:
        return False
    select = selector.select

    def select_after(timeout: float | None = None) -> Any:
        return select(0 if callback() else timeout)

    selector.select = select_after  # type: ignore[method-assign]
    return True


def enable_busy_poll(loop: Any, seconds: float) -> bool:
    """Make ``loop`` poll for up to ``seconds`` before it sleeps, if this saves time; see :class:`BusyPoll`.

    If ``seconds`` is 0 or ``loop`` has no selector, do nothing and return False.
    """
    selector = selector_of(loop)
    if not seconds or selector is None:
        return False
    selector.select = BusyPoll(selector.select, seconds).select  # type: ignore[method-assign]
    return True


class BusyPoll:
    """A ``select`` that polls for up to ``seconds`` before it sleeps, if most of the recent waits were that short.

    Sleeping and waking up takes longer than the router needs for a whole call. If peers respond within ``seconds``, as
    services on the same host do, polling saves a third of the latency for about the same CPU time.

    After a turn that took more than half of ``seconds``, the loop sleeps instead of polling. While it sleeps, several
    messages can arrive for the next turn, and messages that are handled together take less time each.
    """

    __slots__ = ("_clock", "_seconds", "_select", "_short_waits", "_woke")

    def __init__(self, select: Callable[[float | None], Any], seconds: float, clock: Callable[[], float] = monotonic):
        self._select = select
        self._seconds = seconds
        self._clock = clock
        self._short_waits = 0
        self._woke = 0.0

    # Hot path: once per turn of the loop.

    def select(self, timeout: float | None = None) -> Any:
        """Wait for I/O as :meth:`selectors.BaseSelector.select` does."""
        if timeout is not None and timeout <= self._seconds:
            return self._select(timeout)
        select, clock = self._select, self._clock
        if self._short_waits >= STAY_AWAKE_AFTER:
            if not (ready := select(0)):
                begin = clock()
                if begin - self._woke > self._seconds / 2:
                    ready = select(timeout)
                else:
                    ready = self._poll(begin + self._seconds, timeout)
        else:
            end = clock() + self._seconds
            ready = select(timeout)
            self._short_waits = self._short_waits + 1 if ready and clock() < end else 0
        self._woke = clock()
        return ready

    def _poll(self, end: float, timeout: float | None) -> Any:
        while self._clock() < end:
            if ready := self._select(0):
                self._short_waits = min(self._short_waits + 1, MAX_SHORT_WAITS)
                return ready
        self._short_waits -= STAY_AWAKE_AFTER
        return self._select(timeout)

    # End of the hot path.
