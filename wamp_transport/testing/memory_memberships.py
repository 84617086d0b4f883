"""A stand-in for the Redis server of a cluster, for wampnode's own tests of several nodes in one event loop.

    network = MemoryNetwork(loop)
    clustering = Clustering(node, loop, network.membership)

Everything that a node does in the cluster happens in its *turn*: it changes and reads the ledger, reads its inbox, and
writes to the inboxes of other nodes. A turn runs when there is something to do, and at the node's deadlines.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Final

import msgspec

from ..cluster.ledger.client import AnswersWanted, LedgerClient, NodeRemoved, Outcome, TableChanged
from ..cluster.ledger.layout import MemberRecord
from ..cluster.ledger.memory import MemoryLedger
from ..cluster.ledger.table import LedgerTable, MemberJoined, MemberLeft, TableChange
from ..cluster.link import DEFAULT_SIZES, Link
from ..cluster.messages import PROTOCOLS
from ..cluster.protocol_versions import common_version
from ..cluster.waiters import Waiters
from ..cluster.window import LinkSizes
from ..node.membership import ClusterHandler

WALL_CLOCK: Final = 1_000_000.0
"""The wall clock of the stand-in is this many seconds ahead of the loop's clock."""

MIN_STEP: Final = 0.01
LEASE_SECONDS: Final = 10.0


