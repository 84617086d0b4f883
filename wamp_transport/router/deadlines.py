"""What is due when: a heap of times and what is to happen then."""

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any


class Deadline:
    """Something that is due. ``cancel`` makes it happen never."""

    __slots__ = ("_owner", "kind", "subject", "time")

    def __init__(self, owner: "Deadlines", time: float, kind: str, subject: Any) -> None:
        self._owner: Deadlines | None = owner
        self.time = time
        self.kind = kind
        self.subject = subject

    def cancel(self) -> None:
        """It is no longer due."""
        if self._owner is not None:
            self._owner.forget(self)
            self._owner = None

    @property
    def is_due(self) -> bool:
        """Whether it was not cancelled."""
        return self._owner is not None


class Deadlines:
    """Deadlines in the order of their time. ``clock`` tells the time in seconds.

    ``is_changed`` is set when one is added; whoever keeps the time resets it.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Deadline]] = []
        self._order = count()
        self._canceled = 0
        self.is_changed = False

    def after(self, seconds: float, kind: str, subject: Any) -> Deadline:
        """``subject`` is due in ``seconds``; ``kind`` says what is to happen."""
        return self.at(self._clock() + seconds, kind, subject)

    def at(self, time: float, kind: str, subject: Any) -> Deadline:
        """``subject`` is due at ``time``."""
        deadline = Deadline(self, time, kind, subject)
        self.is_changed = True
        heappush(self._heap, (time, next(self._order), deadline))
        return deadline

    def forget(self, deadline: Deadline) -> None:
        """Count one that was cancelled; when most were, the heap is made anew without them."""
        self._canceled += 1
        if self._canceled > 64 and self._canceled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2] is not deadline and entry[2].is_due]
            heapify(self._heap)
            self._canceled = 0

    def next(self) -> float | None:
        """When something is due next, if ever."""
        heap = self._heap
        while heap and not heap[0][2].is_due:
            heappop(heap)
            self._canceled = max(0, self._canceled - 1)
        return heap[0][0] if heap else None

    def due(self, now: float) -> Iterator[Deadline]:
        """Take what is due at ``now``, in order."""
        while (time := self.next()) is not None and time <= now:
            yield heappop(self._heap)[2]
