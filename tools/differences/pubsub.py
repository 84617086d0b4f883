"""Publish and subscribe."""

from typing import Any

from .scenario import ADVANCED, BASIC, scenario
from .stage import PLAIN_ROLES, Stage, told

LISTS = f'{ADVANCED}, "Subscriber Black- and Whitelisting"'
RETENTION = f'{ADVANCED}, "Event Retention"'
PATTERNS = f'{ADVANCED}, "Pattern-based Subscription"'
IDENTIFICATION = f'{ADVANCED}, "Publisher Identification"'
WHITELIST = "If there is a whitelist, only its members receive the event. An empty whitelist has no members."


def listed(name: str, demands: str, keeps: str, means: str = "", **lists: Any) -> None:
    """Add a scenario of an event with lists of receivers. "it" in a list stands for the subscriber's session ID."""

    def steps(stage: Stage) -> str:
        publisher, subscriber = stage.join(), stage.join()
        subscriber.subscribe(stage.uri())
        own = {key: [subscriber.session_id if item == "it" else item for item in one] for key, one in lists.items()}
        publisher.publish(stage.uri(), 1, **own)
        return subscriber.heard()

    scenario(name, LISTS, demands, keeps=keeps, means=means)(steps)


EMPTY = "With an empty whitelist nobody receives the event; with Crossbar everybody does."
listed("An empty list of eligible sessions", WHITELIST, "nothing", EMPTY, eligible=[])
listed("An empty list of eligible authids", WHITELIST, "nothing", EMPTY, eligible_authid=[])
listed("An empty list of eligible roles", WHITELIST, "nothing", EMPTY, eligible_authrole=[])
listed("An eligible session", WHITELIST, "EVENT [1]", eligible=["it"])
listed("A session both eligible and excluded", "Exclusion wins.", "nothing", eligible=["it"], exclude=["it"])
listed("An excluded session", "The session does not receive the event.", "nothing", exclude=["it"])
listed("An excluded role", "Its sessions do not receive the event.", "nothing", exclude_authrole=["anonymous"])
listed(
    "A session that is eligible by id, but not by role",
    "A session must pass all of the lists.",
    "nothing",
    eligible=["it"],
    eligible_authrole=["guest"],
)


@scenario(
    "The publisher's own event",
    f'{ADVANCED}, "Publisher Exclusion"',
    "The publisher does not receive the event unless exclude_me is false.",
    keeps="EVENT [2]",
)
def own_event(stage: Stage) -> str:
    peer = stage.join()
    peer.subscribe(stage.uri())
    peer.publish(stage.uri(), 1)
    peer.publish(stage.uri(), 2, exclude_me=False)
    return peer.heard()


def retained(name: str, topic: str, pattern: str, match: str, keeps: str, means: str = "", **options: Any) -> None:
    """Add a scenario of a retained event and a later subscription."""

    def steps(stage: Stage) -> str:
        publisher, subscriber = stage.join(), stage.join()
        publisher.publish(stage.uri(topic), 1, retain=True, **options)
        subscriber.subscribe(stage.uri(pattern), match=match, get_retained=True)
        return subscriber.heard("topic")

    demands = (
        "The subscriber receives the most recent retained event that it would have received when it was "
        "published, and no other."
    )
    scenario(name, RETENTION, demands, keeps=keeps, means=means)(steps)


TO_PATTERNS = "Subscribers with patterns and `get_retained` receive retained events, one per topic."
LEAK = "Blacklists and whitelists apply to retained events, too."
retained("Retained event, exact", "it", "it", "exact", 'EVENT {"retained": true} [1]')
retained(
    "Retained event, prefix",
    "a.b",
    "a",
    "prefix",
    'EVENT {"retained": true, "topic": "com.example.a.b"} [1]',
    TO_PATTERNS,
)
retained(
    "Retained event, wildcard",
    "a.b",
    "a.",
    "wildcard",
    'EVENT {"retained": true, "topic": "com.example.a.b"} [1]',
    TO_PATTERNS,
)
retained("Retained event for another role", "it", "it", "exact", "nothing", LEAK, eligible_authrole=["guest"])
retained("Retained event that excludes the role", "it", "it", "exact", "nothing", LEAK, exclude_authrole=["anonymous"])
retained(
    "Retained event that excludes a session",
    "it",
    "it",
    "exact",
    'EVENT {"retained": true} [1]',
    "Such a subscription no longer fails.",
    exclude=[1],
)
retained("Retained event for nobody", "it", "it", "exact", "nothing", LEAK, eligible=[])


