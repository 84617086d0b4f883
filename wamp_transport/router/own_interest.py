"""Announce the interest of this node to the other nodes: the topics and patterns whose events it wants.

See :mod:`.relayed` for the terms. Every announcement has a number: 1, 2, 3, ... An announcement is *known* as soon as
all other nodes have acknowledged it, except those that take too long. From then on, this node receives all events of
the topic or pattern that are published on the nodes that have acknowledged it.
"""

from typing import Final

from .deadlines import Deadline, Deadlines
from .effects import Effect, Hold, Relay
from .interest import Pattern
from .members import Members
from .options import Match
from .relayed import InterestChange, InterestKind, InterestUpdate, RemoteShard

LINGER_SECONDS: Final = 10.0
"""The time for which events are still wanted after the last subscriber is gone.

If somebody subscribes again within this time, nothing has to be acknowledged.
"""


class Announcements:
    """The numbered announcements of a node, in all its realms.

    ``last`` is the number of the latest announcement. Those up to the number ``known`` are known to all other nodes.
    """

    __slots__ = ("_members", "_outbox", "known", "last")

    def __init__(self, members: Members, outbox: list[Effect]) -> None:
        self._members = members
        self._outbox = outbox
        self.last = 0
        self.known = 0

    def send(self, realm: str, change: InterestChange) -> int:
        """Announce a change to all other nodes and return the number of the announcement.

        If there are no other nodes, return 0, which always counts as known.
        """
        members = self._members
        if not members.everyone:
            return 0
        self.last += 1
        self._outbox.append(Relay(members.names(members.everyone), InterestUpdate(realm, [change]), self.last))
        return self.last

    def hold(self, session_id: int, number: int) -> None:
        """Delay messages to a session until an announcement is known. Do nothing if it is known already."""
        if number > self.known:
            self._outbox.append(Hold(session_id, number))

    def on_known(self, number: int) -> None:
        """Record that all announcements up to ``number`` are known to all other nodes."""
        self.known = max(self.known, number)


class OwnInterest:
    """This node's interest within one realm."""

    def __init__(self, realm: str, announcements: Announcements, deadlines: Deadlines) -> None:
        self._realm = realm
        self._announcements = announcements
        self._deadlines = deadlines
        self._numbers: dict[Pattern, int] = {}
        """For each announced topic or pattern, the number of the announcement that must be known before SUBSCRIBED is
        sent."""
        self._lingering: dict[Pattern, Deadline] = {}
        """The announced topics and patterns without subscribers."""
        self._shards: dict[tuple[Pattern, int], RemoteShard] = {}
        """The subscribers with node keys, by topic or pattern, and session id."""

    def add(self, match: Match, uri: str) -> None:
        """Announce a topic or pattern that got its first subscriber."""
        pattern = match, uri
        deadline = self._lingering.pop(pattern, None)
        number = self._announce("add", pattern)
        if deadline is None:
            self._numbers[pattern] = number
        else:
            # All nodes still send the events, so the new announcement does not have to be known.
            deadline.cancel()

    def release(self, match: Match, uri: str) -> None:
        """Announce that a topic or pattern has lost its last subscriber.

        Its events remain wanted for :data:`LINGER_SECONDS`.
        """
        pattern = match, uri
        self._announce("release", pattern)
        self._lingering[pattern] = self._deadlines.after(LINGER_SECONDS, "interest", (self, pattern))

    def remove(self, pattern: Pattern) -> None:
        """Announce that the events of a topic or pattern without subscribers are no longer wanted."""
        del self._lingering[pattern]
        del self._numbers[pattern]
        self._announce("remove", pattern)

    def add_shard(self, match: Match, uri: str, shard: RemoteShard) -> None:
        """Announce a subscriber with a node key. Its topic or pattern must have been announced."""
        pattern = match, uri
        if self._shards.get((pattern, shard.id)) != shard:
            self._shards[pattern, shard.id] = shard
            self._numbers[pattern] = self._announce("add_shard", pattern, shard)

    def remove_shard(self, match: Match, uri: str, session_id: int) -> None:
        """If the session was a subscriber with a node key, announce that it has left."""
        pattern = match, uri
        shard = self._shards.pop((pattern, session_id), None)
        if shard is not None:
            self._announce("remove_shard", pattern, shard)

    def clear(self) -> None:
        """Announce that no events are wanted any longer, because the realm was closed."""
        for (pattern, _), shard in self._shards.items():
            self._announce("remove_shard", pattern, shard)
        for deadline in self._lingering.values():
            deadline.cancel()
        for pattern in self._numbers:
            self._announce("remove", pattern)
        self._shards.clear()
        self._lingering.clear()
        self._numbers.clear()

    def hold(self, session_id: int, match: Match, uri: str) -> None:
        """Delay messages to a session until all other nodes know that this topic or pattern is wanted."""
        self._announcements.hold(session_id, self._numbers[match, uri])

    def changes(self) -> list[InterestChange]:
        """Return the complete interest as changes, for a node that does not know it."""
        changes = [
            InterestChange("release" if pattern in self._lingering else "add", *pattern) for pattern in self._numbers
        ]
        changes += [InterestChange("add_shard", *pattern, shard) for (pattern, _), shard in self._shards.items()]
        return changes

    def _announce(self, kind: InterestKind, pattern: Pattern, shard: RemoteShard | None = None) -> int:
        return self._announcements.send(self._realm, InterestChange(kind, *pattern, shard))


def on_interest_deadline(subject: tuple[OwnInterest, Pattern]) -> None:
    """Withdraw the interest in a topic or pattern that has had no subscribers for :data:`LINGER_SECONDS`."""
    interest, pattern = subject
    interest.remove(pattern)
