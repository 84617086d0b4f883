"""Registrations: conflicts, the choice of a callee, revocation."""

from typing import Any

from .scenario import ADVANCED, BASIC, scenario
from .stage import Peer, Stage, told

SHARED = f'{ADVANCED}, "Shared Registration"'
PATTERNS = f'{ADVANCED}, "Pattern-based Registrations"'
URIS = f'{BASIC}, "Basic Profile URIs"'
REVOCATION = f'{ADVANCED}, "Registration Revocation"'


def called(stage: Stage, caller: Peer, procedure: str, **callees: Peer) -> str:
    """Return which callee is invoked by a call, or the error that the caller receives."""
    caller.start_call(stage.uri(procedure))
    heard = caller.heard()
    if heard != "nothing":
        return heard.partition(" [")[0]
    return next((name for name, callee in callees.items() if callee.heard() != "nothing"), "nobody")


def twice(
    name: str,
    first: dict[str, Any],
    second: dict[str, Any],
    demands: str,
    keeps: str | tuple[str, ...],
    means: str = "",
    *,
    same: bool = False,
    section: str = URIS,
) -> None:
    """Add a scenario of two REGISTER messages for the same procedure."""

    def steps(stage: Stage) -> str:
        one = stage.join()
        one.register(stage.uri(), **first)
        other = one if same else stage.join()
        return told(other.request(64, second, stage.uri())).partition(" [")[0]

    scenario(name, SHARED if "invoke" in second else section, demands, keeps=keeps, means=means)(steps)


EXISTS = "ERROR wamp.error.procedure_already_exists"
twice("A procedure that another session has registered", {}, {}, f"{EXISTS}.", EXISTS)
twice("A procedure that the same session has registered", {}, {}, f"{EXISTS}.", EXISTS, same=True)
twice(
    "A shared procedure, with the same policy",
    {"invoke": "roundrobin"},
    {"invoke": "roundrobin"},
    "The callee is added.",
    "REGISTERED",
)
twice(
    "A shared procedure, with another policy",
    {"invoke": "roundrobin"},
    {"invoke": "random"},
    "The attempt must fail. The error is not specified.",
    ("ERROR wamp.error.procedure_exists_with_different_invocation_policy", EXISTS),
)
twice(
    "A prefix that equals an existing exact procedure",
    {},
    {"match": "prefix"},
    "A call may match an exact registration and a prefix registration.",
    "REGISTERED",
    section=PATTERNS,
)


@scenario(
    "force_reregister with three callees",
    SHARED,
    "Not in the specification: an option of Autobahn.",
    means="All previous callees are removed, not only every second one.",
)
def force(stage: Stage) -> str:
    callees = [stage.join() for _ in range(3)]
    for callee in callees:
        callee.register(stage.uri(), invoke="roundrobin")
    newcomer, caller = stage.join(), stage.join()
    answer = told(newcomer.request(64, {"invoke": "roundrobin", "force_reregister": True}, stage.uri()))
    thrown = sum(callee.heard() == "UNREGISTERED" for callee in callees)
    who = [called(stage, caller, "it", newcomer=newcomer) for _ in range(2)]
    return f"{answer.partition(' [')[0]}, {thrown} of 3 told, then called: {', '.join(who)}"


@scenario(
    "UNREGISTER with an unknown id",
    URIS,
    "ERROR wamp.error.no_such_registration.",
    keeps="ERROR wamp.error.no_such_registration",
)
def no_registration(stage: Stage) -> str:
    return told(stage.join().request(66, 4711)).partition(" [")[0]


def precedence(
    name: str, patterns: dict[str, tuple[str, str]], procedure: str, demands: str, keeps: str, means: str = ""
) -> None:
    """Add a scenario of registrations that all match one call."""

    def steps(stage: Stage) -> str:
        callees = {}
        for one, (pattern, match) in patterns.items():
            callees[one] = stage.join()
            callees[one].register(stage.uri(pattern), match=match)
        return called(stage, stage.join(), procedure, **callees)

    scenario(name, PATTERNS, demands, keeps=keeps, means=means)(steps)


