"""The events that the link reports to its owner, in the order in which they happened.

The *link* connects a node to the other nodes of the cluster, its *peers*. In each event, ``peer`` is the id of a peer.
A *call to* a peer goes from a client of this node to a callee on the peer. A *call from* a peer is the opposite.
"""

from collections.abc import Sequence

from msgspec import Struct

from ..router.relayed import InterestPage
from .messages import Message


class Received(Struct, gc=False):
    """A peer has sent a message. Messages that the link handles itself are not reported."""

    peer: str
    message: Message


class CallFailed(Struct, gc=False):
    """A call to a peer has failed. Its caller must get the error ``wamp.error.network_failure``."""

    peer: str
    realm: str
    call_id: int


class CallInterrupted(Struct, gc=False):
    """A call from a peer has failed. Its callee must be interrupted, and no answer is needed any more."""

    peer: str
    realm: str
    call_id: int


class SnapshotWanted(Struct, gc=False):
    """A peer needs all interest of this node. Answer with :meth:`.Link.send_snapshot`."""

    peer: str


class SnapshotReceived(Struct):
    """The interest of a peer. It replaces the interest of this peer that was known before."""

    peer: str
    pages: Sequence[InterestPage]


class InterestAcknowledged(Struct, gc=False):
    """A peer knows the interest that this node has sent it in the batches up to ``number``."""

    peer: str
    number: int


class PeerOpened(Struct, gc=False):
    """The first snapshot of a new peer is complete."""

    peer: str


class PeerSilent(Struct, gc=False):
    """Nothing has been received from a peer for some seconds."""

    peer: str


class PeerHeard(Struct, gc=False):
    """A peer that was silent has sent a batch."""

    peer: str


class BatchesLost(Struct, gc=False):
    """Batches from a peer to this node were lost or, if ``is_sender`` is true, batches from this node to the peer."""

    peer: str
    count: int
    is_sender: bool


class PeerGivenUp(Struct, gc=False):
    """Too many bytes to a peer were unacknowledged. The batches and events to it were dropped."""

    peer: str
    batches: int
    events: int


class EventsDropped(Struct, gc=False):
    """``count`` events for a peer were dropped, because too many bytes to it were unacknowledged."""

    peer: str
    count: int


class PeerGone(Struct, gc=False):
    """A peer has left the cluster. Its interest and its callees are no longer valid."""

    peer: str


LinkEvent = (
    Received | CallFailed | CallInterrupted | SnapshotWanted | SnapshotReceived | InterestAcknowledged
    | PeerOpened | PeerSilent | PeerHeard | BatchesLost | PeerGivenUp | EventsDropped | PeerGone
)  # fmt: skip
"""Any event of the link."""
