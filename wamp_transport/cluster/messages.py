"""The messages that the nodes of a cluster send each other, and the batches that carry them, in MessagePack.

A *node* is one process of the cluster. The *home* of a session, call or publication is the node to which the client is
connected. A *call id* is a number that the home counts up for all its calls.

A *batch* is an array: ``[protocol, sender, number, acknowledged, flags, [messages]]``. Each message is an array that
begins with the number of its type. Later versions may add types, and fields with defaults at the end of a type. So a
reader skips unknown types and ignores additional fields.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import Raw, Struct

from ..wamp.messages import CallOptions, ErrorDetails, Match, PublishOptions, ResultDetails
from ..wamp.payload import ABSENT

PROTOCOL: Final = 1
"""The protocol version in the batches of this release."""

PROTOCOLS: Final = range(1, PROTOCOL + 1)
"""The protocol versions that this release can read."""

ACKNOWLEDGE_NOW: Final = 1
"""A bit in the flags of a batch: the receiver is to acknowledge the batch immediately."""

DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Identity(Struct, array_like=True, gc=False):
    """A session's id and the identity of its client."""

    session_id: int
    authid: str
    authrole: str


class InterestChange(Struct, array_like=True, gc=False):
    """A topic or pattern that has gained its first subscriber on the sender (``add``) or lost its last one.

    ``node_key`` is the node key of the subscribers, if they have one. Subscribers with different node keys are
    different interests.
    """

    add: bool
    match: Match
    uri: str
    node_key: str | None = None


# --- interest ----------------------------------------------------------------------------------------------------


class Hello(Struct, array_like=True, tag=1):
    """A page of everything in which the sender is interested. The pages together are a *snapshot*.

    ``is_first`` and ``is_last`` mark the first and the last page of a snapshot. A snapshot is sent to each new node,
    and as the answer to :class:`WantInterest`. It replaces what the receiver knew before.
    """

    realm: str
    interest: list[InterestChange]
    is_first: bool
    is_last: bool


class Interest(Struct, array_like=True, tag=2):
    """Changes to the sender's interest."""

    realm: str
    interest: list[InterestChange]


class WantInterest(Struct, array_like=True, tag=3, gc=False):
    """A request for a new snapshot of the receiver's interest."""


# --- events and calls --------------------------------------------------------------------------------------------

# The payload of all messages is in ``args`` and ``kwargs``, serialized in the format ``payload_format`` and empty if
# absent. See payload_bytes() and raw_payload().


class Event(Struct, array_like=True, tag=4, gc=False):
    """A publication on its way from its home to a node with subscribers.

    ``stamp`` is the time of publication in milliseconds since 1970. ``is_disclosed`` is True if subscribers learn
    who the publisher is.
    """

    realm: str
    publication_id: int
    stamp: int
    topic: str
    publisher: Identity
    trustlevel: int | None
    is_disclosed: bool
    options: PublishOptions
    payload_format: str
    args: bytes = b""
    kwargs: bytes = b""


class Invoke(Struct, array_like=True, tag=5, gc=False):
    """A call on its way from its home to the callee's node.

    ``caller`` is None if the caller is not disclosed. ``time_left`` is the number of seconds until the call times out,
    0 if it does not.
    """

    realm: str
    call_id: int
    registration_id: int
    callee: int
    procedure: str
    caller: Identity | None
    trustlevel: int | None
    options: CallOptions
    time_left: float
    payload_format: str
    args: bytes = b""
    kwargs: bytes = b""

    @property
    def is_streaming(self) -> bool:
        """Whether the call has progressive results or is a progressive call."""
        return bool(self.options.receive_progress or self.options.progress)


class Part(Struct, array_like=True, tag=6, gc=False):
    """A further CALL message of a progressive call."""

    realm: str
    call_id: int
    options: CallOptions
    payload_format: str
    args: bytes = b""
    kwargs: bytes = b""


class Cancel(Struct, array_like=True, tag=7, gc=False):
    """A report that the caller has canceled a call, or that the call has ended at its home for another reason.

    After the mode ``kill``, the home still waits for the answer. ``reason`` is the URI for the INTERRUPT message.
    """

    realm: str
    call_id: int
    mode: Literal["skip", "kill", "killnowait"]
    reason: str


class Answer(Struct, array_like=True, tag=8, gc=False):
    """A result of a call on its way to the call's home. ``progress`` is true if another answer follows.

    ``in_flight`` is the number of calls on which the callee still works.
    """

    realm: str
    call_id: int
    progress: bool
    in_flight: int
    details: ResultDetails
    payload_format: str
    args: bytes = b""
    kwargs: bytes = b""


