"""The state of each running node in its cluster, determined from the reports of all nodes.

:mod:`wamp_transport.cluster.node_state` describes the report of a node about itself and its peers, which are the other
nodes of its cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wamp_transport.cluster.node_state import NodeState, PeerState, from_json
from wamp_transport.models import RunningNode

Condition = Literal["joining", "cut off", "open", "silent", "gone"]
"""The condition of a node in its cluster.

- ``joining``: it has not joined yet
- ``cut off``: it cannot use Redis
- ``open``: it exchanges messages with the others
- ``silent``: another node has not heard from it for some seconds
- ``gone``: it was removed from the cluster, but does not know that yet
"""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The state of a node in its cluster.

    - ``state``: the report of the node itself
    - ``condition``: its condition, according to its own report and those of the other nodes
    - ``waiting``: the number of bytes that the other nodes have sent to it and that it has not acknowledged
    """

    state: NodeState
    condition: Condition
    waiting: int

    @property
    def nodes(self) -> int:
        """The number of nodes in the cluster, according to this node."""
        return len(self.state.peers) + 1


def cluster_of(node: RunningNode) -> str:
    """Return a text that identifies the cluster of a node; an empty text if the node is in no cluster.

    Nodes with equal texts form one router if they use the same Redis server.
    """
    state = from_json(node.cluster)
    return "" if state is None else state.prefix


def is_connected(node: RunningNode) -> bool:
    """Return whether a node has joined its cluster and can use Redis."""
    state = from_json(node.cluster)
    return state is not None and state.membership == "joined"


def cluster_view(node: RunningNode, reporters: Sequence[RunningNode]) -> ClusterView | None:
    """Return the state of a node in its cluster; None if it is in no cluster.

    ``reporters`` are the running nodes. The node itself can be one of them.
    """
    state = from_json(node.cluster)
    if state is None:
        return None
    found = [(one, _seen_by(one, state)) for one in reporters if one.name != node.name and is_connected(one)]
    reports = [(one, peer) for one, peer in found if cluster_of(one) == state.prefix]
    condition: Condition = "open" if state.membership == "joined" else state.membership
    if condition == "open":
        # An older report can be from before the node joined.
        if any(peer is None and one.seen_at > node.seen_at for one, peer in reports):
            condition = "gone"
        elif any(peer is not None and peer.condition == "silent" for _, peer in reports):
            condition = "silent"
    return ClusterView(state, condition, sum(peer.waiting for _, peer in reports if peer is not None))


def _seen_by(reporter: RunningNode, state: NodeState) -> PeerState | None:
    """Return the report of another node about the node with this state; None if it does not report it as a peer."""
    own = from_json(reporter.cluster)
    return next((peer for peer in own.peers if peer.node == state.node), None) if own is not None else None
