"""Connect a node's router with the other nodes of its cluster.

Terms:

- A *member* is a node that belongs to the cluster. The :class:`Membership` of this node lasts from joining until the
  node leaves or is removed. A node that was removed joins again, with a new id.
- The *link* exchanges messages with the other nodes, its *peers*. See :mod:`wamp_transport.cluster.link`.
- The *ledger* is the table of members and registrations that all nodes share. See
  :mod:`wamp_transport.cluster.ledger.client`.
- The *interest* of a node consists of the topics and patterns whose events it wants. A *snapshot* is the complete
  interest of a node. An *announcement* is a numbered change of the interest.
- *Retained events* are the last events of topics, which are sent to new subscribers. Each node stores all of them.

:class:`Clustering` carries out the router core's effects that concern other nodes, and passes their messages to the
core.
"""

import asyncio
import logging
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct

from ..cluster.ledger.client import CalleeRevoked, NodeRemoved, Outcome, RegisterCompleted, RegisterRefused
from ..cluster.ledger.table import MemberJoined, TableChange
from ..cluster.link import Link
from ..cluster.link_events import (
    BatchesLost,
    CallFailed,
    CallInterrupted,
    EventsDropped,
    InterestAcknowledged,
    LinkEvent,
    PeerGivenUp,
    PeerGone,
    PeerHeard,
    PeerSilent,
    Received,
    SnapshotReceived,
    SnapshotWanted,
)
from ..cluster.node_state import NodeState
from ..router.effects import Hold, Relay, ReleaseRegistration, RequestRegistration, Withdraw
from ..router.relay import CORE_MESSAGES, Cluster
from ..router.relayed import (
    InterestUpdate,
    RelayedCall,
    RelayedCallPart,
    RelayedCancel,
    RelayedError,
    RelayedEvent,
    RelayedMessage,
    RelayedQuestion,
    RelayedReply,
    RelayedResult,
    RelayedRetained,
)
from ..wamp import errors
from .held_output import HeldOutput
from .incompatible_members import IncompatibleMemberLog, incompatible_members
from .joining import Joining
from .known_interest import KnownInterest
from .loss_reports import LossReports
from .membership import ClusterHandler, Membership, name_of, with_peers
from .node import Node
from .remote_users import RemoteUsers
from .shared_registrations import SharedRegistrations

logger = logging.getLogger(__name__)

LEAVE_SECONDS: Final = 2.0
"""The maximum time for leaving the cluster when the node stops."""

ABOUT_CALLS: Final = frozenset((RelayedCallPart, RelayedCancel, RelayedResult, RelayedError))
"""The types of messages about a call that was relayed before. The link does not send them if the call has ended."""

UNSENT: Final = (
    "Node {} acknowledges too little, is unreachable or has left: calls or other messages were not sent to it"
)

REMOVED: Final = "the router was cut off from the other nodes of its cluster; connect again"
"""The message in the GOODBYE that sessions receive when the node was removed from the cluster."""


class ClusteringCounters(Struct, gc=False):
    """Counters since the start of the node.

    - ``removals``: how often this node was removed from the cluster
    - ``lost_batches``: batches from other nodes that did not arrive here
    - ``dropped_events``: events that were not delivered to another node, because it acknowledged too little or Redis
      was unreachable for too long. An event that was dropped for two nodes is counted twice.
    - ``unsent``: calls, results and other messages, except events, that could not be sent to another node
    """

    removals: int = 0
    lost_batches: int = 0
    dropped_events: int = 0
    unsent: int = 0

    def losses(self) -> str:
        """Return a text with the numbers of lost batches and dropped events."""
        return f"{self.lost_batches} lost batches, {self.dropped_events} dropped events"

    def refusals(self) -> str:
        """Return a text with the number of messages that could not be sent."""
        return f"{self.unsent} calls and other messages"


