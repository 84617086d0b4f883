"""Keep the deadlines of a router in a heap, earliest first."""

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any


class Deadline:
    """A time at which an action is due. ``kind`` names the action, ``subject`` is its argument."""

    __slots__ = ("_owner", "kind", "subject", "time")

    def __init__(self, owner: "Deadlines", time: float, kind: str, subject: Any) -> None:
        self._owner: Deadlines | None = owner
        self.time = time
        self.kind = kind
        self.subject = subject

    def cancel(self) -> None:
        """Cancel the deadline. A second call does nothing."""
        if self._owner is not None:
            self._owner.forget(self)
            self._owner = None

    @property
    def is_due(self) -> bool:
        """Whether the deadline is still valid, that is, has not been canceled."""
        return self._owner is not None


class Deadlines:
    """The deadlines of a router, earliest first. ``clock`` returns the time in seconds.

    ``is_changed`` is set when a deadline is added. The node resets the flag when it has set its timer.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Deadline]] = []
        self._order = count()
        self._canceled = 0
        self.is_changed = False

    def after(self, seconds: float, kind: str, subject: Any) -> Deadline:
        """Add a deadline that is due in ``seconds``. ``kind`` names the action, ``subject`` is its argument."""
        return self.at(self._clock() + seconds, kind, subject)

    def at(self, time: float, kind: str, subject: Any) -> Deadline:
        """Add a deadline that is due at ``time``. ``kind`` names the action, ``subject`` is its argument."""
        deadline = Deadline(self, time, kind, subject)
        self.is_changed = True
        heappush(self._heap, (time, next(self._order), deadline))
        return deadline

    def forget(self, deadline: Deadline) -> None:
        """Record that a deadline of the heap has been canceled.

        Remove the canceled deadlines from the heap when there are more than 64 and they make up more than half of it.
        """
        self._canceled += 1
        if self._canceled > 64 and self._canceled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2] is not deadline and entry[2].is_due]
            heapify(self._heap)
            self._canceled = 0

    def next(self) -> float | None:
        """Return the time of the next deadline, or None if there is none."""
        heap = self._heap
        while heap and not heap[0][2].is_due:
            heappop(heap)
            self._canceled = max(0, self._canceled - 1)
        return heap[0][0] if heap else None

    def due(self, now: float) -> Iterator[Deadline]:
        """Remove and yield the deadlines whose time is not after ``now``, in order.

        Deadlines that are added during the iteration are included.
        """
        while (time := self.next()) is not None and time <= now:
            yield heappop(self._heap)[2]
