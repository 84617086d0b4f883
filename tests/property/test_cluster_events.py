"""Publish and subscribe on a cluster whose messages are delivered late, against a naive model.

What must hold:

- An event that is published after a subscriber got SUBSCRIBED reaches it exactly once, wherever it is published.
- No event comes twice or to a subscriber that may not have it, and those of one publisher come in their order.
- Subscribers with the option ``home_only`` get all events that are published on their node, and no others. No node
  announces a topic because of them.
- When all messages are delivered, every node knows the interest of the others and keeps the same retained events.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wamp_transport.router.handler_options import HandlerSubscribeOptions
from wamp_transport.router.relay import RealmRelay
from wamp_transport.testing.memory import MemoryPeer, anonymous_options
from wamp_transport.testing.memory_cluster import MemoryCluster
from wamp_transport.wamp.messages import Subscribe

from ..effort import examples

pytestmark = pytest.mark.long

EVENT, PUBLISH, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE = 36, 16, 32, 33, 34

topics = st.sampled_from(("com.a", "com.b"))
patterns = st.sampled_from((("exact", "com.a"), ("exact", "com.b"), ("prefix", "com."), ("wildcard", ".a")))
choices = st.integers(0, 59)
kinds = st.sampled_from(("", "", "", "own", "eligible", "exclude", "retain"))
arguments = {
    "join": (choices,),
    "subscribe": (choices, patterns),
    "subscribe_at_home": (choices, patterns),
    "unsubscribe": (choices, choices),
    "publish": (choices, topics, kinds, choices),
    "lose": (choices,),
    "deliver": (choices, st.integers(1, 4)),
    "pass_time": (st.sampled_from((1, 9, 11)),),
    "send_interest_again": (choices, choices),
    "add_node": (),
    "remove_node": (choices,),
    "settle": (),
}
"""The methods of ClusterEvents, with their arguments."""

COMMON = ["subscribe", "publish", "publish", "deliver", "deliver"] * 3 + ["subscribe_at_home", "unsubscribe"] * 2
steps = st.sampled_from([*COMMON, *arguments]).flatmap(lambda name: st.tuples(st.just(name), *arguments[name]))


def matches(match: str, pattern: str, topic: str) -> bool:
    return {"exact": topic == pattern, "prefix": topic.startswith(pattern), "wildcard": topic.endswith(pattern)}[match]


@dataclass(eq=False)
class Subscriber:
    """A session as the model sees it.

    - ``asked``: the patterns of SUBSCRIBE messages without an answer, by request id
    - ``confirmed``: the subscription ids of the patterns with SUBSCRIBED
    - ``far``: the patterns whose events on other nodes it gets
    - ``at_home``: the patterns that it has with ``home_only``, and the number of the first publication since then
    - ``received``: the numbers of the events, by subscription id
    """

    peer: MemoryPeer
    place: int
    last_request: int = 0
    asked: dict[int, tuple[str, str]] = field(default_factory=dict)
    confirmed: dict[tuple[str, str], int] = field(default_factory=dict)
    far: set[tuple[str, str]] = field(default_factory=set)
    at_home: dict[tuple[str, str], int] = field(default_factory=dict)
    received: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Published:
    """A publication: its topic, its publisher, and the options that restrict its receivers."""

    topic: str
    publisher: Subscriber
    options: dict[str, Any]

    def accepts(self, subscriber: Subscriber) -> bool:
        if subscriber is self.publisher and self.options.get("exclude_me") is not False:
            return False
        session_id = subscriber.peer.session_id
        return session_id in self.options.get("eligible", [session_id]) and session_id not in self.options.get(
            "exclude", []
        )


class ClusterEvents:
    """Sessions on up to four nodes, and the links between these."""

    def __init__(self, size: int) -> None:
        self.cluster = MemoryCluster(anonymous_options("realm1"), size)
        self.cluster.is_immediate = False
        self.places = list(range(size))
        self.subscribers: list[Subscriber] = []
        self.published: list[Published] = []
        self.expected: list[tuple[Subscriber, int, int]] = []
        self.last_n: dict[tuple[int, int], int] = {}
        for place in (*range(size), *range(size)):
            self.join(place)

    # --- what clients do ---

    def join(self, place: int) -> None:
        if len(self.subscribers) == 8:
            return
        place = self.places[place % len(self.places)]
        peer = self.cluster.nodes[place].join("realm1", "json")
        self.subscribers.append(Subscriber(peer, place))

    def subscribe(self, who: int, pattern: tuple[str, str]) -> None:
        subscriber = self.pick(who)
        subscriber.last_request += 1
        subscriber.asked[subscriber.last_request] = pattern
        subscriber.at_home.pop(pattern, None)
        subscriber.peer.send([SUBSCRIBE, subscriber.last_request, {"match": pattern[0]}, pattern[1]])
        self.read()

    def subscribe_at_home(self, who: int, pattern: tuple[str, str]) -> None:
        """Subscribe with ``home_only``, as a handler does. This also changes an earlier subscription."""
        subscriber = self.pick(who)
        subscriber.last_request += 1
        subscriber.asked[subscriber.last_request] = pattern
        subscriber.at_home.setdefault(pattern, len(self.published))
        subscriber.far.discard(pattern)
        subscription = subscriber.confirmed.get(pattern)
        self.expected = [
            each
            for each in self.expected
            if each[:2] != (subscriber, subscription) or self.published[each[2]].publisher.place == subscriber.place
        ]
        match, uri = pattern
        message = Subscribe(subscriber.last_request, HandlerSubscribeOptions(match=match, home_only=True), uri)
        node = self.cluster.nodes[subscriber.place]
        node.router.receive(subscriber.peer.session_id, message)
        node.run_effects()
        self.read()

    def unsubscribe(self, who: int, which: int) -> None:
        subscriber = self.pick(who)
        if not subscriber.confirmed or subscriber.asked:
            return
        pattern = sorted(subscriber.confirmed)[which % len(subscriber.confirmed)]
        subscription = subscriber.confirmed.pop(pattern)
        subscriber.far.discard(pattern)
        subscriber.at_home.pop(pattern, None)
        subscriber.last_request += 1
        self.expected = [each for each in self.expected if each[0] is not subscriber or each[1] != subscription]
        subscriber.peer.send([UNSUBSCRIBE, subscriber.last_request, subscription])
        self.read()

    def publish(self, who: int, topic: str, kind: str, other: int) -> None:
        publisher = self.pick(who)
        session_ids = [self.pick(other).peer.session_id]
        options = {"own": {"exclude_me": False}, "retain": {"retain": True}}.get(kind) or (
            {kind: session_ids} if kind else {}
        )
        number = len(self.published)
        published = Published(topic, publisher, options)
        self.published.append(published)
        for subscriber in filter(published.accepts, self.subscribers):
            for pattern, subscription in subscriber.confirmed.items():
                if matches(*pattern, topic) and (pattern in subscriber.far or subscriber.place == publisher.place):
                    self.expected.append((subscriber, subscription, number))
        publisher.last_request += 1
        publisher.peer.send([PUBLISH, publisher.last_request, options, topic, [number]])
        self.read()

    def lose(self, who: int) -> None:
        if len(self.subscribers) == 1:
            return
        subscriber = self.pick(who)
        self.forget([subscriber])
        subscriber.peer.lose()

    # --- what the links do ---

    def deliver(self, which: int, count: int) -> None:
        for _ in range(count):
            if waiting := self.cluster.waiting():
                self.cluster.deliver(*waiting[which % len(waiting)])
        self.read()

    def pass_time(self, seconds: int) -> None:
        self.cluster.pass_time(seconds)
        self.read()

    def send_interest_again(self, sender: int, receiver: int) -> None:
        sender, receiver = (self.places[each % len(self.places)] for each in (sender, receiver))
        if sender != receiver:
            self.cluster.send_interest(sender, receiver)

    def add_node(self) -> None:
        """A node accepts clients only when it knows the interest of all others, and has their retained events."""
        if len(self.cluster.nodes) == 5:
            return
        self.places.append(len(self.cluster.nodes))
        self.cluster.add_node()
        self.cluster.deliver_all()
        self.cluster.send_retained(self.places[0], self.places[-1])
        self.read()

    def remove_node(self, place: int) -> None:
        """What was sent to the node is lost, and what it has sent arrives."""
        if len(self.places) == 1:
            return
        place = self.places.pop(place % len(self.places))
        while sent := [pair for pair in self.cluster.waiting() if pair[0] == place]:
            self.cluster.deliver(*sent[0])
        self.read()
        self.forget([each for each in self.subscribers if each.place == place])
        self.cluster.remove_node(place)
        if not self.subscribers:
            self.join(self.places[0])
        self.read()

    def settle(self) -> None:
        self.cluster.deliver_all()
        self.read()
        assert not [each.asked for each in self.subscribers if each.asked]
        for subscriber, subscription, number in self.expected:
            assert (subscription, number) in subscriber.received, (subscription, number)
        self.expected.clear()
        for place in self.places:
            assert self.retained(place) == self.retained(self.places[0])
            members = self.cluster.nodes[place].router.cluster.members
            assert not any(bit & ~members.everyone for bit in self.relay(place).remote._patterns)
            for other in self.places:
                if place != other:
                    assert self.known_interest(place, other) == self.own_interest(place)

    def end(self) -> None:
        """A node wants what its sessions want, and nothing when all of them have left."""
        self.settle()
        self.cluster.pass_time(11)
        self.settle()
        for place in self.places:
            wanted = [each.far for each in self.subscribers if each.place == place]
            assert self.own_interest(place)[0] == set().union(*wanted)
        for subscriber in self.subscribers:
            subscriber.peer.lose()
        self.subscribers.clear()
        self.cluster.pass_time(10)
        self.settle()
        assert all(self.own_interest(place) == (set(), set()) for place in self.places)

    # --- helpers ---

    def pick(self, number: int) -> Subscriber:
        return self.subscribers[number % len(self.subscribers)]

    def forget(self, gone: list[Subscriber]) -> None:
        self.subscribers = [each for each in self.subscribers if each not in gone]
        self.expected = [each for each in self.expected if each[0] not in gone]

    def read(self) -> None:
        for subscriber in self.subscribers:
            for message in subscriber.peer.receive_all():
                if message[0] == SUBSCRIBED:
                    pattern = subscriber.asked.pop(message[1])
                    subscriber.confirmed[pattern] = message[2]
                    if pattern not in subscriber.at_home:
                        subscriber.far.add(pattern)
                elif message[0] == EVENT:
                    self.check_event(subscriber, message[1], message[4][0])

    def check_event(self, subscriber: Subscriber, subscription: int, number: int) -> None:
        published = self.published[number]
        assert published.accepts(subscriber)
        assert (subscription, number) not in subscriber.received
        subscriber.received.append((subscription, number))
        key = subscriber.peer.session_id, published.publisher.peer.session_id
        assert self.last_n.get(key, -1) <= number
        self.last_n[key] = number
        pattern = {known: each for each, known in subscriber.confirmed.items()}.get(subscription)
        assert pattern is None or matches(*pattern, published.topic)
        if pattern in subscriber.at_home and number >= subscriber.at_home[pattern]:
            assert published.publisher.place == subscriber.place

    def relay(self, place: int) -> RealmRelay:
        return self.cluster.nodes[place].router.cluster.realm("realm1")

    def retained(self, place: int) -> list[tuple[str, int]]:
        broker = self.cluster.nodes[place].router.realms["realm1"].broker
        return sorted((each.message.topic, each.id) for each in broker.retained.publications())

    def own_interest(self, place: int) -> tuple[set[Any], set[Any]]:
        changes = self.relay(place).own.changes()
        wanted = {(each.match, each.uri) for each in changes}
        return wanted, {(each.match, each.uri) for each in changes if each.kind == "add"}

    def known_interest(self, place: int, by: int) -> tuple[set[Any], set[Any]]:
        remote, bit = self.relay(by).remote, self.cluster.nodes[by].router.cluster.members.bit(str(place))
        return set(remote._patterns.get(bit, ())), {each for each, members in remote._in_use.items() if members & bit}


@given(st.integers(2, 3), st.lists(steps, min_size=40, max_size=120))
@settings(max_examples=examples(20), deadline=None)
def test_clients_of_a_cluster_get_their_events(size: int, script: list[tuple[Any, ...]]) -> None:
    events = ClusterEvents(size)
    for name, *values in script:
        getattr(events, name)(*values)
    events.end()
