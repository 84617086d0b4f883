"""Nodes of a cluster over simulated Redis streams, for the machine in ``test_cluster_link.py``.

An :class:`End` is the owner of one link. It answers calls, keeps its peers' interest, and checks what each node is
promised: messages come at most once and in order, no stream of parts has a hole, and each call is answered once.
"""

from collections import defaultdict, deque
from typing import Any

from wamp_transport.cluster import link_events
from wamp_transport.cluster.link import Append, Link
from wamp_transport.cluster.window import LinkSizes
from wamp_transport.router import relayed
from wamp_transport.router.relayed import InterestChange, RemoteShard
from wamp_transport.wamp.messages import CallOptions, ErrorDetails, PublishOptions, ResultDetails

REALM = "realm1"
TOPICS = "abcdefghijkl"
SIZES = LinkSizes(1500, 4000, batch_bytes=400, batch_messages=4, page_changes=2)
"""Small enough that a few messages fill a batch, and a few dozen a window."""

KINDS: dict[str, dict[str, bool]] = {"plain": {}, "results": {"receive_progress": True}, "parts": {"progress": True}}
TURN = 0.25
"""The seconds between two turns of the ends."""


def interest(topic: str, version: int, *, is_new: bool = True) -> InterestChange:
    """Return a change of interest that carries its version as the id of a subscriber with a node key."""
    return InterestChange("add" if is_new else "remove", "exact", topic, shard(version))


def shard(version: int) -> RemoteShard:
    return RemoteShard(version, "", "", "")


def version_of(change: InterestChange) -> int:
    return change.shard.id if change.shard else 0


class Streams:
    """The Redis of a cluster, its clock, and the ends by name. Dead ends remain."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.inboxes: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        self.last_id = 0
        self.log: list[tuple[bool, str]] = []
        self.ends: dict[str, End] = {}
        self.lossy: set[str] = set()

    def add_end(self) -> "End":
        end = End(f"n{len(self.ends)}", self)
        self.ends[end.name] = end
        self.log.append((True, end.name))
        end.dial_writer()
        end.dial_reader()
        return end

    @property
    def living(self) -> list["End"]:
        return [end for end in self.ends.values() if not end.is_dead]

    @property
    def running(self) -> list["End"]:
        return [end for end in self.living if not end.is_paused]

    def append(self, entry: Append) -> None:
        self.last_id += 1
        self.inboxes[entry.peer].append((self.last_id, entry.data))

    def restart(self, *, is_empty: bool) -> None:
        """Cut all connections. After an empty restart the ids begin again, as after a step of the clock."""
        for end in self.living:
            end.cut_writer(0)
            end.cut_reader()
        for each in self.ends.values():
            each.late.clear()
        if is_empty:
            self.inboxes.clear()
            self.last_id = 0

    def lose(self, name: str) -> None:
        """Remove an inbox, unnoticed by the senders."""
        self.inboxes[name].clear()
        self.lossy.add(name)

    def remove(self, end: "End") -> None:
        """End the membership of a node that is dead from now on."""
        end.is_dead = True
        end.late.extend(end.commands)
        end.commands.clear()
        self.log.append((False, end.name))


class Call:
    """A call as its home sees it: the numbers of parts sent and results received, and of answers to the caller."""

    def __init__(self, peer: str, kind: str) -> None:
        self.peer = peer
        self.kind = kind
        self.parts = self.results = self.answers = 0
        self.is_killed = False


class Work:
    """A call as the callee's node sees it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.parts = self.results = 0


