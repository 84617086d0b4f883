"""Implement ``wamp.subscription.*``: list, describe and remove subscriptions, and read event history.

See the WAMP specification, Advanced Profile, "Subscriptions Meta API" and "Event History".
"""

from typing import Any

from msgspec import to_builtins

from ...wamp import errors
from ...wamp.errors import PayloadError, RequestRefused
from ...wamp.ids import Id
from ...wamp.messages import SubscribeOptions
from ...wamp.payload import ABSENT
from ..broker import describe, event_details
from ..environment import rfc3339, to_reported_precision
from ..history import History, Query
from ..message_checks import check_pattern
from ..options import Match
from ..permissions import refusal
from ..records import ACTIVE_STATES, Publication, Session, Subscription
from .arguments import Arguments, convert_argument
from .context import Context, LargeResult, Procedure

TIMES = ("from_time", "after_time", "before_time", "until_time")
MAX_EVENTS_BYTES = 4 * 1024 * 1024
"""Maximum size of the payload of all events in one answer, in bytes as received.

Decoding the payload takes many times as much memory.
"""
CROSSBAR_LIMIT = 10
"""The number of events that Crossbar returns if the call has no argument ``limit``. A limit of null means no limit."""
PUBLICATIONS = ("from_publication", "after_publication", "before_publication", "until_publication")


def list_(context: Context, caller: Session, arguments: Arguments) -> LargeResult:
    """Return the ids of all subscriptions, by match policy."""

    def compute() -> dict[str, list[int]]:
        ids: dict[str, list[int]] = {"exact": [], "prefix": [], "wildcard": []}
        for subscription in context.broker.subscriptions.values():
            if subscription.is_in_use:
                ids[subscription.match].append(subscription.id)
        return ids

    return LargeResult(compute)


def lookup(context: Context, caller: Session, arguments: Arguments) -> int | None:
    """Return the id of the subscription to exactly this topic or pattern, or null if there is none."""
    topic = arguments.require(0, "topic", str)
    options = arguments.get(1, "options", SubscribeOptions, SubscribeOptions())
    match_policy: Match = options.match or "exact"
    check_pattern(caller, topic, match_policy)
    found = context.broker.lookup(match_policy, topic)
    return found.id if found is not None and found.is_in_use else None


def match(context: Context, caller: Session, arguments: Arguments) -> LargeResult:
    """Return the ids of the subscriptions that match this topic, or null if there are none."""
    topic = arguments.require(0, "topic", str)
    check_pattern(caller, topic, "wildcard")
    find = context.broker.matching_subscriptions
    return LargeResult(lambda: [subscription.id for subscription in find(topic) if subscription.is_in_use] or None)


def get(context: Context, caller: Session, arguments: Arguments) -> dict[str, Any]:
    """Return the details of a subscription."""
    return describe(_subscription(context, arguments))


def list_subscribers(context: Context, caller: Session, arguments: Arguments) -> LargeResult:
    """Return the session ids of the subscribers of a subscription."""
    subscription = _subscription(context, arguments)
    return LargeResult(lambda: _active_subscribers(subscription))


def count_subscribers(context: Context, caller: Session, arguments: Arguments) -> int:
    """Return the number of subscribers of a subscription."""
    return len(_active_subscribers(_subscription(context, arguments)))


def remove_subscriber(context: Context, caller: Session, arguments: Arguments) -> None:
    """Remove a subscriber from a subscription. Crossbar has this procedure, but the specification does not."""
    # All arguments are checked before anything is looked up, because another node can have the subscription.
    arguments.require(0, "subscription")
    session_id = arguments.require(1, "session")
    reason = arguments.get(2, "reason", str) or arguments.get_keyword("reason", str, errors.UNREGISTERED)
    subscription = _subscription(context, arguments)
    session = context.sessions.get(session_id)
    if session is None or session_id not in subscription.subscribers:
        raise RequestRefused(errors.NO_SUCH_SESSION, f"session {session_id} does not hold this subscription")
    context.broker.revoke(session, subscription, reason)


def get_events(context: Context, caller: Session, arguments: Arguments) -> LargeResult:
    """Return the past events of a subscription with event history, oldest first by default.

    In Crossbar's dialect, the events have Crossbar's format, and the defaults are different: the newest event comes
    first, and at most 10 events are returned.
    """
    subscription = _subscription(context, arguments)
    topic, match = subscription.topic, subscription.match
    decision = context.broker.role_of(caller).check(caller, "subscribe", topic, SubscribeOptions(match=match), match)
    if not decision.allowed:
        raise refusal(decision, "read the history of", subscription.topic)
    history = context.broker.histories.get(subscription.id)
    if history is None:
        text = f"no history is kept of {subscription.topic!r} ({subscription.match})"
        raise RequestRefused(errors.HISTORY_UNAVAILABLE, text)
    query = _query(context, arguments)
    return LargeResult(lambda: _events(context, caller, history, query))


