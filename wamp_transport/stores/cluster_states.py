"""The state of each running node in its cluster, determined from the reports of all nodes.

:mod:`wamp_transport.cluster.node_state` describes the report of a node about itself and its peers, which are the other
nodes of its cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wamp_transport.cluster.keys import differ_only_in_layout, layout_of
from wamp_transport.cluster.node_state import NodeState, from_json
from wamp_transport.cluster.protocol_versions import describe_versions
from wamp_transport.models import RunningNode

Condition = Literal["joining", "cut off", "open", "silent", "gone", "incompatible"]
"""The condition of a node in its cluster.

- ``joining``: it has not joined yet
- ``cut off``: it cannot use Redis
- ``open``: it exchanges messages with the others
- ``silent``: another node has not heard from it for some seconds
- ``gone``: it was removed from the cluster, but does not know that yet
- ``incompatible``: it exchanges no messages with at least one other node, because their releases are too different
"""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The state of a node in its cluster.

    - ``state``: the report of the node itself
    - ``condition``: its condition, according to its own report and those of the other nodes
    - ``waiting``: the number of bytes that the other nodes have sent to it and that it has not acknowledged
    - ``incompatible``: the nodes with which it exchanges no messages, because their releases are too different: their
      names, and their versions of the protocol or of the data in Redis
    """

    state: NodeState
    condition: Condition
    waiting: int
    incompatible: tuple[str, ...] = ()

    @property
    def nodes(self) -> int:
        """The number of nodes in the cluster, according to this node."""
        return len(self.state.peers) + 1

    @property
    def protocol(self) -> str:
        """The versions of the protocol that the node supports."""
        return describe_versions(self.state.protocols)

    @property
    def layout(self) -> str:
        """The version of the data in Redis that the node uses."""
        return layout_of(self.state.prefix)


def cluster_of(node: RunningNode) -> str:
    """Return a text that identifies the cluster of a node; an empty text if the node is in no cluster.

    Nodes with equal texts form one router if they use the same Redis server.
    """
    state = from_json(node.cluster)
    return "" if state is None else state.prefix


def form_one_router(nodes: Sequence[RunningNode]) -> bool:
    """Return whether nodes are in the same cluster, and none of them is incompatible with another one."""
    states = [from_json(node.cluster) for node in nodes]
    prefixes = {None if state is None else state.prefix for state in states}
    ids = {state.node for state in states if state is not None}
    return (
        len(prefixes) == 1
        and None not in prefixes
        and not any(other.node in ids for state in states if state is not None for other in state.incompatible)
    )


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
    others = [(one, other) for one in reporters if one.name != node.name and (other := from_json(one.cluster))]
    members = [(one, other) for one, other in others if other.prefix == state.prefix and other.membership == "joined"]
    incompatible = _incompatible(state, others)
    condition: Condition = "open" if state.membership == "joined" else state.membership
    peers = [(one, next((peer for peer in other.peers if peer.node == state.node), None)) for one, other in members]
    if condition == "open":
        # An older report can be from before the node joined.
        missing = [one for one, peer in peers if peer is None and one.name not in incompatible]
        if any(one.seen_at > node.seen_at for one in missing):
            condition = "gone"
        elif any(peer is not None and peer.condition == "silent" for _, peer in peers):
            condition = "silent"
        elif incompatible:
            condition = "incompatible"
    waiting = sum(peer.waiting for _, peer in peers if peer is not None)
    return ClusterView(state, condition, waiting, tuple(f"{name} ({text})" for name, text in incompatible.items()))


def _incompatible(state: NodeState, others: Sequence[tuple[RunningNode, NodeState]]) -> dict[str, str]:
    """Return the versions of the nodes with which a node exchanges no messages, as texts, by the names of the nodes.

    ``others`` are the other nodes with their states.
    """
    found = {one.name: f"protocol {describe_versions(one.protocols)}" for one in state.incompatible}
    for one, other in others:
        if differ_only_in_layout(other.prefix, state.prefix):
            found[one.name] = f"layout {layout_of(other.prefix)}"
        elif any(member.node == state.node for member in other.incompatible):
            found.setdefault(one.name, f"protocol {describe_versions(other.protocols)}")
    return found
