"""Groups of sessions that a change of the configuration affects in the same way, and their form in the database."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

MAX_STORED_GROUPS: Final = 500
"""The maximum number of groups that are stored with their authids. If there are more, authids are left out."""


class SessionGroup(NamedTuple):
    """The properties of a session that decide whether a change of the configuration ends it.

    ``service`` is the key of the service. ``authid`` is empty if the decision does not depend on the authid.
    """

    service: str
    realm: str
    role: str
    method: str
    provider: str
    authid: str = ""


SessionCounts = Mapping[SessionGroup, int]
"""The number of sessions of each group."""


def to_json(counts: SessionCounts) -> list[list[Any]]:
    """Return the counts as a list for a JSON column. If there are many groups, they are merged without authids."""
    if len(counts) > MAX_STORED_GROUPS:
        merged: Counter[SessionGroup] = Counter()
        for group, count in counts.items():
            merged[group._replace(authid="")] += count
        counts = merged
    return [[*group, count] for group, count in sorted(counts.items())]


def from_json(rows: Iterable[Iterable[Any]]) -> Counter[SessionGroup]:
    """Return the counts that a list from :func:`to_json` contains."""
    counts: Counter[SessionGroup] = Counter()
    for *group, count in rows:
        counts[SessionGroup(*group)] += count
    return counts
