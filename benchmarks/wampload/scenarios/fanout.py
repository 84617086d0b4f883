"""The publishers and subscribers of the scenarios `pubsub`, `slow` and `subs`, with flow control.

The load is closed-loop: at most `window` publications of a publisher are
(a) not acknowledged, if it requests acknowledgments, or (b) not delivered to
all counted subscribers. Therefore no buffer overflows, and a lost event stops
the publisher.
"""

import time
from collections.abc import Callable

from .. import wire as w
from ..session import Session


class Publisher:
    """A publisher. After `start`, it publishes as fast as its window allows."""

    def __init__(
        self,
        session: Session,
        number: int,
        topics: Callable[[], str] | str,
        size: int,
        subscribers: int,
        window: int,
        acknowledge: bool,
    ) -> None:
        self.session = session
        self.number = number
        self.subscribers = subscribers
        self.window = window
        self.acknowledge = acknowledge
        self.sent = 0
        self.acknowledged = 0
        self.delivered = 0
        self.errors = 0
        self.error_text = ""
        self.running = False
        self._wake_at = 0
        self._text = w.Marker.text(size)
        self._topics = topics
        self._stamp = self._template(topics) if isinstance(topics, str) else None
        self._head = session.wire.head
        session.receive = self.receive

    def _template(self, topic: str) -> Callable[..., bytes]:
        options = {"acknowledge": True} if self.acknowledge else {}
        stamp = self.session.wire.template(w.PUBLISH, options, topic, [self._text])
        return w.Marker.template(stamp, self.number)

    def start(self) -> None:
        self.running = True
        self.pump()

    def pump(self) -> None:
        while (
            self.running
            and (not self.acknowledge or self.sent - self.acknowledged < self.window)
            and (self.sent - self.window) * self.subscribers < self.delivered
        ):
            stamp = self._stamp or self._template(self._topics())
            self.sent += 1
            self.session.send(stamp(self.session.take_id(), self.sent, now()))
        self._wake_at = (self.sent - self.window) * self.subscribers + 1

    def count_delivery(self) -> None:
        self.delivered += 1
        if self.delivered >= self._wake_at:
            self.pump()

    def receive(self, data: bytes) -> None:
        kind, _ = self._head(data)
        if kind != w.PUBLISHED:
            if kind != w.ERROR:
                raise ValueError("unexpected message")
            self.errors += 1
            self.error_text = str(self.session.wire.decode(data)[4:])
        self.acknowledged += 1
        self.pump()

    @property
    def settled(self) -> bool:
        """Whether all publications are acknowledged and delivered."""
        return self.delivered >= self.sent * self.subscribers and (
            not self.acknowledge or self.acknowledged >= self.sent
        )


class Subscriber:
    """A subscriber that counts events and checks the sequence of each publisher.

    If `counted`, the publishers wait for this subscriber.
    """

    def __init__(self, session: Session, publishers: list[Publisher], counted: bool = True) -> None:
        self.session = session
        self.publishers = publishers
        self.counted = counted
        self.received = 0
        self.missing = 0
        self.disordered = 0
        self.latencies: list[float] = []
        self._last = [0] * len(publishers)
        session.receive = self.receive

    def receive(self, data: bytes) -> None:
        marker = w.Marker.read(data)
        if marker is None:
            self.session.receive_reply(data)
            return
        number, sequence, sent_at = marker
        expected = self._last[number] + 1
        if sequence != expected:
            if sequence > expected:
                self.missing += sequence - expected
            else:
                self.disordered += 1
        self._last[number] = max(sequence, expected - 1)
        self.received += 1
        self.latencies.append((now() - sent_at) * 1e-6)
        if self.counted:
            self.publishers[number].count_delivery()

    def take_latencies(self) -> list[float]:
        taken, self.latencies = self.latencies, []
        return taken


def now() -> int:
    """Return the time of a monotonic clock, in microseconds."""
    return time.monotonic_ns() // 1000
