"""Opening and ending sessions, and what breaks the protocol."""

from typing import Any

from .scenario import ADVANCED, BASIC, scenario
from .stage import ROLES, Peer, Stage, told

VIOLATIONS = f'{BASIC}, "Protocol Errors"'
ESTABLISHMENT = f'{BASIC}, "Session Establishment"'
CLOSING = f'{BASIC}, "Session Closing"'
LIFETIME = f'{BASIC}, "Transport and Session Lifetime"'
EXTENSIBILITY = f'{BASIC}, "Extensibility"'

ABORTED = "ABORT wamp.error.protocol_violation; close 1002"
DEMAND = "ABORT wamp.error.protocol_violation must be sent and the session aborted; the connection should be dropped."
ROLES_DEMAND = "A client must announce at least one of the four roles; what follows an invalid HELLO is ABORT."
SAYS_WHY = "Clients are told what they did wrong before the connection closes."
NOTICED = "A report_error client that went unnoticed is told, and loses its session."


def violation(
    name: str, *message: object, joined: bool = True, means: str = NOTICED, section: str = VIOLATIONS
) -> None:
    """A scenario of one message that is not allowed."""

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
violation("AUTHENTICATE in a session", 5, "secret", {})
violation("A message type that does not exist", 99, 1, {}, means=SAYS_WHY)
violation("A message with an element of the wrong type", 32, 1, [], "com.example.it", means=SAYS_WHY)
violation("A message that is too short", 32, 1, means=SAYS_WHY)
violation("An option of the wrong type", 16, 1, {"acknowledge": "yes"}, "com.example.it", means=SAYS_WHY)
violation("EVENT from a client", 36, 1, 1, {})
violation("WELCOME from a client", 2, 1, {})
violation("ERROR for a request that is no INVOCATION", 8, 48, 1, {}, "com.example.error", means=SAYS_WHY)
violation("YIELD for an invocation that was never sent", 70, 4711, {})
violation("Request id 0", 32, 0, {}, "com.example.it", means=SAYS_WHY)
violation("A request id above 2^53", 32, 2**53 + 1, {}, "com.example.it", means=SAYS_WHY)
violation("A negative request id", 32, -1, {}, "com.example.it", means=SAYS_WHY)


def hello(name: str, details: dict[str, Any]) -> None:
    """A scenario of a HELLO whose roles are not as they should be."""
    violation(name, 1, "realm1", details, joined=False, means=SAYS_WHY, section=ESTABLISHMENT)


hello("HELLO without roles", {})
hello("HELLO with no role in roles", {"roles": {}})
hello("HELLO with a role that does not exist", {"roles": {"wizard": {}}})


def raw(name: str, data: bytes, *, binary: bool = False) -> None:
    """A scenario of one frame that holds no message."""

    def steps(stage: Stage) -> str:
        peer = stage.join()
        if binary:
            Peer(peer.wire, "msgpack").send_bytes(data)
        else:
            peer.send_bytes(data)
        return peer.heard()

    scenario(name, VIOLATIONS, DEMAND, keeps=ABORTED, means=SAYS_WHY)(steps)


raw("A frame that is not JSON", b"hello there")
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
    "The router may create the realm, or deny with ABORT; the example has wamp.error.no_such_realm.",
    keeps=("ABORT wamp.error.no_such_realm; close 1000", "ABORT wamp.error.no_such_realm"),
    means="After ABORT the connection closes: a client that tries another realm opens a new one.",
)
def unknown_realm(stage: Stage) -> str:
    peer = stage.connect()
    peer.send(1, "nowhere", {"roles": ROLES})
    return peer.heard()


@scenario(
    "A second HELLO after ABORT",
    LIFETIME,
    "Whether a connection may serve another session is the implementation's choice.",
    means="One attempt to log in per connection; credentials cannot be guessed over one connection.",
)
def hello_after_abort(stage: Stage) -> str:
    peer = stage.connect()
    peer.send(1, "nowhere", {"roles": ROLES})
    peer.send(1, "realm1", {"roles": ROLES})
    return peer.heard()


def login(name: str, section: str, demands: str, methods: list[str], keeps: str | tuple[str, ...], means: str) -> None:
    """A scenario of one HELLO with these authentication methods."""

    def steps(stage: Stage) -> str:
        peer = stage.connect()
        peer.send(1, "realm1", {"roles": ROLES, "authmethods": methods, "authid": "joe"})
        return peer.heard()

    scenario(name, section, demands, keeps=keeps, means=means)(steps)


