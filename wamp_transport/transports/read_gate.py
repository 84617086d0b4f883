"""Pauses reading from a peer while there is a reason to."""

from enum import Enum
from typing import Any


class PauseReason(Enum):
    """A reason not to read from a peer."""

    ROUTER = "router"
    """The router has paused the peer, because it sends faster than its messages are handled."""

    TURN = "turn"
    """The peer has used up its share of this turn of the event loop; the rest of its input waits for the next turn."""

    OUTPUT = "output"
    """The peer does not read its output, so it must not request more."""


NO_REASONS: frozenset[PauseReason] = frozenset()


class ReadGate:
    """A gate that pauses a Twisted transport while there are reasons to, and resumes it when there are none.

    Each reason has one owner: only the router pauses and resumes for ``ROUTER``, only the protocol for ``TURN``, and
    only the write buffer for ``OUTPUT``. So a peer that is paused for two reasons is not read before both owners have
    withdrawn theirs, in any order.
    """

    __slots__ = ("_transport", "holds_input", "reasons")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.reasons = NO_REASONS
        self.holds_input = False
        """Whether bytes that were received before the pause must wait, too. With ``OUTPUT`` alone they need not: there
        are few of them, as the transport is not read, and they may contain the peer's answer to a close.
        """

    def pause(self, reason: PauseReason) -> None:
        """Stop reading for a reason."""
        self._set(self.reasons | {reason})
        self._transport.pauseProducing()

    def resume(self, reason: PauseReason) -> None:
        """Withdraw a reason, and resume the transport if it was the last one."""
        self.withdraw(reason)
        self.read_on()

    def withdraw(self, reason: PauseReason) -> None:
        """Withdraw a reason, but leave the transport as it is until :meth:`read_on`."""
        self._set(self.reasons - {reason})

    def read_on(self) -> None:
        """Resume the transport if no reason to pause is left."""
        if not self.reasons:
            self._transport.resumeProducing()

    def _set(self, reasons: frozenset[PauseReason]) -> None:
        self.reasons = reasons
        self.holds_input = not reasons <= {PauseReason.OUTPUT}
