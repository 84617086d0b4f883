"""When a peer is too slow: what waits for it is more than a limit for longer than a burst takes, or more than fits.

Knows sizes and times, and nothing of sockets.
"""

from asyncio import TimerHandle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from ..config.websocket import WebSocketOptions

Policy = Literal["close", "drop"]


class CallLater(Protocol):
    """Has a function called after some seconds, as an event loop does."""

    def __call__(self, delay: float, callback: Callable[[], None], /) -> TimerHandle: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many bytes may wait for a peer: ``limit`` for ever, more than that for ``grace`` seconds, ``most`` at all.

    A peer beyond them is closed, or, with the policy ``drop``, left out until it has caught up; one for which twice
    ``most`` waits is closed in any case.
    """

    limit: int = 1024 * 1024
    grace: float = 10.0
    most: int = 16 * 1024 * 1024
    policy: Policy = "close"

    @classmethod
    def of(cls, options: WebSocketOptions) -> "Bounds":
        """The bounds that a service is configured with."""
        grace = options.outgoing_grace_period / 1000
        most = options.max_outgoing_size
        return cls(min(options.outgoing_limit, most), grace, most, options.outgoing_policy)


class Pressure:
    """What waits for one peer, weighed against its bounds.

    ``on_congestion`` is told when the peer is to be left out, and when no longer; ``on_overflow``, once, how much
    waits for a peer that is to be closed.
    """

    __slots__ = ("_bounds", "_call_later", "_on_congestion", "_on_overflow", "_timer", "_waiting", "is_congested")

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
        self._waiting = 0
        self.is_congested = False

    def weigh(self, waiting: int) -> None:
        """``waiting`` bytes are on their way to the peer."""
        bounds = self._bounds
        self._waiting = waiting
        if waiting <= bounds.limit:
            self.relieve()
        elif waiting > bounds.most:
            self._judge()
        elif self._timer is None and not self.is_congested:
            self._timer = self._call_later(bounds.grace, self._judge)

    def relieve(self) -> None:
        """The peer has caught up, or is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.is_congested:
            self.is_congested = False
            self._on_congestion(False)

    def _judge(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        bounds = self._bounds
        if bounds.policy == "close" or self._waiting > 2 * bounds.most:
            self.relieve()
            self._on_overflow(self._waiting)
        elif not self.is_congested:
            self.is_congested = True
            self._on_congestion(True)
