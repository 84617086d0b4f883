"""Meta API: sessions, registrations, subscriptions, testaments, event history."""

from typing import Any

from .scenario import ADVANCED, BASIC, scenario
from .stage import Stage, told

SESSIONS = f'{ADVANCED}, "Session Meta API"'
REGISTRATIONS = f'{ADVANCED}, "Registration Meta API"'
SUBSCRIPTIONS = f'{ADVANCED}, "Subscriptions Meta API"'
TESTAMENTS = f'{ADVANCED}, "Session Testament"'
HISTORY = f'{ADVANCED}, "Event History"'
ARGUMENTS = f'{BASIC}, "Basic Profile URIs"'
UNACCEPTABLE = "wamp.error.invalid_argument means that the procedure does not accept the arguments."


def refused(
    name: str, section: str, demands: str, keeps: str, procedure: str, *args: Any, means: str = "", **kwargs: Any
) -> None:
    """Add a scenario of one meta call. "me" and "other" in the arguments stand for session IDs."""

    def steps(stage: Stage) -> str:
        peer, other = stage.join(), stage.join()
        ids = {"me": peer.session_id, "other": other.session_id}
        own = [ids.get(item, item) if isinstance(item, str) else item for item in args]
        heard = told(peer.call(procedure, *own, **kwargs))
        return heard.partition(" [")[0] if heard.startswith("ERROR") else heard

    scenario(name, section, demands, keeps=keeps, means=means)(steps)


NO_SESSION = "ERROR wamp.error.no_such_session"
refused(
    "wamp.session.get of an unknown session",
    SESSIONS,
    f"{NO_SESSION}.",
    NO_SESSION,
    "wamp.session.get",
    4711,
    means="Check for the specification's URI.",
)
refused("wamp.session.kill of an unknown session", SESSIONS, f"{NO_SESSION}.", NO_SESSION, "wamp.session.kill", 4711)
refused(
    "wamp.session.kill of the caller itself",
    SESSIONS,
    f"{NO_SESSION}: a session cannot kill itself.",
    NO_SESSION,
    "wamp.session.kill",
    "me",
    means="To leave, send GOODBYE.",
)
refused(
    "wamp.session.kill with a reason that is not a URI",
    SESSIONS,
    "ERROR wamp.error.invalid_uri.",
    "ERROR wamp.error.invalid_uri",
    "wamp.session.kill",
    "other",
    means="The router checks that the reason is a valid URI.",
    reason="not a uri",
)
refused(
    "wamp.session.get without arguments",
    ARGUMENTS,
    UNACCEPTABLE,
    "ERROR wamp.error.invalid_argument",
    "wamp.session.get",
    means="All wrong arguments have the same error URI.",
)
refused(
    "wamp.session.get with a string",
    ARGUMENTS,
    UNACCEPTABLE,
    "ERROR wamp.error.invalid_argument",
    "wamp.session.get",
    "text",
    means="All wrong arguments have the same error URI.",
)
refused(
    "wamp.registration.get of an unknown id",
    REGISTRATIONS,
    "ERROR wamp.error.no_such_registration.",
    "ERROR wamp.error.no_such_registration",
    "wamp.registration.get",
    4711,
)
refused(
    "wamp.subscription.get of an unknown id",
    SUBSCRIPTIONS,
    "ERROR wamp.error.no_such_subscription.",
    "ERROR wamp.error.no_such_subscription",
    "wamp.subscription.get",
    4711,
)
refused(
    "wamp.registration.lookup without a match",
    REGISTRATIONS,
    "The result is null.",
    "RESULT [null]",
    "wamp.registration.lookup",
    "com.example.nothing",
)
refused(
    "wamp.registration.match without a match",
    REGISTRATIONS,
    "The result is null.",
    "RESULT [null]",
    "wamp.registration.match",
    "com.example.nothing",
)
refused(
    "wamp.subscription.match without a match",
    SUBSCRIPTIONS,
    "The result is null.",
    "RESULT [null]",
    "wamp.subscription.match",
    "com.example.nothing",
)
refused(
    "A testament with an unknown scope",
    TESTAMENTS,
    "The scopes are detached and destroyed. The error for others is not specified.",
    "",
    "wamp.session.add_testament",
    "com.example.it",
    [],
    {},
    scope="forever",
)