class End:
    """One node: its link, its two connections, and the sessions that call, publish and answer."""

    def __init__(self, name: str, streams: Streams) -> None:
        self.name = name
        self.streams = streams
        self.link = Link(name, streams.now, SIZES)
        self.is_dead = self.is_paused = False
        # Connections. ``commands`` are on their way to Redis; ``late`` remain from connections that were cut.
        self.has_writer = self.has_reader = False
        self.commands: deque[Append] = deque()
        self.late: deque[Append] = deque()
        self.last_id = self.log_position = 0
        # Events: the last number published, the numbers sent to each peer, and those received.
        self.published = 0
        self.sent: dict[str, list[int]] = defaultdict(list)
        self.received: dict[str, list[int]] = defaultdict(list)
        # Calls of this node, and calls on which it works for others.
        self.last_call = 0
        self.calls: list[Call] = []
        self.pending: dict[int, Call] = {}
        self.invoked: set[tuple[str, int]] = set()
        self.working: dict[tuple[str, int], Work] = {}
        # Interest: of this node in each version, and acknowledgments to wait for. Then that of others, with its version
        # and, by peer and topic, the version in which the topic was last received.
        self.history: list[dict[str, int]] = [{}]
        self.known: dict[str, dict[str, int]] = {}
        self.known_version: dict[str, int] = {}
        self.holds: list[tuple[str, int, str, int]] = []
        self.topic_versions: dict[tuple[str, str], int] = defaultdict(int)
        self.open: set[str] = set()
        self.given_up: set[str] = set()

    # --- connections -------------------------------------------------------------------------------------------------

    def dial_writer(self) -> None:
        if not self.has_writer:
            self.has_writer = True
            self.link.connection_made()
            self.finish_turn()

    def dial_reader(self) -> None:
        if not self.has_reader:
            self.has_reader = True
            self.last_id = 0

    def cut_writer(self, late: int) -> None:
        """Cut the connection. Redis still carries out the next ``late`` commands at some later time."""
        if self.has_writer:
            self.has_writer = False
            self.late.extend(list(self.commands)[:late])
            self.commands.clear()
            self.link.connection_lost(self.streams.now)

    def cut_reader(self) -> None:
        self.has_reader = False

    def write(self, count: int) -> None:
        """Let Redis carry out the next commands."""
        if self.has_writer:
            for _ in range(min(count, len(self.commands))):
                self.streams.append(self.commands.popleft())
            self.link.connection_confirmed()

    def write_with_error(self, count: int) -> None:
        """Let Redis refuse one command and carry out the next ones, before the connection is closed."""
        if self.has_writer and self.commands:
            self.streams.lossy.add(self.commands.popleft().peer)
            self.write(count)
            self.cut_writer(0)

    def write_late(self) -> None:
        if self.late:
            self.streams.append(self.late.popleft())

    def read(self, *, with_log: bool = True, trim: bool = True) -> None:
        """Read the log, and then the inbox."""
        if not self.has_reader:
            return
        now = self.streams.now
        if with_log:
            for is_join, name in self.streams.log[self.log_position :]:
                self.link.member_joined(name, now) if is_join else self.link.member_removed(name)
                self.handle_events()
            self.log_position = len(self.streams.log)
        inbox = self.streams.inboxes[self.name]
        for entry_id, data in [each for each in inbox if each[0] > self.last_id]:
            self.last_id = entry_id
            self.link.receive(data, now)
            self.handle_events()
        if trim:
            inbox[:] = [each for each in inbox if each[0] > self.last_id]
        self.finish_turn()

    def finish_turn(self) -> None:
        self.handle_events()
        appends = self.link.flush(self.streams.now)
        assert self.has_writer or not appends
        self.commands.extend(appends)

    def advance(self) -> None:
        self.link.advance(self.streams.now)
        self.finish_turn()

    # --- what the sessions of this node do ---------------------------------------------------------------------------

    def publish(self, size: int) -> None:
        self.published += 1
        peers = self.link.peers
        dropped = {name: peer.counters.dropped_events for name, peer in peers.items()}
        options, payload = PublishOptions(), b"x" * size
        event = relayed.RelayedEvent(
            REALM, self.published, None, "com.topic", 1, "ann", "user", None, False, options, "json", payload
        )  # fmt: skip
        self.link.send_event(list(peers), event)
        for name, before in dropped.items():
            if peers[name].counters.dropped_events == before:
                self.sent[name].append(self.published)

    def call(self, pick: int, kind: str, size: int = 10) -> None:
        names = list(self.link.peers)
        if names:
            call = Call(names[pick % len(names)], kind)
            self.calls.append(call)
            self.invoke(call, size)

    def invoke(self, call: Call, size: int) -> None:
        """Send a call, with a new id. It is answered immediately if that is not possible."""
        self.last_call += 1
        call.parts = call.results = 0
        self.pending[self.last_call] = call
        invoke = relayed.RelayedCall(
            REALM, self.last_call, 1, 1, "com.proc", None, None, CallOptions(**KINDS[call.kind]), 0, "json", b"x" * size
        )  # fmt: skip
        if not self.link.send(call.peer, invoke):
            self.answer_caller(self.last_call)

    def send_part(self, pick: int) -> None:
        """Continue a progressive call."""
        open_calls = [(call_id, call) for call_id, call in self.pending.items() if call.kind == "parts"]
        if open_calls:
            call_id, call = open_calls[pick % len(open_calls)]
            part = relayed.RelayedCallPart(
                REALM, call_id, CallOptions(progress=True), "json", str(call.parts + 1).encode()
            )
            assert self.link.send(call.peer, part)
            call.parts += 1

    def cancel(self, pick: int, mode: Any) -> None:
        open_calls = [(call_id, call) for call_id, call in self.pending.items() if not call.is_killed]
        if open_calls:
            call_id, call = open_calls[pick % len(open_calls)]
            assert self.link.send(call.peer, relayed.RelayedCancel(REALM, call_id, mode, "wamp.error.canceled"))
            if mode == "kill":
                call.is_killed = True
            else:
                self.answer_caller(call_id)

    def answer_caller(self, call_id: int) -> None:
        self.pending.pop(call_id).answers += 1

    def answer(self, pick: int, way: str, size: int = 0) -> None:
        """Answer a call of another node: with a progressive result, the result, an error, or "try another callee"."""
        if not self.working:
            return
        (peer, call_id), work = list(self.working.items())[pick % len(self.working)]
        if way == "progress" and work.kind == "results":
            work.results += 1
        elif way == "progress":
            return
        else:
            del self.working[peer, call_id]
        if way in ("progress", "result"):
            args = str(work.results).encode().rjust(size)
            message: Any = relayed.RelayedResult(REALM, call_id, way == "progress", 0, ResultDetails(), "json", args)
        else:
            message = relayed.RelayedError(REALM, call_id, 0, way == "retry", "com.error", ErrorDetails(), "json")
        assert self.link.send(peer, message)

    def change_interest(self, topic: str) -> None:
        """Subscribe to a topic or unsubscribe from it, and wait until each peer has acknowledged it."""
        topics = dict(self.history[-1])
        version = len(self.history)
        is_new = topics.pop(topic, None) is None
        if is_new:
            topics[topic] = version
        self.history.append(topics)
        numbers = self.link.send_interest(REALM, [interest(topic, version, is_new=is_new)])
        self.holds += [(peer, number, topic, version) for peer, number in numbers.items()]

    # --- events ------------------------------------------------------------------------------------------------------

    def handle_events(self) -> None:
        self.given_up.clear()
        for event in self.link.take_events():
            if isinstance(event, link_events.Received):
                getattr(self, f"on_{type(event.message).__name__.lower()}")(event.peer, event.message)
            else:
                handle = getattr(self, f"on_{type(event).__name__}", None)
                if handle is not None:
                    handle(event)
        cut_off = set(self.link.peers) if self.link.is_away else self.given_up
        assert not [call for call in self.pending.values() if call.peer in cut_off]

    def on_CallFailed(self, event: link_events.CallFailed) -> None:
        """Answer a caller. A call of one part fails only if its callee's node does not work on it."""
        peer = self.link.peers.get(event.peer)
        is_cut_off = peer is None or self.link.is_away or event.peer in self.given_up
        if self.pending[event.call_id].kind == "plain" and not is_cut_off:
            assert (self.name, event.call_id) not in self.streams.ends[event.peer].working
        self.answer_caller(event.call_id)

    def on_PeerGivenUp(self, event: link_events.PeerGivenUp) -> None:
        self.given_up.add(event.peer)

    def on_CallInterrupted(self, event: link_events.CallInterrupted) -> None:
        del self.working[event.peer, event.call_id]

    def on_SnapshotWanted(self, event: link_events.SnapshotWanted) -> None:
        topics = self.history[-1]
        changes = [interest(topic, version) for topic, version in topics.items()]
        changes.append(InterestChange("add", "prefix", "", shard(len(self.history) - 1)))
        self.link.send_snapshot(event.peer, {REALM: changes})

    def on_SnapshotReceived(self, event: link_events.SnapshotReceived) -> None:
        changes = [each for page in event.pages for each in page.changes]
        assert changes[-1].match == "prefix"
        version = self.known_version[event.peer] = version_of(changes[-1])
        self.known[event.peer] = {each.uri: version_of(each) for each in changes[:-1]}
        assert self.known[event.peer] == self.streams.ends[event.peer].history[version]
        for topic in TOPICS:
            self.topic_versions[event.peer, topic] = version

    def on_InterestAcknowledged(self, event: link_events.InterestAcknowledged) -> None:
        """Whoever publishes at the peer from now on is heard here."""
        peer = self.streams.ends[event.peer]
        for hold in self.holds[:]:
            name, number, topic, version = hold
            if name == event.peer and number <= event.number:
                self.holds.remove(hold)
                if not peer.is_dead:
                    assert peer.topic_versions[self.name, topic] >= version

    def on_PeerOpened(self, event: link_events.PeerOpened) -> None:
        assert event.peer not in self.open
        self.open.add(event.peer)

    def on_PeerGone(self, event: link_events.PeerGone) -> None:
        self.holds = [each for each in self.holds if each[0] != event.peer]
        assert not [call for call in self.pending.values() if call.peer == event.peer]
        assert not [peer for peer, _ in self.working if peer == event.peer]

    def on_interestupdate(self, peer: str, message: relayed.InterestUpdate) -> None:
        for change in message.changes:
            version = version_of(change)
            assert version > self.known_version.get(peer, 0)
            self.known_version[peer] = self.topic_versions[peer, change.uri] = version
            known = self.known.setdefault(peer, {})
            known.pop(change.uri, None)
            if change.kind == "add":
                known[change.uri] = version

    def on_relayedevent(self, peer: str, message: relayed.RelayedEvent) -> None:
        assert message.publication_id > (self.received[peer] or [0])[-1], "an event twice or out of order"
        self.received[peer].append(message.publication_id)

    def on_relayedcall(self, peer: str, message: relayed.RelayedCall) -> None:
        key = peer, message.call_id
        assert key not in self.invoked
        self.invoked.add(key)
        options = message.options
        self.working[key] = Work("results" if options.receive_progress else "parts" if options.progress else "plain")

    def on_relayedcallpart(self, peer: str, message: relayed.RelayedCallPart) -> None:
        work = self.working[peer, message.call_id]
        work.parts += 1
        assert int(message.args) == work.parts, "a progressive call with a hole"

    def on_relayedcancel(self, peer: str, message: relayed.RelayedCancel) -> None:
        if message.mode != "kill":
            del self.working[peer, message.call_id]

    def on_relayedresult(self, peer: str, message: relayed.RelayedResult) -> None:
        call = self.pending[message.call_id]
        assert call.peer == peer
        call.results += message.progress
        assert int(message.args) == call.results, "a progressive result with a hole"
        if not message.progress:
            self.answer_caller(message.call_id)

    def on_relayederror(self, peer: str, message: relayed.RelayedError) -> None:
        call = self.pending.pop(message.call_id)
        assert call.peer == peer
        if message.may_retry and not call.is_killed:
            self.invoke(call, 10)
        else:
            call.answers += 1