class Clustering:
    """The connection between a node and the other nodes of its cluster.

    ``begin(handler)`` creates a new membership, which reports to ``handler``. Raises ValueError if the node was created
    without ``is_clustered``. Call all methods in the thread of the event loop.
    """

    def __init__(self, node: Node, loop: AbstractEventLoop, begin: Callable[[ClusterHandler], Membership]) -> None:
        cluster = node.router.cluster
        if cluster is None:
            raise ValueError("the node was created without is_clustered")
        self._node = node
        self._loop = loop
        self._begin = begin
        self._cluster: Cluster = cluster
        self._membership: Membership | None = None
        self._interest = KnownInterest()
        self.users = RemoteUsers(node.router, loop, self._peers, self._send)
        self._registrations = SharedRegistrations(node.router, loop)
        self.held_output = HeldOutput(loop, self._on_hold_missed)
        self.counters = ClusteringCounters()
        self._joining = Joining()
        self._must_rejoin = asyncio.Event()
        self.on_rejoined: Callable[[], None] = lambda: None
        """The function that is called after this node has joined again."""
        self._released = 0
        """Output that was held back for announcements up to this number has been released."""
        self._losses = LossReports(loop, self.counters.losses)
        self._refusals = LossReports(loop, self.counters.refusals)
        self._is_unreachable = False
        self._incompatible = IncompatibleMemberLog()
        node.cluster_runners.update(
            {
                Relay: self._relay,
                Hold: self._hold,
                RequestRegistration: self._registrations.request,
                ReleaseRegistration: self._registrations.release,
                Withdraw: self._registrations.withdraw,
            }
        )

    # --- joining and leaving -------------------------------------------------------------------------------------

    @property
    def peers(self) -> int:
        """The number of other nodes in the cluster, without those that are incompatible with this node."""
        return len(self._peers())

    def state(self, cluster: str, prefix: str) -> NodeState:
        """Return the state of this node. ``cluster`` is the cluster's name, ``prefix`` the prefix of its keys."""
        counters, membership = self.counters, self._membership
        state = NodeState(
            cluster,
            prefix,
            lost_batches=counters.lost_batches,
            dropped_events=counters.dropped_events,
            unsent=counters.unsent,
            missed_holds=self.held_output.missed,
            missing_replies=self._cluster.questions.unanswered,
            removals=counters.removals,
            incompatible=() if membership is None else tuple(incompatible_members(membership)),
        )
        return state if membership is None else with_peers(state, membership, is_cut_off=self._is_unreachable)

    async def join(self) -> None:
        """Join the cluster, and wait a few seconds at most for the snapshots of the other nodes.

        While Redis cannot be reached, retry without a time limit.
        """
        while not await self._try_to_join():
            self._must_rejoin.clear()

    async def fetch_retained(self) -> None:
        """Ask another node for retained events, and wait up to a few seconds. Events of missing realms are ignored."""
        if self._membership is not None:
            await self._joining.fetch_retained(self._membership)

    async def run(self) -> None:
        """Until canceled, join again each time this node is removed from the cluster."""
        while True:
            await self._must_rejoin.wait()
            self._must_rejoin.clear()
            if self._membership is not None:
                await self._membership.close()
            await self.join()
            self.on_rejoined()
            await self.fetch_retained()
            logger.warning("This node is a member of the cluster again, with %d other nodes", self.peers)

    async def leave(self) -> None:
        """Leave the cluster. Call this when the node stops, after its sessions have ended."""
        membership = self._membership
        if membership is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await membership.leave()
        await membership.close()
        self.held_output.close()
        self._losses.close()
        self._refusals.close()

    async def _try_to_join(self) -> bool:
        """Join with a new id. Return False if this node was removed from the cluster before it had finished joining."""
        membership = self._membership = self._begin(self)
        self._registrations.use(membership)
        membership.start()
        await membership.wait_joined()
        await self._joining.wait_for_snapshots(membership)
        if membership.is_closed:
            await membership.close()
        return not membership.is_closed

    # --- effects -------------------------------------------------------------------------------------------------

    # Hot path of a cluster.

    def _relay(self, effect: Relay) -> None:
        """Send a message to other nodes."""
        membership = self._membership
        if membership is None:
            return
        message, link = effect.message, membership.link
        if type(message) is RelayedEvent:
            link.send_event(effect.members, message)
        elif type(message) is InterestUpdate:
            for peer, batch in link.send_interest(message.realm, message.changes).items():
                self._interest.on_sent(peer, batch, effect.interest)
        else:
            for peer in effect.members:
                if not link.send(peer, message):
                    self._on_unsent(peer, link, message)
                    if type(message) is RelayedCall:
                        self._cluster.calls.call_not_sent(peer, message.realm, message.call_id)
                    elif type(message) is RelayedQuestion:
                        self._cluster.questions.on_unsent(peer, message.question_id)
        membership.flush_soon()

    # End of the hot path.

    def _send(self, peer: str, message: RelayedQuestion | RelayedReply) -> bool:
        """Send a message to a node. Return whether it could be sent."""
        membership = self._membership
        if membership is None:
            return False
        membership.flush_soon()
        is_sent = bool(membership.link.send(peer, message))
        if not is_sent:
            self._on_unsent(peer, membership.link, message)
        return is_sent

    def _on_unsent(self, peer: str, link: Link, message: RelayedMessage) -> None:
        """Count and log a message that could not be sent, unless it is about a call that has ended."""
        if type(message) not in ABOUT_CALLS or peer not in link.peers:
            self.counters.unsent += 1
            self._refusals.report(UNSENT.format(self._name_of(peer)))

    def _peers(self) -> set[str]:
        """Return the ids of the other nodes."""
        peers = {} if self._membership is None else self._membership.link.peers
        return {name for name, peer in peers.items() if peer.is_member}

    def _hold(self, effect: Hold) -> None:
        """Hold back the output of a session until the other nodes have acknowledged an announcement of interest."""
        self._release()
        connection = self._node.connections.get(effect.session_id)
        if connection is not None and effect.interest > self._released:
            self.held_output.hold(connection, effect.interest)

    def _on_hold_missed(self, number: int) -> None:
        late = self._interest.on_missed(number)
        if late:
            names = ", ".join(name_of(self._membership, peer) for peer in late)
            logger.warning("Nodes of the cluster are late: SUBSCRIBED is no longer delayed for %s", names)
        self._release()

    def _release(self) -> None:
        """Report to the core which announcements are known, and write what was held back for them."""
        announcements = self._cluster.announcements
        announcements.on_known(self._interest.known(announcements.last))
        if announcements.known > self._released:
            self._released = announcements.known
            self.held_output.release(self._released)

    # --- reports of the membership -------------------------------------------------------------------------------

    def on_link_events(self, events: Sequence[LinkEvent]) -> None:
        """Handle events of the link."""
        if self._registrations.has_changes and any(type(event) is Received for event in events):
            # A node can send a message because it has read a change in the ledger's log. Apply the change first.
            self._apply_changes()
        receive = self._cluster.receive
        for event in events:
            try:
                if type(event) is Received and type(event.message) in CORE_MESSAGES:
                    receive(event.peer, event.message)  # type: ignore[arg-type] # mypy does not narrow by a set of types
                elif (handle := HANDLERS.get(type(event))) is not None:
                    handle(self, event)
            except Exception:  # an event that fails must not stop the others
                logger.exception("Handling %s of another node failed", type(event).__name__)
        self._joining.wake()
        self._node.flush_effects()

    def on_table_changes(self, changes: Sequence[TableChange]) -> None:
        """Handle changes of the members and of the registrations in the ledger."""
        link = None if self._membership is None else self._membership.link
        for change in changes:
            if not isinstance(change, MemberJoined) or link is None or change.node == link.node_id:
                continue
            if change.node in link.peers:
                self._add_member(change.node)
            else:  # it supports no version of the protocol in common with this node
                self._incompatible.report(change.node, change.record, link.protocols)
        self._loop.call_soon(self._apply_changes)
        self._registrations.add_changes(changes)
        self._joining.wake()

    def _apply_changes(self) -> None:
        """Pass the collected changes of the registrations to the core."""
        try:
            self._registrations.apply_changes()
        except Exception:
            logger.exception("Handling changes of the registrations in the cluster failed")
        self._node.flush_effects()

    def _add_member(self, name: str) -> None:
        self._cluster.add_member(name)
        self._interest.add(name)

    def on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Handle the outcomes of requests to the ledger."""
        for outcome in outcomes:
            if isinstance(outcome, NodeRemoved):
                self._on_removed()
                continue
            if isinstance(outcome, CalleeRevoked):
                self._loop.call_soon(self._apply_changes)
            elif isinstance(outcome, RegisterCompleted | RegisterRefused):
                self._apply_changes()
            try:
                self._registrations.on_outcome(outcome)
            except Exception:  # an outcome that fails must not stop the others
                logger.exception("Handling %s of the cluster failed", type(outcome).__name__)
        self._joining.wake()
        self._node.flush_effects()

    def on_unreachable(self, reason: str) -> None:
        """Log that Redis cannot be reached."""
        self._is_unreachable = True
        logger.warning("The cluster is not connected; retrying: %s", reason)

    def on_reachable(self) -> None:
        """Log that Redis can be reached again."""
        if self._is_unreachable:
            self._is_unreachable = False
            logger.warning("The cluster is connected again")

    def _on_removed(self) -> None:
        """End all sessions and forget the other nodes, because they have continued without this node."""
        membership = self._membership
        if membership is None:
            return
        self.counters.removals += 1
        logger.warning(
            "This node did not renew its membership in time and was removed from the cluster; it joins again"
        )
        self._node.router.leave_all(errors.CLOSE_SYSTEM_SHUTDOWN, REMOVED)
        self._node.flush_effects()
        link = membership.link
        for peer in list(link.peers):
            link.member_removed(peer)
        self.on_link_events(link.take_events())
        self._registrations.use(None)
        self._node.flush_effects()
        self._must_rejoin.set()

    # --- events of the link --------------------------------------------------------------------------------------

    def _on_received(self, event: Received) -> None:
        message = event.message
        if type(message) is RelayedRetained:
            self._joining.on_retained(event.peer, message)
            if not message.events:
                return
        if self.users.receive(event.peer, message):
            return
        self._cluster.receive(event.peer, message)  # type: ignore[arg-type] # the link handles its own messages

    def _on_snapshot_wanted(self, event: SnapshotWanted) -> None:
        membership, cluster = self._membership, self._cluster
        if membership is None:
            return
        self._add_member(event.peer)
        batch = membership.link.send_snapshot(event.peer, cluster.interest())
        self._interest.on_sent(event.peer, batch, cluster.announcements.last)
        membership.flush_soon()

    def _on_snapshot_received(self, event: SnapshotReceived) -> None:
        self._cluster.replace_interest(event.peer, event.pages)

    def _on_interest_acknowledged(self, event: InterestAcknowledged) -> None:
        peer = None if self._membership is None else self._membership.link.peers.get(event.peer)
        is_caught_up = peer is not None and peer.is_caught_up
        self._interest.on_acknowledged(event.peer, event.number, is_caught_up=is_caught_up)
        self._release()

    def _on_silent(self, event: PeerSilent) -> None:
        self._set_silent(event.peer, is_silent=True)

    def _on_heard(self, event: PeerHeard) -> None:
        self._set_silent(event.peer, is_silent=False)

    def _set_silent(self, peer: str, *, is_silent: bool) -> None:
        if is_silent:
            self._joining.on_peer_lost(peer)
        self._interest.set_silent(peer, is_silent)
        self._cluster.members.set_silent(peer, is_silent)
        self._release()

    def _on_call_failed(self, event: CallFailed) -> None:
        self._cluster.calls.call_failed(event.peer, event.realm, event.call_id)

    def _on_call_interrupted(self, event: CallInterrupted) -> None:
        self._cluster.calls.call_interrupted(event.peer, event.realm, event.call_id)

    def _on_gone(self, event: PeerGone) -> None:
        self._joining.on_peer_lost(event.peer)
        self.users.remove_peer(event.peer)
        self._interest.remove(event.peer)
        self._cluster.remove_member(event.peer)
        self._release()

    def _on_lost(self, event: BatchesLost) -> None:
        if event.is_sender:
            return
        self.counters.lost_batches += event.count
        self._joining.on_peer_lost(event.peer)
        self._losses.report(f"Messages of node {self._name_of(event.peer)} were lost on their way to this node")

    def _on_given_up(self, event: PeerGivenUp) -> None:
        self.counters.dropped_events += event.events
        self._losses.report(f"Node {self._name_of(event.peer)} acknowledges too little: messages for it were dropped")

    def _on_dropped(self, event: EventsDropped) -> None:
        self.counters.dropped_events += event.count
        name = self._name_of(event.peer)
        self._losses.report(f"Node {name} acknowledges too little or is unreachable: events for it were dropped")

    def _name_of(self, peer: str) -> str:
        return name_of(self._membership, peer)


HANDLERS: Final[dict[type[LinkEvent], Callable[[Clustering, Any], None]]] = {
    Received: Clustering._on_received,
    SnapshotWanted: Clustering._on_snapshot_wanted,
    SnapshotReceived: Clustering._on_snapshot_received,
    InterestAcknowledged: Clustering._on_interest_acknowledged,
    CallFailed: Clustering._on_call_failed,
    CallInterrupted: Clustering._on_call_interrupted,
    PeerSilent: Clustering._on_silent,
    PeerHeard: Clustering._on_heard,
    PeerGone: Clustering._on_gone,
    BatchesLost: Clustering._on_lost,
    PeerGivenUp: Clustering._on_given_up,
    EventsDropped: Clustering._on_dropped,
}
"""The functions that handle events of the link."""
