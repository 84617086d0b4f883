"""One peer: the exchange of numbered batches with another node of the cluster.

Terms:

- *batch*, *note*, *window*: see the module ``window``
- *interest*: the topics and patterns with subscribers on a node. A *snapshot* is all interest of a node.
- *silent*: a peer from which nothing has been received for :data:`SILENCE_SECONDS`
- *loss*: batches from the peer that will not arrive, because Redis has lost them or because the sender gave up

After a loss, both nodes take the same steps:

1. The node that has noticed the loss reports it to the other node with ``Gap``.
2. Calls with several parts between the two nodes fail, because a part may be missing.
3. Each node asks the other with ``Reconcile`` which of its calls the other is still handling. Calls that are not in the
   answer, ``Open``, fail.
4. Each node asks the other for a new snapshot with ``WantInterest``.

Therefore, each call is answered exactly once, and no result is forwarded if a progressive result before it was lost.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from ..router import relayed
from ..router.relayed import InterestChange
from ..wamp import errors
from . import messages
from .link_events import (
    BatchesLost,
    CallFailed,
    CallInterrupted,
    InterestAcknowledged,
    LinkEvent,
    PeerGivenUp,
    PeerGone,
    PeerHeard,
    PeerOpened,
    PeerSilent,
    Received,
    SnapshotReceived,
    SnapshotWanted,
)
from .messages import ACKNOWLEDGE_NOW, Message, ReceivedBatch, encode_message
from .window import Window

NOTE_SECONDS: Final = 1.0
"""A note is sent when no batch has been sent for this time."""

ACKNOWLEDGE_SECONDS: Final = 0.1
"""The maximum time between receiving a batch and acknowledging it."""

SILENCE_SECONDS: Final = 3.0
"""A peer is silent when nothing has been received from it for this time."""

State = Literal["greeting", "open", "gone"]
"""A peer is ``greeting`` until its first snapshot is complete. Then it is ``open``, and ``gone`` after it has left."""


class OpenCall(Struct, gc=False):
    """A call between this node and a peer that has not been answered.

    ``is_streaming`` is True if it has progressive results or is a progressive call.
    """

    realm: str
    is_streaming: bool


class PeerCounters(Struct, gc=False):
    """Counters for the log and the admin.

    - ``received_batches``: batches from the peer that were handled
    - ``lost_batches``: batches from the peer that did not arrive here
    - ``lost_by_peer``: batches of this node that did not arrive at the peer, as the peer has reported
    - ``given_up_batches``, ``given_up_events``: batches, and events in them, that were removed from the window
    - ``dropped_events``, ``refused_calls``: events and calls that were not sent because the window was full
    - ``reported_drops``: the number of dropped events that were reported to the owner of the link
    - ``duplicates``: batches that arrived more than once
    - ``skipped``: messages of unknown types
    - ``late``: messages about calls that had already ended
    """

    received_batches: int = 0
    lost_batches: int = 0
    lost_by_peer: int = 0
    given_up_batches: int = 0
    given_up_events: int = 0
    dropped_events: int = 0
    refused_calls: int = 0
    reported_drops: int = 0
    duplicates: int = 0
    skipped: int = 0
    late: int = 0


class Peer:
    """Another node of the cluster, as this node sees it.

    - ``state``: see :data:`State`
    - ``is_member``: whether the ledger of the cluster has shown that the node exists
    - ``is_silent``: whether nothing has been received from the peer lately
    - ``heard``: the time at which the last batch was received
    - ``answers``: the number of questions that the peer has answered with ``Open``
    - ``confirmed``: the number of the batch up to which the peer knows all interest that was sent
    """

    def __init__(self, node_id: str, window: Window, events: list[LinkEvent], now: float) -> None:
        self.id = node_id
        self.window = window
        self.state: State = "greeting"
        self.is_member = False
        self.is_silent = False
        self.heard = now
        self.answers = 0
        self.confirmed = 0
        self.counters = PeerCounters()
        self._events = events
        self._is_given_up = False
        self._is_away = False
        # Receiving. ``_expected`` is the number of the next batch, ``_pages`` is a snapshot that is not complete.
        self._expected = 1
        self._next_note = now
        self._must_acknowledge = False
        self._must_ask = False
        self._pages: list[relayed.InterestPage] | None = None
        # Interest. ``_last_interest`` is the number of the last batch with interest. An acknowledgment confirms
        # interest only from the number ``_confirms_from`` on; it is None until a snapshot is sent.
        self._is_snapshot_wanted = False
        self._last_interest = 0
        self._confirms_from: int | None = None
        # Calls to the peer and calls from it, by call id.
        self._calls_to: dict[int, OpenCall] = {}
        self._calls_from: dict[int, OpenCall] = {}
        self._last_call = 0
        self._token = 0
        self._last_reconciled_call = 0
        self._want_snapshot()

    @property
    def is_caught_up(self) -> bool:
        """Whether the peer knows all interest of this node."""
        return self._confirms_from is not None and self.confirmed >= self._last_interest

    @property
    def deadline(self) -> float:
        """The time at which the link must check the peer again: a note is due, or the peer becomes silent."""
        return self._next_note if self.is_silent else min(self._next_note, self.heard + SILENCE_SECONDS)

    # --- sending -------------------------------------------------------------------------------------------------

    # Hot path: send(), send_event(), flush() and receive().

    def send(self, message: Message) -> int:
        """Send a message. Return the number of its batch, or 0 if it is not sent.

        New calls and questions are not sent while the window is full. Messages about calls that have ended are not
        sent. Interest has its own methods.
        """
        if self.state == "gone":
            return 0
        may_send = SEND_CHECKS.get(type(message))
        if may_send is not None and not may_send(self, message):
            return 0
        window = self.window
        if window.is_hopeless:
            self._give_up()
        return window.add(encode_message(message))

    def send_event(self, data: bytes) -> int:
        """Send an encoded :class:`.relayed.RelayedEvent`. Return the number of its batch, or 0 if it is dropped."""
        window = self.window
        if self.state == "gone":
            return 0
        if window.is_full:
            self.counters.dropped_events += 1
            return 0
        return window.add_event(data)

    def send_interest(self, data: bytes) -> int:
        """Send an encoded :class:`.relayed.InterestUpdate`. Return the number of its batch."""
        self._last_interest = self._queue(data, is_urgent=True)
        return self._last_interest

    def send_snapshot(self, interest: Mapping[str, Sequence[InterestChange]], page_changes: int) -> int:
        """Send all interest of this node, by realm, in pages. Return the number of the last batch.

        A snapshot does not count toward the limit of the window, because it can exceed the limit.
        """
        self._is_snapshot_wanted = False
        for page in _pages(interest, page_changes):
            self._last_interest = self._queue(encode_message(page), is_counted=False, is_urgent=page.is_last)
        self._confirms_from = self._last_interest
        return self._last_interest

    def ask(self) -> None:
        """Ask the peer at the next flush for an answer, which shows that it is alive."""
        self._must_ask = True

    def flush(self, now: float, *, is_connected: bool, resend: bool) -> list[bytes]:
        """Return the batches to append to the peer's inbox, in order.

        Without a connection, nothing is returned, but the batches are kept. ``resend`` is true for the first flush on a
        new connection: all unacknowledged batches are returned again.
        """
        if not is_connected:
            self._next_note = max(self._next_note, now + NOTE_SECONDS)
            return []
        if self._must_ask:
            self._must_ask = False
            self._reconcile()
        batches = self.window.unacknowledged() if resend else []
        batches += self.window.seal(self._expected - 1)
        if resend or (not batches and (self._must_acknowledge or now >= self._next_note)):
            batches.append(self.window.note(self._expected - 1))
        if batches:
            self._must_acknowledge = False
            self._next_note = now + NOTE_SECONDS
        return batches

    def set_away(self, is_away: bool) -> None:
        """Handle a long outage of Redis, or its end if ``is_away`` is false.

        During the outage, new events and calls are not sent. Open calls to the peer fail.
        """
        self._is_away = is_away
        self._update_block()
        if is_away:
            self._fail_calls(list(self._calls_to))

    # --- receiving -----------------------------------------------------------------------------------------------

    def receive(self, received: ReceivedBatch, now: float) -> None:
        """Handle a batch or note received from the peer."""
        batch = received.batch
        number = batch.number
        self._hear(now)
        if received.is_note:
            if number >= self._expected:
                self._lose(number)
        elif number < self._expected:
            self.counters.duplicates += 1
        else:
            if number > self._expected:
                self._lose(number - 1)
            self._expected = number + 1
            self.counters.received_batches += 1
            self._next_note = min(self._next_note, now + ACKNOWLEDGE_SECONDS)
            self.counters.skipped += received.skipped
            node_id, events, find_handler = self.id, self._events, HANDLERS.get
            for message in batch.messages:
                handle = find_handler(type(message))
                if handle is None or handle(self, message):
                    events.append(Received(node_id, message))
        if batch.flags & ACKNOWLEDGE_NOW:
            self._must_acknowledge = True
        # The messages come first: they can report a loss that the acknowledgment covers.
        if self.window.acknowledge(batch.acknowledged):
            self._confirm_interest()

    def advance(self, now: float, pause: float) -> None:
        """Check whether the peer is silent. ``pause`` is the number of seconds for which this node did not run."""
        self.heard = min(now, self.heard + pause)
        if not self.is_silent and now >= self.heard + SILENCE_SECONDS:
            self.is_silent = True
            self._events.append(PeerSilent(self.id))

    def leave(self) -> None:
        """Handle the end of the peer's membership. All calls to it and from it fail."""
        self.state = "gone"
        self._events += [CallFailed(self.id, call.realm, call_id) for call_id, call in self._calls_to.items()]
        self._events += [CallInterrupted(self.id, call.realm, call_id) for call_id, call in self._calls_from.items()]
        self._calls_to.clear()
        self._calls_from.clear()
        self.window.give_up()
        self._events.append(PeerGone(self.id))

    # --- inside --------------------------------------------------------------------------------------------------

    def _queue(self, data: bytes, *, is_counted: bool = True, is_urgent: bool = False) -> int:
        """Add an encoded message to the window. Before that, give up the peer if the window contains too much."""
        if self.window.is_hopeless:
            self._give_up()
        return self.window.add(data, is_counted=is_counted, is_urgent=is_urgent)

    def _give_up(self) -> None:
        """Drop everything that the peer has not acknowledged, and fail all calls to it.

        The window is treated as full until the peer sends something.
        """
        batches, events = self.window.give_up()
        self.counters.given_up_batches += batches
        self.counters.given_up_events += events
        self._events.append(PeerGivenUp(self.id, batches, events))
        self._is_given_up = True
        self._update_block()
        self._fail_calls(list(self._calls_to))

    def _update_block(self) -> None:
        self.window.is_blocked = self._is_given_up or self._is_away

    def _hear(self, now: float) -> None:
        """Record that the peer has sent something."""
        self.heard = now
        if self.is_silent:
            self.is_silent = False
            self._events.append(PeerHeard(self.id))
        if self._is_given_up:
            self._is_given_up = False
            self._update_block()

    def _lose(self, last: int) -> None:
        """Handle the loss of the expected batch and all others up to the number ``last``."""
        first, self._expected = self._expected, last + 1
        self.counters.lost_batches += last + 1 - first
        self._events.append(BatchesLost(self.id, last + 1 - first, is_sender=False))
        self._pages = None
        self._queue(encode_message(messages.Gap(first, last)))
        self._recover()

    def _on_gap(self, message: messages.Gap) -> None:
        count = message.last + 1 - message.first
        self.counters.lost_by_peer += count
        self._events.append(BatchesLost(self.id, count, is_sender=True))
        self._recover()

    def _recover(self) -> None:
        """Take the steps 2 to 4 after a loss, as listed in the module's docstring."""
        # The peer does the same and therefore asks for a snapshot. Until it has this snapshot, an acknowledgment can
        # cover lost interest.
        self._confirms_from = None
        self._fail_calls([call_id for call_id, call in self._calls_to.items() if call.is_streaming])
        for call_id in [call_id for call_id, call in self._calls_from.items() if call.is_streaming]:
            self._events.append(CallInterrupted(self.id, self._calls_from.pop(call_id).realm, call_id))
        self._reconcile()
        self._queue(encode_message(messages.WantInterest()))

    def _reconcile(self) -> None:
        self._token += 1
        self._last_reconciled_call = self._last_call
        self._queue(encode_message(messages.Reconcile(self._token)))

    def _fail_calls(self, call_ids: Sequence[int]) -> None:
        """Fail calls to the peer, and cancel them there."""
        failed = [(call_id, self._calls_to.pop(call_id)) for call_id in call_ids]
        for call_id, call in failed:
            self._events.append(CallFailed(self.id, call.realm, call_id))
        for call_id, call in failed:
            cancel = relayed.RelayedCancel(call.realm, call_id, "killnowait", errors.NETWORK_FAILURE)
            self._queue(encode_message(cancel))

    def _on_reconcile(self, message: messages.Reconcile) -> None:
        self._queue(encode_message(messages.Open(message.token, list(self._calls_from))))

    def _on_open(self, message: messages.Open) -> None:
        """Fail the calls that were sent before the question and are unknown to the peer.

        Ignore answers to older questions, because another question has been asked since.
        """
        if message.token != self._token:
            return
        self.answers += 1
        known = set(message.call_ids)
        last = self._last_reconciled_call
        for call_id in [each for each in self._calls_to if each <= last and each not in known]:
            self._events.append(CallFailed(self.id, self._calls_to.pop(call_id).realm, call_id))

    def _want_snapshot(self) -> None:
        self._confirms_from = None
        if not self._is_snapshot_wanted:
            self._is_snapshot_wanted = True
            self._events.append(SnapshotWanted(self.id))

    def _on_hello(self, message: relayed.InterestPage) -> None:
        """Add a page to the snapshot. If a page of a snapshot was lost, ignore the rest of it."""
        if message.is_first:
            self._pages = []
        if self._pages is None:
            return
        self._pages.append(message)
        if not message.is_last:
            return
        self._events.append(SnapshotReceived(self.id, self._pages))
        self._pages = None
        if self.state == "greeting":
            self.state = "open"
            self._events.append(PeerOpened(self.id))

    def _confirm_interest(self) -> None:
        """Report that the peer has acknowledged interest."""
        number = self.window.acknowledged
        if self._confirms_from is None or number < self._confirms_from or self.confirmed >= self._last_interest:
            return
        self.confirmed = number
        self._events.append(InterestAcknowledged(self.id, number))

    # Calls: the functions return whether a message is to be sent, or whether a received message is to be reported.

    def _may_send_invoke(self, message: relayed.RelayedCall) -> bool:
        if self.window.is_full:
            self.counters.refused_calls += 1
            return False
        is_streaming = message.options is not None and message.is_streaming
        self._calls_to[message.call_id] = OpenCall(message.realm, is_streaming)
        self._last_call = message.call_id
        return True

    def _may_send_cancel(self, message: relayed.RelayedCancel) -> bool:
        if message.mode == "kill":
            return message.call_id in self._calls_to
        return self._calls_to.pop(message.call_id, None) is not None

    def _may_send_answer(self, message: relayed.RelayedResult) -> bool:
        if message.progress:
            return message.call_id in self._calls_from
        return self._calls_from.pop(message.call_id, None) is not None

    def _may_send_failure(self, message: relayed.RelayedError) -> bool:
        return self._calls_from.pop(message.call_id, None) is not None

    def _on_invoke(self, message: relayed.RelayedCall) -> bool:
        is_streaming = message.options is not None and message.is_streaming
        self._calls_from[message.call_id] = OpenCall(message.realm, is_streaming)
        return True

    def _on_part(self, message: relayed.RelayedCallPart) -> bool:
        return message.call_id in self._calls_from or self._count_late()

    def _on_cancel(self, message: relayed.RelayedCancel) -> bool:
        if message.mode == "kill":
            return message.call_id in self._calls_from or self._count_late()
        return self._calls_from.pop(message.call_id, None) is not None or self._count_late()

    def _on_answer(self, message: relayed.RelayedResult) -> bool:
        if message.progress:
            return message.call_id in self._calls_to or self._count_late()
        return self._calls_to.pop(message.call_id, None) is not None or self._count_late()

    def _on_failure(self, message: relayed.RelayedError) -> bool:
        return self._calls_to.pop(message.call_id, None) is not None or self._count_late()

    def _count_late(self) -> bool:
        """Count a message about a call that has ended. Return False."""
        self.counters.late += 1
        return False


