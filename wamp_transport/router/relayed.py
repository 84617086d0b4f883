"""Define the messages about publish and subscribe that the nodes of a cluster send to each other.

A cluster is several nodes that clients see as one router. Each session is connected to one node. For a publication, the
publisher's node is its *home*: it checks the permissions, assigns the publication id and decides whether the publisher
is disclosed. It sends the event to each node that has asked for events of the topic. That a node wants the events of a
topic or pattern is called its *interest*.

These structs only hold data. The package ``cluster`` encodes them for other processes.
"""

from typing import Any, Literal, NamedTuple

from msgspec import Raw, Struct

from ..wamp.messages import Publish, PublishOptions
from ..wamp.payload import ABSENT
from .options import Match
from .records import ChosenShard, Publication

NO_OPTIONS = PublishOptions()

InterestKind = Literal["add", "release", "remove", "add_shard", "remove_shard"]
"""A kind of change in the interest of a node.

- ``add``: the node has subscribers for the topic or pattern
- ``release``: it has none any more, but still wants the events for a while, in case somebody subscribes again
- ``remove``: it no longer wants the events
- ``add_shard``, ``remove_shard``: a subscriber with a node key was added or removed
"""


class RelayedEvent(Struct, gc=False):
    """An event for the subscribers on another node.

    ``time`` is the time of publication. ``shards`` contains the subscribers with a node key that the home has chosen;
    it is empty if the publication has no resource key. For the other fields see :class:`.Publication`.
    """

    realm: str
    publication_id: int
    time: Any
    topic: str
    session_id: int
    authid: str
    authrole: str
    trustlevel: int | None
    is_disclosed: bool
    options: PublishOptions
    payload_format: str
    args: Raw = ABSENT
    kwargs: Raw = ABSENT
    shards: tuple[ChosenShard, ...] = ()


class RemoteShard(NamedTuple):
    """A subscriber on another node that has a node key.

    It has the attributes by which a publication can select its receivers.
    """

    id: int
    authid: str
    authrole: str
    node_key: str


class InterestChange(Struct, gc=False):
    """A change of a node's interest in a topic or pattern.

    ``shard`` is the subscriber that was added or removed if ``kind`` is ``add_shard`` or ``remove_shard``, otherwise
    None.
    """

    kind: InterestKind
    match: Match
    uri: str
    shard: RemoteShard | None = None


class RelayedInterest(Struct, gc=False):
    """Changes of the sender's interest in one realm, in order.

    The complete interest of a node is sent in one or more pages, which contain only ``add``, ``release`` and
    ``add_shard``. ``is_first`` and ``is_last`` mark the first and the last page; with one page, it has both. Other
    changes may come between two pages. When the last page has arrived, the interest that was in no page and in no
    change since the first page is removed.
    """

    realm: str
    changes: list[InterestChange]
    is_first: bool = False
    is_last: bool = False


class RelayedRetained(Struct, gc=False):
    """Some of the retained events of the sender, for a node that has joined the cluster."""

    realm: str
    events: list[RelayedEvent]


class RelayedClear(Struct, gc=False):
    """A request to delete the retained events of a topic that are older than ``time``."""

    realm: str
    topic: str
    time: Any


RelayedMessage = RelayedEvent | RelayedInterest | RelayedRetained | RelayedClear


def relayed_event(realm: str, publication: Publication) -> RelayedEvent:
    """Return the event to send to other nodes for a publication, whose time must be set."""
    message = publication.message
    return RelayedEvent(
        realm,
        publication.id,
        publication.time,
        message.topic,
        publication.session_id,
        publication.authid,
        publication.authrole,
        publication.trustlevel,
        publication.is_disclosed,
        NO_OPTIONS if publication.is_plain else message.options,
        publication.payload_format,
        message.args,
        message.kwargs,
        publication.shards,
    )


def received_publication(event: RelayedEvent) -> Publication:
    """Return the publication that another node has sent."""
    return Publication(
        event.publication_id,
        Publish(1, event.options, event.topic, event.args, event.kwargs),
        event.payload_format,
        event.session_id,
        event.authid,
        event.authrole,
        event.is_disclosed,
        event.trustlevel,
        event.time,
        is_plain=event.options == NO_OPTIONS,
        shards=event.shards,
    )
