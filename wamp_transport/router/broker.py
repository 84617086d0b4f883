"""Publish and subscribe within one realm.

Sections of the specification: Basic Profile, "Publish and Subscribe"; Advanced Profile, "Pattern-based
Subscriptions", "Publisher Identification".
"""

from collections.abc import Callable, Mapping

from ..wamp import errors
from ..wamp.errors import RequestRefused
from ..wamp.ids import stable_id
from ..wamp.messages import (
    Event,
    EventDetails,
    Publish,
    Published,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
)
from ..wamp.payload import PYTHON
from ..wamp.uris import is_reserved
from .effects import Effect, Send
from .matching import PatternIndex
from .options import Match
from .permissions import Role, refusal
from .receivers import chooser, receivers
from .records import Session, Subscription

NO_DETAILS = EventDetails()


class Broker:
    """The subscriptions of one realm, and the way of a publication to its receivers."""

    def __init__(
        self,
        realm: str,
        roles: Mapping[str, Role],
        outbox: list[Effect],
        new_publication_id: Callable[[], int],
    ) -> None:
        self._realm = realm
        self._roles = roles
        self._outbox = outbox
        self._new_publication_id = new_publication_id
        self._index: PatternIndex[Subscription] = PatternIndex()
        self.subscriptions: dict[int, Subscription] = {}

    # Hot path.

    def on_publish(self, session: Session, message: Publish) -> None:
        """PUBLISH: to every subscription that covers the topic, once each, with the same publication id."""
        topic = message.topic
        role = self._roles[session.authrole]
        decision = role.publications.get(topic) or role.decide("publish", topic)
        options = message.options
        if not decision.allowed or is_reserved(topic):
            raise refusal(decision, "publish", topic)
        disclose = decision.disclose or options.disclose_me is True
        publication_id = self._new_publication_id()
        if options.acknowledge:
            self._outbox.append(Send((session.id,), Published(message.request_id, publication_id), PYTHON))
        exact = self._index.exact.get(topic)
        if exact is not None:
            self._send_event(exact, session, message, publication_id, disclose)
        for subscription in self._index.patterns(topic):
            self._send_event(subscription, session, message, publication_id, disclose)

    def _send_event(
        self,
        subscription: Subscription,
        session: Session,
        message: Publish,
        publication_id: int,
        disclose: bool,
    ) -> None:
        options = message.options
        to = receivers(subscription, session, chooser(options), options.exclude_me is not False)
        is_pattern = subscription.match != "exact"
        if is_pattern:
            to = [session_id for session_id in to if self._may_receive(subscription, session_id, message.topic)]
        if to:
            details = NO_DETAILS
            if is_pattern or disclose or options.enc_algo is not None or options.transaction_hash is not None:
                details = _details(session, message, is_pattern, disclose)
            event = Event(subscription.id, publication_id, details, message.args, message.kwargs)
            self._outbox.append(Send(to, event, session.payload_format))

    # End of the hot path.

    def on_subscribe(self, session: Session, message: Subscribe) -> None:
        """SUBSCRIBE: one subscription a topic and way of matching, shared by all who ask for it."""
        match: Match = message.options.match or "exact"
        topic = message.topic
        decision = self._roles[session.authrole].decide("subscribe", topic, match)
        if not decision.allowed:
            raise refusal(decision, "subscribe to", topic)
        subscription = self._index.get(match, topic)
        if subscription is None:
            subscription = Subscription(self._new_id(match, topic), topic, match)
            self._index.put(match, topic, subscription)
            self.subscriptions[subscription.id] = subscription
        subscription.add(session)
        session.subscriptions[subscription.id] = subscription
        self._outbox.append(Send((session.id,), Subscribed(message.request_id, subscription.id), PYTHON))

    def on_unsubscribe(self, session: Session, message: Unsubscribe) -> None:
        """UNSUBSCRIBE: refused for a subscription that the session does not hold."""
        subscription = session.subscriptions.pop(message.subscription_id, None)
        if subscription is None:
            text = f"this session holds no subscription {message.subscription_id}"
            raise RequestRefused(errors.NO_SUCH_SUBSCRIPTION, text)
        self._remove(session, subscription)
        self._outbox.append(Send((session.id,), Unsubscribed(message.request_id), PYTHON))

    def detach(self, session: Session) -> None:
        """The session leaves: its subscriptions end."""
        for subscription in session.subscriptions.values():
            self._remove(session, subscription)
        session.subscriptions.clear()

    def _remove(self, session: Session, subscription: Subscription) -> None:
        subscription.remove(session)
        if not subscription.subscribers:
            self._index.remove(subscription.match, subscription.topic)
            del self.subscriptions[subscription.id]

    def _may_receive(self, subscription: Subscription, session_id: int, topic: str) -> bool:
        """A pattern may cover topics that its subscriber's role may not subscribe to."""
        session = subscription.subscribers[session_id]
        return self._roles[session.authrole].decide("subscribe", topic).allowed

    def _new_id(self, match: Match, topic: str) -> int:
        salt = 0
        while (new := stable_id(self._realm, "subscription", match, topic, salt)) in self.subscriptions:
            salt += 1
        return new


def _details(session: Session, message: Publish, is_pattern: bool, disclose: bool) -> EventDetails:
    options = message.options
    details = EventDetails(
        topic=message.topic if is_pattern else None,
        transaction_hash=options.transaction_hash,
        enc_algo=options.enc_algo,
        enc_key=options.enc_key,
        enc_serializer=options.enc_serializer,
    )
    if disclose:
        details.publisher = session.id
        details.publisher_authid = session.authid
        details.publisher_authrole = session.authrole
    return details