def _pages(interest: Mapping[str, Sequence[InterestChange]], page_changes: int) -> list[relayed.InterestPage]:
    """Return all interest, by realm, as the pages of a snapshot. There is at least one page."""
    pages = [
        relayed.InterestPage(realm, list(changes[start : start + page_changes]), False, False)
        for realm, changes in interest.items()
        for start in range(0, len(changes), page_changes)
    ] or [relayed.InterestPage("", [], False, False)]
    pages[0].is_first = pages[-1].is_last = True
    return pages


Handler = Callable[[Peer, Any], bool | None]

SEND_CHECKS: Final[dict[type[Message], Handler]] = {
    relayed.RelayedCall: Peer._may_send_invoke,
    relayed.RelayedQuestion: lambda peer, _: not peer.window.is_full,
    relayed.RelayedCallPart: lambda peer, message: message.call_id in peer._calls_to,
    relayed.RelayedCancel: Peer._may_send_cancel,
    relayed.RelayedResult: Peer._may_send_answer,
    relayed.RelayedError: Peer._may_send_failure,
}
"""Functions that return whether a message may be sent, and that keep the open calls up to date."""

HANDLERS: Final[dict[type[Message], Handler]] = {
    relayed.InterestPage: Peer._on_hello,
    messages.WantInterest: lambda peer, _: peer._want_snapshot(),
    relayed.RelayedCall: Peer._on_invoke,
    relayed.RelayedCallPart: Peer._on_part,
    relayed.RelayedCancel: Peer._on_cancel,
    relayed.RelayedResult: Peer._on_answer,
    relayed.RelayedError: Peer._on_failure,
    messages.Gap: Peer._on_gap,
    messages.Reconcile: Peer._on_reconcile,
    messages.Open: Peer._on_open,
}
"""Functions that handle a received message, and that return true if the owner of the link must handle it too."""
