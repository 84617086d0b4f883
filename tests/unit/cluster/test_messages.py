"""Messages between nodes: they are read as they were written, also by nodes of an earlier version."""

from datetime import UTC, datetime
from typing import Any, get_args

import msgspec
import pytest
from msgspec import Raw

from wamp_transport.cluster import messages
from wamp_transport.cluster.messages import (
    Batch,
    BatchError,
    decode_batch,
    encode_batch,
    encode_message,
)
from wamp_transport.router import relayed
from wamp_transport.router.relayed import ChosenShard, Identity, InterestChange, RemoteShard
from wamp_transport.wamp.messages import CallOptions, ErrorDetails, PublishOptions, ResultDetails

TIME = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
ANN = Identity(2**53, "ann", "user")
SHARD = RemoteShard(5, "ann", "user", "key")
EVENT = relayed.RelayedEvent(
    "realm1", 7, TIME, "com.topic", 2**53, "ann", "user", 2, True, PublishOptions(retain=True, exclude=[1]), "json",
    b"[1]", b"", (ChosenShard("exact", "com.topic", 5),)
)  # fmt: skip
EXAMPLES: list[messages.Message] = [
    relayed.InterestPage("realm1", [InterestChange("add", "prefix", "com.")], True, False),
    relayed.InterestUpdate("realm1", [InterestChange("remove_shard", "exact", "com.topic", SHARD)]),
    messages.WantInterest(),
    EVENT,
    relayed.RelayedCall(
        "realm1", 1, 2, 3, "com.proc", ANN, None, CallOptions(progress=True), 2.5, "cbor", b"\x80", b"\xa0"
    ),
    relayed.RelayedCallPart("realm1", 1, CallOptions(progress=True), "msgpack", b"\x90"),
    relayed.RelayedCancel("realm1", 1, "kill", "wamp.error.canceled"),
    relayed.RelayedResult("realm1", 1, True, 4, ResultDetails(ppt_scheme="wamp"), "json", b"", b"{}"),
    relayed.RelayedError("realm1", 1, 4, True, "com.error", ErrorDetails(), "json"),
    messages.Gap(3, 5),
    messages.Reconcile(1),
    messages.Open(1, [5, 6]),
    relayed.RelayedQuestion("realm1", 1, "wamp.session.count", ANN, "json", b"[]"),
    relayed.RelayedReply("realm1", 1, None, "msgpack", b"\x91\x01"),
    relayed.RelayedRetained("realm1", [EVENT], True),
    relayed.RelayedClear("realm1", "com.topic", TIME),
    relayed.WantRetained(),
]


def batch_of(encoded: list[Any]) -> bytes:
    return msgspec.msgpack.encode([1, "a", 5, 4, 1, encoded])


def test_there_is_an_example_of_each_type() -> None:
    assert {type(each) for each in EXAMPLES} == set(get_args(messages.Message))


def test_messages_are_read_as_they_were_written() -> None:
    data = encode_batch(1, "a", 5, 4, 1, [encode_message(each) for each in EXAMPLES])
    received = decode_batch(data)
    assert received.batch == Batch(1, "a", 5, 4, 1, EXAMPLES)
    assert received.skipped == 0
    assert not received.is_note


@pytest.mark.parametrize("length", [0, 1, 15, 16, 255, 256, 65_535, 65_536])
def test_batches_of_any_length_are_read(length: int) -> None:
    message = messages.Reconcile(1)
    data = encode_batch(1, "a", 5, 4, 1, [encode_message(message)] * length)
    assert decode_batch(data).batch.messages == [message] * length


def test_unknown_types_are_skipped_and_counted() -> None:
    data = batch_of([Raw(encode_message(EVENT)), [99, {"a": [1]}], [], Raw(encode_message(EXAMPLES[2]))])
    received = decode_batch(data)
    assert received.batch.messages == [EVENT, EXAMPLES[2]]
    assert received.skipped == 2


def test_a_batch_of_unknown_types_is_not_a_note() -> None:
    received = decode_batch(batch_of([[99]]))
    assert not received.batch.messages
    assert not received.is_note


def test_a_batch_without_messages_is_a_note() -> None:
    assert decode_batch(batch_of([])).is_note


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda each: type(each).__name__)
def test_additional_fields_are_ignored(message: messages.Message) -> None:
    fields = msgspec.msgpack.decode(encode_message(message))
    assert decode_batch(batch_of([[*fields, "new", 1]])).batch.messages == [message]


def test_additional_fields_of_a_batch_are_ignored() -> None:
    assert decode_batch(msgspec.msgpack.encode([1, "a", 5, 4, 0, [], "new"])).batch.number == 5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode({"a": 1}),
        msgspec.msgpack.encode([1, "a", 5]),
        batch_of([[4, "realm1"]]),
        batch_of([["text"]]),
        batch_of([5]),
        batch_of([[99], [11, "text"]]),
        encode_batch(1, "a", 5, 4, 1, [])[:-1],
    ],
)
def test_invalid_data_is_refused(data: bytes) -> None:
    with pytest.raises(BatchError):
        decode_batch(data)


@pytest.mark.parametrize(
    ("options", "is_streaming"),
    [
        (CallOptions(), False),
        (CallOptions(receive_progress=False, progress=False), False),
        (CallOptions(receive_progress=True), True),
        (CallOptions(progress=True), True),
    ],
)
def test_calls_with_several_parts_are_streaming(options: CallOptions, is_streaming: bool) -> None:
    assert relayed.RelayedCall("realm1", 1, 2, 3, "p", None, None, options, 0, "json").is_streaming is is_streaming
