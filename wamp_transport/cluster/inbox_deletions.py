"""The inboxes of nodes that are no longer members, and when to delete them."""

from collections.abc import Iterable
from math import inf
from typing import Final

DELAY_SECONDS: Final = 60.0
"""The time after which the inbox of a node that has left is deleted, so that late appends do not remain.

Other nodes can append to this inbox until they read the removal in the ledger's log.
"""


class InboxDeletions:
    """The keys of the inboxes to delete.

    A key is removed from here when Redis has confirmed a deletion that was sent after :data:`DELAY_SECONDS`.
    """

    def __init__(self) -> None:
        self._final: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._sent: set[str] = set()

    def add(self, key: str, now: float, *, is_immediate: bool) -> None:
        """Schedule the deletion of a key in one minute and, if ``is_immediate`` is true, also right now."""
        self._final.setdefault(key, now + DELAY_SECONDS)
        self._due[key] = now if is_immediate else min(self._due.get(key, self._final[key]), self._final[key])

    def take(self, now: float) -> list[str]:
        """Return the keys to delete now. Call :meth:`confirm` when Redis has deleted them."""
        keys = [key for key, due in self._due.items() if due <= now]
        for key in keys:
            del self._due[key]
        self._sent.update(keys)
        return keys

    def confirm(self, keys: Iterable[str], sent_at: float) -> None:
        """Handle the reply to a deletion of these keys. ``sent_at`` is the time at which the command was sent."""
        for key in keys:
            self._sent.discard(key)
            final = self._final.get(key)
            if final is not None and key not in self._due:
                if sent_at >= final:
                    del self._final[key]
                else:
                    self._due[key] = final

    def is_pending(self, key: str) -> bool:
        """Return whether Redis has not yet confirmed the first deletion of a key."""
        return key in self._sent or self._due.get(key, inf) < self._final.get(key, 0.0)

    def disconnected(self, now: float) -> None:
        """Handle the loss of the connection: it is unknown which keys were deleted."""
        self._due.update(dict.fromkeys(self._sent, now))
        self._sent.clear()

    def next_deadline(self) -> float | None:
        """Return the time at which the next key must be deleted, or None if there is none."""
        return min(self._due.values(), default=None)
