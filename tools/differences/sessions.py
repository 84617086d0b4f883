"""Opening and closing sessions, and protocol violations."""

from typing import Any

from .scenario import ADVANCED, BASIC, scenario
from .stage import ROLES, Peer, Stage, told

VIOLATIONS = f'{BASIC}, "Protocol Errors"'
ESTABLISHMENT = f'{BASIC}, "Session Establishment"'
CLOSING = f'{BASIC}, "Session Closing"'
LIFETIME = f'{BASIC}, "Transport and Session Lifetime"'
EXTENSIBILITY = f'{BASIC}, "Extensibility"'

ABORTED = "ABORT wamp.error.protocol_violation; close 1002"
DEMAND = (
    "The router must send ABORT wamp.error.protocol_violation and abort the session; it should close the connection."
)
ROLES_DEMAND = "A client must announce at least one of the four roles. The router answers an invalid HELLO with ABORT."
SAYS_WHY = "Clients receive the reason before the connection closes."
NOTICED = "A faulty client that Crossbar tolerates receives the reason and loses its session."


def violation(
    name: str, *message: object, joined: bool = True, means: str = NOTICED, section: str = VIOLATIONS
) -> None:
    """Add a scenario of one message that is not allowed."""

    def steps(stage: Stage) -> str:
        peer = stage.join() if joined else stage.connect()
        peer.send(*message)
        return peer.heard()

    demands = ROLES_DEMAND if section == ESTABLISHMENT else DEMAND
    scenario(name, section, demands, keeps=ABORTED, means=means)(steps)


violation("A second HELLO", 1, "realm1", {"roles": ROLES})
violation("SUBSCRIBE before HELLO", 32, 1, {}, "com.example.it", joined=False)
violation("CALL before HELLO", 48, 1, {}, "com.example.it", joined=False)
violation("GOODBYE before HELLO", 6, {}, "wamp.close.normal", joined=False)
violation("ERROR before HELLO", 8, 68, 1, {}, "com.example.error", joined=False)
violation("AUTHENTICATE without a challenge", 5, "secret", {}, joined=False)
violation("AUTHENTICATE in an established session", 5, "secret", {})
violation("An unknown message type", 99, 1, {}, means=SAYS_WHY)
violation("A message with an element of the wrong type", 32, 1, [], "com.example.it", means=SAYS_WHY)
violation("A message that is too short", 32, 1, means=SAYS_WHY)
violation("An option of the wrong type", 16, 1, {"acknowledge": "yes"}, "com.example.it", means=SAYS_WHY)
violation("EVENT from a client", 36, 1, 1, {})
violation("WELCOME from a client", 2, 1, {})
violation("ERROR for a request that is not an INVOCATION", 8, 48, 1, {}, "com.example.error", means=SAYS_WHY)
violation("YIELD for an invocation that was never sent", 70, 4711, {})
violation("Request id 0", 32, 0, {}, "com.example.it", means=SAYS_WHY)
violation("A request id above 2^53", 32, 2**53 + 1, {}, "com.example.it", means=SAYS_WHY)
violation("A negative request id", 32, -1, {}, "com.example.it", means=SAYS_WHY)


def hello(name: str, details: dict[str, Any]) -> None:
    """Add a scenario of a HELLO whose roles are not as they should be."""
    violation(name, 1, "realm1", details, joined=False, means=SAYS_WHY, section=ESTABLISHMENT)


hello("HELLO without roles", {})
hello("HELLO with empty roles", {"roles": {}})
hello("HELLO with an unknown role", {"roles": {"wizard": {}}})


def raw(name: str, data: bytes, *, binary: bool = False) -> None:
    """Add a scenario of one frame that holds no message."""

    def steps(stage: Stage) -> str:
        peer = stage.join()
        if binary:
            Peer(peer.wire, "msgpack").send_bytes(data)
        else:
            peer.send_bytes(data)
        return peer.heard()

    scenario(name, VIOLATIONS, DEMAND, keeps=ABORTED, means=SAYS_WHY)(steps)


