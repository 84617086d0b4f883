"""The link: a node's side of the exchange with all other nodes of its cluster.

Each node has an *inbox*, a Redis stream to which the other nodes append *batches* of messages and which the node reads
in order. The *writing connection* is the connection to Redis on which a node appends. A *peer* is another node that is
or may be a *member* of the cluster. The *ledger* is the list of members, which Redis keeps. The *owner* of a link is
the code that connects it to Redis and to the router.

The link does no I/O. The owner calls its methods with messages, received batches and the time. At the end of each turn
of the event loop, the owner takes the events (:meth:`Link.take_events`), which can lead to more messages, and then
carries out the appends (:meth:`Link.flush`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from ..router.relayed import InterestChange, InterestUpdate, RelayedEvent
from .link_events import EventsDropped, LinkEvent
from .messages import (
    PROTOCOL,
    PROTOCOLS,
    BatchError,
    Message,
    decode_batch,
    encode_message,
)
from .peer import Peer
from .window import LinkSizes, Window

AWAY_SECONDS: Final = 5.0
"""Calls to other nodes fail when there has been no working writing connection for this time."""

STRANGER_SECONDS: Final = 60.0
"""A peer that has never been a member is removed when nothing has been received from it for this time."""

PAUSE_SECONDS: Final = 2.0
"""If more time passes between two calls of :meth:`Link.advance`, this node did not run in the meantime."""

DEFAULT_SIZES: Final = LinkSizes()

MAX_GONE: Final = 10_000
"""The maximum number of nodes that are remembered after they have left the cluster."""


class Append(Struct, gc=False):
    """Append a batch to the inbox of the node ``peer``."""

    peer: str
    data: bytes


class LinkCounters(Struct, gc=False):
    """Counters for the log and the admin.

    - ``invalid``: entries of the inbox that are not a valid batch. The sender's next batch reveals the loss.
    - ``unsupported``: batches in an unsupported version of the protocol
    - ``refused``: batches from nodes that have left the cluster, or from this node itself
    """

    invalid: int = 0
    unsupported: int = 0
    refused: int = 0


class Link:
    """A node's peers, and the state of its writing connection. ``node_id`` is the id of the node.

    ``now`` is a monotonic time in seconds, as in all methods. ``peers`` are the peers by node id. ``is_away`` is true
    while Redis has been unreachable for more than :data:`AWAY_SECONDS`. ``protocols`` are the versions of the protocol
    that the node supports.
    """

    def __init__(
        self, node_id: str, now: float, sizes: LinkSizes = DEFAULT_SIZES, protocols: range = PROTOCOLS
    ) -> None:
        self.node_id = node_id
        self.protocols = protocols
        self.peers: dict[str, Peer] = {}
        self.is_away = False
        self.counters = LinkCounters()
        self._sizes = sizes
        self._gone: dict[str, None] = {}
        self._events: list[LinkEvent] = []
        self._changed: dict[str, Peer] = {}
        self._advanced = now
        self._is_connected = False
        self._must_resend = False
        self._away_since: float | None = now

    # --- members -------------------------------------------------------------------------------------------------

    def member_joined(self, node_id: str, now: float, protocol: int = PROTOCOL) -> bool:
        """Handle a new member in the ledger. ``protocol`` is the highest version that both nodes support.

        Return False if the node has already left the cluster. It is not added, and must be removed from the ledger
        again.
        """
        if node_id == self.node_id:
            return True
        if node_id in self._gone:
            return False
        peer = self.peers.get(node_id) or self._add_peer(node_id, now, protocol)
        peer.is_member = True
        peer.window.protocol = protocol
        return True

    def member_removed(self, node_id: str) -> None:
        """Handle the removal of a member. From now on, its batches are dropped, and it cannot join again."""
        self._gone[node_id] = None
        if len(self._gone) > MAX_GONE:
            del self._gone[next(iter(self._gone))]
        peer = self.peers.pop(node_id, None)
        if peer is not None:
            self._changed.pop(node_id, None)
            self._report_drops(peer)
            peer.leave()
            self._update_limits()

    # --- the connections to Redis --------------------------------------------------------------------------------

    def connection_made(self) -> None:
        """Handle a new writing connection. The next flush begins with all unacknowledged batches."""
        self._is_connected = self._must_resend = True
        self._changed.update(self.peers)

    def connection_confirmed(self) -> None:
        """Handle the first reply on a writing connection that is not an error. Redis is reachable again."""
        self._away_since = None
        self._set_away(False)

    def connection_lost(self, now: float) -> None:
        """Handle the loss of the writing connection."""
        self._is_connected = False
        if self._away_since is None:
            self._away_since = now

    def receive(self, data: bytes, now: float) -> None:
        """Handle an entry of this node's inbox."""
        try:
            received = decode_batch(data)
        except BatchError:
            self.counters.invalid += 1
            return
        batch = received.batch
        if batch.protocol not in self.protocols:
            self.counters.unsupported += 1
            return
        sender = batch.sender
        peer = self.peers.get(sender)
        if peer is None:
            if sender in self._gone or sender == self.node_id:
                self.counters.refused += 1
                return
            # The sender has read the record of this node, so both nodes support this version.
            peer = self._add_peer(sender, now, batch.protocol)
        self._changed[sender] = peer
        peer.receive(received, now)

    def count_answers(self, node_id: str) -> int | None:
        """Return how many questions a node has answered (see :meth:`ask`), or None if it is not a peer."""
        peer = self.peers.get(node_id)
        return None if peer is None else peer.answers

    # --- sending -------------------------------------------------------------------------------------------------

    def send(self, node_id: str, message: Message) -> int:
        """Send a message to a peer. Return the number of its batch, or 0 if it is not sent.

        Use the other methods for events and interest. If a new call is not sent, the owner must try another callee or
        answer the call with the error ``wamp.error.unavailable``.
        """
        peer = self.peers.get(node_id)
        if peer is None:
            return 0
        self._changed[node_id] = peer
        return peer.send(message)

    def send_event(self, node_ids: Iterable[str], event: RelayedEvent) -> None:
        """Send an event to several peers. For peers whose window is full, drop the event and count it."""
        data = encode_message(event)
        for node_id in node_ids:
            peer = self.peers.get(node_id)
            if peer is not None:
                self._changed[node_id] = peer
                peer.send_event(data)

    def send_interest(self, realm: str, changes: Sequence[InterestChange]) -> dict[str, int]:
        """Send changes of this node's interest to all peers. Return the number of the last batch for each peer.

        A peer knows the changes when an InterestAcknowledged event with this or a higher number is reported.
        """
        numbers = {}
        size = self._sizes.page_changes
        for start in range(0, len(changes), size):
            data = encode_message(InterestUpdate(realm, list(changes[start : start + size])))
            numbers = {node_id: peer.send_interest(data) for node_id, peer in self.peers.items()}
        self._changed.update(self.peers)
        return numbers

    def send_snapshot(self, node_id: str, interest: Mapping[str, Sequence[InterestChange]]) -> int:
        """Send a peer all interest of this node, by realm, as the answer to a SnapshotWanted event.

        Return the number of the last batch, or 0 if there is no such peer. See :meth:`send_interest`.
        """
        peer = self.peers.get(node_id)
        if peer is None:
            return 0
        self._changed[node_id] = peer
        return peer.send_snapshot(interest, self._sizes.page_changes)

    def ask(self, node_ids: Iterable[str]) -> None:
        """Ask peers whether they are alive. See :meth:`count_answers`."""
        for node_id in node_ids:
            peer = self.peers.get(node_id)
            if peer is not None:
                self._changed[node_id] = peer
                peer.ask()

    # --- time and output -----------------------------------------------------------------------------------------

    def advance(self, now: float) -> None:
        """Handle the deadlines up to ``now``, and report the events that were dropped since the last call."""
        # A node that was stopped has not heard its peers for a while. They are not silent for this reason.
        pause = now - self._advanced
        pause = pause if pause > PAUSE_SECONDS else 0.0
        self._advanced = now
        if self._away_since is not None and now >= self._away_since + AWAY_SECONDS:
            self._set_away(True)
        strangers = []
        for node_id, peer in self.peers.items():
            if now >= peer.deadline:
                self._changed[node_id] = peer
            peer.advance(now, pause)
            self._report_drops(peer)
            if not peer.is_member and now >= peer.heard + STRANGER_SECONDS:
                strangers.append(node_id)
        for node_id in strangers:
            self.member_removed(node_id)

    def next_deadline(self) -> float | None:
        """Return the time at which :meth:`advance` must be called next, or None if there is no deadline."""
        deadlines = [peer.deadline for peer in self.peers.values()]
        if self._away_since is not None and not self.is_away:
            deadlines.append(self._away_since + AWAY_SECONDS)
        return min(deadlines, default=None)

    def flush(self, now: float) -> list[Append]:
        """Return the batches and notes to append now, in order."""
        appends = []
        resend, connected = self._must_resend, self._is_connected
        for node_id, peer in self._changed.items():
            appends += [Append(node_id, data) for data in peer.flush(now, is_connected=connected, resend=resend)]
        self._changed.clear()
        self._must_resend = False
        return appends

    def take_events(self) -> list[LinkEvent]:
        """Remove and return the events that have happened, in order."""
        events = self._events[:]
        self._events.clear()
        return events

    # --- inside --------------------------------------------------------------------------------------------------

    def _add_peer(self, node_id: str, now: float, protocol: int) -> Peer:
        peer = Peer(node_id, Window(self.node_id, self._sizes, protocol), self._events, now)
        peer.set_away(self.is_away)
        self.peers[node_id] = self._changed[node_id] = peer
        self._update_limits()
        return peer

    def _report_drops(self, peer: Peer) -> None:
        """Report the events for a peer that were dropped since the last report."""
        counters = peer.counters
        if counters.dropped_events > counters.reported_drops:
            self._events.append(EventsDropped(peer.id, counters.dropped_events - counters.reported_drops))
            counters.reported_drops = counters.dropped_events

    def _update_limits(self) -> None:
        """Divide the memory for windows among the peers."""
        limit = self._sizes.window_limit(len(self.peers) + 1)
        for peer in self.peers.values():
            peer.window.limit = limit

    def _set_away(self, is_away: bool) -> None:
        if is_away is not self.is_away:
            self.is_away = is_away
            for node_id, peer in self.peers.items():
                self._changed[node_id] = peer
                peer.set_away(is_away)
