"""The REGISTERs that the ledger has not decided.

If the name of a REGISTER is taken, the node that has its callee, the *holder*, may have been killed a moment ago. So
the holder is asked a question. The REGISTER is refused when the holder has answered: other messages of the holder do
not count, because they may have been sent before it was killed. Without an answer, the REGISTER is sent to the ledger
again until the holder's lease has ended.
"""

from collections.abc import Callable, Iterable
from typing import Final

from .operations import StatedRow

DECISION_TIME: Final = 2.0
"""The time that the ledger has for a REGISTER: for its answer, and then for the entry in the log."""


class RegisterAttempt:
    """An undecided REGISTER.

    - ``asked_at``: when the client has sent the REGISTER
    - ``deadline``: when the attempt fails unless something happens
    - ``retry_at``: when to send it, or send it again
    - ``is_waiting``: whether it was sent, and neither refused nor found in the log
    - ``is_answered``: whether the ledger has accepted it
    """

    __slots__ = ("_holders", "asked_at", "deadline", "is_answered", "is_forced", "is_waiting", "retry_at", "row")

    def __init__(self, row: StatedRow, is_forced: bool, now: float) -> None:
        self.row = row
        self.is_forced = is_forced
        self.asked_at = self.retry_at = now
        self.deadline = now + DECISION_TIME
        self.is_waiting = False
        self.is_answered = False
        self._holders: dict[str, int] = {}
        """For each holder that was asked, how many questions it had answered before."""

    def retry(self, now: float, delay: float) -> None:
        """Send the request again after a delay."""
        self.is_waiting = self.is_answered = False
        self.retry_at = now + delay
        self.deadline = self.retry_at + DECISION_TIME

    def ask_holders(self, nodes: Iterable[str], count_answers: Callable[[str], int | None]) -> list[str] | None:
        """Return the nodes that must be asked now. Return None if one of the nodes is alive.

        ``count_answers`` returns how many questions a node has answered, or None if it is no peer of this node. A node
        that is no peer cannot be asked, so it counts as alive.
        """
        new = {}
        for node in nodes:
            count = count_answers(node)
            if count is None or count > self._holders.get(node, count):
                return None
            if node not in self._holders:
                new[node] = count
        self._holders.update(new)
        return list(new)

    def is_due(self, now: float, count_answers: Callable[[str], int | None]) -> bool:
        """Return whether to send it now, because it is time for it or because a holder has answered."""
        if self.is_waiting:
            return False
        return self.retry_at <= now or any((count_answers(node) or 0) > count for node, count in self._holders.items())