def _events(context: Context, caller: Session, history: History, query: Query) -> list[dict[str, Any]]:
    events = history.events(
        query, context.environment.utc_now(), lambda publication: context.broker.may_see(caller, publication)
    )
    if sum(len(each.message.args) + len(each.message.kwargs) for each in events) > MAX_EVENTS_BYTES:
        text = f"these {len(events)} events have more than {MAX_EVENTS_BYTES} bytes: ask for fewer, with a limit"
        raise RequestRefused(errors.PAYLOAD_SIZE_EXCEEDED, text)
    describe_event = _crossbar_event if _has_crossbar_form(context) else _event
    found = (describe_event(context, history.subscription, publication) for publication in events)
    return [event for event in found if event is not None]


def _event(context: Context, subscription: Subscription, publication: Publication) -> dict[str, Any] | None:
    """Return an event as a dictionary.

    Return None if its payload cannot be decoded, so that the other events can still be returned.
    """
    payload = _payload(context, publication)
    if payload is None:
        return None
    details = event_details(publication, is_pattern=subscription.match != "exact")
    return {
        "timestamp": rfc3339(publication.time),
        "subscription": subscription.id,
        "publication": publication.id,
        "topic": publication.message.topic,
        "details": to_builtins(details),
        **payload,
    }


def _crossbar_event(context: Context, subscription: Subscription, publication: Publication) -> dict[str, Any] | None:
    """Return an event in Crossbar's format, which always contains the publisher's identity.

    Return None if its payload cannot be decoded.
    """
    payload = _payload(context, publication)
    if payload is None:
        return None
    time = publication.time
    return {
        "time_ns": int(time.timestamp()) * 1_000_000_000 + time.microsecond * 1000,
        "realm": context.broker.options.name,
        "session_id": publication.session_id,
        "authid": publication.authid,
        "authrole": publication.authrole,
        "publication": publication.id,
        "topic": publication.message.topic,
        "args": payload.get("args"),
        "kwargs": payload.get("kwargs"),
    }


def _payload(context: Context, publication: Publication) -> dict[str, Any] | None:
    """Return the decoded payload of a publication, or None if it cannot be decoded.

    The result has the keys ``args`` and ``kwargs``. Absent args or kwargs are left out.
    """
    parts = {part: getattr(publication.message, part) for part in ("args", "kwargs")}
    try:
        return {
            part: context.environment.values_of(publication.payload_format, raw)
            for part, raw in parts.items()
            if raw is not ABSENT
        }
    except PayloadError:
        return None


def _has_crossbar_form(context: Context) -> bool:
    return context.broker.options.dialect == "crossbar"


def _query(context: Context, arguments: Arguments) -> Query:
    is_crossbar = _has_crossbar_form(context)
    limit = arguments.get(1, "limit", Id) or arguments.get_keyword("limit", Id)
    if is_crossbar and len(arguments.args) < 2 and "limit" not in arguments.kwargs:
        limit = CROSSBAR_LIMIT
    query = Query(
        limit=limit,
        reverse=arguments.get_keyword("reverse", bool, is_crossbar),
        topic=arguments.get_keyword("topic", str),
    )
    for name in PUBLICATIONS:
        setattr(query, name, arguments.get_keyword(name, Id))
    for name in TIMES:
        for key in (name, f"{name}stamp"):  # the specification's name, or one like the key "timestamp" in events
            text = arguments.get_keyword(key, str)
            if text is not None:
                setattr(query, name, _time(context, key, text))
    return query


def _time(context: Context, name: str, text: str) -> Any:
    try:
        time = context.environment.time_from(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise RequestRefused(errors.INVALID_ARGUMENT, f"{name}: not an RFC 3339 time: {text!r}")
    return to_reported_precision(time)


def _active_subscribers(subscription: Subscription) -> list[int]:
    return [session.id for session in subscription.subscribers.values() if session.state in ACTIVE_STATES]


def _subscription(context: Context, arguments: Arguments) -> Subscription:
    subscription_id = convert_argument(arguments.require(0, "subscription"), "subscription", Id)
    found = context.broker.subscriptions.get(subscription_id)
    if found is None or not found.is_in_use:
        raise RequestRefused(errors.NO_SUCH_SUBSCRIPTION, f"there is no subscription {subscription_id}")
    return found


PROCEDURES: dict[str, Procedure] = {
    "wamp.subscription.list": list_,
    "wamp.subscription.lookup": lookup,
    "wamp.subscription.match": match,
    "wamp.subscription.get": get,
    "wamp.subscription.list_subscribers": list_subscribers,
    "wamp.subscription.count_subscribers": count_subscribers,
    "wamp.subscription.remove_subscriber": remove_subscriber,
    "wamp.subscription.get_events": get_events,
}
