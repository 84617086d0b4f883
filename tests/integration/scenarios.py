"""What two clients do with each other; the same for every pair of libraries and serializers."""

import base64
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from .abilities import FEATURES
from .clients import Client, Kind, WampFailure

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


@dataclass(frozen=True)
class Scenario:
    """What a pair does, and the features (`abilities.py`) that it needs of the first and of the second."""

    play: Callable[[Client, Client], None]
    first: frozenset[str]
    second: frozenset[str]

    @property
    def name(self) -> str:
        """Its name in reports."""
        return self.play.__name__

    def __call__(self, one: Client, other: Client) -> None:
        self.play(one, other)

    def is_for(self, one: Kind, other: Kind) -> bool:
        """Whether both can do their part."""
        return not one.lacks(self.first) and not other.lacks(self.second)


def needs(first: str = "", second: str = "") -> Callable[[Callable[[Client, Client], None]], Scenario]:
    """A scenario with these needs, separated by commas."""

    def names(text: str) -> frozenset[str]:
        found = frozenset(filter(None, text.split(", ")))
        assert found <= FEATURES.keys(), found - FEATURES.keys()
        return found

    return lambda play: Scenario(play, names(first), names(second))


def uri(name: str) -> str:
    """A topic or procedure that no other test uses, and that is no prefix of another."""
    return f"com.example.{name}{next(_numbers):06}"


def expect(found: Any, wanted: Any, what: str = "") -> None:
    """An assertion that says what it found: pytest rewrites those of test modules only."""
    assert found == wanted, f"{what}: {found!r:.2000} instead of {wanted!r:.2000}"


def binary_for(client: Client) -> bytes | str:
    """A binary value as this client's users see it: where JSON is all there is, the string that stands for it."""
    return BINARY if client.kind.knows_binary else BINARY_IN_JSON


@needs()
def events_arrive(publisher: Client, subscriber: Client) -> None:
    """Every payload arrives as it was sent."""
    topic = uri("topic")
    subscriber.subscribe(topic)
    for name, (args, kwargs) in PAYLOADS.items():
        publisher.publish(topic, *args, **kwargs)
        event = subscriber.next_event()
        expect((event.topic, event.args, event.kwargs), (topic, args, kwargs), name)
    subscriber.unsubscribe(topic)


@needs()
def binary_events_arrive(publisher: Client, subscriber: Client) -> None:
    """Binary values arrive, in JSON as a string of U+0000 and base64."""
    topic = uri("topic")
    subscriber.subscribe(topic)
    publisher.publish(topic, binary_for(publisher), nested={"in": [binary_for(publisher)]})
    event = subscriber.next_event()
    expect(event.args, [binary_for(subscriber)])
    expect(event.kwargs, {"nested": {"in": [binary_for(subscriber)]}})
    subscriber.unsubscribe(topic)


@needs()
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


@needs()
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


@needs(second="answers at length")
def calls_are_answered(caller: Client, callee: Client) -> None:
    """Every payload arrives at the procedure and comes back."""
    procedure = uri("echo")
    callee.register(procedure, "echo")
    for name, (args, kwargs) in PAYLOADS.items():
        expect(caller.call(procedure, *args, **kwargs), (args, kwargs), name)
    callee.unregister(procedure)


@needs(second="answers at length")
def binary_calls_are_answered(caller: Client, callee: Client) -> None:
    """Binary values come back, whatever they looked like at the callee."""
    procedure = uri("echo")
    callee.register(procedure, "echo")
    value = binary_for(caller)
    expect(caller.call(procedure, value, named=[value]), ([value], {"named": [value]}))
    callee.unregister(procedure)


@needs(second="own errors, own errors with kwargs")
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


@needs()
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


@needs()
def second_registration_is_refused(first: Client, second: Client) -> None:
    """A procedure has one callee."""
    procedure = uri("add")
    first.register(procedure, "add")
    with pytest.raises(WampFailure) as failure:
        second.register(procedure, "add")
    expect(failure.value.uri, "wamp.error.procedure_already_exists")
    first.unregister(procedure)


