"""Detection of slow consumers, which are peers for whom too many bytes are queued for too long.

This module only compares sizes and times. It does not access sockets.
"""

from asyncio import TimerHandle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from ..config.websocket import WebSocketOptions

Policy = Literal["close", "drop"]


class CallLater(Protocol):
    """A function that schedules a callback after ``delay`` seconds, like ``call_later`` of an event loop."""

    def __call__(self, delay: float, callback: Callable[[], None], /) -> TimerHandle: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits on the number of bytes that are queued for one peer.

    Up to ``limit`` bytes can stay queued indefinitely, and up to ``hard_limit`` bytes for ``grace`` seconds. With the
    policy ``close``, a peer that exceeds these limits is disconnected. With the policy ``drop``, events for such a peer
    are dropped until it has caught up, and the peer is disconnected only if more than twice ``hard_limit`` bytes are
    queued.
    """

    limit: int = 1024 * 1024
    grace: float = 10.0
    hard_limit: int = 16 * 1024 * 1024
    policy: Policy = "close"

    @classmethod
    def of(cls, options: WebSocketOptions) -> "Bounds":
        """Return the bounds for the options of a service."""
        grace = options.outgoing_grace_period / 1000
        hard_limit = options.max_outgoing_size
        return cls(min(options.outgoing_limit, hard_limit), grace, hard_limit, options.outgoing_policy)


class SlowConsumerMonitor:
    """A monitor that compares the number of bytes queued for one peer with its bounds.

    ``on_congestion(True)`` is called when events for the peer must be dropped, and ``on_congestion(False)`` when the
    peer has caught up or is disconnected. ``on_overflow`` is called with the number of queued bytes when the peer must
    be disconnected.
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
        """Update the number of bytes queued for the peer.

        If the number has crossed a bound, call a callback, or start or end the grace period.
        """
        bounds = self._bounds
        self._queued_bytes = queued_bytes
        if queued_bytes <= bounds.limit:
            self.reset()
        elif queued_bytes > bounds.hard_limit:
            self._on_grace_expired()
        elif self._timer is None and not self.is_congested:
            self._timer = self._call_later(bounds.grace, self._on_grace_expired)

    def reset(self) -> None:
        """End the grace period and the congestion, because the peer has caught up or disconnected."""
        self._cancel_timer()
        if self.is_congested:
            self.is_congested = False
            self._on_congestion(False)

    def _on_grace_expired(self) -> None:
        """Apply the policy to a slow peer, because the grace period is over or the hard limit is exceeded."""
        self._cancel_timer()
        bounds = self._bounds
        if bounds.policy == "close" or self._queued_bytes > 2 * bounds.hard_limit:
            # Reset first: the callback can write a last message to the peer, which calls update_size() again.
            self.reset()
            self._on_overflow(self._queued_bytes)
        elif not self.is_congested:
            self.is_congested = True
            self._on_congestion(True)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
