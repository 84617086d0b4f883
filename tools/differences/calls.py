"""Calls: results, progress, canceling, timeouts, identification, and payload that a serialization cannot express."""

from typing import Any

from .scenario import ADVANCED, BASIC, scenario
from .stage import PLAIN_ROLES, ROLES, Peer, Stage, told

CANCELING = f'{ADVANCED}, "Call Canceling"'
TIMEOUTS = f'{ADVANCED}, "Call Timeouts"'
PROGRESS = f'{ADVANCED}, "Progressive Call Results"'
INVOCATIONS = f'{ADVANCED}, "Progressive Call Invocations"'
CALLS = f'{BASIC}, "Remote Procedure Calls"'
URIS = f'{BASIC}, "Basic Profile URIs"'
CANCELED = "ERROR wamp.error.canceled"
NO_HANGING = "Canceled calls end, so callers need no timer of their own."


def pair(stage: Stage, callee_roles: Any = ROLES, **connection: Any) -> tuple[Peer, Peer]:
    """Return a callee that has registered, and a caller."""
    callee, caller = stage.join(roles=callee_roles), stage.join(**connection)
    callee.register(stage.uri())
    return callee, caller


def without_text(heard: str) -> str:
    """Remove the arguments of an error, because its text is not compared."""
    return "; ".join(one.partition(" [")[0] if one.startswith("ERROR") else one for one in heard.split("; "))


def canceled(
    name: str, demands: str, keeps: str, options: dict[str, Any], *, roles: Any = ROLES, means: str = ""
) -> None:
    """Add a scenario of an open call and CANCEL. It observes what the caller and the callee receive."""

    def steps(stage: Stage) -> str:
        callee, caller = pair(stage, roles)
        request = caller.start_call(stage.uri())
        callee.invocation()
        caller.send(49, request, options)
        return f"caller: {without_text(caller.heard())} | callee: {callee.heard()}"

    scenario(name, CANCELING, demands, keeps=keeps, means=means)(steps)


canceled(
    "CANCEL, mode skip",
    "The caller receives ERROR wamp.error.canceled immediately; the callee receives nothing.",
    f"caller: {CANCELED} | callee: nothing",
    {"mode": "skip"},
    means=NO_HANGING,
)
canceled(
    "CANCEL, mode killnowait",
    "The caller receives ERROR immediately, and the callee receives INTERRUPT.",
    f'caller: {CANCELED} | callee: INTERRUPT {{"mode": "killnowait"}}',
    {"mode": "killnowait"},
)
canceled(
    "CANCEL, mode kill",
    "The callee receives INTERRUPT, and the caller waits for its answer.",
    'caller: nothing | callee: INTERRUPT {"mode": "kill"}',
    {"mode": "kill"},
)
canceled(
    "CANCEL, mode kill, callee without canceling",
    "The router behaves as in mode skip.",
    f"caller: {CANCELED} | callee: nothing",
    {"mode": "kill"},
    roles=PLAIN_ROLES,
    means=NO_HANGING,
)
canceled("CANCEL without mode", "The default mode is not specified.", "", {}, means=NO_HANGING)


@scenario(
    "A result after CANCEL, mode kill",
    CANCELING,
    "The caller receives RESULT or ERROR, whichever the callee sends first.",
    keeps='RESULT ["done"]',
    means="A result that arrives in time is not lost.",
)
def result_after_kill(stage: Stage) -> str:
    callee, caller = pair(stage)
    request = caller.start_call(stage.uri())
    invocation = callee.invocation()
    caller.send(49, request, {"mode": "kill"})
    callee.read()
    callee.send(70, invocation[1], {}, ["done"])
    return without_text(caller.heard())


@scenario(
    "The callee's error after CANCEL, mode kill",
    CANCELING,
    "The caller receives ERROR when the callee has answered. A diagram shows that it is the callee's error.",
    keeps='ERROR com.example.stopped ["half"]',
    means="The caller receives the callee's own error.",
)
def error_after_kill(stage: Stage) -> str:
    callee, caller = pair(stage)
    request = caller.start_call(stage.uri())
    invocation = callee.invocation()
    caller.send(49, request, {"mode": "kill"})
    callee.read()
    callee.send(8, 68, invocation[1], {}, stage.uri("stopped"), ["half"])
    return caller.heard()


@scenario(
    "CANCEL of a call that does not exist", CANCELING, "Not specified; the result may have been sent at the same time."
)
def cancel_unknown(stage: Stage) -> str:
    caller = stage.join()
    caller.send(49, 1, {"mode": "kill"})
    return caller.heard()


