"""Send events to the other nodes of a cluster, and receive theirs.

See :mod:`.relayed` for the terms.
"""

from collections.abc import Callable, Iterator
from typing import Any

from .effects import Effect, Relay
from .environment import Environment
from .interest import RemoteInterest
from .matching import PatternIndex
from .members import Members
from .own_interest import Announcements, OwnInterest
from .policies import weight
from .receivers import ReceiverFilter, receiver_filter
from .records import ACTIVE_STATES, ChosenShard, Publication, Session, Subscription
from .relayed import RelayedEvent, RelayedInterest, RelayedMessage, RemoteShard, received_publication, relayed_event

Deliver = Callable[[Publication], None]
"""A function that sends a publication of another node to the subscribers on this node."""


class RealmRelay:
    """The connection of one realm's broker with the same realm on the other nodes.

    ``own`` is the interest of this node, ``remote`` is the interest of the other nodes. ``deliver`` is None while this
    node does not have the realm.
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
        self.deliver: Deliver | None = None

    # Hot path of a cluster.

    def publish(self, publication: Publication, subscriptions: PatternIndex[Subscription], time: Any = None) -> None:
        """Send a publication of this node to each other node that wants it.

        Call this before the publication is sent to the subscribers on this node, because it chooses among the
        subscribers with node keys. ``subscriptions`` are those of this node. ``time`` must be given if the event is to
        be retained; it is the time of publication, and the event is sent to all other nodes.
        """
        topic = publication.message.topic
        members = self._members.everyone if time is not None else self.remote.members_for(topic)
        if not members:
            return
        publication.time = time or self._environment.utc_now()
        if publication.message.options.rkey is not None:
            publication.shards = tuple(self._choose_shards(publication, subscriptions))
        self._outbox.append(Relay(self._members.names(members), relayed_event(self._realm, publication)))

    # End of the hot path.

    def is_wanted(self, topic: str) -> bool:
        """Return whether another node wants the events of a topic."""
        return bool(self.remote.members_for(topic))

    def on_subscribed(self, session: Session, subscription: Subscription, node_key: str | None) -> None:
        """Handle a new or repeated subscription of a session, before SUBSCRIBED is sent.

        SUBSCRIBED and what follows it are delayed until all other nodes know that the events are wanted.
        """
        match, topic = subscription.match, subscription.topic
        if node_key is not None:
            shard = RemoteShard(session.id, session.authid, session.authrole, node_key)
            self.own.add_shard(match, topic, shard)
        self.own.hold(session.id, match, topic)

    def _choose_shards(
        self, publication: Publication, subscriptions: PatternIndex[Subscription]
    ) -> Iterator[ChosenShard]:
        """Yield the subscriber that receives a publication with a resource key, for each topic or pattern.

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

    ``realms`` contains all realms that this or another node has used.
    """

    def __init__(self, outbox: list[Effect], environment: Environment) -> None:
        self._outbox = outbox
        self._environment = environment
        self.members = Members()
        self.announcements = Announcements(self.members, outbox)
        self.realms: dict[str, RealmRelay] = {}

    def realm(self, name: str) -> RealmRelay:
        """Return the connection of a realm with the other nodes."""
        relay = self.realms.get(name)
        if relay is None:
            relay = RealmRelay(name, self.members, self.announcements, self._outbox, self._environment)
            self.realms[name] = relay
        return relay

    def close_realm(self, name: str) -> None:
        """Announce that this node no longer has a realm."""
        relay = self.realms.get(name)
        if relay is not None:
            relay.deliver = None
            relay.own.clear()

    def add_member(self, name: str) -> None:
        """Add a node to the cluster and send it the complete interest of this node. Do nothing if it is there."""
        if name not in self.members:
            self.members.add(name)
            self.send_interest(name)

    def remove_member(self, name: str) -> None:
        """Remove a node that has left the cluster."""
        bit = self.members.remove(name)
        if bit:
            for relay in self.realms.values():
                relay.remote.remove_member(bit)
        if not self.members.everyone:
            self.announcements.on_known(self.announcements.last)

    def send_interest(self, name: str) -> None:
        """Send the complete interest of this node to another node, which replaces what that node knows of it."""
        for relay in self.realms.values():
            for page in relay.own.pages():
                self._outbox.append(Relay((name,), page, self.announcements.last))

    def receive(self, name: str, message: RelayedMessage) -> None:
        """Handle a message of another node. Ignore messages of a node that is not in the cluster."""
        bit = self.members.bit(name)
        if not bit:
            return
        relay = self.realm(message.realm)
        if isinstance(message, RelayedInterest):
            relay.remote.update(bit, message)
        elif isinstance(message, RelayedEvent) and relay.deliver is not None:
            relay.deliver(received_publication(message))
