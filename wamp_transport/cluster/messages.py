"""The messages that the nodes of a cluster send to each other, and the batches that carry them, in MessagePack.

A *node* is one process of the cluster. The *home* of a session, call or publication is the node to which its client is
connected. A *call id* is a sequence number: the home increments it for each call to another node.

A *batch* is an array: ``[protocol, sender, number, acknowledged, flags, [messages]]``. Each message is an array that
begins with the number of its type. Later versions may add types, and fields with defaults at the end of a type.
Therefore, a reader skips unknown types and ignores additional fields.
"""

from collections.abc import Callable, Sequence
from typing import Final, get_args

import msgspec
from msgspec import Raw, Struct

from ..router.relayed import InterestPage, RelayedMessage

PROTOCOL: Final = 1
"""The newest version of the protocol between nodes that this release supports."""

PROTOCOLS: Final = range(1, PROTOCOL + 1)
"""The protocol versions that this release can read."""

ACKNOWLEDGE_NOW: Final = 1
"""A bit in the flags of a batch: the receiver must acknowledge the batch immediately."""

DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class WantInterest(Struct, array_like=True, tag=3, gc=False):
    """A request for a new snapshot of the receiver's interest; see :class:`.InterestPage`."""


# --- after a loss ------------------------------------------------------------------------------------------------


class Gap(Struct, array_like=True, tag=10, gc=False):
    """A report that the receiver's batches with the numbers ``first`` to ``last`` have not arrived."""

    first: int
    last: int


class Reconcile(Struct, array_like=True, tag=11, gc=False):
    """A question: which of the sender's calls is the receiver still handling? The answer is :class:`Open`."""

    token: int


class Open(Struct, array_like=True, tag=12, gc=False):
    """The answer to the :class:`Reconcile` message with this token."""

    token: int
    call_ids: list[int]


Message = RelayedMessage | InterestPage | WantInterest | Gap | Reconcile | Open
"""Any message between two nodes."""

TAGS: Final = frozenset(kind.__struct_config__.tag for kind in get_args(Message))


class Batch(Struct, array_like=True, gc=False):
    """A received batch. ``acknowledged`` is the number of the last batch that ``sender`` has handled."""

    protocol: int
    sender: str
    number: int
    acknowledged: int
    flags: int
    messages: list[Message]


class BatchEnvelope(Struct, array_like=True, gc=False):
    """A received batch whose messages have not been decoded yet."""

    protocol: int
    sender: str
    number: int
    acknowledged: int
    flags: int
    messages: list[Raw]


class ReceivedBatch(Struct, gc=False):
    """A batch, and the number of its messages that were skipped because their type is unknown."""

    batch: Batch
    skipped: int = 0

    @property
    def is_note(self) -> bool:
        """Whether the batch was sent without messages. A batch whose messages were all skipped is not a note."""
        return not self.batch.messages and not self.skipped


class BatchError(ValueError):
    """Raised for data that is not a batch, or that has a message with invalid fields."""


_encoder = msgspec.msgpack.Encoder()
_batches = msgspec.msgpack.Decoder(Batch)
_envelopes = msgspec.msgpack.Decoder(BatchEnvelope)
_messages = msgspec.msgpack.Decoder(Message)
_elements = msgspec.msgpack.Decoder(list[Raw])
_integers = msgspec.msgpack.Decoder(int)


encode_message: Final[Callable[[Message], bytes]] = _encoder.encode
"""Encode a message as MessagePack."""


def encode_batch(
    protocol: int, sender: str, number: int, acknowledged: int, flags: int, messages: Sequence[bytes]
) -> bytes:
    """Encode a batch as MessagePack. ``messages`` are already encoded. See :class:`Batch` for the other fields.

    Without messages, a batch is a *note*. Its number is that of the last batch with messages.
    """
    joined = Raw(b"".join((_array_header(len(messages)), *messages)))
    return _encoder.encode((protocol, sender, number, acknowledged, flags, joined))


def _array_header(length: int) -> bytes:
    """Return the bytes with which MessagePack begins an array of this length."""
    if length < 16:
        return bytes((0x90 | length,))
    return b"\xdc" + length.to_bytes(2) if length < 1 << 16 else b"\xdd" + length.to_bytes(4)


def decode_batch(data: bytes) -> ReceivedBatch:
    """Decode a batch. Skip and count its messages of unknown types. Raises BatchError for invalid data."""
    try:
        return ReceivedBatch(_batches.decode(data))
    except DECODE_ERRORS:
        # Messages of later versions are rare, so each message is decoded on its own only after an error.
        return _decode_known(data)


def _decode_known(data: bytes) -> ReceivedBatch:
    """Decode a batch and those of its messages whose type is known. Raises BatchError for invalid data."""
    try:
        envelope = _envelopes.decode(data)
        known = [each for each in envelope.messages if _tag_of(each) in TAGS]
        messages = [_messages.decode(each) for each in known]
    except DECODE_ERRORS as error:
        raise BatchError(str(error)) from error
    batch = Batch(
        envelope.protocol, envelope.sender, envelope.number, envelope.acknowledged, envelope.flags, messages
    )  # fmt: skip
    return ReceivedBatch(batch, len(envelope.messages) - len(known))


def _tag_of(message: Raw) -> int:
    """Return the number of a message's type, or 0 if the message is empty. Raises one of :data:`DECODE_ERRORS`."""
    elements = _elements.decode(message)
    return _integers.decode(elements[0]) if elements else 0