@needs(second="own errors")
def application_error_keeps_its_arguments(caller: Client, callee: Client) -> None:
    """A procedure's own error reaches the caller with its URI and positional arguments."""
    procedure = uri("refuse")
    callee.register(procedure, "refuse")
    with pytest.raises(WampFailure) as failure:
        caller.call(procedure, 1, [2])
    expect((failure.value.uri, failure.value.arguments), ("com.example.error.refused", ["Not today.", 1, [2]]))
    callee.unregister(procedure)


def _unsubscribe(subscriber: Client, topic: str) -> None:
    """End a subscription that was made with options, where the library can."""
    if not subscriber.kind.lacks({"unsubscribes from patterns"}):
        subscriber.unsubscribe(topic)


@needs()
def wildcard_subscription_gets_events(publisher: Client, subscriber: Client) -> None:
    """A wildcard subscription gets the events of the topics that it matches, each with its topic."""
    start = uri("wild")
    subscriber.subscribe(f"{start}..end", "wildcard")
    publisher.publish(f"{start}.one.other", 1)
    publisher.publish(f"{start}.one.end", 2)
    event = subscriber.next_event()
    expect((event.topic, event.args), (f"{start}.one.end", [2]))
    _unsubscribe(subscriber, f"{start}..end")


@needs(second="receives own events")
def own_events_arrive_where_wanted(other: Client, publisher: Client) -> None:
    """A publisher is left out of its own publication unless it says otherwise."""
    topic = uri("own")
    other.subscribe(topic)
    publisher.subscribe(topic)
    publisher.publish(topic, "without")
    publisher.publish_with({"acknowledge": True, "exclude_me": False}, topic, "with")
    expect(publisher.next_event().args, ["with"])
    expect([other.next_event().args for _ in range(2)], [["without"], ["with"]])
    other.unsubscribe(topic)
    publisher.unsubscribe(topic)


@needs(first="unacknowledged")
def unacknowledged_events_arrive(publisher: Client, subscriber: Client) -> None:
    """Without acknowledgement events arrive too, in the order of publication."""
    topic = uri("quick")
    subscriber.subscribe(topic)
    for number in range(20):
        publisher.publish_with({}, topic, number)
    expect([subscriber.next_event().args for _ in range(20)], [[number] for number in range(20)])
    subscriber.unsubscribe(topic)


@needs()
def listed_receivers_get_events(publisher: Client, subscriber: Client) -> None:
    """An event with lists reaches those who are eligible and not excluded."""
    topic = uri("listed")
    subscriber.subscribe(topic)
    publisher.publish_with({"acknowledge": True, "exclude": [subscriber.session_id]}, topic, "excluded")
    publisher.publish_with({"acknowledge": True, "eligible": [publisher.session_id]}, topic, "not eligible")
    publisher.publish_with({"acknowledge": True, "eligible": [subscriber.session_id]}, topic, "eligible")
    expect(subscriber.next_event().args, ["eligible"])
    subscriber.unsubscribe(topic)


@needs(first="retains", second="gets retained")
def retained_event_arrives(publisher: Client, subscriber: Client) -> None:
    """A subscriber that comes later gets the retained event, marked as such."""
    topic = uri("kept")
    publisher.publish_with({"acknowledge": True, "retain": True}, topic, "kept", of="old")
    subscriber.subscribe(topic, get_retained=True)
    event = subscriber.next_event()
    expect((event.args, event.kwargs, event.details["retained"]), (["kept"], {"of": "old"}, True))
    _unsubscribe(subscriber, topic)


@needs(first="discloses publisher")
def publisher_is_disclosed(publisher: Client, subscriber: Client) -> None:
    """A publisher's session id reaches the subscribers where it wants that, else not."""
    topic = uri("disclosed")
    subscriber.subscribe(topic)
    publisher.publish_with({"acknowledge": True, "disclose_me": True}, topic)
    publisher.publish(topic)
    found = [subscriber.next_event().details.get("publisher") for _ in range(2)]
    expect(found, [publisher.session_id, None])
    subscriber.unsubscribe(topic)


@needs(first="discloses caller")
def caller_is_disclosed(caller: Client, callee: Client) -> None:
    """A caller's session id reaches the procedure where it wants that, else not."""
    procedure = uri("disclosed")
    callee.register(procedure, "caller")
    expect(caller.call_with({"disclose_me": True}, procedure), ([caller.session_id], {}))
    callee.unregister(procedure)


