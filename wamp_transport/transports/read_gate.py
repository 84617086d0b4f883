"""Pause reading from a peer for one or more reasons."""

from enum import Enum
from typing import Any


class PauseReason(Enum):
    """A reason for which reading from a peer is paused."""

    ROUTER = "router"
    """The router has paused the peer, because the peer sends messages faster than they are handled."""

    TURN = "turn"
    """The peer has used up its share of this turn of the event loop; the rest of its input waits for the next turn."""

    OUTPUT = "output"
    """The peer does not read its output, so it must not send more requests."""


NO_REASONS: frozenset[PauseReason] = frozenset()


class ReadGate:
    """A gate that pauses a Twisted transport while there is a reason, and resumes it when there is none.

    Each reason has one owner: only the router pauses and resumes for ``ROUTER``, only the protocol for ``TURN``, and
    only the write buffer for ``OUTPUT``. A peer that is paused for two reasons is not read until both owners have
    withdrawn their reason, in any order.
    """

    __slots__ = ("_transport", "holds_input", "reasons")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.reasons = NO_REASONS
        self.holds_input = False
        """Whether the pause also applies to bytes that were received before it.

        This is False if ``OUTPUT`` is the only reason, because these bytes are few and can contain the peer's reply to
        a close frame.
        """

    def pause(self, reason: PauseReason) -> None:
        """Add a reason, and stop reading from the peer."""
        self._set(self.reasons | {reason})
        self._transport.pauseProducing()

    def resume(self, reason: PauseReason) -> None:
        """Withdraw a reason, and resume the transport if it was the last one."""
        self.withdraw(reason)
        self.read_on()

    def withdraw(self, reason: PauseReason) -> None:
        """Withdraw a reason, but do not resume the transport until :meth:`read_on` is called."""
        self._set(self.reasons - {reason})

    def read_on(self) -> None:
        """Resume the transport if no reason to pause is left."""
        if not self.reasons:
            self._transport.resumeProducing()

    def _set(self, reasons: frozenset[PauseReason]) -> None:
        self.reasons = reasons
        self.holds_input = not reasons <= {PauseReason.OUTPUT}