@scenario(
    "The publication id of a retained event",
    f'{BASIC}, "Publish and Subscribe"',
    "EVENT has the publication id of the published event.",
    keeps="as published",
    means="Events can be recognized by their publication id.",
)
def retained_id(stage: Stage) -> str:
    publisher, subscriber = stage.join(), stage.join()
    publication = publisher.publish(stage.uri(), 1, retain=True)
    subscriber.subscribe(stage.uri(), get_retained=True)
    heard = subscriber.messages()
    return told(*heard) if not heard else "as published" if heard[0][2] == publication else "another"


@scenario(
    "An event that is not retained after one that is",
    RETENTION,
    "The retained event is the last one that was published with retain, even if others were published afterwards.",
    keeps='EVENT {"retained": true} [1]',
)
def not_cleared(stage: Stage) -> str:
    publisher, subscriber = stage.join(), stage.join()
    publisher.publish(stage.uri(), 1, retain=True)
    publisher.publish(stage.uri(), 2)
    subscriber.subscribe(stage.uri(), get_retained=True)
    return subscriber.heard()


def disclosed(name: str, realm: str, demands: str, keeps: str, means: str = "", **options: Any) -> None:
    """Add a scenario of one event. It observes the details of the publisher."""

    def steps(stage: Stage) -> str:
        publisher, subscriber = stage.join(realm=realm), stage.join(realm=realm)
        subscriber.subscribe(stage.uri())
        publisher.publish(stage.uri(), 1, **options)
        details = subscriber.read()[3]
        return ", ".join(sorted(key for key in details if key.startswith("publisher"))) or "nothing of the publisher"

    scenario(name, IDENTIFICATION, demands, keeps=keeps, means=means)(steps)


ALL_KEYS = "publisher, publisher_authid, publisher_authrole"
disclosed(
    "disclose_me on PUBLISH",
    "realm1",
    "A publisher may ask to be disclosed, and a broker may refuse.",
    ALL_KEYS,
    "Publishers that request disclosure are disclosed. The realm option `allow_disclose_me: false` refuses such "
    "publications with an error.",
    disclose_me=True,
)
disclosed("A role whose publishers are disclosed", "disclosing", "A router may be configured so.", ALL_KEYS)
disclosed(
    "A publisher that does not ask to be disclosed",
    "realm1",
    "Publishers are disclosed if they ask for it or by configuration.",
    "nothing of the publisher",
)


@scenario(
    "Overlapping subscriptions",
    PATTERNS,
    "The subscriber receives one event for each subscription, with the same publication id.",
    keeps="events: 2, publication ids: 1",
)
def overlapping(stage: Stage) -> str:
    publisher, subscriber = stage.join(), stage.join()
    subscriber.subscribe(stage.uri("a.b"))
    subscriber.subscribe(stage.uri("a."), match="wildcard")
    publisher.publish(stage.uri("a.b"), 1)
    events = subscriber.messages()
    return f"events: {len(events)}, publication ids: {len({event[2] for event in events})}"


def matching(name: str, topic: str, pattern: str, match: str, demands: str, keeps: str) -> None:
    """Add a scenario of one event and one pattern."""

    def steps(stage: Stage) -> str:
        publisher, subscriber = stage.join(), stage.join()
        subscriber.subscribe(stage.uri(pattern), match=match)
        publisher.publish(stage.uri(topic), 1)
        return subscriber.heard("topic")

    scenario(name, PATTERNS, demands, keeps=keeps)(steps)


