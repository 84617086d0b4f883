"""The statistics of a node, for metrics: connections, sessions, queued bytes and lost events."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..router.records import RealmStats


@dataclass(frozen=True, slots=True)
class NodeStats:
    """The statistics of a node at one moment. They are computed only when requested, so they do not slow down routing.

    ``realms``
        The statistics of each realm, by name.
    ``connections``
        Open transports of clients, not counting sessions inside the process.
    ``joining``
        Connections whose session is not established yet.
    ``congested``
        Connections whose peers read too slowly, so that events and calls are currently not sent to them.
    ``queued_bytes``
        Bytes that are queued for clients.
    ``decisions``
        Pending requests to authenticators and authorizers.
    ``events_dropped``
        Events since the start that were not sent because a receiver read too slowly, counted once for each receiver.
    ``undelivered_events``
        Events since the start that were not sent because they could not be encoded, counted once for each receiver
        on this node, and once for all receivers on other nodes.
    """

    realms: Mapping[str, RealmStats]
    connections: int
    joining: int
    congested: int
    queued_bytes: int
    decisions: int
    events_dropped: int
    undelivered_events: int

    @property
    def sessions(self) -> Mapping[str, int]:
        """The number of sessions in each realm, including those inside the process."""
        return {name: each.sessions for name, each in self.realms.items()}
