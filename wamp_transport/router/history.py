"""Store events: the retained event of a topic, and the history of configured topics and patterns.

See the WAMP specification, Advanced Profile, "Event Retention" and "Event History".
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from msgspec import Struct

from ..wamp import errors
from ..wamp.errors import RequestRefused
from ..wamp.messages import Publish
from .environment import Environment, to_reported_precision
from .matching import PatternIndex
from .memory_size import size_of
from .options import TRUSTED, HistoryOptions, Match, RealmOptions
from .receivers import has_lists
from .records import Peer, Publication, Subscription

FULL_SHARE: Final = 100
"""The share of 100 percent, which does not limit a publisher."""


class _Usage:
    """The number and the size in bytes of the retained events of one publisher."""

    __slots__ = ("count", "size")

    def __init__(self) -> None:
        self.count = 0
        self.size = 0


NO_USAGE: Final = _Usage()


class RetainedEvents:
    """The retained events of the topics of a realm. The realm's options limit their number, total size and age.

    For each topic, the latest event that all subscribers may receive is kept. A newer event that is restricted to some
    subscribers (for example with ``eligible`` or ``exclude``) is kept in addition: the other subscribers still get the
    unrestricted event.

    One publisher may use only a share of the realm's limits. Publishers are identified by their authid, because
    retained events outlive the session that published them.
    """

    def __init__(self) -> None:
        self.options = RealmOptions("")
        self.last_number = 0
        """The number of the most recently retained publication. Retained publications are numbered 1, 2, 3, ..."""
        self.size = 0
        """The approximate size of all retained events in bytes."""
        self._by_topic: OrderedDict[str, list[Publication]] = OrderedDict()
        """The events of each topic, newest first. The topics are in the order of their newest events, oldest first."""
        self._usage: dict[str, _Usage] = {}

    def __len__(self) -> int:
        return len(self._by_topic)

    def check(self, publisher: Peer, message: Publish, now: Any) -> None:
        """Check that the limits allow a publisher to have this event retained. Raises RequestRefused."""
        self.remove_expired(now)
        options, topic = self.options, message.topic
        size = size_of(message)
        if topic not in self._by_topic and 0 < options.max_retained <= len(self._by_topic):
            raise _full(f"events of {options.max_retained} topics are retained already: the realm's `max_retained`")
        replaced = self._replaced_by(message)
        if 0 < options.max_retained_size < self.size - sum(each.size for each in replaced) + size:
            text = f"more than {options.max_retained_size} bytes of retained events: the realm's `max_retained_size`"
            raise _full(text)
        if publisher.authrole != TRUSTED and options.max_retained_share < FULL_SHARE:
            self._check_share(publisher, replaced, size)

    def _check_share(self, publisher: Peer, replaced: list[Publication], size: int) -> None:
        """Check that a publisher stays within its share if an event of ``size`` bytes replaces the events ``replaced``.

        Raises RequestRefused.
        """
        options, share = self.options, self.options.max_retained_share
        usage = self._usage.get(publisher.authid, NO_USAGE)
        own = [each.size for each in replaced if each.authid == publisher.authid]
        max_count = max(1, options.max_retained * share // FULL_SHARE) if options.max_retained else 0
        max_size = options.max_retained_size * share // FULL_SHARE
        if 0 < max_count < usage.count - len(own) + 1 or 0 < max_size < usage.size - sum(own) + size:
            text = f"one publisher may use {share} % of the room for retained events: the realm's `max_retained_share`"
            raise _full(text)

    def next_time(self, topic: str, environment: Environment) -> Any:
        """Return the time for a new retained event of a topic, which must be later than that of the latest event.

        This is the current time, unless the latest event came from a node whose clock is ahead.
        """
        now = environment.utc_now()
        latest = self._by_topic.get(topic)
        return max(now, environment.next_millisecond(latest[0].time)) if latest else now

    def keep_relayed(self, publication: Publication) -> None:
        """Retain a publication of another node, unless a later event has replaced it already.

        The latest event is the one with the highest time; of two events with the same time, the one with the higher
        publication id. Therefore, all nodes keep the same events, in whatever order they arrive.
        """
        topic = publication.message.topic
        key = publication.time, publication.id
        present = self._by_topic.get(topic, [])
        later = [each for each in present if (each.time, each.id) >= key]
        if not later:
            self.keep(publication)
        elif not is_restricted(publication) and all(map(is_restricted, later)):
            # The event for all subscribers comes after a later event for some subscribers.
            for each in present[len(later) :]:
                self._count(each, -1)
            self.last_number += 1
            publication.retained_number = self.last_number
            self._count(publication, 1)
            self._by_topic[topic] = [*later, publication]

    def keep(self, publication: Publication) -> None:
        """Retain ``publication``, whose size must be set, and remove the earlier publications that it replaces."""
        self.last_number += 1
        publication.retained_number = self.last_number
        topic = publication.message.topic
        replaced = self._replaced_by(publication.message)
        for each in replaced:
            self._count(each, -1)
        self._count(publication, 1)
        # A restricted event replaces at most another restricted event, which is the first in the list.
        self._by_topic[topic] = [publication, *self._by_topic.get(topic, [])[len(replaced) :]]
        self._by_topic.move_to_end(topic)

    def clear(self, topic: str, before: Any = None) -> bool:
        """Delete the retained events of a topic, or those older than ``before``. Return False if the topic has none."""
        present = self._by_topic.get(topic, [])
        later = [each for each in present if before is not None and each.time >= before]
        if later:
            self._by_topic[topic] = later
        else:
            self._by_topic.pop(topic, None)
        for each in present[len(later) :]:
            self._count(each, -1)
        return bool(present)

    def publications(self) -> list[Publication]:
        """Return all retained publications. The publications of one topic are ordered from newest to oldest."""
        return [publication for publications in self._by_topic.values() for publication in publications]

    def remove_expired(self, now: Any) -> None:
        """Delete the events of topics whose newest event has expired."""
        while self._by_topic:
            topic, publications = next(iter(self._by_topic.items()))
            if not self.is_expired(publications[0], now):
                return
            self.clear(topic)

    def is_expired(self, publication: Publication, now: Any) -> bool:
        """Return whether a publication is older than the lifetime of retained events."""
        max_age = self.options.max_retained_age
        return max_age > 0 and (now - publication.time).total_seconds() > max_age

    def _replaced_by(self, message: Publish) -> list[Publication]:
        """Return the retained publications that an event replaces."""
        present = self._by_topic.get(message.topic, [])
        return [each for each in present if is_restricted(each)] if has_lists(message.options) else present

    def _count(self, publication: Publication, sign: int) -> None:
        """Add a publication to the total size and its publisher's usage, or subtract it if ``sign`` is -1 instead of 1.

        A usage of 0 is deleted to save memory.
        """
        self.size += sign * publication.size
        usage = self._usage.setdefault(publication.authid, _Usage())
        usage.count += sign
        usage.size += sign * publication.size
        if not usage.count:
            del self._usage[publication.authid]

    def find_latest(
        self, subscription: Subscription, may_see: Callable[[Publication], bool], last_number: int
    ) -> Iterator[Publication | None]:
        """For each topic, yield the latest retained publication for the subscription, or None if there is none.

        Skip publications that ``may_see`` does not accept, and those that were retained after the publication number
        ``last_number``. Any amount of time may pass before the next item is requested. A publication that is replaced
        in the meantime is not yielded.
        """
        covers = _covers(subscription)
        topics = [subscription.topic] if subscription.match == "exact" else list(self._by_topic)
        for topic in topics:
            found = self._by_topic.get(topic, ()) if covers(topic) else ()
            yield next((each for each in found if each.retained_number <= last_number and may_see(each)), None)


def _full(text: str) -> RequestRefused:
    return RequestRefused(errors.QUOTA_EXCEEDED, text)


def _covers(subscription: Subscription) -> Callable[[str], bool]:
    if subscription.match == "exact":
        return subscription.topic.__eq__
    if subscription.match == "prefix":
        return lambda topic: topic.startswith(subscription.topic)
    pattern = subscription.topic.split(".")

    def covers(topic: str) -> bool:
        # Count the components before splitting the topic, because a topic can have far more of them than any pattern.
        return topic.count(".") == len(pattern) - 1 and all(
            component in ("", found) for component, found in zip(pattern, topic.split("."), strict=True)
        )

    return covers


class Query(Struct, forbid_unknown_fields=True):
    """The filters of ``wamp.subscription.get_events``. An event must pass all given filters.

    Times must have a time zone and be truncated with :func:`.to_reported_precision`. The times of events are truncated
    as well, so that no event counts as later than its own reported timestamp.
    """

    limit: int | None = None
    reverse: bool = False
    topic: str | None = None
    from_time: Any = None
    after_time: Any = None
    before_time: Any = None
    until_time: Any = None
    from_publication: int | None = None
    after_publication: int | None = None
    before_publication: int | None = None
    until_publication: int | None = None

    def admits(self, publication: Publication) -> bool:
        """Return whether a publication passes the filters for topic and time."""
        time = to_reported_precision(publication.time)
        return (
            (self.topic is None or publication.message.topic == self.topic)
            and (self.from_time is None or time >= self.from_time)
            and (self.after_time is None or time > self.after_time)
            and (self.before_time is None or time < self.before_time)
            and (self.until_time is None or time <= self.until_time)
        )


class History:
    """The past publications of one topic or pattern, oldest first. Their number, total size and age are limited.

    ``space`` counts the bytes of all histories of the realm. The size of each added publication must be set.
    """

    def __init__(self, options: HistoryOptions, subscription: Subscription, space: "Space | None" = None) -> None:
        self.options = options
        self.subscription = subscription
        self.size = 0
        """The approximate size of the publications in bytes."""
        self._space = space or Space()
        self._events: deque[Publication] = deque()

    def __len__(self) -> int:
        return len(self._events)

    def add(self, publication: Publication) -> None:
        """Add a publication. Remove expired publications, and the oldest one if there are too many."""
        self.remove_expired(publication.time)
        self._append(publication)
        if len(self._events) > self.options.limit:
            self.remove_oldest()

    def restore(self, publications: Iterable[Publication]) -> None:
        """Insert stored publications before those that were added since the node started. Skip duplicates.

        ``publications`` must begin with the oldest.
        """
        known = {each.id for each in self._events}
        newer = list(self._events)
        self.clear()
        for each in publications:
            if each.id not in known:
                each.size = size_of(each.message)
                self._append(each)
        for each in newer:
            self._append(each)
        while len(self._events) > self.options.limit:
            self.remove_oldest()

    def remove_oldest(self) -> None:
        """Remove the oldest publication."""
        self._change_size(-self._events.popleft().size)

    def clear(self) -> None:
        """Remove all publications."""
        self._events.clear()
        self._change_size(-self.size)

    def remove_expired(self, now: Any) -> None:
        """Remove the publications that are older than the history's maximum age."""
        events = self._events
        while self.options.max_age and events and (now - events[0].time).total_seconds() > self.options.max_age:
            self.remove_oldest()

    def _append(self, publication: Publication) -> None:
        self._events.append(publication)
        self._change_size(publication.size)

    def _change_size(self, difference: int) -> None:
        self.size += difference
        self._space.used += difference

    def publications(self) -> list[Publication]:
        """Return all publications, oldest first."""
        return list(self._events)

    def events(self, query: Query, now: Any, may_see: Callable[[Publication], bool]) -> list[Publication]:
        """Return the publications that match ``query`` and that ``may_see`` accepts.

        The oldest publication comes first, unless the query reverses the order.
        """
        self.remove_expired(now)
        found = [each for each in self._window(query) if query.admits(each) and may_see(each)]
        if query.reverse:
            found.reverse()
        return found if query.limit is None else found[: query.limit]

    def _window(self, query: Query) -> Iterator[Publication]:
        """Yield the publications between the publication ids that the query gives, oldest first.

        Yield nothing if one of these ids is not in the history.
        """
        events = list(self._events)
        places = {publication.id: place for place, publication in enumerate(events)}
        begin, end = 0, len(events)
        for publication_id, shift in ((query.from_publication, 0), (query.after_publication, 1)):
            if publication_id is not None:
                begin = max(begin, places.get(publication_id, len(events)) + shift)
        for publication_id, shift in ((query.before_publication, 0), (query.until_publication, 1)):
            if publication_id is not None:
                end = min(end, places[publication_id] + shift if publication_id in places else 0)
        yield from events[begin:end]


