"""What a node has at a moment, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..router.records import RealmStats


@dataclass(frozen=True, slots=True)
class NodeStats:
    """The numbers of a node, counted when they are asked for: nothing is counted on the way of a message for them.

    ``realms``: by name. ``connections``: open transports of clients; sessions inside the process have none.
    ``joining``: those of them without a session. ``congested``: those that miss events and calls for now, as they read
    too slowly. ``queued_bytes``: bytes that wait for clients. ``decisions``: open questions to authenticators and
    authorizers. ``events_dropped`` and ``undelivered_events`` are counted since the start, once for each
    receiver: events that it missed as it read too slowly, or that its serialization cannot express.
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
        """The sessions in each realm, with those inside the process."""
        return {name: each.sessions for name, each in self.realms.items()}
