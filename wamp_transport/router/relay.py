"""Send events to the other nodes of a cluster, and receive theirs.

See :mod:`.relayed` for the terms.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from ..wamp import errors
from ..wamp.errors import PayloadError
from .effects import Effect, Relay, RelayFailed
from .environment import Environment
from .history import History, RetainedEvents
from .interest import RemoteInterest
from .matching import PatternIndex
from .members import Members
from .memory_size import size_of
from .open_questions import OpenQuestions
from .own_interest import Announcements, OwnInterest
from .policies import weight
from .receivers import ReceiverFilter, receiver_filter
from .records import ACTIVE_STATES, ChosenShard, Publication, Session, Subscription
from .relayed import (
    SERIALIZED,
    InterestChange,
    InterestPage,
    InterestUpdate,
    RelayedClear,
    RelayedEvent,
    RelayedMessage,
    RelayedQuestion,
    RelayedReply,
    RelayedRetained,
    RemoteShard,
    WantRetained,
    received_publication,
    relayed_event,
)
from .remote_calls import CALL_MESSAGES, RemoteCalls

CORE_MESSAGES: Final = CALL_MESSAGES | {RelayedEvent}
"""The types of messages between nodes that only the core handles: events and messages about calls."""

EVENTS_PER_PAGE: Final = 100
"""Maximum number of events in one page of a node's retained events."""


class LocalBroker(NamedTuple):
    """The parts of a realm's broker on this node that handle messages from other nodes.

    ``dispatch`` sends a publication to the subscribers on this node. ``store`` retains it or adds it to histories.
    """

    dispatch: Callable[[Publication], None]
    store: Callable[..., None]
    subscriptions: PatternIndex[Subscription]
    retained: RetainedEvents
    histories: Mapping[int, History]


class RealmRelay:
    """The connection of one realm's broker with the same realm on the other nodes.

    ``own`` is the interest of this node, ``remote`` is the interest of the other nodes. The realm is *open* while it
    exists on this node. A realm that is not open ignores events.
    """

    def __init__(
        self,
        realm: str,
        members: Members,
        announcements: Announcements,
        outbox: list[Effect],
        environment: Environment,
    ) -> None:
        self._realm = realm
        self._members = members
        self._outbox = outbox
        self._environment = environment
        self.own = OwnInterest(realm, announcements, environment.deadlines)
        self.remote = RemoteInterest()
        self._local: LocalBroker | None = None
        self.answer_question: Callable[[RelayedQuestion], RelayedReply] | None = None
        """The function that answers questions of other nodes; None unless the realm is open."""

    def open(self, local: LocalBroker) -> None:
        """Open the realm: pass the events of other nodes to the broker of this node from now on."""
        self._local = local

    def close(self) -> None:
        """Close the realm, which no longer exists on this node. Announce that its events are no longer wanted."""
        self._local = None
        self.answer_question = None
        self.own.clear()

    # Hot path of a cluster.

    def publish(self, publication: Publication) -> None:
        """Send a publication of this node to the other nodes that want it, or to all of them if it must be retained.

        Call this before the publication is sent to the subscribers on this node, because this method chooses among the
        subscribers with node keys. The realm must be open.
        """
        message, members, local = publication.message, self._members.everyone, self._local
        if local is None or not members:
            return
        if message.options.retain:
            publication.time = local.retained.next_time(message.topic, self._environment)
        else:
            members = self.remote.members_for(message.topic)
            if not members:
                return
            if local.histories:
                publication.time = self._environment.utc_now()
        if message.options.rkey is not None:
            publication.shards = tuple(self._choose_shards(publication, local.subscriptions))
        try:
            event = relayed_event(self._realm, publication, self._environment.serialize)
        except PayloadError:
            self._outbox.append(RelayFailed(message.topic))
        else:
            self._outbox.append(Relay(self._members.names(members), event))

    def receive_event(self, event: RelayedEvent) -> None:
        """Handle an event from another node."""
        local = self._local
        if local is None:
            return
        publication = received_publication(event)
        local.dispatch(publication)
        if local.histories or (event.options is not None and event.options.retain):
            local.store(publication, None, is_own=False)

    # End of the hot path.

    def clear_retained(self, topic: str) -> None:
        """Delete the retained events of a topic on all other nodes. Call this before deleting those on this node."""
        members = self._members
        if self._local is not None and members.everyone:
            time = self._local.retained.next_time(topic, self._environment)
            self._outbox.append(Relay(members.names(members.everyone), RelayedClear(self._realm, topic, time)))

    def retained_pages(self) -> Iterator[RelayedRetained]:
        """Yield all retained events, in pages."""
        publications = [] if self._local is None else self._local.retained.publications()
        events = []
        for publication in publications:
            with suppress(PayloadError):  # reported when it was published
                events.append(relayed_event(self._realm, publication, self._environment.serialize))
        for start in range(0, len(events), EVENTS_PER_PAGE):
            yield RelayedRetained(self._realm, events[start : start + EVENTS_PER_PAGE])

    def receive(self, bit: int, message: RelayedMessage) -> None:
        """Handle a message, other than an event, from the node with this bit."""
        local = self._local
        if isinstance(message, InterestUpdate):
            self.remote.update(bit, message.changes)
        elif local is None:
            pass
        elif isinstance(message, RelayedClear):
            local.retained.clear(message.topic, message.time)
        elif isinstance(message, RelayedRetained):
            for event in message.events:
                publication = received_publication(event)
                publication.size = size_of(publication.message)
                local.retained.keep_relayed(publication)

    def is_wanted(self, topic: str) -> bool:
        """Return whether another node wants the events of a topic."""
        return bool(self.remote.members_for(topic))

    def on_subscribed(self, session: Session, subscription: Subscription, node_key: str | None) -> None:
        """Handle a new or repeated subscription of a session, before SUBSCRIBED is sent.

        If the subscriber receives events of other nodes, SUBSCRIBED and all later messages to it are delayed until all
        other nodes know that the events are wanted.
        """
        match, topic = subscription.match, subscription.topic
        if node_key is not None:
            shard = RemoteShard(session.id, session.authid, session.authrole, node_key)
            self.own.add_shard(match, topic, shard)
        if session.id not in subscription.home_only:
            self.own.hold(session.id, match, topic)

    def _choose_shards(
        self, publication: Publication, subscriptions: PatternIndex[Subscription]
    ) -> Iterator[ChosenShard]:
        """For each topic or pattern, yield the subscriber that receives a publication with a resource key.

        Topics and patterns for which no other node has subscribers with node keys are left out.
        """
        options = publication.message.options
        accepts = receiver_filter(options)
        publisher = publication.session_id if options.exclude_me is not False else 0
        for group in self.remote.shard_groups(publication.message.topic):
            match, uri = group.pattern
            shards = [*_local_shards(subscriptions.get(match, uri)), *group.shards.values()]
            found = _choose(shards, options.rkey or "", accepts, publisher)
            yield ChosenShard(match, uri, found)