login(
    "An unknown authentication method before a known one",
    f'{ADVANCED}, "Challenge Response Authentication"',
    "A server that cannot perform a method may skip forward to the others announced, or ABORT.",
    ["hologram", "anonymous"],
    "",
    "Clients may offer newer methods first and fall back.",
)
login(
    "Only authentication methods that are not configured",
    f'{ADVANCED}, "Advanced Profile URIs"',
    "wamp.error.no_matching_auth_method, where no method that the client offered is accepted.",
    ["ticket"],
    "ABORT wamp.error.no_matching_auth_method; close 1000",
    "The URI to look for is the specification's; the connection closes.",
)


@scenario(
    "A role that the realm does not have",
    f'{BASIC}, "Basic Profile URIs"',
    "wamp.error.no_such_role, where a peer was to be authenticated under a role that does not exist.",
    keeps="ABORT wamp.error.no_such_role; close 1000",
    means="A missing role shows at login, not as an error of every request.",
)
def missing_role(stage: Stage) -> str:
    peer = stage.connect()
    peer.send(1, "roleless", {"roles": ROLES})
    return peer.heard()


@scenario(
    "WELCOME names the router's software",
    ESTABLISHMENT,
    "The router may name its software as agent. Keys that are not predefined begin with an underscore.",
    keeps=("agent, no private keys", "no agent, no private keys"),
    means="`agent` can be shown in clients. Crossbar's `x_cb_node`, `x_cb_worker` and `x_cb_pid` are not sent.",
)
def agent(stage: Stage) -> str:
    peer = stage.connect()
    peer.send(1, "realm1", {"roles": ROLES})
    details = peer.read()[2]
    private = "private keys" if any(key.startswith("x_") for key in details) else "no private keys"
    return f"{'agent' if 'agent' in details else 'no agent'}, {private}"


@scenario(
    "Features that WELCOME announces",
    f'{ADVANCED}, "Feature Announcement"',
    "Support for advanced features must be announced.",
    means="Clients that look at the announcement may use more features.",
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
    "GOODBYE must be replied to; wamp.close.goodbye_and_out is the reason of a reply.",
    keeps=("GOODBYE wamp.close.goodbye_and_out", "GOODBYE wamp.close.goodbye_and_out; close 1000"),
    means="Clients that look at the reason see the specification's.",
)
def goodbye(stage: Stage) -> str:
    peer = stage.join()
    peer.send(6, {}, "wamp.close.normal")
    return peer.heard()


@scenario(
    "A new session on the same connection after GOODBYE",
    LIFETIME,
    "Whether a connection may serve another session is the implementation's choice.",
)
def rejoin(stage: Stage) -> str:
    peer = stage.join()
    peer.send(6, {}, "wamp.close.normal")
    first = told(peer.read()).split(" ")[0]
    peer.send(1, "realm2", {"roles": ROLES})
    return f"{first}, then {peer.heard()}"


@scenario(
    "What a killed session still sends",
    f'{BASIC}, "Sessions"',
    "A peer that has sent GOODBYE ignores all but the answer.",
    keeps="nothing",
    means="Killing works at once.",
)
def killed(stage: Stage) -> str:
    killer, victim, listener = stage.join(), stage.join(), stage.join()
    listener.subscribe(stage.uri())
    killer.call("wamp.session.kill", victim.session_id)
    victim.read()
    victim.send(16, victim.next_id(), {}, stage.uri(), ["from beyond"])
    return listener.heard()


@scenario(
    "A message of a role that was not announced",
    ESTABLISHMENT,
    "A client announces its roles; what follows from a message of another role is not said.",
)
def unannounced_role(stage: Stage) -> str:
    peer = stage.join(roles={"publisher": {}})
    return told(peer.request(32, {}, stage.uri()))


@scenario(
    "Options that are null",
    EXTENSIBILITY,
    "Unknown attributes are ignored; what null means for a known one is not said (WAMP itself does not use null).",
    means="Clients that send null for options not given work (wampy.js does).",
)
def null_option(stage: Stage) -> str:
    peer = stage.join()
    return told(peer.request(32, {"match": None, "get_retained": None}, stage.uri()))


@scenario(
    "Options that nobody knows",
    EXTENSIBILITY,
    "Attributes unknown to an implementation must be ignored.",
    keeps="SUBSCRIBED",
)
def unknown_option(stage: Stage) -> str:
    return told(stage.join().request(32, {"_my_option": [1], "nonsense": True}, stage.uri()))


@scenario(
    "A payload passed through without having announced it",
    f'{ADVANCED}, "Payload Passthru Mode"',
    "Using ppt_scheme without announcing payload_passthru_mode is a protocol violation.",
    keeps=ABORTED,
    means="Clients that encrypt announce the feature first.",
)
def unannounced_passthru(stage: Stage) -> str:
    peer = stage.join()
    peer.send(16, 1, {"acknowledge": True, "ppt_scheme": "x_own"}, stage.uri(), ["sealed"])
    return peer.heard()
