"""Publish and subscribe within one realm.

Sections of the specification: Basic Profile, "Publish and Subscribe"; Advanced Profile, "Pattern-based
Subscription", "Publisher Identification", "Publication Trust Levels", "Event Retention", "Event History",
"Subscription Revocation".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..wamp import errors
from ..wamp.errors import RequestRefused
from ..wamp.ids import stable_id
from ..wamp.messages import (
    Event,
    EventDetails,
    Publish,
    Published,
    PublishOptions,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    UnsubscribedDetails,
)
from ..wamp.payload import PYTHON, positional
from ..wamp.uris import is_reserved
from .effects import Effect, Record, Send
from .history import History, Retained, is_storable
from .matching import PatternIndex
from .options import HistoryOptions, Match, RealmOptions
from .passthru import check_announced, mirrored
from .permissions import Role, refusal
from .ports import Announce, Environment
from .receivers import Chooser, chooser, receivers
from .records import Publication, Session, Subscription
from .sizes import check_sizes

NO_DETAILS = EventDetails()
NO_OPTIONS = PublishOptions()
PLAIN_OPTIONS = (PublishOptions(acknowledge=True), NO_OPTIONS)
"""Options that ask for nothing but an answer: those of most publications."""


class Broker:
    """The subscriptions of one realm, what is kept of its events, and the way of a publication to its receivers."""

    def __init__(
        self,
        realm: str,
        roles: Mapping[str, Role],
        outbox: list[Effect],
        environment: Environment,
        announce: Announce,
    ) -> None:
        self._realm = realm
        self._roles = roles
        self._outbox = outbox
        self._environment = environment
        self._announce = announce
        self._index: PatternIndex[Subscription] = PatternIndex()
        self._histories: PatternIndex[History] = PatternIndex()
        self.subscriptions: dict[int, Subscription] = {}
        self.histories: dict[int, History] = {}
        self.retained = Retained()
        self.options = RealmOptions(realm)

    def configure(self, options: RealmOptions) -> None:
        """Take new options. Histories that are still wanted keep their events."""
        self.options = options
        self.retained.limit = options.max_retained
        wanted = {(history.match, history.uri): history for history in options.history}
        for history in list(self.histories.values()):
            subscription = history.subscription
            if (subscription.match, subscription.topic) not in wanted:
                self._drop_history(history)
        for key, history_options in wanted.items():
            self._keep_history(*key, history_options)

    # Hot path.

    def on_publish(self, session: Session, message: Publish) -> None:
        """PUBLISH: to every subscription that covers the topic, once each, with the same publication id."""
        topic = message.topic
        options = message.options
        is_plain = options in PLAIN_OPTIONS
        if not is_plain:
            check_announced(session, "publisher", options, "PUBLISH")
        if len(topic) + len(message.args) + len(message.kwargs) > session.limits.unchecked:
            check_sizes(session, topic, message, self._environment.is_deeper)
        role = self._roles[session.authrole]
        decision = role.publications.get(topic) or role.check(session, "publish", topic, message.options)
        if not decision.allowed or is_reserved(topic):
            raise refusal(decision, "publish", topic)
        if not is_plain:
            self.check_options(session, message)
        publication = Publication(
            self._environment.new_publication_id(),
            message,
            session.payload_format,
            session.id,
            session.authid,
            session.authrole,
            decision.disclose or options.disclose_me is True,
            session.trustlevel,
            is_plain=is_plain,
        )
        if options.acknowledge:
            self._outbox.append(Send((session.id,), Published(message.request_id, publication.id), PYTHON))
        self._dispatch(publication)
        if options.retain or self.histories:
            self._keep(publication)

    def _dispatch(self, publication: Publication) -> None:
        topic = publication.message.topic
        chosen = None if publication.is_plain else chooser(publication.message.options)
        exact = self._index.exact.get(topic)
        if exact is not None:
            self._send_event(exact, publication, chosen)
        for subscription in self._index.patterns(topic):
            self._send_event(subscription, publication, chosen)

    def _send_event(self, subscription: Subscription, publication: Publication, chosen: Chooser | None) -> None:
        to = receivers(subscription, publication, chosen)
        message = publication.message
        is_pattern = subscription.match != "exact"
        if is_pattern:
            to = self._permitted(subscription, to, message.topic)
        if to:
            details = event_details(publication, is_pattern=is_pattern)
            event = Event(subscription.id, publication.id, details, message.args, message.kwargs)
            self._outbox.append(Send(to, event, publication.payload_format))

    # End of the hot path.

    def on_subscribe(self, session: Session, message: Subscribe) -> None:
        """SUBSCRIBE: one subscription a topic and way of matching, shared by all who ask for it."""
        match: Match = message.options.match or "exact"
        topic = message.topic
        if len(topic) > session.limits.uri_length:
            raise session.limits.refusal("uri_length")
        decision = self._roles[session.authrole].check(session, "subscribe", topic, message.options, match)
        if not decision.allowed:
            raise refusal(decision, "subscribe to", topic)
        subscription = self._index.get(match, topic)
        is_new = subscription is None
        is_joining = subscription is None or session.id not in subscription.subscribers
        if is_joining and len(session.subscriptions) >= session.limits.subscriptions:
            raise session.limits.refusal("subscriptions")
        if subscription is None:
            subscription = self._create(match, topic)
        subscription.add(session, message.options.nkey)
        session.subscriptions[subscription.id] = subscription
        self._outbox.append(Send((session.id,), Subscribed(message.request_id, subscription.id), PYTHON))
        if is_new:
            self._announce("wamp.subscription.on_create", topic, session.id, describe(subscription))
        if is_joining:
            self._announce("wamp.subscription.on_subscribe", topic, session.id, subscription.id)
        if message.options.get_retained:
            self._replay(session, subscription)

    def on_unsubscribe(self, session: Session, message: Unsubscribe) -> None:
        """UNSUBSCRIBE: refused for a subscription that the session does not hold."""
        subscription = session.subscriptions.get(message.subscription_id)
        if subscription is None:
            text = f"this session holds no subscription {message.subscription_id}"
            raise RequestRefused(errors.NO_SUCH_SUBSCRIPTION, text)
        self._outbox.append(Send((session.id,), Unsubscribed(message.request_id), PYTHON))
        self.remove_subscriber(session, subscription)

    def remove_subscriber(self, session: Session, subscription: Subscription) -> None:
        """A session is no longer subscribed; the last one takes the subscription with it."""
        session.subscriptions.pop(subscription.id, None)
        if session.id not in subscription.subscribers:
            return
        subscription.remove(session)
        self._announce("wamp.subscription.on_unsubscribe", subscription.topic, session.id, subscription.id)
        if not subscription.subscribers and not subscription.is_kept:
            self._delete(subscription)
            self._announce("wamp.subscription.on_delete", subscription.topic, session.id, subscription.id)

    def revoke(self, session: Session, subscription: Subscription, reason: str) -> None:
        """The router takes a subscription from a session; a peer that announced revocation is told."""
        if session.has("subscriber", "subscription_revocation"):
            details = UnsubscribedDetails(subscription=subscription.id, reason=reason)
            self._outbox.append(Send((session.id,), Unsubscribed(0, details), PYTHON))
        self.remove_subscriber(session, subscription)

    def publish_own(self, topic: str, *args: Any) -> None:
        """The router itself publishes: a meta event. Costs nothing while nobody listens."""
        if topic not in self._index.exact and not self._index.patterns(topic):
            return
        message = Publish(1, NO_OPTIONS, topic, positional(*args))
        new_id = self._environment.new_publication_id()
        self._dispatch(Publication(new_id, message, PYTHON, 0, "", "", False, is_plain=True))

    def check_options(self, session: Session, message: Publish) -> None:
        """Whether a session may publish with these options. Raises RequestRefused."""
        options = message.options
        if options.disclose_me and not self.options.allow_disclose_me:
            raise RequestRefused(errors.OPTION_DISALLOWED_DISCLOSE_ME, "disclosing oneself is not allowed here")
        if options.retain and self.retained.is_full_for(message.topic):
            text = f"events of {self.retained.limit} topics are retained already"
            raise RequestRefused(errors.QUOTA_EXCEEDED, text)

    def role_of(self, session: Session) -> Role:
        """The role of a session."""
        return self._roles[session.authrole]

    def lookup(self, match: Match, topic: str) -> Subscription | None:
        """The subscription to just this topic or pattern."""
        return self._index.get(match, topic)

    def covering(self, topic: str) -> list[Subscription]:
        """The subscriptions that an event of this topic goes to."""
        exact = self._index.exact.get(topic)
        return [*([exact] if exact is not None else []), *self._index.patterns(topic)]

    def may_see(self, session: Session, publication: Publication) -> bool:
        """Whether a publication that was kept is for this session: its lists, and the rights of its role."""
        chosen = chooser(publication.message.options)
        if chosen is not None and not chosen(session):
            return False
        return self._roles[session.authrole].covers("subscribe", publication.message.topic)

    # --- parts of the above --------------------------------------------------------------------------------------

    def _keep(self, publication: Publication) -> None:
        publication.time = self._environment.utc_now()
        if publication.message.options.retain:
            self.retained.keep(publication)
        if not is_storable(publication):
            return
        topic = publication.message.topic
        exact = self._histories.exact.get(topic)
        for history in [*([exact] if exact is not None else []), *self._histories.patterns(topic)]:
            history.add(publication)
            if history.options.is_durable:
                self._outbox.append(Record(self._realm, history.options.match, history.options.uri, publication))

    def _replay(self, session: Session, subscription: Subscription) -> None:
        """The retained events that the session would have got; so not its own, unless it wanted those."""

        def is_meant(publication: Publication) -> bool:
            is_own = publication.session_id == session.id and publication.message.options.exclude_me is not False
            return not is_own and self.may_see(session, publication)

        is_pattern = subscription.match != "exact"
        for publication in self.retained.matching(subscription, is_meant):
            details = event_details(publication, is_pattern=is_pattern, is_retained=True)
            message = publication.message
            event = Event(subscription.id, publication.id, details, message.args, message.kwargs)
            self._outbox.append(Send((session.id,), event, publication.payload_format))

    def _create(self, match: Match, topic: str) -> Subscription:
        salt = 0
        while (new := stable_id(self._realm, "subscription", match, topic, salt)) in self.subscriptions:
            salt += 1
        subscription = Subscription(new, topic, match, self._environment.timestamp())
        self._index.put(match, topic, subscription)
        self.subscriptions[new] = subscription
        return subscription

    def _delete(self, subscription: Subscription) -> None:
        self._index.remove(subscription.match, subscription.topic)
        del self.subscriptions[subscription.id]

    def _keep_history(self, match: Match, uri: str, options: HistoryOptions) -> None:
        old = self._histories.get(match, uri)
        if old is not None and old.options == options:
            return
        subscription = self._index.get(match, uri) or self._create(match, uri)
        subscription.is_kept = True
        history = History(options, subscription)
        for publication in old.stored() if old is not None else ():
            history.add(publication)
        self._histories.put(match, uri, history)
        self.histories[subscription.id] = history

    def _drop_history(self, history: History) -> None:
        subscription = history.subscription
        self._histories.remove(subscription.match, subscription.topic)
        del self.histories[subscription.id]
        subscription.is_kept = False
        if not subscription.subscribers:
            self._delete(subscription)

    def _permitted(self, subscription: Subscription, to: Sequence[int], topic: str) -> Sequence[int]:
        """A pattern may cover topics that its subscribers' roles may not subscribe to. Each role is asked once."""
        sessions = subscription.subscribers
        names = {sessions[session_id].authrole for session_id in to}
        permitted = {name for name in names if name in self._roles and self._roles[name].covers("subscribe", topic)}
        if len(permitted) == len(names):
            return to
        return [session_id for session_id in to if sessions[session_id].authrole in permitted]


def event_details(publication: Publication, *, is_pattern: bool, is_retained: bool = False) -> EventDetails:
    """What an EVENT says of its publication."""
    is_more = is_pattern or is_retained or publication.is_disclosed or publication.trustlevel is not None
    if publication.is_plain and not is_more:
        return NO_DETAILS
    options = publication.message.options
    details = EventDetails(
        topic=publication.message.topic if is_pattern else None,
        retained=True if is_retained else None,
        trustlevel=publication.trustlevel,
        transaction_hash=options.transaction_hash,
    )
    mirrored(options, details)
    if publication.is_disclosed:
        details.publisher = publication.session_id
        details.publisher_authid = publication.authid
        details.publisher_authrole = publication.authrole
    return details


def describe(subscription: Subscription) -> dict[str, object]:
    """What the meta API says of a subscription."""
    return {
        "id": subscription.id,
        "created": subscription.created,
        "uri": subscription.topic,
        "match": subscription.match,
    }
