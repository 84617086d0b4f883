"""A limit on the memory for incomplete messages, that is, messages of which clients have sent only the beginning.

The incomplete messages of all connections of a server are added up, because many small parts of messages can take as
much memory as one large part.
"""

from typing import Final, Protocol

MAX_UNFINISHED_BYTES: Final = 96 * 1024 * 1024
"""Maximum total size in bytes of the incomplete messages of all connections of a server."""

MIN_COUNTED_BYTES: Final = 8 * 1024
"""The size in bytes below which an incomplete message is not counted, so that short messages cost no time."""

PIECE_BYTES: Final = 64
"""The size in bytes that is added for each piece of a message, because every piece is a separate object."""


class Sender(Protocol):
    """The connection that an incomplete message belongs to."""

    def give_up_message(self) -> None:
        """Close the connection soon and free the memory of its incomplete message."""
        ...


class UnfinishedMessages:
    """The sizes of the incomplete messages of all connections of a server.

    If their sum exceeds ``limit`` bytes, the connections whose messages have been incomplete for the longest time are
    closed: an ordinary client sends the rest of its message without a pause.
    """

    def __init__(self, limit: int = MAX_UNFINISHED_BYTES) -> None:
        self._limit = limit
        self._sizes: dict[Sender, int] = {}  # in the order in which the messages were first counted
        self.total = 0
        """The total size in bytes of all counted messages."""

    def update(self, sender: Sender, size: int) -> bool:
        """Set the size of a sender's incomplete message in bytes. Return whether the message is counted now.

        A message that is complete, or shorter than :data:`MIN_COUNTED_BYTES`, is not counted.
        """
        before = self._sizes.get(sender, 0)
        if size < MIN_COUNTED_BYTES:
            self.total -= before
            self._sizes.pop(sender, None)
            return False
        self._sizes[sender] = size
        self.total += size - before
        while self.total > self._limit:
            oldest = next(iter(self._sizes))
            self.total -= self._sizes.pop(oldest)
            oldest.give_up_message()
        return sender in self._sizes
