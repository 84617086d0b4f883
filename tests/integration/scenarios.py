"""What two clients do with each other; the same for every pair of libraries and serializers."""

import base64
import itertools
from typing import Any

import pytest

from .clients import Client, WampFailure

_numbers = itertools.count(1)

PAYLOADS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "nothing": ([], {}),
    "positional": ([1, "two", 3.5, True, False, None], {}),
    "named": ([], {"colour": "green", "count": 3}),
    "both": (["a", 2], {"flag": False, "nothing": None}),
    "empty values": (["", [], {}], {"list": [], "object": {}}),
    "unicode": (["Zürich ☃ 漢字 🚀", "e\u0301", "\u2028\u2029", '"\\\n\t\x7f'], {"größe": "ß", "ключ": "🔑"}),
    "nested": ([[1, [2, [3, {"a": [{}, [], {"b": None}]}]]]], {"deep": {"deeper": {"deepest": [[["x"]]]}}}),
    "integers": ([0, -1, 127, 128, -129, 2**31, -(2**31) - 1, 2**32, 2**53 - 1, 2**53, -(2**53)], {"most": 2**53}),
    "fractions": ([0.1, -2.5, 1e-7, 1.7976931348623157e308, 5e-324, 3.141592653589793], {}),
    "long": (["x" * 100_000, list(range(1000))], {}),
}

BINARY = bytes(range(256))
BINARY_IN_JSON = "\0" + base64.b64encode(BINARY).decode()


def uri(name: str) -> str:
    """A topic or procedure that no other test uses, and that is no prefix of another."""
    return f"com.example.{name}{next(_numbers):06}"


def expect(found: Any, wanted: Any, what: str = "") -> None:
    """An assertion that says what it found: pytest rewrites those of test modules only."""
    assert found == wanted, f"{what}: {found!r:.2000} instead of {wanted!r:.2000}"


def binary_for(client: Client) -> bytes | str:
    """A binary value as this client's users see it: where JSON is all there is, the string that stands for it."""
    return BINARY if client.kind.knows_binary else BINARY_IN_JSON


def events_arrive(publisher: Client, subscriber: Client) -> None:
    """Every payload arrives as it was sent."""
    topic = uri("topic")
    subscriber.subscribe(topic)
    for name, (args, kwargs) in PAYLOADS.items():
        publisher.publish(topic, *args, **kwargs)
        event = subscriber.next_event()
        expect((event.topic, event.args, event.kwargs), (topic, args, kwargs), name)
    subscriber.unsubscribe(topic)


def binary_events_arrive(publisher: Client, subscriber: Client) -> None:
    """Binary values arrive, in JSON as a string of U+0000 and base64."""
    topic = uri("topic")
    subscriber.subscribe(topic)
    publisher.publish(topic, binary_for(publisher), nested={"in": [binary_for(publisher)]})
    event = subscriber.next_event()
    expect(event.args, [binary_for(subscriber)])
    expect(event.kwargs, {"nested": {"in": [binary_for(subscriber)]}})
    subscriber.unsubscribe(topic)


def prefix_subscription_gets_events(publisher: Client, subscriber: Client) -> None:
    """A prefix subscription gets the events of all topics that start so, each with its topic; nothing else."""
    prefix = uri("prefix")
    subscriber.subscribe(prefix, "prefix")
    publisher.publish(f"{prefix}.one", 1)
    publisher.publish(f"com.other.{prefix}", 2)
    publisher.publish(f"{prefix}.two.three", 3)
    received = [subscriber.next_event() for _ in range(2)]
    expect(
        [(event.topic, event.subscribed, event.args) for event in received],
        [(f"{prefix}.one", prefix, [1]), (f"{prefix}.two.three", prefix, [3])],
    )


def unsubscribed_topic_is_silent(publisher: Client, subscriber: Client) -> None:
    """After UNSUBSCRIBED no event comes. The router keeps one publisher's order, so a later event proves it."""
    topic, later = uri("topic"), uri("later")
    subscriber.subscribe(topic)
    subscriber.subscribe(later)
    publisher.publish(topic, "heard")
    expect(subscriber.next_event().args, ["heard"])
    subscriber.unsubscribe(topic)
    publisher.publish(topic, "not heard")
    publisher.publish(later, "after")
    expect(subscriber.next_event().args, ["after"])
    subscriber.unsubscribe(later)


def calls_are_answered(caller: Client, callee: Client) -> None:
    """Every payload arrives at the procedure and comes back."""
    procedure = uri("echo")
    callee.register(procedure, "echo")
    for name, (args, kwargs) in PAYLOADS.items():
        expect(caller.call(procedure, *args, **kwargs), (args, kwargs), name)
    callee.unregister(procedure)


def binary_calls_are_answered(caller: Client, callee: Client) -> None:
    """Binary values come back, whatever they looked like at the callee."""
    procedure = uri("echo")
    callee.register(procedure, "echo")
    value = binary_for(caller)
    expect(caller.call(procedure, value, named=[value]), ([value], {"named": [value]}))
    callee.unregister(procedure)


def application_error_arrives(caller: Client, callee: Client) -> None:
    """A procedure's own error reaches the caller with its arguments."""
    procedure = uri("refuse")
    callee.register(procedure, "refuse")
    with pytest.raises(WampFailure) as failure:
        caller.call(procedure, 1, {"two": [2]}, größe=3)
    expect(failure.value.uri, "com.example.error.refused")
    expect(failure.value.arguments, ["Not today.", 1, {"two": [2]}])
    expect(failure.value.named, {"colour": "red", "größe": 3})
    callee.unregister(procedure)


def unregistered_procedure_is_unknown(caller: Client, callee: Client) -> None:
    """A procedure can be called from REGISTERED to UNREGISTERED, and anew after that."""
    procedure = uri("add")
    for _ in range(2):
        with pytest.raises(WampFailure) as failure:
            caller.call(procedure, 1, 2)
        expect(failure.value.uri, "wamp.error.no_such_procedure")
        callee.register(procedure, "add")
        expect(caller.call(procedure, 2, 3), ([5], {}))
        callee.unregister(procedure)


def second_registration_is_refused(first: Client, second: Client) -> None:
    """A procedure has one callee."""
    procedure = uri("add")
    first.register(procedure, "add")
    with pytest.raises(WampFailure) as failure:
        second.register(procedure, "add")
    expect(failure.value.uri, "wamp.error.procedure_already_exists")
    first.unregister(procedure)


#: Scenarios for a pair; the first of the two acts on the other.
BETWEEN_TWO = (
    events_arrive,
    binary_events_arrive,
    prefix_subscription_gets_events,
    unsubscribed_topic_is_silent,
    calls_are_answered,
    binary_calls_are_answered,
    application_error_arrives,
    unregistered_procedure_is_unknown,
    second_registration_is_refused,
)
