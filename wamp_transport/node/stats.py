"""The numbers of a node for metrics: connections, sessions, queued bytes and lost events."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..router.records import RealmStats


@dataclass(frozen=True, slots=True)
class NodeStats:
    """The numbers of a node at one moment. They are computed on request, at no cost for the routing of messages.

    ``realms``
        The numbers of each realm, by name.
    ``connections``
        Open transports of clients, without sessions inside the process.
    ``joining``
        Connections whose session is not established yet.
    ``congested``
        Connections whose peers read too slowly, and miss events and calls at present.
    ``queued_bytes``
        Bytes that are queued for clients.
    ``decisions``
        Pending requests to authenticators and authorizers.
    ``events_dropped``
        Events not sent to peers that read too slowly, since the start, counted once for each receiver.
    ``undelivered_events``
        Events that could not be encoded for a receiver, since the start, counted once for each receiver.
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