matching(
    "A prefix that ends inside a component",
    "topic",
    "to",
    "prefix",
    "Prefixes are matched by characters.",
    'EVENT {"topic": "com.example.topic"} [1]',
)
matching(
    "A wildcard",
    "a.x.c",
    "a..c",
    "wildcard",
    "An empty component matches any component, and the details name the topic.",
    'EVENT {"topic": "com.example.a.x.c"} [1]',
)
matching(
    "A wildcard and a longer topic",
    "a.x.y.c",
    "a..c",
    "wildcard",
    "The number of components must be the same.",
    "nothing",
)
matching(
    "A wildcard in the last component",
    "a.x",
    "a.",
    "wildcard",
    "An empty component matches any component.",
    'EVENT {"topic": "com.example.a.x"} [1]',
)


@scenario(
    "UNSUBSCRIBE with an unknown id",
    f'{BASIC}, "Publish and Subscribe"',
    "ERROR wamp.error.no_such_subscription.",
    keeps="ERROR wamp.error.no_such_subscription",
)
def no_subscription(stage: Stage) -> str:
    return told(stage.join().request(34, 4711)).partition(" [")[0]


@scenario(
    "A revoked subscription of a client that did not announce revocation",
    f'{ADVANCED}, "Subscription Revocation"',
    "The router must not send UNSUBSCRIBED to a client that did not announce revocation.",
    keeps="nothing",
)
def revoked_silently(stage: Stage) -> str:
    admin, subscriber = stage.join(), stage.join(roles=PLAIN_ROLES)
    subscription = subscriber.subscribe(stage.uri())
    admin.call("wamp.subscription.remove_subscriber", subscription, subscriber.session_id)
    return subscriber.heard()


@scenario(
    "A revoked subscription",
    f'{ADVANCED}, "Subscription Revocation"',
    "The subscriber receives UNSUBSCRIBED with request 0, the subscription and, optionally, the reason.",
    keeps="request 0, reason com.example.why, subscription",
)
def revoked(stage: Stage) -> str:
    admin, subscriber = stage.join(), stage.join()
    subscription = subscriber.subscribe(stage.uri())
    admin.call("wamp.subscription.remove_subscriber", subscription, subscriber.session_id, "com.example.why")
    heard = subscriber.messages()
    if not heard or not isinstance(heard[0], list) or len(heard[0]) < 3:
        return told(*heard)
    details = heard[0][2]
    return f"request {heard[0][1]}, reason {details.get('reason')}" + (
        ", subscription" if details.get("subscription") == subscription else ""
    )


@scenario(
    "Payload passthru (ppt_*), announced",
    f'{ADVANCED}, "Payload Passthru Mode"',
    "The attributes are passed on with the event.",
    keeps='EVENT {"ppt_scheme": "x_own", "ppt_serializer": "native"} ["sealed"]',
    means="The specification's attributes work as well as `enc_*`.",
)
def passthru(stage: Stage) -> str:
    roles = {role: {"features": {"payload_passthru_mode": True}} for role in PLAIN_ROLES}
    publisher, subscriber = stage.join(roles=roles), stage.join(roles=roles)
    subscriber.subscribe(stage.uri())
    publisher.publish(stage.uri(), "sealed", ppt_scheme="x_own", ppt_serializer="native")
    return subscriber.heard("ppt_scheme", "ppt_serializer")


@scenario(
    "Private options of PUBLISH",
    f'{BASIC}, "Extensibility"',
    "An implementation must ignore unknown attributes.",
    keeps="EVENT [1]",
)
def private(stage: Stage) -> str:
    publisher, subscriber = stage.join(), stage.join()
    subscriber.subscribe(stage.uri())
    publisher.publish(stage.uri(), 1, _my_private=7)
    return subscriber.heard("_my_private")


@scenario(
    "A sharded subscription",
    f'{ADVANCED}, "Sharded Subscription"',
    "rkey names a resource and nkey a node. Who receives the event is not specified.",
    means="`rkey` and `nkey` have an effect.",
)
def sharded(stage: Stage) -> str:
    publisher, subscribers = stage.join(), [stage.join(), stage.join()]
    for number, subscriber in enumerate(subscribers):
        subscriber.subscribe(stage.uri(), nkey=f"shard{number}")
    publisher.publish(stage.uri(), 1, rkey="shard0")
    got = sum(subscriber.heard() != "nothing" for subscriber in subscribers)
    return f"{got} of 2 get the event"
