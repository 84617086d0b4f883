"""Which subscribers receive a publication: publisher exclusion, black and white lists, shards.

Sections of the specification: Advanced Profile, "Publisher Exclusion", "Subscriber Black- and Whitelisting",
"Sharded Subscription".
"""

from collections.abc import Callable, Sequence

from ..wamp.messages import PublishOptions
from .policies import weight
from .records import PRESENT, Publication, Session, Subscription

Chooser = Callable[[Session], bool]


def receivers(subscription: Subscription, publication: Publication, chosen: Chooser | None) -> Sequence[int]:
    """The ids of the subscribers that get the event. ``chosen`` is None where no list narrows them."""
    if publication.is_plain and publication.session_id not in subscription.subscribers:
        return subscription.receivers
    options = publication.message.options
    publisher = publication.session_id if options.exclude_me is not False else 0
    to: Sequence[int]
    if chosen is not None:
        sessions = subscription.subscribers.values()
        to = [session.id for session in sessions if session.id != publisher and chosen(session)]
    elif publisher in subscription.subscribers:
        to = [session_id for session_id in subscription.receivers if session_id != publisher]
    else:
        to = subscription.receivers
    if options.rkey is not None and subscription.node_keys:
        return _one_shard(subscription, to, options.rkey)
    return to


def chooser(options: PublishOptions) -> Chooser | None:
    """What the lists of a publication choose, or None where it has none.

    A white list that is there and empty admits nobody; black lists win over white ones.
    """
    tests: list[Chooser] = []
    for eligible, attribute in (
        (options.eligible, "id"),
        (options.eligible_authid, "authid"),
        (options.eligible_authrole, "authrole"),
    ):
        if eligible is not None:
            tests.append(_member(attribute, frozenset(eligible)))
    for excluded, attribute in (
        (options.exclude, "id"),
        (options.exclude_authid, "authid"),
        (options.exclude_authrole, "authrole"),
    ):
        if excluded:
            tests.append(_no_member(attribute, frozenset(excluded)))
    if not tests:
        return None
    return lambda session: all(test(session) for test in tests)


def _one_shard(subscription: Subscription, to: Sequence[int], resource: str) -> list[int]:
    """Of the subscribers with a node key the one that the resource belongs to; and all without one.

    One that has left and is still being taken apart is passed over: the event would reach nobody.
    """
    keys, subscribers = subscription.node_keys, subscription.subscribers
    shards = [each for each in to if each in keys and subscribers[each].state in PRESENT]
    one = max(shards, key=lambda session_id: weight(resource, keys[session_id]), default=None)
    return [session_id for session_id in to if session_id not in keys or session_id == one]


def _member(attribute: str, values: frozenset[int | str]) -> Chooser:
    return lambda session: getattr(session, attribute) in values


def _no_member(attribute: str, values: frozenset[int | str]) -> Chooser:
    return lambda session: getattr(session, attribute) not in values
