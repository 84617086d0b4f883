"""The REGISTERs that the ledger has not decided on yet.

If the name of a REGISTER is already registered, the node of the existing callee, the *holder*, may have been killed a
moment ago. Therefore, the holder is asked a question. The REGISTER is refused when the holder has answered. Other
messages of the holder prove nothing, because they may have been sent before it was killed. Without an answer, the
REGISTER is sent to the ledger again until the holder's lease has ended.
"""

from collections.abc import Callable, Iterable
from typing import Final

from .operations import StatedRow

DECISION_TIME: Final = 2.0
"""The time that the ledger has for a REGISTER: for its answer, and then for the entry in the log."""


class RegisterAttempt:
    """An undecided REGISTER.

    - ``asked_at``: when the client sent the REGISTER
    - ``deadline``: when the attempt fails if there is no progress
    - ``retry_at``: when to send the request, or send it again
    - ``is_waiting``: whether the request has been sent and has neither been refused nor been found in the log
    - ``is_answered``: whether the ledger has accepted the request
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

        ``count_answers`` returns how many questions a node has answered, or None if it is not a peer of this node. Such
        a node cannot be asked, so it is treated as alive.
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
        """Return whether to send the request now, because its time has come or because a holder has answered."""
        if self.is_waiting:
            return False
        return self.retry_at <= now or any((count_answers(node) or 0) > count for node, count in self._holders.items())
