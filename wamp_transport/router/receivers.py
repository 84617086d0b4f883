"""Select the subscribers that receive a publication, by publisher exclusion, black and white lists, and shards.

See the WAMP specification, Advanced Profile, "Publisher Exclusion", "Subscriber Black- and Whitelisting" and "Sharded
Subscription".
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from ..wamp.messages import PublishOptions
from .policies import weight
from .records import ACTIVE_STATES, ChosenShard, Publication, Subscription


class Receiver(Protocol):
    """The attributes of a subscriber by which a publication can select its receivers."""

    @property
    def id(self) -> int:
        """The session id."""

    @property
    def authid(self) -> str:
        """The authid of the session."""

    @property
    def authrole(self) -> str:
        """The role of the session."""


ReceiverFilter = Callable[[Receiver], bool]

MAX_INTEGER_SET = 100
"""Maximum length of a list of session ids that are compared as numbers. Ids in longer lists are compared as text.

The publisher chooses the ids. It could choose numbers whose hashes collide, and building a set of them would take
quadratic time.
"""


def receivers(subscription: Subscription, publication: Publication, accepts: ReceiverFilter | None) -> Sequence[int]:
    """Return the ids of the subscribers that receive a publication through ``subscription``.

    ``accepts`` is the result of :func:`receiver_filter` for the publication.
    """
    to: Sequence[int]
    if publication.is_plain and publication.session_id not in subscription.subscribers:
        to = subscription.receivers
        return _without_home_only(subscription, to) if publication.is_relayed else to
    options = publication.message.options
    publisher = publication.session_id if options.exclude_me is not False else 0
    if accepts is not None:
        peers = subscription.subscribers.values()
        to = [peer.id for peer in peers if peer.id != publisher and accepts(peer)]
    elif publisher in subscription.subscribers:
        to = [session_id for session_id in subscription.receivers if session_id != publisher]
    else:
        to = subscription.receivers
    if publication.is_relayed:
        to = _without_home_only(subscription, to)
    if options.rkey is not None and subscription.node_keys:
        return _select_shard(subscription, to, options.rkey, publication.shards)
    return to


def receiver_filter(options: PublishOptions) -> ReceiverFilter | None:
    """Return a function that checks a peer against a publication's black and white lists, or None if it has no lists.

    An empty white list accepts no peer. Black lists take precedence over white lists.
    """
    tests: list[ReceiverFilter] = []
    if options.eligible is not None:
        tests.append(_has_id(options.eligible))
    for eligible, attribute in ((options.eligible_authid, "authid"), (options.eligible_authrole, "authrole")):
        if eligible is not None:
            tests.append(_includes(attribute, frozenset(eligible)))
    if options.exclude:
        tests.append(_not(_has_id(options.exclude)))
    for excluded, attribute in ((options.exclude_authid, "authid"), (options.exclude_authrole, "authrole")):
        if excluded:
            tests.append(_not(_includes(attribute, frozenset(excluded))))
    if not tests:
        return None
    return lambda peer: all(test(peer) for test in tests)


def has_lists(options: PublishOptions) -> bool:
    """Return whether a publication has black or white lists."""
    lists = (options.eligible, options.eligible_authid, options.eligible_authrole)
    black_lists = (options.exclude, options.exclude_authid, options.exclude_authrole)
    return any(each is not None for each in lists) or any(black_lists)


def stored_filter(publication: Publication) -> ReceiverFilter | None:
    """Return the :func:`receiver_filter` of a stored publication.

    The function is created only once for each publication, because black and white lists can be long.
    """
    if publication.receiver_filter is None:
        publication.receiver_filter = receiver_filter(publication.message.options) or False
    return publication.receiver_filter or None


def _without_home_only(subscription: Subscription, to: Sequence[int]) -> Sequence[int]:
    """Return the ids in ``to`` of the subscribers that also receive events published on other nodes."""
    home_only = subscription.home_only
    return [session_id for session_id in to if session_id not in home_only] if home_only else to


def _select_shard(
    subscription: Subscription, to: Sequence[int], resource: str, chosen: Sequence[ChosenShard]
) -> list[int]:
    """Return the ids in ``to`` of all subscribers without a node key, and of at most one subscriber with a node key.

    If ``chosen`` contains a choice for this subscription, use the chosen subscriber, even if it is on another node.
    Otherwise use the subscriber to whose node key ``resource`` is assigned. Skip subscribers that are leaving, because
    they would lose the event.
    """
    keys, subscribers = subscription.node_keys, subscription.subscribers
    one: int | None = None
    for choice in chosen:
        if choice.match == subscription.match and choice.uri == subscription.topic:
            one = choice.session_id
            break
    else:
        shards = [each for each in to if each in keys and subscribers[each].state in ACTIVE_STATES]
        one = max(shards, key=lambda session_id: weight(resource, keys[session_id]), default=None)
    return [session_id for session_id in to if session_id not in keys or session_id == one]


def _has_id(session_ids: list[int]) -> ReceiverFilter:
    if len(session_ids) <= MAX_INTEGER_SET:
        few = frozenset(session_ids)
        return lambda peer: peer.id in few
    many = frozenset(map(str, session_ids))
    return lambda peer: str(peer.id) in many


def _includes(attribute: str, values: frozenset[str]) -> ReceiverFilter:
    return lambda peer: getattr(peer, attribute) in values


def _not(test: ReceiverFilter) -> ReceiverFilter:
    return lambda peer: not test(peer)
