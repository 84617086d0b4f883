"""Store events: the retained event of a topic, and the history of configured topics and patterns.

Sections of the specification: Advanced Profile, "Event Retention", "Event History".
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct

from .environment import to_reported_precision
from .options import HistoryOptions
from .receivers import stored_filter
from .records import Publication, Subscription


class RetainedEvents:
    """The retained events of up to ``limit`` topics (0 for no limit).

    For each topic, the latest event that all subscribers may receive is kept. A newer event that is restricted to some
    subscribers (for example with ``eligible`` or ``exclude``) is kept in addition: the other subscribers still get the
    unrestricted event.
    """

    def __init__(self) -> None:
        self.limit = 0
        self.last_number = 0
        """The number of the most recently retained publication. Retained publications are numbered 1, 2, 3, ..."""
        self._by_topic: dict[str, list[Publication]] = {}

    def __len__(self) -> int:
        return len(self._by_topic)

    def is_full_for(self, topic: str) -> bool:
        """Return whether retaining an event of this topic would exceed the limit."""
        return 0 < self.limit <= len(self._by_topic) and topic not in self._by_topic

    def keep(self, publication: Publication) -> None:
        """Retain a publication and remove the earlier ones that it replaces."""
        self.last_number += 1
        publication.retained_number = self.last_number
        topic = publication.message.topic
        older = [each for each in self._by_topic.get(topic, ()) if not is_restricted(each)]
        self._by_topic[topic] = [publication, *older[:1]] if is_restricted(publication) else [publication]

    def clear(self, topic: str) -> None:
        """Delete the retained events of a topic."""
        self._by_topic.pop(topic, None)

    def find_latest(
        self, subscription: Subscription, may_see: Callable[[Publication], bool], last_number: int
    ) -> Iterator[Publication | None]:
        """For each topic, yield the latest retained publication for the subscription, or None if there is none.

        Skip publications that ``may_see`` does not accept, and those that were retained after the publication number
        ``last_number``. The caller may wait for any time before it asks for the next item. If a publication is replaced
        in the meantime, it is not yielded.
        """
        covers = _covers(subscription)
        topics = [subscription.topic] if subscription.match == "exact" else list(self._by_topic)
        for topic in topics:
            found = self._by_topic.get(topic, ()) if covers(topic) else ()
            yield next((each for each in found if each.retained_number <= last_number and may_see(each)), None)


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
    """The past publications of one topic or pattern, oldest first, limited in number and age."""

    def __init__(self, options: HistoryOptions, subscription: Subscription) -> None:
        self.options = options
        self.subscription = subscription
        self._events: deque[Publication] = deque(maxlen=options.limit)

    def __len__(self) -> int:
        return len(self._events)

    def add(self, publication: Publication) -> None:
        """Add a publication. Remove the oldest one if the limit is exceeded."""
        self._events.append(publication)

    def restore(self, publications: Iterable[Publication]) -> None:
        """Insert stored publications before those that were added since the start. Skip duplicates.

        ``publications`` must begin with the oldest.
        """
        known = {each.id for each in self._events}
        older = [each for each in publications if each.id not in known]
        self._events = deque([*older, *self._events], maxlen=self.options.limit)

    def publications(self) -> list[Publication]:
        """Return all publications, oldest first."""
        return list(self._events)

    def events(self, query: Query, now: Any, may_see: Callable[[Publication], bool]) -> list[Publication]:
        """Return the publications that match ``query`` and that ``may_see`` accepts.

        The oldest publication comes first, unless the query reverses the order.
        """
        self._remove_expired(now)
        found = [each for each in self._window(query) if query.admits(each) and may_see(each)]
        if query.reverse:
            found.reverse()
        return found if query.limit is None else found[: query.limit]

    def _window(self, query: Query) -> Iterator[Publication]:
        """Yield the publications in the range of publication ids that the query contains, oldest first.

        Yield nothing if a publication at which the range begins or ends is not in the history.
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

    def _remove_expired(self, now: Any) -> None:
        events = self._events
        while self.options.max_age and events and (now - events[0].time).total_seconds() > self.options.max_age:
            events.popleft()


def is_storable(publication: Publication) -> bool:
    """Return whether a publication can be stored in an event history.

    Publications restricted by session id are not stored, because a session id has no meaning after the session.
    """
    options = publication.message.options
    return options.exclude is None and options.eligible is None


def is_restricted(publication: Publication) -> bool:
    """Return whether a publication is restricted to some subscribers."""
    return stored_filter(publication) is not None
