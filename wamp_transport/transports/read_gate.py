"""Decides whether a peer is read: it is, while there is no reason against it."""

from enum import Enum
from typing import Any


class PauseReason(Enum):
    """A reason not to read from a peer."""

    ROUTER = "router"
    """The router asks for it: the peer sends faster than it is served."""

    TURN = "turn"
    """The peer has used up its turn of the event loop; the rest of its input waits for the next one."""

    OUTPUT = "output"
    """The peer does not read its output, so it cannot ask for more."""


NO_REASONS: frozenset[PauseReason] = frozenset()


class ReadGate:
    """Pauses a Twisted transport while there are reasons to, and resumes it when the last one is gone.

    Each reason has one owner, which alone pauses and resumes for it. So a peer that is paused for two reasons is not
    read before both are gone, in whatever order that happens.
    """

    __slots__ = ("_transport", "holds_input", "reasons")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.reasons = NO_REASONS
        self.holds_input = False
        """Whether the bytes that were read before must wait, too. They need not, if only output waits: few are left,
        as the transport is not read, and they may hold the answer to a close.
        """

    def pause(self, reason: PauseReason) -> None:
        """Stop reading for a reason."""
        self._set(self.reasons | {reason})
        self._transport.pauseProducing()

    def resume(self, reason: PauseReason) -> None:
        """Withdraw a reason, and read on if it was the last one."""
        self.withdraw(reason)
        self.read_on()

    def withdraw(self, reason: PauseReason) -> None:
        """Withdraw a reason, but leave the transport as it is until :meth:`read_on`."""
        self._set(self.reasons - {reason})

    def read_on(self) -> None:
        """Read on if there is no reason left against it."""
        if not self.reasons:
            self._transport.resumeProducing()

    def _set(self, reasons: frozenset[PauseReason]) -> None:
        self.reasons = reasons
        self.holds_input = not reasons <= {PauseReason.OUTPUT}
