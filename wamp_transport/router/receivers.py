"""Which subscribers receive a publication: exclusion of the publisher, black and white lists.

Sections of the specification: Advanced Profile, "Publisher Exclusion" and "Subscriber Black- and Whitelisting".
"""

from collections.abc import Callable, Sequence

from ..wamp.messages import PublishOptions
from .records import Session, Subscription

Chooser = Callable[[Session], bool]


def receivers(
    subscription: Subscription, publisher: Session, chosen: Chooser | None, exclude_me: bool
) -> Sequence[int]:
    """The ids of the subscribers that get the event. ``chosen`` is None where no list narrows them."""
    if chosen is not None:
        return [
            session.id
            for session in subscription.subscribers.values()
            if chosen(session) and not (exclude_me and session is publisher)
        ]
    everybody = subscription.receivers
    if exclude_me and publisher.id in subscription.subscribers:
        return [session_id for session_id in everybody if session_id != publisher.id]
    return everybody


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


def _member(attribute: str, values: frozenset[int | str]) -> Chooser:
    return lambda session: getattr(session, attribute) in values


def _no_member(attribute: str, values: frozenset[int | str]) -> Chooser:
    return lambda session: getattr(session, attribute) not in values
