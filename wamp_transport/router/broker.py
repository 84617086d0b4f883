"""Handle publish and subscribe within one realm.

See the WAMP specification: Basic Profile, "Publish and Subscribe"; Advanced Profile, "Pattern-based Subscription",
"Publisher Identification", "Publication Trust Levels", "Event Retention", "Event History" and "Subscription
Revocation".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..wamp import errors
from ..wamp.errors import RequestRefused
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
from ..wamp.payload import PYTHON, copy_passthru_attributes, positional
from ..wamp.uris import is_reserved
from .effects import Confirmation, Effect, Produce, Record, Send
from .environment import Announce, Environment
from .handler_options import is_home_only
from .history import Histories, History, RetainedEvents, is_storable
from .memory_size import detach, size_of
from .message_checks import check_announced, check_node_key, check_pattern, check_sizes
from .options import HistoryOptions, Match, RealmOptions
from .pattern_registry import PatternRegistry
from .permissions import Role, refusal
from .receivers import ReceiverFilter, receiver_filter, receivers, stored_filter
from .records import Peer, Publication, Session, Subscription
from .relay import LocalBroker, RealmRelay

NO_DETAILS = EventDetails()
NO_OPTIONS = PublishOptions()
PLAIN_OPTIONS = (PublishOptions(acknowledge=True), NO_OPTIONS)
"""The options of most publications: none, or only ``acknowledge``."""


class Broker:
    """The subscriptions, retained events and event histories of one realm."""

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
        self._registry: PatternRegistry[Subscription] = PatternRegistry(realm, "subscription")
        self._index = self._registry.index
        self.event_histories = Histories()
        self.subscriptions = self._registry.by_id
        self.histories = self.event_histories.by_id
        self._has_synced_history = False
        self.retained = RetainedEvents()
        self.options = RealmOptions(realm)
        self._relay: RealmRelay | None = None

    def join_cluster(self, relay: RealmRelay) -> None:
        """Exchange events with the same realm on other nodes."""
        self._relay = relay
        relay.open(LocalBroker(self._dispatch, self._store, self._index, self.retained, self.histories))
        for subscription in self.subscriptions.values():
            self._update_interest(subscription)

    def clear_retained(self, topic: str) -> bool:
        """Delete the retained events of a topic on all nodes. Return False if this node has none."""
        if self._relay is not None:
            self._relay.clear_retained(topic)
        return self.retained.clear(topic)

    def configure(self, options: RealmOptions) -> None:
        """Apply new options. Histories that are still configured keep their events, within the new limits."""
        self.options = options
        self.retained.options = options
        self.event_histories.space.limit = options.max_history_size
        self._has_synced_history = any(each.is_synced for each in options.history)
        configured = {(history.match, history.uri): history for history in options.history}
        for history in list(self.histories.values()):
            subscription = history.subscription
            if (subscription.match, subscription.topic) not in configured:
                self._remove_history(history)
        for key, history_options in configured.items():
            self._keep_history(*key, history_options)
        self.event_histories.make_room()

    # Hot path.

    def on_publish(self, session: Session, message: Publish) -> None:
        """Handle PUBLISH: send an EVENT for each subscription that matches the topic, all with one publication id."""
        topic = message.topic
        options = message.options
        is_plain = options in PLAIN_OPTIONS
        if not is_plain:
            check_announced(session, "publisher", options, "PUBLISH")
        if len(topic) + len(message.args) + len(message.kwargs) > session.limits.unchecked_size:
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
        confirmation = self._confirmation(publication) if self._has_synced_history and options.acknowledge else None
        if options.acknowledge and confirmation is None:
            self._outbox.append(Send((session.id,), Published(message.request_id, publication.id), PYTHON))
        if self._relay is not None:
            self._relay.publish(publication)
        self._dispatch(publication)
        if options.retain or self.histories:
            self._store(publication, confirmation)

    def _dispatch(self, publication: Publication) -> None:
        topic = publication.message.topic
        accepts = None if publication.is_plain else receiver_filter(publication.message.options)
        exact = self._index.exact.get(topic)
        if exact is not None:
            self._send_event(exact, publication, accepts)
        for subscription in self._index.patterns(topic):
            self._send_event(subscription, publication, accepts)

    def _send_event(self, subscription: Subscription, publication: Publication, accepts: ReceiverFilter | None) -> None:
        to = receivers(subscription, publication, accepts)
        message = publication.message
        is_pattern = subscription.match != "exact"
        if is_pattern:
            to = self._filter_by_role(subscription, to, message.topic)
        if to:
            details = event_details(publication, is_pattern=is_pattern)
            event = Event(subscription.id, publication.id, details, message.args, message.kwargs)
            self._outbox.append(Send(to, event, publication.payload_format))

    # End of the hot path.

    def on_subscribe(self, session: Session, message: Subscribe) -> None:
        """Handle SUBSCRIBE. All subscribers to the same topic with the same match policy share one subscription.

        A new subscriber gets SUBSCRIBED before any event.
        """
        match: Match = message.options.match or "exact"
        topic = message.topic
        check_pattern(session, topic, match)
        check_node_key(message.options)
        decision = self._roles[session.authrole].check(session, "subscribe", topic, message.options, match)
        if not decision.allowed:
            raise refusal(decision, "subscribe to", topic)
        subscription = self._index.get(match, topic)
        is_new = subscription is None
        is_joining = subscription is None or session.id not in subscription.subscribers
        if is_joining and len(session.subscriptions) >= session.limits.subscriptions:
            raise session.limits.refusal("subscriptions")
        if subscription is None:
            self._registry.check_room(match, topic)
            subscription = self._create(match, topic)
        subscription.add(session, message.options.nkey, home_only=is_home_only(message.options))
        session.subscriptions[subscription.id] = subscription
        self._update_interest(subscription)
        if self._relay is not None:
            self._relay.on_subscribed(session, subscription, message.options.nkey)
        self._outbox.append(Send((session.id,), Subscribed(message.request_id, subscription.id), PYTHON))
        if is_new and not self._is_used_elsewhere(subscription):
            self._announce("wamp.subscription.on_create", topic, session.id, describe(subscription))
        if is_joining:
            self._announce("wamp.subscription.on_subscribe", topic, session.id, subscription.id)
        if message.options.get_retained:
            self.retained.remove_expired(self._environment.utc_now())
        if message.options.get_retained and len(self.retained):
            replay = self._replay(session, subscription, self.retained.last_number)
            self._outbox.append(Produce(session.id, replay))

    def on_unsubscribe(self, session: Session, message: Unsubscribe) -> None:
        """Handle UNSUBSCRIBE. Raises RequestRefused if the session does not have the subscription."""
        subscription = session.subscriptions.get(message.subscription_id)
        if subscription is None:
            text = f"this session holds no subscription {message.subscription_id}"
            raise RequestRefused(errors.NO_SUCH_SUBSCRIPTION, text)
        self._outbox.append(Send((session.id,), Unsubscribed(message.request_id), PYTHON))
        self.remove_subscriber(session, subscription)

    def remove_subscriber(self, session: Session, subscription: Subscription) -> None:
        """Remove a subscriber. Also remove the subscription if no subscriber remains and it is not persistent.

        The session can have left its realm already, because :meth:`Realm.run_cleanup` removes subscriptions later.
        """
        session.subscriptions.pop(subscription.id, None)
        if session.id not in subscription.subscribers:
            return
        subscription.remove(session)
        if self._relay is not None:
            self._relay.own.remove_shard(subscription.match, subscription.topic, session.id)
        self._announce("wamp.subscription.on_unsubscribe", subscription.topic, session.id, subscription.id)
        if not subscription.subscribers and not subscription.is_persistent:
            self._delete(subscription)
            if not self._is_used_elsewhere(subscription):
                self._announce("wamp.subscription.on_delete", subscription.topic, session.id, subscription.id)
        else:
            self._update_interest(subscription)

    def revoke(self, session: Session, subscription: Subscription, reason: str) -> None:
        """Remove a subscriber on the router's initiative.

        Send UNSUBSCRIBED if the client announced support for revocation.
        """
        if session.has("subscriber", "subscription_revocation"):
            details = UnsubscribedDetails(subscription=subscription.id, reason=reason)
            self._outbox.append(Send((session.id,), Unsubscribed(0, details), PYTHON))
        self.remove_subscriber(session, subscription)

    def publish_own(self, topic: str, *args: Any) -> None:
        """Publish a meta event of the router, unless nobody has subscribed to its topic."""
        relay = self._relay
        is_wanted = topic in self._index.exact or self._index.patterns(topic) or (relay and relay.is_wanted(topic))
        if not is_wanted:
            return
        message = Publish(1, NO_OPTIONS, topic, positional(*args))
        new_id = self._environment.new_publication_id()
        publication = Publication(new_id, message, PYTHON, 0, "", "", False, is_plain=True)
        if relay is not None:
            relay.publish(publication)
        self._dispatch(publication)

    def check_options(self, session: Session, message: Publish) -> None:
        """Check that a session may publish with these options. Raises RequestRefused."""
        options = message.options
        if options.disclose_me and not self.options.allow_disclose_me:
            raise RequestRefused(errors.OPTION_DISALLOWED_DISCLOSE_ME, "disclosing oneself is not allowed here")
        if options.retain:
            self.retained.check(session, message, self._environment.utc_now())

    def role_of(self, session: Session) -> Role:
        """Return the role of a session."""
        return self._roles[session.authrole]

    def lookup(self, match: Match, topic: str) -> Subscription | None:
        """Return the subscription to exactly this topic or pattern, or None if there is none."""
        return self._index.get(match, topic)

    def matching_subscriptions(self, topic: str) -> list[Subscription]:
        """Return the subscriptions that match a topic."""
        return self._index.find_all(topic)

    def may_see(self, peer: Peer, publication: Publication) -> bool:
        """Return whether a peer may receive a stored publication.

        The publication's black and white lists must accept the peer, and the peer's role must be allowed to subscribe
        to the topic.
        """
        accepts = stored_filter(publication)
        if accepts is not None and not accepts(peer):
            return False
        return self._roles[peer.authrole].covers("subscribe", publication.message.topic)

    # --- helpers ---------------------------------------------------------------------------------------------------

    def _store(self, publication: Publication, confirmation: Confirmation | None, *, is_own: bool = True) -> None:
        """Store a publication in the histories of its topic, and retain it if its options request this.

        ``is_own`` is True if the publisher is a session of this node.
        """
        message = publication.message
        histories = self.event_histories.find_all(message.topic) if is_storable(publication) else []
        if not (message.options.retain or histories):
            return
        if publication.time is None:
            publication.time = self._environment.utc_now()
        publication.message = detach(message)
        publication.size = size_of(message)
        if message.options.retain and is_own:
            self.retained.keep(publication)
        elif message.options.retain:
            self.retained.keep_relayed(publication)
        for history in self.event_histories.add(publication, histories):
            options = history.options
            if options.is_durable and is_own:
                record = Record(self._realm, options.match, options.uri, publication, len(history))
                if options.is_synced and confirmation is not None:
                    confirmation.missing += 1
                    record.confirmation = confirmation
                self._outbox.append(record)
        if confirmation is not None and not confirmation.missing:
            self._outbox.append(confirmation.answer(is_stored=False))

    def _confirmation(self, publication: Publication) -> Confirmation | None:
        """Return a Confirmation if a publication must be stored before it is acknowledged; otherwise None."""
        found = self.event_histories.find_all(publication.message.topic) if is_storable(publication) else ()
        if not any(history.options.is_synced for history in found):
            return None
        return Confirmation(publication.session_id, publication.message.request_id, publication.id)

    def _replay(self, session: Session, subscription: Subscription, last_number: int) -> Iterator[Send | None]:
        """Yield an EVENT for each retained event that the session may see.

        A step that finds no event yields None, so that a long search does not block other sessions. Events that the
        session published itself are included only if their ``exclude_me`` is False. Events that were retained after the
        event number ``last_number`` are skipped, because the session was already subscribed and has received them. The
        iterator ends early if the session unsubscribes.
        """

        def is_visible(publication: Publication) -> bool:
            is_own = publication.session_id == session.id and publication.message.options.exclude_me is not False
            if is_own or self.retained.is_expired(publication, self._environment.utc_now()):
                return False
            return self.may_see(session, publication)

        is_pattern = subscription.match != "exact"
        for publication in self.retained.find_latest(subscription, is_visible, last_number):
            if subscription.id not in session.subscriptions:
                return
            if publication is None:
                yield None
                continue
            details = event_details(publication, is_pattern=is_pattern, is_retained=True)
            message = publication.message
            event = Event(subscription.id, publication.id, details, message.args, message.kwargs)
            yield Send((session.id,), event, publication.payload_format)

    def _create(self, match: Match, topic: str) -> Subscription:
        created = self._environment.timestamp()
        return self._registry.create(match, topic, lambda new_id: Subscription(new_id, topic, match, created))

    def _delete(self, subscription: Subscription) -> None:
        self._registry.remove(subscription.id, subscription.match, subscription.topic)
        self._update_interest(subscription)

    def _update_interest(self, subscription: Subscription) -> None:
        """Announce whether this node wants the events of other nodes for a subscription, if that has changed."""
        relay, is_wanted = self._relay, subscription.needs_other_nodes
        if relay is None or subscription.is_announced is is_wanted:
            return
        subscription.is_announced = is_wanted
        announce = relay.own.add if is_wanted else relay.own.release
        announce(subscription.match, subscription.topic)

    def _is_used_elsewhere(self, subscription: Subscription) -> bool:
        """Return whether another node has subscribers for the same topic or pattern."""
        return self._relay is not None and self._relay.remote.is_in_use(subscription.match, subscription.topic)

    def _keep_history(self, match: Match, uri: str, options: HistoryOptions) -> None:
        old = self.event_histories.get(match, uri)
        if old is not None and old.options == options:
            return
        subscription = self._index.get(match, uri) or self._create(match, uri)
        subscription.is_persistent = True
        self._update_interest(subscription)
        publications = old.publications() if old is not None else []
        history = History(options, subscription, self.event_histories.space)
        self.event_histories.put(history)
        history.restore(publications)

    def _remove_history(self, history: History) -> None:
        subscription = history.subscription
        self.event_histories.remove(history)
        subscription.is_persistent = False
        if not subscription.subscribers:
            self._delete(subscription)
        else:
            self._update_interest(subscription)

    def _filter_by_role(self, subscription: Subscription, to: Sequence[int], topic: str) -> Sequence[int]:
        """Return the receivers whose roles may subscribe to the topic.

        A role that may subscribe to a pattern can lack the permission for some of the matching topics. Each role is
        checked only once.
        """
        peers = subscription.subscribers
        names = {peers[session_id].authrole for session_id in to}
        allowed = {name for name in names if name in self._roles and self._roles[name].covers("subscribe", topic)}
        if len(allowed) == len(names):
            return to
        return [session_id for session_id in to if peers[session_id].authrole in allowed]


def event_details(publication: Publication, *, is_pattern: bool, is_retained: bool = False) -> EventDetails:
    """Return the details of the EVENT for a publication. ``is_pattern`` is True for a subscription to a pattern."""
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
    copy_passthru_attributes(options, details)
    if publication.is_disclosed:
        details.publisher = publication.session_id
        details.publisher_authid = publication.authid
        details.publisher_authrole = publication.authrole
    return details


def describe(subscription: Subscription) -> dict[str, object]:
    """Return the details of a subscription for the meta API."""
    return {
        "id": subscription.id,
        "created": subscription.created,
        "uri": subscription.topic,
        "match": subscription.match,
    }