@needs()
def pattern_registration_is_told_the_procedure(caller: Client, callee: Client) -> None:
    """A procedure registered by pattern is told which one was called; the closer match is chosen."""
    start = uri("pattern")
    callee.register(start, "procedure", match="prefix")
    callee.register(f"{start}..end", "add", match="wildcard")
    expect(caller.call(f"{start}.one.two"), ([f"{start}.one.two"], {}))
    callee.register(f"{start}.one.end", "add")
    expect(caller.call(f"{start}.one.end", 1, 2), ([3], {}))
    callee.unregister(start)
    callee.unregister(f"{start}.one.end")
    if not callee.kind.lacks({"unregisters wildcards"}):
        callee.unregister(f"{start}..end")


@needs()
def shared_registration_takes_turns(one: Client, other: Client) -> None:
    """Two callees of one procedure are called in turn."""
    procedure = uri("shared")
    one.register(procedure, "callee", invoke="roundrobin")
    other.register(procedure, "callee", invoke="roundrobin")
    found = [one.call(procedure)[0][0] for _ in range(4)]
    expect(sorted(found), sorted([one.session_id, other.session_id] * 2))
    one.unregister(procedure)
    expect(one.call(procedure)[0], [other.session_id])
    other.unregister(procedure)


@needs(first="sees progress", second="sends progress")
def progressive_results_arrive(caller: Client, callee: Client) -> None:
    """Progressive results arrive in order, then the result; a caller that did not ask gets the result only."""
    procedure = uri("count")
    callee.register(procedure, "count")
    expect(caller.call_with_progress(procedure, 5), ([0, 1, 2, 3, 4], [5]))
    expect(caller.call_with_progress(procedure, 0), ([], [0]))
    expect(caller.call(procedure, 3), ([3], {}))
    callee.unregister(procedure)


@needs(second="sends progress")
def unwanted_progress_harms_nobody(caller: Client, callee: Client) -> None:
    """A caller that did not ask for progressive results gets the result only."""
    procedure = uri("count")
    callee.register(procedure, "count")
    for _ in range(2):
        expect(caller.call(procedure, 3), ([3], {}))
    callee.unregister(procedure)


def _cancel(caller: Client, callee: Client, mode: str | None) -> None:
    """Cancel a call in a mode; the caller gets its answer, the callee the interrupt if it can."""
    procedure = uri("hang")
    callee.register(procedure, "hang")
    caller.start(procedure, "it")
    expect(callee.next_event().subscribed, "called")
    caller.cancel(procedure, mode)
    with pytest.raises(WampFailure) as failure:
        caller.outcome(procedure)
    expect(failure.value.uri, "wamp.error.canceled")
    if mode != "skip" and not callee.kind.lacks({"is interrupted"}):
        expect(callee.next_event().subscribed, "interrupted")
    callee.unregister(procedure)
    with pytest.raises(WampFailure) as failure:
        caller.call(procedure)
    expect(failure.value.uri, "wamp.error.no_such_procedure")


@needs(first="cancels")
def canceled_call_is_answered(caller: Client, callee: Client) -> None:
    """A cancelled call is answered, and the caller goes on."""
    _cancel(caller, callee, None)


@needs(first="cancels by kill")
def killed_call_is_answered(caller: Client, callee: Client) -> None:
    """The same in mode kill."""
    _cancel(caller, callee, "kill")


@needs(first="cancels by killnowait")
def call_killed_without_waiting_is_answered(caller: Client, callee: Client) -> None:
    """The same in mode killnowait."""
    _cancel(caller, callee, "killnowait")


@needs(first="cancels by skip")
def skipped_call_is_answered(caller: Client, callee: Client) -> None:
    """The same in mode skip."""
    _cancel(caller, callee, "skip")


@needs(first="times out")
def late_call_times_out(caller: Client, callee: Client) -> None:
    """A call that takes longer than its timeout is answered with an error; the callee is interrupted if it can."""
    procedure = uri("hang")
    callee.register(procedure, "hang")
    with pytest.raises(WampFailure) as failure:
        caller.call_with({"timeout": 50}, procedure, "it")
    expect(failure.value.uri, "wamp.error.timeout")
    expect(callee.next_event().subscribed, "called")
    if not callee.kind.lacks({"is interrupted"}):
        expect(callee.next_event().subscribed, "interrupted")
    callee.unregister(procedure)