raw("A frame that is not valid JSON", b"hello there")
raw("A frame with a JSON object", b'{"a": 1}')
raw("An empty frame", b"")
raw("A frame with an empty list", b"[]")
raw("A binary frame on a JSON connection", b'[32, 1, {}, "com.example.it"]', binary=True)


@scenario(
    "YIELD for the invocation of another session",
    VIOLATIONS,
    "A YIELD with an invalid request id is a protocol error.",
    keeps=ABORTED + " | the caller: nothing",
    means=SAYS_WHY,
)
def foreign_yield(stage: Stage) -> str:
    callee, caller, other = stage.join(), stage.join(), stage.join()
    callee.register(stage.uri())
    caller.start_call(stage.uri())
    other.send(70, callee.invocation()[1], {}, ["forged"])
    return f"{other.heard()} | the caller: {caller.heard()}"


@scenario(
    "An unknown realm",
    ESTABLISHMENT,
    "The router may create the realm or refuse with ABORT. The example uses wamp.error.no_such_realm.",
    keeps=("ABORT wamp.error.no_such_realm; close 1000", "ABORT wamp.error.no_such_realm"),
    means="The connection closes after ABORT: a client opens a new one to try another realm.",
)
def unknown_realm(stage: Stage) -> str:
    peer = stage.connect()
    peer.send(1, "nowhere", {"roles": ROLES})
    return peer.heard()


@scenario(
    "A second HELLO after ABORT",
    LIFETIME,
    "An implementation may choose whether a connection can carry another session.",
    means="Each connection allows one attempt to log in, so a client cannot guess credentials over one connection.",
)
def hello_after_abort(stage: Stage) -> str:
    peer = stage.connect()
    peer.send(1, "nowhere", {"roles": ROLES})
    peer.send(1, "realm1", {"roles": ROLES})
    return peer.heard()


def login(name: str, section: str, demands: str, methods: list[str], keeps: str | tuple[str, ...], means: str) -> None:
    """Add a scenario of one HELLO with these authentication methods."""

    def steps(stage: Stage) -> str:
        peer = stage.connect()
        peer.send(1, "realm1", {"roles": ROLES, "authmethods": methods, "authid": "joe"})
        return peer.heard()

    scenario(name, section, demands, keeps=keeps, means=means)(steps)


login(
    "An unknown authentication method before a known one",
    f'{ADVANCED}, "Challenge Response Authentication"',
    "A server that does not support a method may try the other announced methods, or send ABORT.",
    ["hologram", "anonymous"],
    "",
    "Clients can offer newer methods first and fall back to others.",
)
login(
    "Only authentication methods that are not configured",
    f'{ADVANCED}, "Advanced Profile URIs"',
    "If none of the offered methods is accepted: wamp.error.no_matching_auth_method.",
    ["ticket"],
    "ABORT wamp.error.no_matching_auth_method; close 1000",
    "Check for the specification's URI. The connection closes.",
)


@scenario(
    "A role that the realm does not have",
    f'{BASIC}, "Basic Profile URIs"',
    "If a peer would get a role that does not exist: wamp.error.no_such_role.",
    keeps="ABORT wamp.error.no_such_role; close 1000",
    means="A missing role is reported at login instead of in an error for every request.",
)
def missing_role(stage: Stage) -> str:
    peer = stage.connect()
    peer.send(1, "roleless", {"roles": ROLES})
    return peer.heard()


@scenario(
    "The software in WELCOME",
    ESTABLISHMENT,
    "The router may give its software as agent. Keys that are not predefined begin with an underscore.",
    keeps=("agent, no private keys", "no agent, no private keys"),
    means="Clients can show `agent`. Crossbar's `x_cb_node`, `x_cb_worker` and `x_cb_pid` are not sent.",
)
def agent(stage: Stage) -> str:
    peer = stage.connect()
    peer.send(1, "realm1", {"roles": ROLES})
    details = peer.read()[2]
    private = "private keys" if any(key.startswith("x_") for key in details) else "no private keys"
    return f"{'agent' if 'agent' in details else 'no agent'}, {private}"


