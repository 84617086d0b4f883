"""The interface between a node and its membership in a cluster.

A *membership* lasts from joining until the node leaves or is removed. It connects the *link*, which exchanges messages
with the other nodes, and the *ledger*, which contains the members and registrations, to a server that all nodes use.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from ..cluster.ledger.client import LedgerClient, Outcome
from ..cluster.ledger.table import LedgerTable, TableChange
from ..cluster.link import Link
from ..cluster.link_events import LinkEvent
from ..cluster.node_state import NodeState, PeerCondition, PeerState
from ..cluster.peer import Peer
from ..cluster.protocol_versions import decode_record


class ClusterHandler(Protocol):
    """The methods that a membership calls when something happens in the cluster. They may send messages."""

    def on_table_changes(self, changes: Sequence[TableChange]) -> None:
        """Handle changes of the members and of the registrations in the ledger."""

    def on_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Handle the outcomes of requests to the ledger. After NodeRemoved, the membership has ended."""

    def on_link_events(self, events: Sequence[LinkEvent]) -> None:
        """Handle events of the link. Answer SnapshotWanted before returning."""

    def on_unreachable(self, reason: str) -> None:
        """Handle a failure to reach Redis. While it lasts, this is called again, at most every five seconds."""

    def on_reachable(self) -> None:
        """Handle the recovery of the connection to Redis."""


class Membership(Protocol):
    """The membership of this node in the cluster.

    ``node_id`` is the id of the node in the cluster. ``table`` is the node's copy of the ledger.
    """

    node_id: str
    link: Link
    ledger: LedgerClient
    table: LedgerTable

    @property
    def is_closed(self) -> bool:
        """Whether the membership has ended."""

    def start(self) -> None:
        """Begin to join."""

    async def wait_joined(self) -> None:
        """Wait until the node has joined and knows the other members, or until the membership has ended."""

    def flush_soon(self) -> None:
        """At the end of this turn of the event loop, send what was passed to the link and the ledger."""

    async def leave(self) -> None:
        """Leave the cluster and close."""

    async def close(self) -> None:
        """Close all connections without leaving."""


def name_of(membership: Membership | None, node_id: str) -> str:
    """Return the name of a node for people (host and process), or its id if the name is not known."""
    record = None if membership is None else decode_record(membership.table.members.get(node_id, b""))
    return node_id if record is None else record.name


def with_peers(state: NodeState, membership: Membership, *, is_cut_off: bool) -> NodeState:
    """Complete the state of a node with the id of the node, its protocol and its peers."""
    node, link = membership.node_id, membership.link
    is_member = node in membership.table.members and not membership.is_closed
    return replace(
        state,
        node=node,
        membership="cut off" if is_cut_off else "joined" if is_member else "joining",
        peers=tuple(_peer_state(peer) for peer in link.peers.values() if peer.is_member),
        protocols=(link.protocols[0], link.protocols[-1]),
    )


def _peer_state(peer: Peer) -> PeerState:
    condition: PeerCondition = "silent" if peer.is_silent else "open" if peer.state == "open" else "greeting"
    return PeerState(peer.id, condition, peer.window.size)