class Space:
    """The number of bytes that the histories of a realm use, and the limit (0 for no limit)."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        self.used = 0

    @property
    def is_exceeded(self) -> bool:
        """Whether more bytes are used than the limit allows."""
        return 0 < self.limit < self.used


class Histories:
    """The event histories of a realm. The option ``max_history_size`` limits their total size.

    If the total size exceeds the limit, the largest history loses its oldest events, so that a busy topic cannot
    displace the events of other topics.
    """

    def __init__(self) -> None:
        self.by_id: dict[int, History] = {}
        """The histories by the id of their subscription."""
        self.space = Space()
        self.displaced = 0
        """The number of events that were removed or not added because of the limit in bytes."""
        self._index: PatternIndex[History] = PatternIndex()

    def get(self, match: Match, uri: str) -> History | None:
        """Return the history of exactly this topic or pattern, or None."""
        return self._index.get(match, uri)

    def find_all(self, topic: str) -> list[History]:
        """Return the histories whose topic or pattern matches ``topic``."""
        return self._index.find_all(topic)

    def put(self, history: History) -> None:
        """Add a history. It replaces an existing history of the same topic or pattern, whose events are removed."""
        subscription = history.subscription
        old = self.by_id.get(subscription.id)
        if old is not None:
            old.clear()
        self._index.put(subscription.match, subscription.topic, history)
        self.by_id[subscription.id] = history

    def remove(self, history: History) -> None:
        """Remove a history and its events."""
        subscription = history.subscription
        history.clear()
        self._index.remove(subscription.match, subscription.topic)
        del self.by_id[subscription.id]

    def restore(self, history: History, publications: Iterable[Publication]) -> None:
        """Insert stored publications into a history; see :meth:`History.restore`."""
        history.restore(publications)
        self.make_room()

    def add(self, publication: Publication, histories: Sequence[History]) -> Sequence[History]:
        """Add ``publication``, whose time and size must be set, to ``histories``.

        Return the histories to which it was added: all, or none if the publication alone exceeds the limit in bytes.
        """
        if 0 < self.space.limit < publication.size:
            self.displaced += len(histories)
            return ()
        for history in histories:
            history.add(publication)
        self.make_room()
        return histories

    def make_room(self) -> None:
        """Remove the oldest events of the largest histories until the total size is within the limit."""
        space = self.space
        while space.is_exceeded:
            largest = max(self.by_id.values(), key=lambda history: history.size)
            fair_share = space.limit // len(self.by_id)
            # The largest history has more than its fair share, so each step removes at least one event.
            while space.is_exceeded and largest.size > fair_share:
                largest.remove_oldest()
                self.displaced += 1


def is_storable(publication: Publication) -> bool:
    """Return whether a publication can be stored in an event history.

    Publications restricted by session id are not stored, because a session id has no meaning after the session.
    """
    options = publication.message.options
    return options.exclude is None and options.eligible is None


def is_restricted(publication: Publication) -> bool:
    """Return whether a publication is restricted to some subscribers."""
    return has_lists(publication.message.options)
