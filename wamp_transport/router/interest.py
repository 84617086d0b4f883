"""Track the other nodes' interest within one realm: the topics and patterns whose events they want.

See :mod:`.relayed` for the terms. Sets of nodes are integers; see :mod:`.members`.
"""

from collections.abc import Iterable

from .matching import PatternIndex
from .options import Match
from .relayed import InterestChange, RemoteShard

Pattern = tuple[Match, str]
"""A match policy and a topic or pattern."""


class ShardGroup:
    """The other nodes' subscribers with node keys for one topic or pattern, by session id."""

    __slots__ = ("pattern", "shards")

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self.shards: dict[int, RemoteShard] = {}


class RemoteInterest:
    """The other nodes' interest within one realm."""

    def __init__(self) -> None:
        self._index: PatternIndex[int] = PatternIndex()
        """For each topic or pattern, the nodes that want its events."""
        self._in_use: dict[Pattern, int] = {}
        """For each topic or pattern, the nodes that have subscribers."""
        self._patterns: dict[int, set[Pattern]] = {}
        """For each node, identified by its bit, the topics and patterns whose events it wants."""
        self._groups: PatternIndex[ShardGroup] = PatternIndex()
        self._shards: dict[int, set[tuple[Pattern, int]]] = {}
        """For each node, identified by its bit, its subscribers with node keys: pairs of a pattern and a session id."""

    # Hot path of a cluster.

    def members_for(self, topic: str) -> int:
        """Return the nodes that want the events of a topic."""
        members = self._index.exact.get(topic, 0)
        for each in self._index.patterns(topic):
            members |= each
        return members

    # End of the hot path.

    def is_in_use(self, match: Match, uri: str) -> bool:
        """Return whether another node has subscribers for exactly this topic or pattern."""
        return (match, uri) in self._in_use

    def shard_groups(self, topic: str) -> list[ShardGroup]:
        """Return the groups of subscribers with node keys for all topics and patterns that match ``topic``."""
        return self._groups.find_all(topic)

    def update(self, bit: int, changes: Iterable[InterestChange]) -> None:
        """Apply changes that a node has sent. ``bit`` is the node's bit."""
        for change in changes:
            pattern = change.match, change.uri
            if change.shard is None:
                self._change(bit, change, pattern)
            else:
                self._change_shard(bit, change, pattern, change.shard)

    def remove_member(self, bit: int) -> None:
        """Remove all interest of a node."""
        for pattern in list(self._patterns.get(bit, ())):
            self._remove_pattern(bit, pattern)
        for pattern, session_id in list(self._shards.get(bit, ())):
            self._remove_shard(bit, pattern, session_id)

    def _change(self, bit: int, change: InterestChange, pattern: Pattern) -> None:
        if change.kind == "remove":
            self._remove_pattern(bit, pattern)
            return
        self._patterns.setdefault(bit, set()).add(pattern)
        self._index.put(*pattern, (self._index.get(*pattern) or 0) | bit)
        in_use = self._in_use.get(pattern, 0)
        self._set_in_use(pattern, in_use | bit if change.kind == "add" else in_use & ~bit)

    def _change_shard(self, bit: int, change: InterestChange, pattern: Pattern, shard: RemoteShard) -> None:
        if change.kind == "remove_shard":
            self._remove_shard(bit, pattern, shard.id)
            return
        group = self._groups.get(*pattern)
        if group is None:
            group = ShardGroup(pattern)
            self._groups.put(*pattern, group)
        group.shards[shard.id] = shard
        self._shards.setdefault(bit, set()).add((pattern, shard.id))

    def _remove_pattern(self, bit: int, pattern: Pattern) -> None:
        known = self._patterns.get(bit, set())
        known.discard(pattern)
        if not known:
            self._patterns.pop(bit, None)
        members = (self._index.get(*pattern) or 0) & ~bit
        if members:
            self._index.put(*pattern, members)
        else:
            self._index.remove(*pattern)
        self._set_in_use(pattern, self._in_use.get(pattern, 0) & ~bit)

    def _set_in_use(self, pattern: Pattern, members: int) -> None:
        if members:
            self._in_use[pattern] = members
        else:
            self._in_use.pop(pattern, None)

    def _remove_shard(self, bit: int, pattern: Pattern, session_id: int) -> None:
        known = self._shards.get(bit, set())
        known.discard((pattern, session_id))
        if not known:
            self._shards.pop(bit, None)
        group = self._groups.get(*pattern)
        if group is not None:
            group.shards.pop(session_id, None)
            if not group.shards:
                self._groups.remove(*pattern)
