"""The rules of a role: which of them decides on a URI or a pattern, and in which order the others would.

One rule decides, and decides alone: the one for exactly this URI, else the longest prefix, else the wildcard with the
most literal components; of equal ones that whose literals stand furthest in front.
A pattern is decided by a prefix or wildcard that covers all of it. What a rule for less says of a part of it is found
when an event or a call of that part is there.
"""

from collections.abc import Iterable

from .matching import PatternIndex
from .options import Match, Permission


class Rules:
    """An index of permissions. Of two for the same URIs the later one counts."""

    __slots__ = ("_index",)

    def __init__(self, permissions: Iterable[Permission]) -> None:
        self._index: PatternIndex[Permission] = PatternIndex()
        for permission in permissions:
            self._index.put(permission.match, permission.uri, permission)

    def deciding(self, uri: str) -> Permission | None:
        """The permission that decides on a URI: the first of :meth:`covering`."""
        exact = self._index.exact.get(uri)
        if exact is not None:
            return exact
        patterns = self._index.patterns(uri)
        return patterns[0] if len(patterns) == 1 else min(patterns, key=_rank, default=None)

    def covering(self, uri: str, match: Match = "exact") -> list[Permission]:
        """The permissions for a URI, or for all that a pattern covers, the one that decides first."""
        if match != "exact":
            return sorted(self._index.containing(match, uri), key=_rank)
        exact = self._index.exact.get(uri)
        patterns = sorted(self._index.patterns(uri), key=_rank)
        return patterns if exact is None else [exact, *patterns]


def _rank(permission: Permission) -> int:
    """Where a pattern stands among those that are in the order of the index, in which prefixes are right already."""
    if permission.match == "prefix":
        return -MANY
    return -sum(1 for component in permission.uri.split(".") if component)


MANY = 1 << 30
"""More components than any URI has."""
