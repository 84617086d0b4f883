"""The sending window of one peer: the batches that the peer has not acknowledged yet.

A *batch* carries messages. Batches are numbered 1, 2, 3, ... for each pair of sender and receiver. A batch stays in the
*window* until the peer acknowledges its number. A *note* is a batch without messages; it is never in the window. The
window is *full* when too many bytes are unacknowledged, or when the cluster's Redis has been unreachable for too long.
In this case, the peer gets no new events and calls. When four times as many bytes are unacknowledged, the peer is
*given up*: the window is emptied, and the peer notices the missing numbers.

The window does no I/O and does not need the time.
"""

from collections import deque
from typing import Final

from msgspec import Struct

from .messages import ACKNOWLEDGE_NOW, PROTOCOL, encode_batch

GIVE_UP_FACTOR: Final = 4
"""A peer is given up when its window contains more than this many times the limit."""


class LinkSizes(Struct, frozen=True):
    """The sizes of windows, batches and messages.

    - ``min_window_bytes``: the limit of each window in a large cluster
    - ``all_windows_bytes``: the sum of the limits of all windows of a node in a small cluster
    - ``batch_bytes``, ``batch_messages``: the largest batch. A larger message is sent in a batch of its own.
    - ``page_changes``: the maximum number of topics and patterns in one message
    """

    min_window_bytes: int = 1024 * 1024
    all_windows_bytes: int = 32 * 1024 * 1024
    batch_bytes: int = 256 * 1024
    batch_messages: int = 512
    page_changes: int = 1000

    def window_limit(self, members: int) -> int:
        """Return the limit of each window, in bytes, in a cluster with this number of nodes."""
        return max(self.min_window_bytes, self.all_windows_bytes // members)


class UnsentBatch:
    """A batch that still accepts messages.

    ``size`` is the size of all messages in bytes. ``counted`` is that of the messages that count toward the limit.
    """

    __slots__ = ("counted", "events", "flags", "messages", "number", "size")

    def __init__(self, number: int) -> None:
        self.number = number
        self.messages: list[bytes] = []
        self.size = 0
        self.counted = 0
        self.events = 0
        self.flags = 0


class SentBatch(Struct, gc=False):
    """A batch in the window. ``counted`` is its size toward the limit in bytes, ``events`` the number of its events."""

    number: int
    data: bytes
    counted: int
    events: int


class Window:
    """The batches for one peer that are not yet sent or not yet acknowledged.

    - ``limit``: the number of bytes above which the window is full
    - ``protocol``: the version of the protocol in the batches
    - ``number``: the number of the last batch
    - ``acknowledged``: the number of the last batch that the peer has acknowledged
    - ``size``: the number of unacknowledged bytes that count toward the limit
    - ``is_blocked``: whether the window is treated as full regardless of its size
    """

    def __init__(self, sender: str, sizes: LinkSizes, protocol: int = PROTOCOL) -> None:
        self.limit = sizes.min_window_bytes
        self.protocol = protocol
        self.number = 0
        self.acknowledged = 0
        self.size = 0
        self.is_blocked = False
        self._sender = sender
        self._batch_bytes = sizes.batch_bytes
        self._batch_messages = sizes.batch_messages
        self._unsent: list[UnsentBatch] = []
        self._sent: deque[SentBatch] = deque()
        self._size_since_request = 0
        self._last_acknowledgment = 0

    @property
    def is_full(self) -> bool:
        """Whether new events and calls must not be added."""
        return self.is_blocked or self.size > self.limit

    @property
    def is_hopeless(self) -> bool:
        """Whether the peer must be given up."""
        return self.size > GIVE_UP_FACTOR * self.limit

    @property
    def is_empty(self) -> bool:
        """Whether no message waits to be sent or acknowledged."""
        return not self._unsent and not self._sent

    # Hot path.

    def add_event(self, message: bytes) -> int:
        """Add an encoded event and return the number of its batch."""
        number = self.add(message)
        self._unsent[-1].events += 1
        return number

    def add(self, message: bytes, *, is_counted: bool = True, is_urgent: bool = False) -> int:
        """Add an encoded message and return the number of its batch.

        The message counts toward the limit unless ``is_counted`` is false. A message that is larger than the limit
        counts as much as the limit, so that it alone can never make the peer hopeless. If ``is_urgent`` is true, the
        batch requests an immediate acknowledgment.
        """
        size, unsent = len(message), self._unsent
        batch = unsent[-1] if unsent else None
        if batch is None or batch.size + size > self._batch_bytes or len(batch.messages) >= self._batch_messages:
            self.number += 1
            batch = UnsentBatch(self.number)
            unsent.append(batch)
        batch.messages.append(message)
        batch.size += size
        if is_counted:
            counted = size if size < self.limit else self.limit
            batch.counted += counted
            self.size += counted
        if is_urgent:
            batch.flags |= ACKNOWLEDGE_NOW
        return batch.number

    def seal(self, acknowledgment: int) -> list[bytes]:
        """Encode the batches that have not been sent, and return them in order. They accept no more messages.

        ``acknowledgment`` is the number of the last batch from the peer that this node has handled.
        """
        if not self._unsent:
            return []
        sealed = []
        last = self._unsent[-1]
        for batch in self._unsent:
            # After a loss, the report of the loss may be in the last batch. The peer must not get the new
            # acknowledgment, which covers the lost batches, before this report.
            confirmed = acknowledgment if batch is last else self._last_acknowledgment
            self._size_since_request += batch.counted
            if self._size_since_request >= self.limit // 2:
                batch.flags |= ACKNOWLEDGE_NOW
            if batch.flags & ACKNOWLEDGE_NOW:
                self._size_since_request = 0
            data = self._encode(batch.number, confirmed, batch.flags, batch.messages)
            self._sent.append(SentBatch(batch.number, data, batch.counted, batch.events))
            sealed.append(data)
        self._unsent.clear()
        self._last_acknowledgment = acknowledgment
        return sealed

    def acknowledge(self, number: int) -> bool:
        """Remove the batches up to this number. Return whether any of them had not been acknowledged before.

        Ignore a number that is higher than that of the last batch.
        """
        if not self.acknowledged < number <= self.number:
            return False
        sent = self._sent
        while sent and sent[0].number <= number:
            self.size -= sent.popleft().counted
        self.acknowledged = number
        return True

    # End of the hot path.

    def note(self, acknowledgment: int) -> bytes:
        """Return a note. All batches must be sealed, so that the peer can tell from the note which ones are lost."""
        self._last_acknowledgment = acknowledgment
        return self._encode(self.number, acknowledgment, 0, [])

    def unacknowledged(self) -> list[bytes]:
        """Return all sealed batches that the peer has not acknowledged, in order."""
        return [batch.data for batch in self._sent]

    def give_up(self) -> tuple[int, int]:
        """Remove all batches. Return how many batches and events were removed. The numbering of batches continues."""
        count = len(self._sent) + len(self._unsent)
        events = sum(batch.events for batch in self._sent) + sum(batch.events for batch in self._unsent)
        self._sent.clear()
        self._unsent.clear()
        self.size = self._size_since_request = 0
        return count, events

    def _encode(self, number: int, acknowledgment: int, flags: int, messages: list[bytes]) -> bytes:
        """Return a batch as MessagePack."""
        return encode_batch(self.protocol, self._sender, number, acknowledgment, flags, messages)