@scenario(
    "GOODBYE to a killed session",
    SESSIONS,
    "The reason is wamp.close.killed if none is given.",
    keeps=("GOODBYE wamp.close.killed", "GOODBYE wamp.close.killed; close 1000"),
    means="Clients can distinguish being killed from a normal close.",
)
def killed(stage: Stage) -> str:
    killer, victim = stage.join(), stage.join()
    killer.call("wamp.session.kill", victim.session_id)
    return told(victim.read())


def many(procedure: str, returned: str, *args: str) -> None:
    """Add a scenario in which one of three guests kills several sessions."""

    def steps(stage: Stage) -> str:
        killer, *others = (stage.join("/guest", realm="realm1") for _ in range(3))
        heard = told(killer.call(procedure, *args)).partition(" {")[0]
        gone = sum(other.heard() != "nothing" for other in others)
        alive = "lives" if killer.heard() == "nothing" else "is killed"
        result = "RESULT, a list of ids" if heard.startswith("RESULT [[") else heard
        return f"{result}; {gone} of 2 others gone; the caller {alive}"

    demands = f"All but the caller are killed; {returned}."
    means = "The caller is not killed, and the result is as specified."
    kept = "RESULT [2]" if "number" in returned else "RESULT, a list of ids"
    keeps = f"{kept}; 2 of 2 others gone; the caller lives"
    scenario(procedure, SESSIONS, demands, keeps=keeps, means=means)(steps)


many("wamp.session.kill_by_authid", "the result is a list of their ids", "guest")
many("wamp.session.kill_by_authrole", "the result is their number", "guest")


@scenario(
    "wamp.session.kill_all",
    SESSIONS,
    "All but the caller are killed; the result is their number.",
    keeps="RESULT [1]",
    means="The procedure exists.",
)
def kill_all(stage: Stage) -> str:
    killer, _ = stage.join(realm="realm2"), stage.join(realm="realm2")
    return told(killer.call("wamp.session.kill_all")).partition(' ["')[0]


def left(name: str, *, lost: bool) -> None:
    """Add a scenario of a session that ends. It observes the event ``wamp.session.on_leave``."""

    def steps(stage: Stage) -> str:
        watcher, leaver = stage.join(), stage.join()
        watcher.subscribe("wamp.session.on_leave")
        if lost:
            leaver.wire.reset()
        else:
            leaver.send(6, {}, "wamp.close.normal")
        event = watcher.read()
        args = event[4] if isinstance(event, list) and len(event) > 4 else []
        first = "the session" if args[:1] == [leaver.session_id] else repr(args[:1])
        return f"{len(args)} arguments, the first {first}"

    demands = "The event carries session, authid and authrole."
    means = "Subscribers that accept only one argument must accept three."
    scenario(name, SESSIONS, demands, keeps="3 arguments, the first the session", means=means)(steps)


left("wamp.session.on_leave after GOODBYE", lost=False)
left("wamp.session.on_leave after a lost connection", lost=True)


@scenario(
    "Subscription events after a lost connection",
    SUBSCRIPTIONS,
    "on_unsubscribe and on_delete carry the session that left.",
    keeps="on_unsubscribe: the session; on_delete: the session",
    means="The events name the session whose subscription it was.",
)
def lost_subscription(stage: Stage) -> str:
    watcher, leaver = stage.join(), stage.join()
    names = {watcher.subscribe(f"wamp.subscription.{name}"): name for name in ("on_unsubscribe", "on_delete")}
    subscription = leaver.subscribe(stage.uri())
    leaver.wire.reset()
    events = [one for one in watcher.messages() if one[0] == 36 and one[4][1:] == [subscription]]
    who = [f"{names[one[1]]}: {'the session' if one[4][0] == leaver.session_id else one[4][0]}" for one in events]
    return "; ".join(who) or "nothing"


def lived(name: str, section: str, noun: str, verb: str, codes: tuple[int, int]) -> None:
    """Add a scenario of the meta events when a subscription or registration is created and deleted."""
    kinds = ("on_create", f"on_{verb}", f"on_un{verb}", "on_delete")

    def steps(stage: Stage) -> str:
        watcher, peer = stage.join(), stage.join()
        names = {watcher.subscribe(f"wamp.{noun}.{kind}"): kind for kind in kinds}
        begin, end = codes
        peer.request(end, peer.id_from(peer.request(begin, {}, stage.uri()), begin + 1))
        return ", ".join(names[one[1]] for one in watcher.messages() if one[0] == 36)

    demands = "on_{}, then on_{}; on_{}, then on_{}.".format(*(kind.removeprefix("on_") for kind in kinds))
    scenario(name, section, demands, keeps=", ".join(kinds))(steps)


