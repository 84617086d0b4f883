"""Events that stay: the retained one of a topic, and the past ones of configured topics and patterns.

Sections of the specification: Advanced Profile, "Event Retention", "Event History".
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct

from .options import HistoryOptions
from .receivers import chooser
from .records import Publication, Subscription


class Retained:
    """What was last published with ``retain``, for ``limit`` topics at most (0: no limit).

    A topic keeps its latest event for everybody and, if newer, the latest one for some: whoever is not among those
    still gets the former.
    """

    def __init__(self) -> None:
        self.limit = 0
        self._by_topic: dict[str, list[Publication]] = {}

    def __len__(self) -> int:
        return len(self._by_topic)

    def is_full_for(self, topic: str) -> bool:
        """Whether keeping one more topic would exceed the limit."""
        return 0 < self.limit <= len(self._by_topic) and topic not in self._by_topic

    def keep(self, publication: Publication) -> None:
        """Keep a publication."""
        topic = publication.message.topic
        older = [each for each in self._by_topic.get(topic, ()) if not is_for_some(each)]
        self._by_topic[topic] = [publication, *older[:1]] if is_for_some(publication) else [publication]

    def clear(self, topic: str) -> None:
        """Forget what is retained for a topic."""
        self._by_topic.pop(topic, None)

    def matching(self, subscription: Subscription, may_see: Callable[[Publication], bool]) -> Iterator[Publication]:
        """For each topic that a subscription covers the latest publication that its subscriber may see."""
        if subscription.match == "exact":
            topics = [subscription.topic]
        else:
            covers = _covers(subscription)
            topics = [topic for topic in self._by_topic if covers(topic)]
        for topic in topics:
            latest = next((each for each in self._by_topic.get(topic, ()) if may_see(each)), None)
            if latest is not None:
                yield latest


def _covers(subscription: Subscription) -> Callable[[str], bool]:
    if subscription.match == "prefix":
        return lambda topic: topic.startswith(subscription.topic)
    pattern = subscription.topic.split(".")

    def covers(topic: str) -> bool:
        components = topic.split(".")
        return len(components) == len(pattern) and all(
            wanted in ("", found) for wanted, found in zip(pattern, components, strict=True)
        )

    return covers


class Query(Struct, forbid_unknown_fields=True):
    """The filters of ``wamp.subscription.get_events``; all given ones must hold. Times are datetimes with a zone."""

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
        """Whether topic and time of a publication are wanted."""
        time = publication.time
        return (
            (self.topic is None or publication.message.topic == self.topic)
            and (self.from_time is None or time >= self.from_time)
            and (self.after_time is None or time > self.after_time)
            and (self.before_time is None or time < self.before_time)
            and (self.until_time is None or time <= self.until_time)
        )


class History:
    """The past publications of one topic or pattern, oldest first, bounded by number and age."""

    def __init__(self, options: HistoryOptions, subscription: Subscription) -> None:
        self.options = options
        self.subscription = subscription
        self._events: deque[Publication] = deque(maxlen=options.limit)

    def __len__(self) -> int:
        return len(self._events)

    def add(self, publication: Publication) -> None:
        """Store a publication; the oldest one goes when there are too many."""
        self._events.append(publication)

    def restore(self, publications: Iterable[Publication]) -> None:
        """Put back what was stored outside the process, oldest first, before what has come since.

        What is here already stays once: some of it may have been stored meanwhile.
        """
        here = {each.id for each in self._events}
        older = [each for each in publications if each.id not in here]
        self._events = deque([*older, *self._events], maxlen=self.options.limit)

    def stored(self) -> list[Publication]:
        """All of them, oldest first."""
        return list(self._events)

    def events(self, query: Query, now: Any, may_see: Callable[[Publication], bool]) -> list[Publication]:
        """The publications that ``query`` asks for and the reader may see; newest first if reversed."""
        self._drop_old(now)
        wanted = [each for each in self._window(query) if query.admits(each) and may_see(each)]
        if query.reverse:
            wanted.reverse()
        return wanted if query.limit is None else wanted[: query.limit]

    def _window(self, query: Query) -> Iterator[Publication]:
        """The publications between those named, in the order they came. One named and not there leaves nothing."""
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

    def _drop_old(self, now: Any) -> None:
        events = self._events
        while self.options.max_age and events and (now - events[0].time).total_seconds() > self.options.max_age:
            events.popleft()


def is_storable(publication: Publication) -> bool:
    """Whether a publication may be kept: lists of session ids mean nothing to sessions that come later."""
    options = publication.message.options
    return options.exclude is None and options.eligible is None


def is_for_some(publication: Publication) -> bool:
    """Whether a publication has lists that keep it from some subscribers."""
    return chooser(publication.message.options) is not None
