"""Detection of slow consumers: peers for whom too many bytes are queued for too long.

This module knows sizes and times, and no sockets.
"""

from asyncio import TimerHandle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from ..config.websocket import WebSocketOptions

Policy = Literal["close", "drop"]


class CallLater(Protocol):
    """Schedules a function after some seconds, as ``call_later`` of an event loop does."""

    def __call__(self, delay: float, callback: Callable[[], None], /) -> TimerHandle: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """The number of bytes that may be queued for one peer.

    ``limit`` bytes may be queued for any time, more than that for ``grace`` seconds, more than ``hard_limit`` at no
    time. A peer that exceeds its bounds is closed with the policy ``close``. With the policy ``drop`` it misses events
    until it has caught up; only if more than twice ``hard_limit`` is queued, it is closed as well.
    """

    limit: int = 1024 * 1024
    grace: float = 10.0
    hard_limit: int = 16 * 1024 * 1024
    policy: Policy = "close"

    @classmethod
    def of(cls, options: WebSocketOptions) -> "Bounds":
        """Return the bounds that the options of a service ask for."""
        grace = options.outgoing_grace_period / 1000
        hard_limit = options.max_outgoing_size
        return cls(min(options.outgoing_limit, hard_limit), grace, hard_limit, options.outgoing_policy)


class SlowConsumerMonitor:
    """Compares the number of bytes queued for one peer with its bounds.

    ``on_congestion`` is called with true when the peer shall miss events, and with false when it has caught up.
    ``on_overflow`` is called with the number of queued bytes when the peer shall be closed.
    """

    __slots__ = ("_bounds", "_call_later", "_on_congestion", "_on_overflow", "_queued_bytes", "_timer", "is_congested")

    def __init__(
        self,
        bounds: Bounds,
        call_later: CallLater,
        on_congestion: Callable[[bool], None],
        on_overflow: Callable[[int], None],
    ) -> None:
        self._bounds = bounds
        self._call_later = call_later
        self._on_congestion = on_congestion
        self._on_overflow = on_overflow
        self._timer: TimerHandle | None = None
        self._queued_bytes = 0
        self.is_congested = False

    def update_size(self, queued_bytes: int) -> None:
        """Note that ``queued_bytes`` are queued for the peer now."""
        bounds = self._bounds
        self._queued_bytes = queued_bytes
        if queued_bytes <= bounds.limit:
            self.reset()
        elif queued_bytes > bounds.hard_limit:
            self._on_grace_expired()
        elif self._timer is None and not self.is_congested:
            self._timer = self._call_later(bounds.grace, self._on_grace_expired)

    def reset(self) -> None:
        """Stop the grace period: the peer has caught up or is gone."""
        self._cancel_timer()
        if self.is_congested:
            self.is_congested = False
            self._on_congestion(False)

    def _on_grace_expired(self) -> None:
        """Act on a peer that is too slow. There is no grace period beyond the hard limit."""
        self._cancel_timer()
        bounds = self._bounds
        if bounds.policy == "close" or self._queued_bytes > 2 * bounds.hard_limit:
            self.reset()
            self._on_overflow(self._queued_bytes)
        elif not self.is_congested:
            self.is_congested = True
            self._on_congestion(True)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
