"""Store the subscriptions or registrations of one realm, by URI pattern and by id."""

from collections.abc import Callable
from typing import Generic, TypeVar

from ..wamp import errors
from ..wamp.errors import RequestRefused
from ..wamp.ids import stable_id
from .matching import MAX_SHAPES, PatternIndex
from .options import Match

T = TypeVar("T")


class PatternRegistry(Generic[T]):
    """The subscriptions or registrations of a realm, called *records* here.

    Each pair of match policy and URI has one record with one id. ``index`` finds the records by pattern. ``by_id`` maps
    ids to the same records, in the order of their creation. Only :meth:`create` and :meth:`remove` may change these
    two, always together. The hot path reads ``index`` directly.
    """

    __slots__ = ("_kind", "_realm", "by_id", "index")

    def __init__(self, realm: str, kind: str) -> None:
        self._realm = realm
        self._kind = kind
        self.index: PatternIndex[T] = PatternIndex()
        self.by_id: dict[int, T] = {}

    def check_room(self, match: Match, uri: str) -> None:
        """Check that a client may add this pattern. Raises RequestRefused."""
        if not self.index.has_room(match, uri):
            count = uri.count(".") + 1
            text = f"the {self._kind}s of this realm already place the wildcards of patterns with {count} components in"
            raise RequestRefused(errors.QUOTA_EXCEEDED, f"{text} {MAX_SHAPES} different ways, which is the maximum")

    def create(self, match: Match, uri: str, make: Callable[[int], T]) -> T:
        """Create the record for a new pattern by calling ``make(id)``, and add it.

        The id is derived from realm, kind, match and URI, so that all nodes of a cluster assign the same id. If another
        record already has this id, which is rare, a salt is added.
        """
        salt = 0
        while (record_id := stable_id(self._realm, self._kind, match, uri, salt)) in self.by_id:
            salt += 1
        record = self.by_id[record_id] = make(record_id)
        self.index.put(match, uri, record)
        return record

    def remove(self, record_id: int, match: Match, uri: str) -> None:
        """Remove the record with this id and pattern. Raises KeyError if there is none."""
        del self.by_id[record_id]
        self.index.remove(match, uri)