def _local_shards(subscription: Subscription | None) -> Iterator[RemoteShard]:
    if subscription is None:
        return
    for session_id, node_key in subscription.node_keys.items():
        peer = subscription.subscribers[session_id]
        if peer.state in ACTIVE_STATES:
            yield RemoteShard(peer.id, peer.authid, peer.authrole, node_key)


def _choose(shards: list[RemoteShard], resource: str, accepts: ReceiverFilter | None, publisher: int) -> int:
    """Return the session id of the subscriber to which ``resource`` is assigned; 0 if there is none."""
    found = [each for each in shards if each.id != publisher and (accepts is None or accepts(each))]
    # Every node must choose the same one of two subscribers with equal node keys.
    chosen = max(found, key=lambda each: (weight(resource, each.node_key), each.id), default=None)
    return 0 if chosen is None else chosen.id


class Cluster:
    """The other nodes of the cluster, as a router sees them.

    ``realms`` contains all realms that this or another node has used. ``calls`` contains their calls and registrations.
    """

    def __init__(self, outbox: list[Effect], environment: Environment) -> None:
        self._outbox = outbox
        self._environment = environment
        self.members = Members()
        self.questions = OpenQuestions(self.members, outbox, environment)
        self.announcements = Announcements(self.members, outbox)
        self.realms: dict[str, RealmRelay] = {}
        self.calls = RemoteCalls(self.members, outbox, environment)

    def realm(self, name: str) -> RealmRelay:
        """Return the connection of a realm with the other nodes."""
        relay = self.realms.get(name)
        if relay is None:
            relay = RealmRelay(name, self.members, self.announcements, self._outbox, self._environment)
            self.realms[name] = relay
        return relay

    def close_realm(self, name: str) -> None:
        """Close a realm that no longer exists on this node."""
        relay = self.realms.get(name)
        if relay is not None:
            relay.close()
        self.calls.close_realm(name)

    def add_member(self, name: str) -> None:
        """Add a node to the cluster, unless it was added before.

        The package ``cluster`` must then send the interest of this node to it.
        """
        if name not in self.members:
            self.members.add(name)

    def remove_member(self, name: str) -> None:
        """Remove a node that has left the cluster."""
        self.calls.remove_member(name)
        bit = self.members.remove(name)
        if bit:
            for relay in self.realms.values():
                relay.remote.remove_member(bit)
            self.questions.remove_member(bit)
        if not self.members.everyone:
            self.announcements.on_known(self.announcements.last)

    def interest(self) -> dict[str, list[InterestChange]]:
        """Return the complete interest of this node by realm, for a node that does not know it.

        It includes all announcements up to the number ``announcements.last``.
        """
        return {name: changes for name, relay in self.realms.items() if (changes := relay.own.changes())}

    def replace_interest(self, name: str, pages: Iterable[InterestPage]) -> None:
        """Replace the interest of the node ``name`` with the snapshot ``pages``, which it has sent."""
        bit = self.members.bit(name)
        if not bit:
            return
        for relay in self.realms.values():
            relay.remote.remove_member(bit)
        for page in pages:
            self.realm(page.realm).remote.update(bit, page.changes)

    def receive(self, name: str, message: RelayedMessage) -> None:
        """Handle a message from another node. Ignore messages from a node that is not in the cluster."""
        if type(message) in CALL_MESSAGES:
            self.calls.receive(name, message)  # type: ignore[arg-type] # mypy does not narrow by a set of types
            return
        bit = self.members.bit(name)
        if not bit:
            return
        if type(message) is RelayedEvent:
            relay = self.realms.get(message.realm)
            if relay is not None:
                relay.receive_event(message)
        elif isinstance(message, WantRetained):
            self._send_retained(name)
        elif isinstance(message, RelayedQuestion):
            self._outbox.append(Relay((name,), self._answer(message)))
        elif isinstance(message, RelayedReply):
            self.questions.on_reply(bit, message)
        else:
            self.realm(message.realm).receive(bit, message)

    def _answer(self, question: RelayedQuestion) -> RelayedReply:
        relay = self.realms.get(question.realm)
        if relay is not None and relay.answer_question is not None:
            return relay.answer_question(question)
        return RelayedReply(question.realm, question.question_id, errors.NO_SUCH_REALM, SERIALIZED)

    def _send_retained(self, name: str) -> None:
        pages = [page for relay in self.realms.values() for page in relay.retained_pages()]
        for page in pages:
            self._outbox.append(Relay((name,), page))
        self._outbox.append(Relay((name,), RelayedRetained("", [], is_last=True)))