lived("Subscription events", SUBSCRIPTIONS, "subscription", "subscribe", (32, 34))
lived("Registration events", REGISTRATIONS, "registration", "register", (64, 66))


@scenario(
    "Registration events of force_reregister",
    REGISTRATIONS,
    "on_unregister is published when a callee is removed, and on_delete when it was the last one.",
    keeps="on_unregister, on_delete, on_create, on_register",
    means="Subscribers see every change.",
)
def forced_events(stage: Stage) -> str:
    watcher, old, new = stage.join(), stage.join(), stage.join()
    old.register(stage.uri())
    kinds = ("on_create", "on_register", "on_unregister", "on_delete")
    names = {watcher.subscribe(f"wamp.registration.{kind}"): kind for kind in kinds}
    new.register(stage.uri(), force_reregister=True)
    return ", ".join(names[one[1]] for one in watcher.messages() if one[0] == 36) or "nothing"


def patterns(name: str, kind: str, code: int, section: str) -> None:
    """Add a scenario of a ``list`` procedure, whose result should contain an ID for each match policy."""

    def steps(stage: Stage) -> str:
        peer = stage.join()
        ids = {}
        for match in ("exact", "prefix", "wildcard"):
            answer = peer.request(code, {"match": match}, stage.uri("a..c" if match == "wildcard" else "a"))
            ids[match] = peer.id_from(answer, code + 1)
        lists = peer.call(f"wamp.{kind}.list")[3][0]
        return ", ".join(match for match, one in ids.items() if one in lists[match])

    means = "Wildcards are included."
    scenario(
        name,
        section,
        "The result has lists of ids for exact, prefix and wildcard.",
        keeps="exact, prefix, wildcard",
        means=means,
    )(steps)


patterns("wamp.subscription.list", "subscription", 32, SUBSCRIPTIONS)
patterns("wamp.registration.list", "registration", 64, REGISTRATIONS)


@scenario("wamp.session.count and list by role", SESSIONS, "They can be limited to roles.", keeps="1, the session")
def by_role(stage: Stage) -> str:
    peer, guest = stage.join(), stage.join("/guest")
    count = peer.call("wamp.session.count", ["guest"])
    ids = peer.call("wamp.session.list", ["guest"])
    if not isinstance(count, list) or count[0] != 50:
        return told(count)
    return f"{count[3][0]}, {'the session' if ids[3][0] == [guest.session_id] else ids[3][0]}"


@scenario("A testament", TESTAMENTS, "The testament is published when the session ends.", keeps='EVENT ["gone"]')
def testament(stage: Stage) -> str:
    watcher, leaver = stage.join(), stage.join()
    watcher.subscribe(stage.uri())
    leaver.call("wamp.session.add_testament", stage.uri(), ["gone"], {})
    leaver.wire.reset()
    return watcher.heard()


@scenario(
    "The results of adding and flushing testaments",
    TESTAMENTS,
    "Neither procedure returns a value.",
    keeps="RESULT; RESULT",
    means="Do not rely on the values that Crossbar returns.",
)
def testament_results(stage: Stage) -> str:
    peer = stage.join()
    added = told(peer.call("wamp.session.add_testament", stage.uri(), ["gone"], {}))
    return (
        f"{added}; {told(peer.call('wamp.session.flush_testaments'))}".replace("[null]", "").replace(" ;", ";").strip()
    )


@scenario(
    "Event history",
    HISTORY,
    "Events are in order of occurrence, each with timestamp, subscription, publication and details; args "
    "may be omitted.",
    keeps="1, 2; details, publication, subscription, timestamp",
    means="The order and the keys are as specified; `reverse` reverses the order.",
)
def history(stage: Stage) -> str:
    publisher, reader = stage.join(), stage.join()
    subscription = reader.subscribe("com.history.kept")
    for number in (1, 2):
        publisher.publish("com.history.kept", number)
    answer = reader.call("wamp.subscription.get_events", subscription)
    if not isinstance(answer, list) or answer[0] != 50:
        return told(answer)
    events = answer[3][0] if answer[3] and isinstance(answer[3][0], list) else answer[3]
    keys = sorted({key for event in events for key in event} - {"args", "kwargs"})
    return f"{', '.join(str((event.get('args') or ['-'])[0]) for event in events)}; {', '.join(keys)}"