@scenario(
    "The caller leaves",
    f'{BASIC}, "Caller Leaving During an RPC Invocation"',
    "A callee that supports canceling receives INTERRUPT in mode killnowait.",
    keeps='INTERRUPT {"mode": "killnowait"}',
)
def caller_leaves(stage: Stage) -> str:
    callee, caller = pair(stage)
    caller.start_call(stage.uri())
    callee.invocation()
    caller.close()
    return callee.heard()


@scenario(
    "The callee leaves",
    f'{BASIC}, "Callee Leaving During an RPC Invocation"',
    "The caller should receive ERROR wamp.error.canceled (this section spells it with two l, others with one).",
    keeps=(CANCELED, "ERROR wamp.error.cancelled"),
)
def callee_leaves(stage: Stage) -> str:
    callee, caller = pair(stage)
    caller.start_call(stage.uri())
    callee.invocation()
    callee.close()
    return without_text(caller.heard())


def timed(name: str, milliseconds: int, demands: str, keeps: str, means: str = "", caller_roles: Any = ROLES) -> None:
    """Add a scenario of a call with a timeout that is not answered within two seconds."""

    def steps(stage: Stage) -> str:
        callee, caller = pair(stage, roles=caller_roles)
        caller.start_call(stage.uri(), timeout=milliseconds)
        callee.invocation()
        message = caller.read(2.0)
        return without_text(told(message))

    scenario(name, TIMEOUTS, demands, keeps=keeps, means=means)(steps)


IN_MILLISECONDS = "Timeouts are in milliseconds; the error is wamp.error.timeout."
timed(
    "A timeout of 300",
    300,
    IN_MILLISECONDS,
    "ERROR wamp.error.timeout",
    "Timeouts are in milliseconds and have their own error. The realm option `timeouts_in_seconds` keeps "
    "Crossbar's unit.",
)
timed(
    "A timeout of 1",
    1,
    IN_MILLISECONDS,
    "ERROR wamp.error.timeout",
    "If clients send seconds, set `timeouts_in_seconds` or change the clients.",
)
timed(
    "A timeout, from a caller without canceling",
    300,
    IN_MILLISECONDS,
    "ERROR wamp.error.timeout",
    "Timeouts apply to every caller.",
    PLAIN_ROLES,
)


def progressive(name: str, demands: str, keeps: str, *, asks: bool, means: str = "") -> None:
    """Add a scenario of a callee that sends progressive results and then its result."""

    def steps(stage: Stage) -> str:
        callee, caller = pair(stage)
        caller.start_call(stage.uri(), **({"receive_progress": True} if asks else {}))
        request = callee.invocation()[1]
        callee.send(70, request, {"progress": True}, ["half"])
        callee.send(70, request, {}, ["done"])
        return caller.heard()

    scenario(name, PROGRESS, demands, keeps=keeps, means=means)(steps)


progressive(
    "Progress for a caller that asked",
    "The caller receives all results in order.",
    'RESULT {"progress": true} ["half"]; RESULT ["done"]',
    asks=True,
)
progressive(
    "Progress for a caller that did not ask",
    "receive_progress says that a caller accepts progressive results. What other callers receive is not specified.",
    "",
    asks=False,
    means="Callers receive progressive results only if they set `receive_progress`.",
)


@scenario(
    "A progressive call",
    INVOCATIONS,
    "All parts of one call reach the callee with the same invocation id.",
    keeps='INVOCATION {"progress": true} [1]; INVOCATION [2]; one invocation id',
    means="Callers can stream arguments.",
)
def progressive_call(stage: Stage) -> str:
    roles = {role: {"features": {"progressive_call_invocations": True, "call_canceling": True}} for role in ROLES}
    callee, caller = pair(stage, roles)
    caller = stage.join(roles=roles)
    caller.send(48, 1, {"progress": True}, stage.uri(), [1])
    caller.send(48, 1, {}, stage.uri(), [2])
    heard = callee.messages()
    same = len({message[1] for message in heard if isinstance(message, list)}) == 1
    return f"{told(*heard)}; {'one invocation id' if same else 'several invocation ids'}"


def identified(name: str, demands: str, keeps: str, means: str = "", *, realm: str = "realm1", **options: Any) -> None:
    """Add a scenario of a call. It observes which details of the caller the callee receives."""

    def steps(stage: Stage) -> str:
        callee, caller = stage.join(realm=realm), stage.join(realm=realm)
        callee.register(stage.uri())
        caller.start_call(stage.uri(), **options)
        details = callee.invocation()[3]
        return ", ".join(sorted(key for key in details if key.startswith("caller"))) or "nothing of the caller"

    scenario(name, f'{ADVANCED}, "Caller Identification"', demands, keeps=keeps, means=means)(steps)


