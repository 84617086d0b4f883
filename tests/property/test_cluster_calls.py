"""Calls and registrations on a cluster whose messages and log entries are delivered late, against a naive model.

What must hold:

- Each call is answered exactly once. A progressive result has no hole, and so has a progressive call.
- REGISTERED comes before the first INVOCATION, and no INVOCATION comes after the registration has ended.
- A callee never has more calls in flight than its ``concurrency``.
- When all is quiet, all nodes have the same registrations, and no node has a record of a call.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wamp_transport.router.dealer import Dealer
from wamp_transport.testing.memory import MemoryPeer, anonymous_options
from wamp_transport.testing.memory_cluster import MemoryCluster

from ..effort import examples

pytestmark = pytest.mark.long

ERROR, SUBSCRIBE, EVENT, CALL, CANCEL, RESULT = 8, 32, 36, 48, 49, 50
REGISTER, REGISTERED, UNREGISTER, UNREGISTERED, INVOCATION, INTERRUPT, YIELD = 64, 65, 66, 67, 68, 69, 70

FEATURES = {
    "caller": ["call_canceling", "progressive_call_invocations", "progressive_call_results"],
    "callee": [
        "call_canceling", "call_reroute", "progressive_call_invocations", "progressive_call_results",
        "registration_revocation",
    ],
    "subscriber": [],
    "publisher": [],
}  # fmt: skip
ROLES = {name: {"features": dict.fromkeys(features, True)} for name, features in FEATURES.items()}
FEW_ROLES = {**{name: {} for name in ROLES}, "callee": {"features": {"registration_revocation": True}}}

choices = st.integers(0, 59)
procedures = st.sampled_from(("com.a", "com.b"))
patterns = st.sampled_from((("exact", "com.a"), ("exact", "com.b"), ("prefix", "com.")))
policies = st.sampled_from(("single", "first", "roundrobin", "queue_least_loaded"))
call_kinds = st.sampled_from(("", "", "receive_progress", "progress", "timeout", "both"))
arguments = {
    "join": (choices,),
    "register": (choices, patterns, policies, st.sampled_from((0, 1, 2)), st.integers(0, 5)),
    "unregister": (choices, choices),
    "call": (choices, procedures, call_kinds),
    "part": (choices, choices, st.booleans()),
    "cancel": (choices, choices, st.sampled_from(("skip", "kill", "killnowait"))),
    "answer": (choices, choices, st.sampled_from(("result", "result", "progress", "error", "unavailable"))),
    "lose": (choices,),
    "deliver": (choices, st.integers(1, 4)),
    "pass_time": (st.sampled_from((1, 6)),),
    "lose_messages": (choices, choices),
    "fill": (choices, choices),
    "silence": (choices, choices),
    "add_node": (),
    "remove_node": (choices,),
    "settle": (),
}
"""The methods of ClusterCalls, with their arguments."""

COMMON = ["register", "call", "call", "answer", "answer", *["deliver"] * 4, "part", "cancel"] * 3
steps = st.sampled_from([*COMMON, *arguments]).flatmap(lambda name: st.tuples(st.just(name), *arguments[name]))


def matches(pattern: tuple[str, str], procedure: str) -> bool:
    return procedure.startswith(pattern[1]) if pattern[0] == "prefix" else procedure == pattern[1]


@dataclass(eq=False)
class Call:
    """A call as its caller sees it. ``results`` counts the progressive results by callee."""

    caller: "Client"
    request: int
    procedure: str
    options: dict[str, Any]
    parts: int = 1
    is_complete: bool = True
    is_canceled: bool = False
    is_answered: bool = False
    results: Counter[int] = field(default_factory=Counter)


@dataclass(eq=False)
class Invoked:
    """An invocation as its callee sees it. ``parts`` counts the parts, ``results`` the progressive results."""

    number: int
    wants_progress: bool
    parts: int = 0
    results: int = 0


@dataclass(eq=False)
class Client:
    """A session.

    - ``asked``: the patterns of REGISTER messages without an answer, by request id
    - ``confirmed``: the registrations of the session, by id
    """

    peer: MemoryPeer
    place: int
    last_request: int = 0
    asked: dict[int, tuple[str, str]] = field(default_factory=dict)
    unregistering: dict[int, int] = field(default_factory=dict)
    confirmed: dict[int, tuple[str, str]] = field(default_factory=dict)
    invoked: dict[int, Invoked] = field(default_factory=dict)
    last_invocation: int = 0

    def next_request(self) -> int:
        self.last_request += 1
        return self.last_request


class ClusterCalls:
    """Sessions on up to four nodes, and the links between these."""

    def __init__(self, size: int) -> None:
        self.cluster = MemoryCluster(anonymous_options("realm1"), size)
        self.cluster.is_immediate = False
        self.places = list(range(size))
        self.clients: list[Client] = []
        self.calls: list[Call] = []
        self.balance: Counter[int] = Counter()
        self.is_balanced = True
        for place in (*range(size), *range(size)):
            self.join(place)
        self.cluster.deliver_all()
        self.listener = self.cluster.nodes[0].join("realm1")
        for number, name in enumerate(("on_create", "on_delete"), 1):
            self.listener.send([SUBSCRIBE, number, {}, f"wamp.registration.{name}"])
        self.cluster.deliver_all()
        self.created, _ = (message[2] for message in self.listener.receive_all())

    # --- what clients do ---

    def join(self, place: int) -> None:
        if len(self.clients) == 8:
            return
        place = self.places[place % len(self.places)]
        peer = self.cluster.nodes[place].connect("json")
        roles = ROLES if len(self.clients) % 3 else FEW_ROLES
        peer.join("realm1", roles=roles)
        self.clients.append(Client(peer, place))

    def register(self, who: int, pattern: tuple[str, str], policy: str, concurrency: int, force: int) -> None:
        client = self.pick(who)
        request = client.next_request()
        options: dict[str, Any] = {"match": pattern[0], "invoke": policy, "force_reregister": force == 0}
        if concurrency:
            options["concurrency"] = concurrency
        client.asked[request] = pattern
        client.peer.send([REGISTER, request, options, pattern[1]])
        self.read()

    def unregister(self, who: int, which: int) -> None:
        client = self.pick(who)
        if client.confirmed:
            registration = sorted(client.confirmed)[which % len(client.confirmed)]
            request = client.next_request()
            client.unregistering[request] = registration
            client.peer.send([UNREGISTER, request, registration])
            self.read()

    def call(self, who: int, procedure: str, kind: str) -> None:
        client = self.pick(who)
        options = {
            "receive_progress": {"receive_progress": True},
            "progress": {"progress": True},
            "both": {"progress": True, "receive_progress": True},
            "timeout": {"timeout": 5000},
        }.get(kind, {})
        call = Call(client, client.next_request(), procedure, options, is_complete="progress" not in options)
        self.calls.append(call)
        client.peer.send([CALL, call.request, options, procedure, [len(self.calls) - 1, 0]])
        self.read()

    def part(self, who: int, which: int, is_last: bool) -> None:
        client = self.pick(who)
        open_calls = [call for call in self.calls if call.caller is client and not call.is_complete]
        if not open_calls:
            return
        call = open_calls[which % len(open_calls)]
        call.is_complete = is_last
        options = {**call.options, "progress": not is_last}
        payload = [self.calls.index(call), call.parts]
        call.parts += 1
        client.peer.send([CALL, call.request, options, call.procedure, payload])
        self.read()

    def cancel(self, who: int, which: int, mode: str) -> None:
        client = self.pick(who)
        open_calls = [call for call in self.calls if call.caller is client and not call.is_answered]
        if open_calls:
            call = open_calls[which % len(open_calls)]
            call.is_canceled = True
            client.peer.send([CANCEL, call.request, {"mode": mode}])
            self.read()

    def answer(self, who: int, which: int, kind: str) -> None:
        client = self.pick(who)
        if client.invoked:
            self.answer_one(client, sorted(client.invoked)[which % len(client.invoked)], kind)

    def answer_one(self, client: Client, invocation: int, kind: str) -> None:
        invoked = client.invoked[invocation]
        payload = [invoked.number, client.peer.session_id, invoked.results]
        if kind == "progress" and invoked.wants_progress:
            invoked.results += 1
            client.peer.send([YIELD, invocation, {"progress": True}, payload])
        elif kind in ("error", "unavailable"):
            del client.invoked[invocation]
            uri = "wamp.error.unavailable" if kind == "unavailable" else "com.example.error"
            client.peer.send([ERROR, INVOCATION, invocation, {}, uri, payload])
        else:
            del client.invoked[invocation]
            client.peer.send([YIELD, invocation, {}, payload])
        self.read()

    def lose(self, who: int) -> None:
        if len(self.clients) > 1:
            client = self.pick(who)
            if client.asked:  # The registration can be created without a REGISTERED.
                self.is_balanced = False
            self.forget([client])
            client.peer.lose()
            self.read()

    # --- what the links and the ledger do ---

    def deliver(self, which: int, count: int) -> None:
        for _ in range(count):
            waiting = self.cluster.waiting()
            turn = which % (len(waiting) + 2 * len(self.places))
            place = self.places[turn % len(self.places)]
            if turn < len(waiting):
                self.cluster.deliver(*waiting[turn])
            elif turn % 2:
                self.cluster.work(place)
            else:
                self.cluster.read_log(place)
        self.read()

    def pass_time(self, seconds: int) -> None:
        self.cluster.pass_time(seconds)
        self.read()

    def pair(self, first: int, second: int) -> tuple[int, int] | None:
        first, second = (self.places[each % len(self.places)] for each in (first, second))
        return None if first == second else (first, second)

    def lose_messages(self, first: int, second: int) -> None:
        pair = self.pair(first, second)
        if pair is not None:
            self.is_balanced = False
            self.cluster.lose_messages(*pair)
            self.read()

    def fill(self, first: int, second: int) -> None:
        """The window between two nodes becomes full, or is no longer full."""
        pair = self.pair(first, second)
        if pair is not None:
            self.cluster.full ^= {pair}

    def silence(self, first: int, second: int) -> None:
        """A node becomes silent for another one, or all nodes are heard again."""
        pair = self.pair(first, second)
        for node in [self.cluster.nodes[place] for place in self.places]:
            for place in self.places:
                node.remote_calls.set_silent(str(place), pair == (self.cluster.nodes.index(node), place))

    def add_node(self) -> None:
        if len(self.cluster.nodes) == 5:
            return
        self.places.append(len(self.cluster.nodes))
        self.cluster.add_node()
        self.cluster.deliver_all()
        self.read()

    def remove_node(self, place: int) -> None:
        """What was sent to the node or by it is lost. The first node stays."""
        if len(self.places) == 1:
            return
        self.is_balanced = False
        place = self.places.pop(1 + place % (len(self.places) - 1))
        self.forget([each for each in self.clients if each.place == place])
        self.cluster.remove_node(place)
        if not self.clients:
            self.join(self.places[0])
        self.read()

    def settle(self) -> None:
        """Deliver everything, and answer all calls."""
        self.cluster.full.clear()
        self.deliver_all()
        for _ in range(8):  # The ledger's client tries some REGISTERs again after a while.
            if any(client.asked for client in self.clients):
                self.cluster.pass_time(0.5)
                self.deliver_all()
        self.check_calls_agree()
        while any(client.invoked for client in self.clients):
            for client in self.clients:
                for invocation in list(client.invoked):
                    if invocation in client.invoked:
                        self.answer_one(client, invocation, "result")
            self.deliver_all()
        assert not any(client.asked or client.unregistering for client in self.clients)
        assert all(call.is_answered for call in self.calls)
        for place in self.places:
            self.check_no_call(place)
            assert self.registrations(place) == self.registrations(self.places[0])
            assert self.own_callees(place) == {
                (client.peer.session_id, pattern)
                for client in self.clients
                if client.place == place
                for pattern in client.confirmed.values()
            }
        if self.is_balanced:
            existing = {each[0] for each in self.registrations(0).values()}
            assert +self.balance == Counter(existing)
            assert not -self.balance

    def end(self) -> None:
        """When all sessions have left, there are no registrations."""
        self.settle()
        for client in self.clients:
            client.peer.lose()
        self.clients.clear()
        self.settle()
        assert not any(self.registrations(place) for place in self.places)

    # --- helpers ---

    def pick(self, number: int) -> Client:
        return self.clients[number % len(self.clients)]

    def forget(self, gone: list[Client]) -> None:
        self.clients = [each for each in self.clients if each not in gone]
        for call in self.calls:
            if call.caller in gone:
                call.is_answered = call.is_complete = True

    def deliver_all(self) -> None:
        self.cluster.deliver_all()
        self.read()

    def read(self) -> None:
        for client in self.clients:
            for message in client.peer.receive_all():
                self.handle(client, message)
        for message in self.listener.receive_all():
            if message[0] == EVENT:
                is_created = message[1] == self.created
                self.balance[message[4][1]["id"] if is_created else message[4][1]] += 1 if is_created else -1
        for place in self.places:
            self.check_concurrency(place)

    def handle(self, client: Client, message: list[Any]) -> None:
        if message[0] == REGISTERED:
            client.confirmed[message[2]] = client.asked.pop(message[1])
        elif message[0] == UNREGISTERED:
            registration = client.unregistering.pop(message[1]) if message[1] else message[2]["registration"]
            client.confirmed.pop(registration, None)
        elif message[0] == ERROR and message[1] == REGISTER:
            del client.asked[message[2]]
            if message[4] == "wamp.error.unavailable":  # The ledger can nevertheless have created the registration.
                self.is_balanced = False
        elif message[0] == ERROR and message[1] == UNREGISTER:
            del client.unregistering[message[2]]
        elif message[0] == INVOCATION:
            self.on_invocation(client, message)
        elif message[0] == INTERRUPT:
            if message[2]["mode"] != "kill":
                client.invoked.pop(message[1], None)
        else:
            self.on_answer(client, message)

    def on_invocation(self, client: Client, message: list[Any]) -> None:
        invocation, registration, details, (number, part) = message[1:5]
        call = self.calls[number]
        if invocation > client.last_invocation:
            client.last_invocation = invocation
            client.invoked[invocation] = Invoked(number, details.get("receive_progress", False))
            assert matches(client.confirmed[registration], call.procedure)
        assert part < call.parts
        if invocation in client.invoked:
            assert client.invoked[invocation].parts == part
            client.invoked[invocation].parts += 1

    def on_answer(self, client: Client, message: list[Any]) -> None:
        request = message[2] if message[0] == ERROR else message[1]
        (call,) = (each for each in self.calls if each.caller is client and each.request == request)
        assert not call.is_answered
        if message[0] == RESULT:
            number, callee, results = message[3]
            assert self.calls[number] is call
            assert results == call.results[callee]
            call.results[callee] += 1
            if message[2].get("progress"):
                return
        call.is_answered = call.is_complete = True

    # --- the routers ---

    def dealer(self, place: int) -> Dealer:
        return self.cluster.nodes[place].router.realms["realm1"].dealer

    def registrations(self, place: int) -> dict[tuple[str, str], Any]:
        return {
            (each.match, each.procedure): (
                each.id,
                each.invoke,
                each.created,
                [(callee.number, session_id, callee.concurrency) for session_id, callee in each.callees.items()],
            )
            for each in self.dealer(place).registrations.values()
        }

    def own_callees(self, place: int) -> set[tuple[int, tuple[str, str]]]:
        return {
            (session_id, (each.match, each.procedure))
            for each in self.dealer(place).registrations.values()
            for session_id, callee in each.callees.items()
            if callee.peer.remote is None
        }

    def check_concurrency(self, place: int) -> None:
        """The calls in flight of each callee are counted exactly."""
        router = self.cluster.nodes[place].router
        records = [record for session in router.sessions.values() for record in session.invocations.values()]
        counts = Counter(id(record.callee) for record in records)
        for record in records:
            assert record.callee.in_flight == counts[id(record.callee)]
            assert not 0 < record.callee.concurrency < record.callee.in_flight

    def check_calls_agree(self) -> None:
        """Each call that a node works on for another node is still open there."""
        sent, received = set(), set()
        for place in self.places:
            router = self.cluster.nodes[place].router
            for node in router.cluster.calls.realm("realm1").nodes.values():
                sent.update((str(place), node.name, call_id) for call_id in node.sent)
            for session in router.sessions.values():
                for record in session.invocations.values():
                    if record.caller.remote is not None:
                        received.add((record.caller.node.name, str(place), record.request_id))
        assert sent == received

    def check_no_call(self, place: int) -> None:
        router = self.cluster.nodes[place].router
        assert not any(session.calls or session.invocations for session in router.sessions.values())
        assert not any(session.calls_size for session in router.sessions.values())
        for node in router.cluster.calls.realm("realm1").nodes.values():
            assert (len(node.sent), len(node.received), len(node.sent.with_parts)) == (0, 0, 0)
            assert node.name in map(str, self.places)
        for each in self.dealer(place).registrations.values():
            assert not any(callee.in_flight for callee in each.callees.values())


@given(st.integers(2, 3), st.lists(steps, min_size=40, max_size=120))
@settings(max_examples=examples(20), deadline=None)
def test_calls_of_a_cluster_are_answered_once(size: int, script: list[tuple[Any, ...]]) -> None:
    calls = ClusterCalls(size)
    for name, *values in script:
        getattr(calls, name)(*values)
    calls.end()