@scenario(
    "The features in WELCOME",
    f'{ADVANCED}, "Feature Announcement"',
    "Support for advanced features must be announced.",
    means="Clients that check the announced features can use more of them.",
)
def announced(stage: Stage) -> str:
    peer = stage.connect()
    peer.send(1, "realm1", {"roles": ROLES})
    roles = peer.read()[2]["roles"]
    return "; ".join(
        f"{role}: {', '.join(sorted(name for name, on in roles[role].get('features', {}).items() if on))}"
        for role in ("broker", "dealer")
    )


@scenario(
    "The answer to GOODBYE",
    CLOSING,
    "The router must answer GOODBYE; the reason of an answer is wamp.close.goodbye_and_out.",
    keeps=("GOODBYE wamp.close.goodbye_and_out", "GOODBYE wamp.close.goodbye_and_out; close 1000"),
    means="Clients that check the reason receive the specification's.",
)
def goodbye(stage: Stage) -> str:
    peer = stage.join()
    peer.send(6, {}, "wamp.close.normal")
    return peer.heard()


@scenario(
    "A new session on the same connection after GOODBYE",
    LIFETIME,
    "An implementation may choose whether a connection can carry another session.",
)
def rejoin(stage: Stage) -> str:
    peer = stage.join()
    peer.send(6, {}, "wamp.close.normal")
    first = told(peer.read()).split(" ")[0]
    peer.send(1, "realm2", {"roles": ROLES})
    return f"{first}, then {peer.heard()}"


@scenario(
    "Messages of a session after it was killed",
    f'{BASIC}, "Sessions"',
    "A peer that has sent GOODBYE ignores all messages except the answer.",
    keeps="nothing",
    means="A session is killed immediately.",
)
def killed(stage: Stage) -> str:
    killer, victim, listener = stage.join(), stage.join(), stage.join()
    listener.subscribe(stage.uri())
    killer.call("wamp.session.kill", victim.session_id)
    victim.read()
    victim.send(16, victim.next_id(), {}, stage.uri(), ["from beyond"])
    return listener.heard()


@scenario(
    "A message that belongs to a role that was not announced",
    ESTABLISHMENT,
    "A client announces its roles. The reaction to a message of another role is not specified.",
)
def unannounced_role(stage: Stage) -> str:
    peer = stage.join(roles={"publisher": {}})
    return told(peer.request(32, {}, stage.uri()))


@scenario(
    "Options with the value null",
    EXTENSIBILITY,
    "Unknown attributes are ignored. The meaning of null for a known one is not specified (WAMP itself "
    "does not use null).",
    means="Clients that send null for omitted options work (wampy.js does so).",
)
def null_option(stage: Stage) -> str:
    peer = stage.join()
    return told(peer.request(32, {"match": None, "get_retained": None}, stage.uri()))


@scenario(
    "Unknown options",
    EXTENSIBILITY,
    "An implementation must ignore unknown attributes.",
    keeps="SUBSCRIBED",
)
def unknown_option(stage: Stage) -> str:
    return told(stage.join().request(32, {"_my_option": [1], "nonsense": True}, stage.uri()))


@scenario(
    "Payload passthru without announcing it",
    f'{ADVANCED}, "Payload Passthru Mode"',
    "Using ppt_scheme without announcing payload_passthru_mode is a protocol violation.",
    keeps=ABORTED,
    means="Clients that encrypt payload must announce the feature.",
)
def unannounced_passthru(stage: Stage) -> str:
    peer = stage.join()
    peer.send(16, 1, {"acknowledge": True, "ppt_scheme": "x_own"}, stage.uri(), ["sealed"])
    return peer.heard()