class MemoryNetwork:
    """The ledger and the inboxes.

    ``memberships`` contains the memberships by node id, including those that have ended. New memberships support the
    versions of the protocol in ``protocols``.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, sizes: LinkSizes = DEFAULT_SIZES) -> None:
        self.loop = loop
        self.sizes = sizes
        self.protocols = PROTOCOLS
        self.ledger = MemoryLedger()
        self.inboxes: dict[str, deque[bytes]] = {}
        self.memberships: dict[str, MemoryMembership] = {}
        self.new_ledger_id = map("ledger{}".format, count(1)).__next__
        self._ids = map("node{}".format, count(1))
        self.is_reachable = True

    def membership(self, handler: ClusterHandler) -> "MemoryMembership":
        """Return a new membership with the next id: ``node1``, ``node2`` and so on."""
        membership = MemoryMembership(self, next(self._ids), handler)
        self.memberships[membership.node_id] = membership
        self.inboxes[membership.node_id] = deque()
        return membership

    def set_reachable(self, is_reachable: bool) -> None:
        """Make the stand-in unreachable for all nodes, or reachable again."""
        self.is_reachable = is_reachable
        for membership in self.memberships.values():
            membership.on_reachable_changed()

    def append(self, node: str, data: bytes) -> None:
        """Append a batch to the inbox of a node. If there is no such node, discard the batch."""
        if node in self.inboxes:
            self.inboxes[node].append(data)
            self.memberships[node].flush_soon()

    def wake_others(self, node: str) -> None:
        """Make all nodes except ``node`` read the log."""
        for membership in self.memberships.values():
            if membership.node_id != node:
                membership.flush_soon()


class MemoryMembership:
    """The membership of a node. It has the interface of :class:`~wamp_transport.node.membership.Membership`.

    While ``is_stopped`` is true, the node neither reads nor writes. Call :meth:`flush_soon` after setting it to False.
    """

    def __init__(self, network: MemoryNetwork, node_id: str, handler: ClusterHandler) -> None:
        self.node_id = node_id
        self.is_stopped = False
        self.is_closed = False
        protocols = network.protocols
        self.link = Link(node_id, network.loop.time(), network.sizes, protocols)
        self.table = LedgerTable(node_id)
        versions = protocols[0], protocols[-1]
        record = msgspec.msgpack.encode(MemberRecord(node_id, versions, int(LEASE_SECONDS * 1000)))
        self.ledger = LedgerClient(
            node_id, record, LEASE_SECONDS, self.table, self.link.count_answers, network.new_ledger_id
        )  # fmt: skip
        self._network = network
        self._loop = network.loop
        self._handler = handler
        self._is_started = False
        self._is_turn_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._waiters = Waiters(self._loop, lambda: self.is_closed)

    def start(self) -> None:
        """Start joining the cluster."""
        self._is_started = True
        self.on_reachable_changed()

    async def wait_joined(self) -> None:
        """Wait until the node is a member and has read the table, or until the membership has ended."""
        await self._waiters.wait(lambda: self.ledger.is_joined and not self.table.needs_snapshot)

    def flush_soon(self) -> None:
        """Run the node's turn in the next iteration of the event loop."""
        if self._is_started and not self._is_turn_due and not self.is_closed and not self.is_stopped:
            self._is_turn_due = True
            self._loop.call_soon(self._run_turn)

    async def leave(self) -> None:
        """Leave the cluster and close."""
        self.ledger.leave()
        self.flush_soon()
        await self._waiters.wait(lambda: self.ledger.is_removed)
        await self.close()

    async def close(self) -> None:
        """Stop taking part in the cluster, without leaving it."""
        self._end()

    def on_reachable_changed(self) -> None:
        """Handle an outage of the stand-in, or its end."""
        now = self._loop.time()
        if self.is_closed or not self._is_started:
            return
        if self._network.is_reachable:
            self.link.connection_made()
            self.link.connection_confirmed()
            self._handler.on_reachable()
        else:
            self.link.connection_lost(now)
            self.ledger.on_disconnected(now)
            self._handler.on_unreachable("the stand-in for Redis is not reachable")
        self.flush_soon()

    # --- turns -----------------------------------------------------------------------------------------------------

    def _run_turn(self) -> None:
        self._is_turn_due = False
        if self.is_closed or self.is_stopped:
            return
        now = self._loop.time()
        self.link.advance(now)
        self._handle_outcomes(self.ledger.advance(now))
        if self._network.is_reachable:
            self._change_ledger(now)
            self._read(now)
        self._handle_events()
        if self._network.is_reachable and not self.is_closed:
            for each in self.link.flush(now):
                self._network.append(each.peer, each.data)
        self._schedule(now)
        self._waiters.check()

    def _change_ledger(self, now: float) -> None:
        network = self._network
        requests = self.ledger.next_requests(now)
        for request in requests:
            answer = network.ledger.run(request, round((WALL_CLOCK + now) * 1000))
            self._handle_outcomes(self.ledger.on_answer(answer, now))
        if requests:
            network.wake_others(self.node_id)

    def _read(self, now: float) -> None:
        ledger, table = self._network.ledger, self.table
        if not self.ledger.is_joined:
            return
        if table.needs_snapshot:
            changes = table.replace(ledger.members, ledger.rows)
            self._handle_changes(changes)
            self._handle_outcomes(self.ledger.on_snapshot(changes, now))
        elif entries := ledger.entries(table.read_position):
            changes = table.apply(entries)
            self._handle_changes(changes)
            self._handle_outcomes(self.ledger.on_changes(changes, now))
        inbox = self._network.inboxes[self.node_id]
        while inbox and not self.is_closed:
            self.link.receive(inbox.popleft(), now)
            self._handle_events()
            self.flush_soon()

    def _handle_events(self) -> None:
        while events := self.link.take_events():
            self._handler.on_link_events(events)

    def _handle_changes(self, changes: Sequence[TableChange]) -> None:
        for change in changes:
            if isinstance(change, MemberJoined):
                version = common_version(self.link.protocols, change.record)
                if version is not None:
                    self.link.member_joined(change.node, self._loop.time(), version)
            elif isinstance(change, MemberLeft) and change.node != self.node_id:
                self.link.member_removed(change.node)
        if changes:
            self._handler.on_table_changes(changes)
            self._handle_events()

    def _handle_outcomes(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, TableChanged):
                self._handle_changes(outcome.changes)
                continue
            if isinstance(outcome, AnswersWanted):
                self.link.ask(outcome.nodes)
                continue
            if isinstance(outcome, NodeRemoved):
                self._end()
            self._handler.on_outcomes([outcome])

    def _schedule(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.is_closed:
            return
        deadline = self.ledger.next_deadline()
        link_deadline = self.link.next_deadline()
        if link_deadline is not None:
            deadline = min(deadline, link_deadline)
        if deadline < float("inf"):
            self._timer = self._loop.call_at(max(deadline, now + MIN_STEP), self.flush_soon)

    def _end(self) -> None:
        self.is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._waiters.check()
