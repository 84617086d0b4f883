"""Permissions: which of several rules decides on a URI."""

from .scenario import ADVANCED, BASIC, scenario
from .stage import Stage, told

SECURITY = f'{ADVANCED}, "Authorization"'
DENIAL = f'{BASIC}, "Basic Profile URIs"'
FREE = "A principal is allowed or denied an action on a URI or pattern. The precedence of rules is not specified."
NOT_AUTHORIZED = "ERROR wamp.error.not_authorized"
RULES = (
    "The exact URI comes first, then the longest prefix, then wildcards. A rule that does not match does "
    "not hide one that does."
)


def ruled(name: str, uri: str, means: str = RULES) -> None:
    """Add a scenario of one SUBSCRIBE under the rules of the realm "rules"."""

    def steps(stage: Stage) -> str:
        peer = stage.join(realm="rules")
        return "allowed" if (heard := told(peer.request(32, {}, uri))) == "SUBSCRIBED" else heard.partition(" [")[0]

    scenario(name, SECURITY, FREE, means=means)(steps)


ruled("Rules: prefix a. allows, exact a.b does not; a.b.c", "a.b.c")
ruled("Rules: prefix a. allows, exact a.b does not; a.b", "a.b")
ruled("Rules: wildcard w..c allows, wildcard w..d does not; w.b.c", "w.b.c")
ruled("Rules: wildcard w..c allows, wildcard w..d does not; w.b.d", "w.b.d")
ruled("Rules: wildcard .tail allows; any.tail", "any.tail")
ruled("Rules: prefix deny. denies, wildcard deny..c allows; deny.b.c", "deny.b.c")
ruled("Rules: no rule matches", "nowhere.at.all")


def widened(name: str, pattern: str, match: str, topic: str) -> None:
    """Add a scenario of a pattern that covers a topic its subscriber may not have."""

    def steps(stage: Stage) -> str:
        publisher, subscriber = stage.join(realm="rules"), stage.join(realm="rules")
        answer = told(subscriber.request(32, {"match": match}, pattern)).partition(" [")[0]
        publisher.publish(topic, 1)
        return f"{answer}; {subscriber.heard()}"

    demands = (
        "Patterns are subscribed to like topics. What a pattern means that covers more than the role may "
        "subscribe to is not specified."
    )
    means = "Subscribers with patterns no longer receive topics that their role may not subscribe to."
    scenario(name, SECURITY, demands, means=means)(steps)


widened("A prefix subscription under a rule for an exact URI", "com", "prefix", "com.secret")
widened("A prefix subscription that covers a denied topic", "open.", "prefix", "open.secret")


@scenario(
    "A denied REGISTER of a procedure that exists",
    DENIAL,
    "A request that is not allowed is answered with wamp.error.not_authorized.",
    keeps=NOT_AUTHORIZED,
    means="Clients do not learn which procedures exist if they may not register them.",
)
def existence(stage: Stage) -> str:
    stage.join("/guest", realm="rules").register(stage.uri())
    peer = stage.join(realm="rules")
    return told(peer.request(64, {}, stage.uri())).partition(" [")[0]


@scenario("A denied CALL", DENIAL, f"{NOT_AUTHORIZED}.", keeps=NOT_AUTHORIZED)
def denied_call(stage: Stage) -> str:
    return told(stage.join(realm="rules").call("nowhere.at.all")).partition(" [")[0]


@scenario(
    "A denied PUBLISH without subscribers",
    DENIAL,
    f"With acknowledge: {NOT_AUTHORIZED}.",
    keeps=NOT_AUTHORIZED,
)
def denied_publish(stage: Stage) -> str:
    peer = stage.join(realm="rules")
    return told(peer.request(16, {"acknowledge": True}, "nowhere.at.all")).partition(" [")[0]


def covered(name: str, realm: str) -> None:
    """Add a scenario of killing a session where a rule covers all URIs, or wamp. ones."""

    def steps(stage: Stage) -> str:
        killer, victim = stage.join(realm=realm), stage.join(realm=realm)
        return told(killer.call("wamp.session.kill", victim.session_id)).partition(" [")[0]

    scenario(name, f'{ADVANCED}, "Session Meta API"', "Who may kill sessions is not specified.")(steps)


covered('wamp.session.kill under a rule for prefix ""', "realm1")
covered('wamp.session.kill under a rule for prefix "wamp."', "rules")