class Failure(Struct, array_like=True, tag=9, gc=False):
    """The error that ends a call. ``may_retry`` tells the home that it may try another callee.

    ``in_flight`` is the number of calls on which the callee still works.
    """

    realm: str
    call_id: int
    in_flight: int
    may_retry: bool
    uri: str
    details: ErrorDetails
    payload_format: str
    args: bytes = b""
    kwargs: bytes = b""


# --- after a loss ------------------------------------------------------------------------------------------------


class Gap(Struct, array_like=True, tag=10, gc=False):
    """A report that the receiver's batches with the numbers ``first`` to ``last`` have not arrived."""

    first: int
    last: int


class Reconcile(Struct, array_like=True, tag=11, gc=False):
    """A question: on which of the sender's calls does the receiver still work? The answer is :class:`Open`."""

    token: int


class Open(Struct, array_like=True, tag=12, gc=False):
    """The answer to the :class:`Reconcile` message with this token."""

    token: int
    call_ids: list[int]


# --- questions ---------------------------------------------------------------------------------------------------


class Query(Struct, array_like=True, tag=13, gc=False):
    """A call to a meta procedure that every node must answer. ``caller`` is the session that called it."""

    realm: str
    question_id: int
    procedure: str
    caller: Identity | None
    payload_format: str
    args: bytes = b""
    kwargs: bytes = b""


class Reply(Struct, array_like=True, tag=14, gc=False):
    """The answer to a :class:`Query`: a value in ``args`` and ``kwargs``, or a refusal with the error ``uri``."""

    realm: str
    question_id: int
    uri: str | None
    payload_format: str
    args: bytes = b""
    kwargs: bytes = b""


class Retained(Struct, array_like=True, tag=15):
    """A page of the retained events of a realm, as an answer to a :class:`Query`. ``is_last`` marks the last page."""

    realm: str
    question_id: int
    events: list[Event]
    is_last: bool


Message = (
    Hello | Interest | WantInterest | Event | Invoke | Part | Cancel | Answer | Failure
    | Gap | Reconcile | Open | Query | Reply | Retained
)  # fmt: skip
"""Any message between two nodes."""

TAGS: Final = frozenset(kind.__struct_config__.tag for kind in get_args(Message))


class Batch(Struct, array_like=True, gc=False):
    """A batch as it is received. ``acknowledged`` is the number of the last batch that ``sender`` has handled."""

    protocol: int
    sender: str
    number: int
    acknowledged: int
    flags: int
    messages: list[Message]


class BatchEnvelope(Struct, array_like=True, gc=False):
    """A batch whose messages are encoded. See :class:`Batch` for the other fields.

    Without messages, a batch is a *note*. Its number is that of the last batch with messages.
    """

    protocol: int
    sender: str
    number: int
    acknowledged: int
    flags: int
    messages: Sequence[Raw]


class ReceivedBatch(Struct, gc=False):
    """A batch, and the number of its messages that were skipped because their type is unknown."""

    batch: Batch
    skipped: int = 0

    @property
    def is_note(self) -> bool:
        """Whether the batch was sent without messages. A batch of which all messages were skipped is not a note."""
        return not self.batch.messages and not self.skipped


class BatchError(ValueError):
    """Raised for data that is not a batch, or that has a message with invalid fields."""


_encoder = msgspec.msgpack.Encoder()
_batches = msgspec.msgpack.Decoder(Batch)
_envelopes = msgspec.msgpack.Decoder(BatchEnvelope)
_messages = msgspec.msgpack.Decoder(Message)
_elements = msgspec.msgpack.Decoder(list[Raw])
_integers = msgspec.msgpack.Decoder(int)


def encode_message(message: Message) -> bytes:
    """Return a message as MessagePack."""
    return _encoder.encode(message)


def encode_batch(envelope: BatchEnvelope) -> bytes:
    """Return a batch as MessagePack."""
    return _encoder.encode(envelope)


def decode_batch(data: bytes) -> ReceivedBatch:
    """Return a batch. Skip and count its messages of unknown types. Raises BatchError."""
    try:
        return ReceivedBatch(_batches.decode(data))
    except DECODE_ERRORS:
        # Messages of later versions are rare, so each message is decoded on its own only after an error.
        return _decode_known(data)


def _decode_known(data: bytes) -> ReceivedBatch:
    """Return a batch with its messages of known types. Raises BatchError."""
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
    """Return the number of a message's type, or 0 if the message is empty. Raises the errors of msgspec."""
    elements = _elements.decode(message)
    return _integers.decode(elements[0]) if elements else 0


def payload_bytes(payload: Any) -> bytes:
    """Return the ``args`` or ``kwargs`` of a WAMP message for a message to another node.

    The payload must be serialized. The caller converts Python values first.
    """
    return bytes(payload)


def raw_payload(data: bytes) -> Raw:
    """Return the ``args`` or ``kwargs`` of a message from another node for a WAMP message."""
    return Raw(data) if data else ABSENT
