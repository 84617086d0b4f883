"""The state of a node in its cluster, as the node reports it, and its form in the database.

A *peer* is another node of the cluster. A peer is *silent* if nothing has been received from it for some seconds. The
*inbox* of a node is the Redis stream in which the messages for the node wait.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

Membership = Literal["joined", "joining", "cut off"]
"""Whether a node has joined the cluster. A node is cut off while it cannot use Redis."""

PeerCondition = Literal["greeting", "open", "silent"]
"""The state of a peer, according to the reporting node.

- ``greeting``: it has not sent its interest yet
- ``open``: it exchanges messages with the node
- ``silent``: the node has not heard from it for some seconds
"""


class PeerState(Struct, frozen=True):
    """A peer, as the reporting node sees it.

    - ``node``: the id of the peer in the cluster
    - ``waiting``: the bytes sent to the peer that it has not acknowledged. They wait in its inbox, or are on their way.
    """

    node: str
    condition: PeerCondition
    waiting: int = 0


class IncompatibleMember(Struct, frozen=True):
    """A member of the cluster with which the reporting node has no version of the protocol in common.

    The two nodes exchange no messages, so the member is no peer.

    - ``node``, ``name``: the member's id in the cluster and its name
    - ``protocols``: the lowest and the highest version that it supports; None if its record cannot be read
    """

    node: str
    name: str
    protocols: tuple[int, int] | None


class NodeState(Struct, frozen=True):
    """The state of a node in its cluster. The counters are 0 when the node starts.

    - ``cluster``: the name of the cluster
    - ``prefix``: the prefix of the cluster's keys in Redis. Nodes with different prefixes never form one router.
    - ``node``: the id of the node in the cluster; empty before it has joined
    - ``lost_batches``: groups of messages from other nodes that did not arrive
    - ``dropped_events``: events that were not sent to another node, or were dropped before it acknowledged them,
      because that node or Redis was too slow
    - ``unsent``: calls, results and other messages, except events, that could not be sent to another node
    - ``missed_holds``: how often SUBSCRIBED was sent before all other nodes had acknowledged the subscription
    - ``missing_replies``: how often another node was left out of an answer of the meta API
    - ``removals``: how often this node was removed from the cluster
    - ``protocols``: the lowest and the highest version of the protocol that this node supports; None before it joins
    - ``incompatible``: the members with which this node exchanges no messages
    """

    cluster: str
    prefix: str
    node: str = ""
    membership: Membership = "joining"
    peers: tuple[PeerState, ...] = ()
    lost_batches: int = 0
    dropped_events: int = 0
    unsent: int = 0
    missed_holds: int = 0
    missing_replies: int = 0
    removals: int = 0
    protocols: tuple[int, int] | None = None
    incompatible: tuple[IncompatibleMember, ...] = ()


def to_json(state: NodeState | None) -> dict[str, Any]:
    """Return the state as a mapping for a JSON column; an empty mapping if the node is not in a cluster."""
    found: dict[str, Any] = {} if state is None else msgspec.to_builtins(state)
    return found


def from_json(value: Mapping[str, Any]) -> NodeState | None:
    """Return the state that :func:`to_json` has stored.

    Return None if the node is not in a cluster, or runs a release with another form of the mapping.
    """
    try:
        return msgspec.convert(value, NodeState) if value else None
    except msgspec.ValidationError:
        return None