precedence(
    "Exact before prefix and wildcard",
    {"wildcard": ("a..c", "wildcard"), "prefix": ("a.b", "prefix"), "exact": ("a.b.c", "exact")},
    "a.b.c",
    "The exact registration is called.",
    "exact",
)
precedence(
    "Prefix before wildcard",
    {"wildcard": ("a..c", "wildcard"), "prefix": ("a", "prefix")},
    "a.b.c",
    "The prefix registration is called.",
    "prefix",
)
precedence(
    "The longest prefix",
    {"short": ("a", "prefix"), "long": ("a.b", "prefix")},
    "a.b.c",
    "The registration with the longest prefix is called.",
    "long",
)
BY_RUNS = (
    "The pattern with the most components before the first wildcard is chosen; if they are equal, the one"
    " with the longer second portion, and so on."
)
RANKED = "The choice among overlapping wildcards is as specified and does not depend on the order of registration."
precedence(
    "The wildcard with the longer beginning",
    {"early": ("a..c.d", "wildcard"), "late": ("a.b..d", "wildcard")},
    "a.b.c.d",
    BY_RUNS,
    "late",
    RANKED,
)
precedence(
    "The wildcard with the longer beginning, registered first",
    {"late": ("a.b..d", "wildcard"), "early": ("a..c.d", "wildcard")},
    "a.b.c.d",
    BY_RUNS,
    "late",
    RANKED,
)
precedence(
    "Wildcards that differ in the second portion",
    {"short": ("a..c..e", "wildcard"), "long": ("a..c.d.", "wildcard")},
    "a.b.c.d.e",
    BY_RUNS,
    "long",
    RANKED,
)


@scenario(
    "A revoked registration",
    REVOCATION,
    "The callee receives UNREGISTERED with request 0, the registration and, optionally, the reason.",
    keeps="request 0, reason com.example.why, registration",
    means="`wamp.registration.remove_callee` works.",
)
def revoked(stage: Stage) -> str:
    admin, callee = stage.join(), stage.join()
    registration = callee.register(stage.uri())
    admin.call("wamp.registration.remove_callee", registration, callee.session_id, "com.example.why")
    heard = callee.messages()
    if not heard or not isinstance(heard[0], list) or len(heard[0]) < 3:
        return told(*heard)
    details = heard[0][2]
    named = ", registration" if details.get("registration") == registration else ""
    return f"request {heard[0][1]}, reason {details.get('reason')}{named}"


@scenario(
    "A callee that answers with wamp.error.unavailable",
    f'{ADVANCED}, "Call Re-Routing"',
    "The call is sent to the next callee, and the caller does not notice.",
    keeps='RESULT ["second"]',
    means="A shared procedure keeps working if some callees are busy.",
)
def reroute(stage: Stage) -> str:
    roles = {role: {"features": {"call_reroute": True, "shared_registration": True}} for role in ("caller", "callee")}
    first, second, caller = stage.join(roles=roles), stage.join(roles=roles), stage.join(roles=roles)
    for callee in (first, second):
        callee.register(stage.uri(), invoke="first")
    request = caller.start_call(stage.uri())
    first.send(8, 68, first.invocation()[1], {}, "wamp.error.unavailable")
    heard = second.messages()
    for message in heard:
        if isinstance(message, list) and message[0] == 68:
            second.send(70, message[1], {}, ["second"])
    return told(caller.answer(request))


@scenario(
    "Round robin",
    SHARED,
    "Callees are called in turn, in the order of registration.",
    keeps="first, second, first",
)
def roundrobin(stage: Stage) -> str:
    first, second, caller = stage.join(), stage.join(), stage.join()
    for callee in (first, second):
        callee.register(stage.uri(), invoke="roundrobin")
    return ", ".join(called(stage, caller, "it", first=first, second=second) for _ in range(3))


@scenario(
    "More calls than concurrency allows",
    SHARED,
    "Not in the specification: an option of Crossbar.",
    means="In a realm with a store, as in this scenario, Crossbar queues such calls without a limit; otherwise "
    "it answers with an error of its own. wampnode refuses them.",
)
def concurrency(stage: Stage) -> str:
    callee, caller = stage.join(), stage.join()
    callee.register(stage.uri(), invoke="roundrobin", concurrency=1)
    caller.start_call(stage.uri())
    callee.invocation()
    caller.start_call(stage.uri())
    return caller.heard().partition(" [")[0]
