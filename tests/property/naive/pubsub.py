"""What a realm does with publications and subscriptions."""

from itertools import count
from typing import Any

from wamp_transport.router.options import RealmOptions

from .records import ANYTHING, Session, Subscription, Unknown
from .rights import covers, is_reserved, may_subscribe, precedence, refusal, rule_for

LISTS = (("eligible", "id"), ("eligible_authid", "authid"), ("eligible_authrole", "role"))


class Publication:
    """What was published, by whom (``session`` is None for the router itself)."""

    def __init__(self, topic: str, options: dict[str, Any], args: list[Any], session: Session | None) -> None:
        self.id = Unknown("publication")
        self.topic, self.options, self.args, self.session = topic, options, args, session
        self.details: dict[str, Any] = {}

    @property
    def has_lists(self) -> bool:
        names = [name for name, _ in LISTS]
        excludes = [name.replace("eligible", "exclude") for name in names]
        return any(name in self.options for name in names) or any(self.options.get(name) for name in excludes)

    def is_for(self, session: Session) -> bool:
        """Whether lists and exclusion let ``session`` have it."""
        if session is self.session and self.options.get("exclude_me") is not False:
            return False
        for name, attribute in LISTS:
            value = getattr(session, attribute)
            if name in self.options and value not in self.options[name]:
                return False
            if value in self.options.get(name.replace("eligible", "exclude"), ()):
                return False
        return True


class PubSub:
    options: RealmOptions
    sessions: list[Session]

    def __init__(self) -> None:
        self.subscriptions: list[Subscription] = []
        self.retained: dict[str, list[Publication]] = {}
        self.publications: list[Publication] = []
        self.order = count(1)

    def error(self, session: Session, kind: int, request_id: int, uri: str) -> None:
        session.receives([8, kind, request_id, {}, uri, [ANYTHING]])

    def covering(self, topic: str) -> list[Subscription]:
        found = [each for each in self.subscriptions if covers(each.match, each.topic, topic)]
        return sorted(found, key=lambda each: precedence(each.match, each.topic))

    def publish(self, session: Session, request_id: int, options: dict[str, Any], topic: str, args: list[Any]) -> None:
        fault = self.publish_fault(session, options, topic)
        if fault is not None:
            if options.get("acknowledge"):
                self.error(session, 16, request_id, fault)
            return
        self.deliver(session, request_id, options, topic, args)

    def publish_fault(self, session: Session, options: dict[str, Any], topic: str) -> str | None:
        fault = refusal(self.options, session.role, "publish", topic)
        if fault is None and options.get("disclose_me") and not self.options.allow_disclose_me:
            return "wamp.error.option_disallowed.disclose_me"
        is_full = topic not in self.retained and 0 < self.options.max_retained <= len(self.retained)
        if fault is None and options.get("retain") and is_full:
            return "wamp.error.quota_exceeded"
        return fault

    def deliver(self, session: Session, request_id: int, options: dict[str, Any], topic: str, args: list[Any]) -> None:
        publication = Publication(topic, options, args, session)
        if rule_for(self.options, session.role, topic).disclose_publisher or options.get("disclose_me"):
            publication.details = {
                "publisher": session.id, "publisher_authid": session.authid, "publisher_authrole": session.role,
            }  # fmt: skip
        trustlevel = self.options.roles[session.role].trustlevel
        if trustlevel is not None:
            publication.details["trustlevel"] = trustlevel
        if options.get("acknowledge"):
            session.receives([17, request_id, publication.id])
        self.publications.append(publication)
        self.dispatch(publication)
        if options.get("retain"):
            general = [each for each in self.retained.get(topic, []) if not each.has_lists]
            self.retained[topic] = [publication, *general[:1]] if publication.has_lists else [publication]

    def announce(self, topic: str, about: str, *args: Any) -> None:
        """A meta event."""
        if self.options.enable_meta_api and not is_reserved(about):
            self.dispatch(Publication(topic, {}, list(args), None))

    def dispatch(self, publication: Publication) -> None:
        for subscription in self.covering(publication.topic):
            for subscriber in subscription.subscribers:
                if publication.is_for(subscriber) and self.is_entitled(subscriber, subscription, publication.topic):
                    self.event(subscriber, subscription, publication)

    def is_entitled(self, session: Session, subscription: Subscription, topic: str) -> bool:
        """What is subscribed to by name was allowed then; what a pattern covers is decided topic by topic."""
        return subscription.match == "exact" or may_subscribe(self.options, session.role, topic)

    def event(self, session: Session, subscription: Subscription, publication: Publication, **details: Any) -> None:
        details |= publication.details
        if subscription.match != "exact":
            details["topic"] = publication.topic
        message = [36, subscription.id, publication.id, details]
        session.receives([*message, publication.args] if publication.args else message)

    def subscribe(self, session: Session, request_id: int, options: dict[str, Any], topic: str) -> None:
        match = options.get("match", "exact")
        fault = refusal(self.options, session.role, "subscribe", topic, match)
        if fault is not None:
            self.error(session, 32, request_id, fault)
            return
        held = [each for each in self.subscriptions if (each.match, each.topic) == (match, topic)]
        subscription = held[0] if held else Subscription(match, topic)
        if not held:
            self.subscriptions.append(subscription)
        is_joining = session not in subscription.subscribers
        if is_joining:
            subscription.subscribers.append(session)
            session.subscriptions.append(subscription)
        session.receives([33, request_id, subscription.id])
        if not held:
            description = {"id": subscription.id, "created": ANYTHING, "uri": topic, "match": match}
            self.announce("wamp.subscription.on_create", topic, session.id, description)
        if is_joining:
            self.announce("wamp.subscription.on_subscribe", topic, session.id, subscription.id)
        if options.get("get_retained"):
            self.replay(session, subscription)

    def replay(self, session: Session, subscription: Subscription) -> None:
        for topic, publications in self.retained.items():
            if covers(subscription.match, subscription.topic, topic) and may_subscribe(
                self.options, session.role, topic
            ):
                for publication in [each for each in publications if each.is_for(session)][:1]:
                    self.event(session, subscription, publication, retained=True)

    def unsubscribe(self, session: Session, request_id: int, subscription_id: int) -> None:
        held = [each for each in session.subscriptions if each.id.value == subscription_id]
        if not held:
            self.error(session, 34, request_id, "wamp.error.no_such_subscription")
            return
        session.receives([35, request_id])
        self.drop_subscriber(session, held[0])

    def drop_subscriber(self, session: Session, subscription: Subscription) -> None:
        session.subscriptions.remove(subscription)
        subscription.subscribers.remove(session)
        self.announce("wamp.subscription.on_unsubscribe", subscription.topic, session.id, subscription.id)
        if not subscription.subscribers:
            self.subscriptions.remove(subscription)
            self.announce("wamp.subscription.on_delete", subscription.topic, session.id, subscription.id)
