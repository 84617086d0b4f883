"""Select the subscribers that receive a publication: publisher exclusion, black and white lists, shards.

Sections of the specification: Advanced Profile, "Publisher Exclusion", "Subscriber Black- and Whitelisting",
"Sharded Subscription".
"""

from collections.abc import Callable, Sequence

from ..wamp.messages import PublishOptions
from .policies import weight
from .records import ACTIVE_STATES, Peer, Publication, Subscription

ReceiverFilter = Callable[[Peer], bool]


def receivers(subscription: Subscription, publication: Publication, accepts: ReceiverFilter | None) -> Sequence[int]:
    """Return the ids of the subscribers that receive the event. ``accepts`` is None if the publication has no lists."""
    if publication.is_plain and publication.session_id not in subscription.subscribers:
        return subscription.receivers
    options = publication.message.options
    publisher = publication.session_id if options.exclude_me is not False else 0
    to: Sequence[int]
    if accepts is not None:
        peers = subscription.subscribers.values()
        to = [peer.id for peer in peers if peer.id != publisher and accepts(peer)]
    elif publisher in subscription.subscribers:
        to = [session_id for session_id in subscription.receivers if session_id != publisher]
    else:
        to = subscription.receivers
    if options.rkey is not None and subscription.node_keys:
        return _select_shard(subscription, to, options.rkey)
    return to


def receiver_filter(options: PublishOptions) -> ReceiverFilter | None:
    """Return a function that applies the lists of a publication to a peer, or None if it has no lists.

    An empty white list accepts no peer. Black lists take precedence over white lists.
    """
    tests: list[ReceiverFilter] = []
    for eligible, attribute in (
        (options.eligible, "id"),
        (options.eligible_authid, "authid"),
        (options.eligible_authrole, "authrole"),
    ):
        if eligible is not None:
            tests.append(_includes(attribute, frozenset(eligible)))
    for excluded, attribute in (
        (options.exclude, "id"),
        (options.exclude_authid, "authid"),
        (options.exclude_authrole, "authrole"),
    ):
        if excluded:
            tests.append(_excludes(attribute, frozenset(excluded)))
    if not tests:
        return None
    return lambda peer: all(test(peer) for test in tests)


def _select_shard(subscription: Subscription, to: Sequence[int], resource: str) -> list[int]:
    """Return all receivers without a node key, and the one with the node key that the resource is assigned to.

    Skip subscribers that are leaving: the event would be lost.
    """
    keys, subscribers = subscription.node_keys, subscription.subscribers
    shards = [each for each in to if each in keys and subscribers[each].state in ACTIVE_STATES]
    one = max(shards, key=lambda session_id: weight(resource, keys[session_id]), default=None)
    return [session_id for session_id in to if session_id not in keys or session_id == one]


def _includes(attribute: str, values: frozenset[int | str]) -> ReceiverFilter:
    return lambda peer: getattr(peer, attribute) in values


def _excludes(attribute: str, values: frozenset[int | str]) -> ReceiverFilter:
    return lambda peer: getattr(peer, attribute) not in values