@needs(first="unacceptable URI")
def invalid_uri_is_refused(one: Client, other: Client) -> None:
    """An invalid URI is an error of that request; the session goes on."""
    for ask in (one.subscribe, one.publish, one.call):
        with pytest.raises(WampFailure) as failure:
            ask("com..not a uri#")
        expect(failure.value.uri, "wamp.error.invalid_uri")
    with pytest.raises(WampFailure) as failure:
        one.register("com..not a uri#", "add")
    expect(failure.value.uri, "wamp.error.invalid_uri")


@needs()
def forbidden_uri_is_refused(one: Client, other: Client) -> None:
    """What the role may not do is an error of that request; the session goes on."""
    for ask in (one.subscribe, one.publish, one.call):
        with pytest.raises(WampFailure) as failure:
            ask("com.forbidden.thing")
        expect(failure.value.uri, "wamp.error.not_authorized")
    with pytest.raises(WampFailure) as failure:
        one.register("com.forbidden.thing", "add")
    expect(failure.value.uri, "wamp.error.not_authorized")


@needs()
def options_that_are_null_count_as_absent(one: Client, other: Client) -> None:
    """Where a library sends null or undefined for an option, the option is not given."""
    topic, procedure = uri("topic"), uri("add")
    other.subscribe(topic, get_retained=None)
    one.publish_with({"acknowledge": True, "exclude_me": None, "retain": None}, topic, 1)
    expect(other.next_event().args, [1])
    _unsubscribe(other, topic)
    other.register(procedure, "add", match=None, invoke=None)
    expect(one.call_with({"timeout": None}, procedure, 1, 2), ([3], {}))
    other.unregister(procedure)


@needs(first="has large integers", second="has large integers")
def large_integers_arrive(publisher: Client, subscriber: Client) -> None:
    """Integers beyond 2^53 arrive exactly, in every serializer as far as it can say them all: 64 bits."""
    topic = uri("topic")
    subscriber.subscribe(topic)
    numbers = [2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 2**64 - 1]
    publisher.publish(topic, *numbers, named=numbers)
    event = subscriber.next_event()
    expect((event.args, event.kwargs), (numbers, {"named": numbers}))
    subscriber.unsubscribe(topic)


@needs(first="passes payload through", second="passes payload through")
def payload_is_passed_through(one: Client, other: Client) -> None:
    """What is packed for the peers alone arrives at them, as an event and as a call."""
    topic, procedure = uri("topic"), uri("add")
    packed = {"ppt_scheme": "x_own", "ppt_serializer": "native"}
    other.subscribe(topic)
    one.publish_with({"acknowledge": True, **packed}, topic, "sealed", of="wax")
    event = other.next_event()
    expect((event.args, event.kwargs), (["sealed"], {"of": "wax"}))
    other.unsubscribe(topic)
    other.register(procedure, "add")
    expect(one.call_with(packed, procedure, 1, 2), ([3], {}))
    other.unregister(procedure)


@needs(second="answers at length")
def large_payloads_pass(caller: Client, callee: Client) -> None:
    """Half a megabyte goes to the procedure and back. Some libraries refuse messages beyond a megabyte."""
    procedure = uri("echo")
    callee.register(procedure, "echo")
    value = "äx" * 50_000 + "z" * 250_000
    expect(caller.call(procedure, value), ([value], {}))
    callee.unregister(procedure)


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

#: What else a pair does, beyond the basic profile.
ADVANCED = (
    application_error_keeps_its_arguments,
    wildcard_subscription_gets_events,
    own_events_arrive_where_wanted,
    unacknowledged_events_arrive,
    listed_receivers_get_events,
    retained_event_arrives,
    publisher_is_disclosed,
    caller_is_disclosed,
    pattern_registration_is_told_the_procedure,
    shared_registration_takes_turns,
    progressive_results_arrive,
    unwanted_progress_harms_nobody,
    canceled_call_is_answered,
    killed_call_is_answered,
    call_killed_without_waiting_is_answered,
    skipped_call_is_answered,
    late_call_times_out,
    invalid_uri_is_refused,
    forbidden_uri_is_refused,
    large_payloads_pass,
    options_that_are_null_count_as_absent,
    large_integers_arrive,
    payload_is_passed_through,
)
