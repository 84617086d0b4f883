"""IDs and URIs."""

from .scenario import ADVANCED, BASIC, scenario
from .stage import Stage, told

IDS = f'{BASIC}, "IDs"'
URIS = f'{BASIC}, "URIs"'
PREDEFINED = f'{BASIC}, "Basic Profile URIs"'
RESERVED = "Application URIs must not begin with wamp. An invalid URI is answered with wamp.error.invalid_uri."
INVALID = "ERROR wamp.error.invalid_uri"
LIVES = "The session stays open, and ERROR names the invalid request."


@scenario(
    "Request ids with gaps",
    IDS,
    "Ids in the session scope are 1, 2, 3 and so on. A broken sequence is a protocol error (although the "
    "specification's own examples break it).",
    means="Gaps are accepted, because some existing clients send random ids. The realm option "
    "`strict_request_ids` enforces the specification.",
)
def gaps(stage: Stage) -> str:
    peer = stage.join()
    peer.send(32, 17, {}, stage.uri())
    return told(peer.read())


@scenario(
    "CALL with the id of an open call",
    IDS,
    "Ids in the session scope are 1, 2, 3 and so on. A repeated id is a protocol error.",
    keeps="ABORT wamp.error.protocol_violation; close 1002",
    means="Clients that reuse ids receive an error. With Crossbar, one of the two calls is lost.",
)
def reused(stage: Stage) -> str:
    callee, caller = stage.join(), stage.join()
    callee.register(stage.uri())
    for _ in range(2):
        caller.send(48, 1, {}, stage.uri())
    return caller.heard()


@scenario(
    "Invocation ids of a callee",
    IDS,
    "They belong to the callee's session and are 1, 2, 3 and so on.",
    keeps="first 1, then 2",
    means="Callees that check the sequence work.",
)
def invocation_ids(stage: Stage) -> str:
    callee, other, caller = stage.join(), stage.join(), stage.join()
    callee.register(stage.uri())
    other.register(stage.uri("other"))
    ids = []
    for _ in range(2):
        caller.start_call(stage.uri("other"))
        other.invocation()
        caller.start_call(stage.uri())
        ids.append(callee.invocation()[1])
    return "first 1, then 2" if ids == [1, 2] else "not from 1, or with gaps"


@scenario(
    "Subscription ids",
    f'{ADVANCED}, "Pattern-based Subscription"',
    "All subscribers of the same subscription receive the same id.",
    keeps="the same",
)
def subscription_ids(stage: Stage) -> str:
    first, second = stage.join(), stage.join()
    same = first.subscribe(stage.uri()) == second.subscribe(stage.uri()) == first.subscribe(stage.uri())
    return "the same" if same else "different"


def invalid(name: str, code: int, uri: str, options: dict | None = None, *, keeps: str = INVALID, **more: str) -> None:
    """Add a scenario of one request with a URI. ``{}`` in the URI stands for the scenario's own prefix."""

    def steps(stage: Stage) -> str:
        peer = stage.join()
        first = told(peer.request(code, options or {}, uri.format(stage.prefix)))
        return first if first.startswith("close") or "drops" in first else f"{first.partition(' [')[0]}"

    demands = more.pop("demands", "An invalid URI is answered with ERROR wamp.error.invalid_uri.")
    section = more.pop("section", PREDEFINED)
    scenario(name, section, demands, keeps=keeps, **{"means": LIVES, **more})(steps)


invalid("CALL of a URI with an empty component", 48, "{}..it")
invalid("CALL of an empty URI", 48, "")
invalid("CALL of a URI with whitespace", 48, "{}.a b")
invalid("PUBLISH to a URI with an empty component", 16, "{}..it", {"acknowledge": True})
invalid("SUBSCRIBE to a URI with an empty component", 32, "{}..it")
invalid("REGISTER of a URI with an empty component", 64, "{}..it")
invalid("REGISTER of a URI that ends with a line feed", 64, "{}.it\n")
invalid("SUBSCRIBE to a URI with #", 32, "{}.a#b")
invalid("REGISTER of wamp.my.procedure", 64, "wamp.my.procedure", section=URIS, demands=RESERVED)
invalid(
    "PUBLISH to wamp.my.topic",
    16,
    "wamp.my.topic",
    {"acknowledge": True},
    section=URIS,
    demands=RESERVED,
)
invalid(
    "PUBLISH to wamp.session.on_join",
    16,
    "wamp.session.on_join",
    {"acknowledge": True},
    section=URIS,
    demands=RESERVED,
)
invalid(
    "A URI with letters that the strict rules do not allow",
    32,
    "{}.Grüße-7",
    keeps="",
    section=URIS,
    demands="The loose rules must be followed; the strict rules, which allow only a-z, 0-9 and _, are recommended.",
)
invalid(
    "A prefix with an empty last component",
    32,
    "{}.",
    {"match": "prefix"},
    keeps="",
    section=URIS,
    demands="Some messages of the advanced profile allow empty components. Whether a prefix may have them is not "
    "specified.",
)
invalid(
    "The empty prefix",
    32,
    "",
    {"match": "prefix"},
    keeps="",
    section=URIS,
    demands="Some messages of the advanced profile allow empty components. Whether a prefix may have them is not "
    "specified.",
)


@scenario(
    "PUBLISH without acknowledgment to an invalid URI",
    f'{BASIC}, "Publish and Subscribe"',
    "The broker does not respond to a PUBLISH without acknowledge, whether it was successful or not.",
    keeps="nothing; SUBSCRIBED",
    means=LIVES,
)
def silent(stage: Stage) -> str:
    peer = stage.join()
    peer.send(16, peer.next_id(), {}, f"{stage.prefix}..it")
    heard = peer.heard()
    return heard if heard != "nothing" else f"nothing; {told(peer.request(32, {}, stage.uri()))}"


@scenario(
    "An unknown match policy",
    f'{BASIC}, "Protocol Errors"',
    "A message that is incompatible with the protocol ends the session with ABORT. The specification's "
    "test vectors include this one.",
    keeps="ABORT wamp.error.protocol_violation; close 1002",
    means="ABORT gives the reason.",
)
def unknown_match(stage: Stage) -> str:
    peer = stage.join()
    peer.send(32, 1, {"match": "fuzzy"}, stage.uri())
    return peer.heard()