CALLER = "caller, caller_authid, caller_authrole"
identified(
    "disclose_me on CALL",
    "A caller may ask to be disclosed, and a dealer may refuse. If it is allowed, the details name the caller.",
    CALLER,
    "Callers that request it are disclosed. The realm option `allow_disclose_me: false` refuses this with an error.",
    disclose_me=True,
)
identified(
    "A caller that does not ask to be disclosed",
    "Callers are disclosed if they or the callee ask for it, or if the router is configured to do so.",
    "nothing of the caller",
)
identified(
    "A role whose callers are disclosed", "A router may be configured to disclose them.", CALLER, realm="disclosing"
)


@scenario(
    "disclose_caller on REGISTER",
    f'{ADVANCED}, "Caller Identification"',
    "With disclose_caller the invocation contains the caller's session id.",
    keeps=CALLER,
    means="Callees that request it receive the identity of the caller.",
)
def disclose_caller(stage: Stage) -> str:
    callee, caller = stage.join(), stage.join()
    callee.register(stage.uri(), disclose_caller=True)
    caller.start_call(stage.uri())
    details = callee.invocation()[3]
    return ", ".join(sorted(key for key in details if key.startswith("caller"))) or "nothing of the caller"


@scenario(
    "Identity of the callee in RESULT",
    f'{BASIC}, "Extensibility"',
    "Keys of RESULT.Details that are not predefined begin with an underscore, and no key is predefined for the callee.",
    keeps="nothing of the callee",
    means="Callers no longer receive `callee`, `callee_authid` and `callee_authrole`.",
)
def callee_identity(stage: Stage) -> str:
    callee, caller = pair(stage)
    request = caller.start_call(stage.uri())
    callee.send(70, callee.invocation()[1], {}, [1])
    details = caller.answer(request)[2]
    return ", ".join(sorted(key for key in details if key.startswith("callee"))) or "nothing of the callee"


@scenario(
    "An error of the callee",
    CALLS,
    "The URI and the arguments are passed on.",
    keeps='ERROR com.example.wrong [1] {"a": 2}',
)
def error(stage: Stage) -> str:
    callee, caller = pair(stage)
    caller.start_call(stage.uri())
    callee.send(8, 68, callee.invocation()[1], {}, stage.uri("wrong"), [1], {"a": 2})
    return caller.heard()


@scenario(
    "CALL of a procedure that is not registered",
    URIS,
    "ERROR wamp.error.no_such_procedure.",
    keeps="ERROR wamp.error.no_such_procedure",
)
def no_such_procedure(stage: Stage) -> str:
    return without_text(told(stage.join().call(stage.uri())))


def carried(
    name: str,
    sender: str,
    receiver: str,
    payload: Any,
    demands: str,
    keeps: tuple[str, ...],
    means: str,
    section: str = CALLS,
) -> None:
    """Add a scenario of an argument sent from one serializer to another. ``payload`` may be the bytes of JSON."""

    def steps(stage: Stage) -> str:
        callee, caller = stage.join(serializer=receiver), stage.join(serializer=sender)
        callee.register(stage.uri())
        if isinstance(payload, bytes) and sender == "json":
            caller.send_bytes(f'[48, 1, {{}}, "{stage.uri()}", ['.encode() + payload + b"]]")
        else:
            caller.send(48, 1, {}, stage.uri(), [payload])
        return f"callee: {callee.heard()} | caller: {without_text(caller.heard())}"

    scenario(name, section, demands, keeps=keeps, means=means)(steps)


ANSWERED = "A call that fails at the dealer before it is forwarded is answered with ERROR. The URI is not specified."
REFUSED = tuple(
    f"callee: nothing | caller: ERROR wamp.error.{name}" for name in ("invalid_payload", "invalid_argument")
)
carried(
    "An integer beyond 64 bits, from JSON to MessagePack",
    "json",
    "msgpack",
    b"1" + b"0" * 30,
    ANSWERED,
    REFUSED,
    "Such calls fail with an error instead of hanging.",
)
carried(
    "NaN, from MessagePack to JSON",
    "msgpack",
    "json",
    float("nan"),
    ANSWERED,
    REFUSED,
    "JSON clients never receive NaN, which is not valid JSON.",
)
carried(
    "Bytes, from MessagePack to JSON",
    "msgpack",
    "json",
    b"\x00\xff",
    "Bytes are encoded as a string of U+0000 and base64.",
    ('callee: INVOCATION ["\\u0000AP8="] | caller: nothing',),
    "",
    f'{ADVANCED}, "Binary support in JSON"',
)
