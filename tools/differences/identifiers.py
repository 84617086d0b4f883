"""Ids and URIs."""

from .scenario import ADVANCED, BASIC, scenario
from .stage import Stage, told

IDS = f'{BASIC}, "IDs"'
URIS = f'{BASIC}, "URIs"'
PREDEFINED = f'{BASIC}, "Basic Profile URIs"'
RESERVED = "Application URIs must not begin with wamp; an incorrect URI is answered with wamp.error.invalid_uri."
INVALID = "ERROR wamp.error.invalid_uri"
LIVES = "The session lives on; the client is told which request was wrong."


@scenario(
    "Request ids that leave numbers out",
    IDS,
    "Ids in the session scope count 1, 2, 3; a broken sequence is a protocol error (though its own examples break it).",
    means="Accepted, as some clients in use send random ids. `strict_request_ids` of a realm keeps the specification.",
)
def gaps(stage: Stage) -> str:
    peer = stage.join()
    peer.send(32, 17, {}, stage.uri())
    return told(peer.read())


@scenario(
    "CALL with the id of a call in flight",
    IDS,
    "Ids in the session scope count 1, 2, 3: one that comes again is a protocol error.",
    keeps="ABORT wamp.error.protocol_violation; close 1002",
    means="Clients that reuse ids are told; before, one of both calls was lost.",
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
    "They belong to the callee's session and count 1, 2, 3.",
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
    "All subscribers of the same subscription are given the same id.",
    keeps="the same",
)
def subscription_ids(stage: Stage) -> str:
    first, second = stage.join(), stage.join()
    same = first.subscribe(stage.uri()) == second.subscribe(stage.uri()) == first.subscribe(stage.uri())
    return "the same" if same else "different"


def invalid(name: str, code: int, uri: str, options: dict | None = None, *, keeps: str = INVALID, **more: str) -> None:
    """A scenario of one request with a URI, which may hold the scenario's own prefix as ``{}``."""

    def steps(stage: Stage) -> str:
        peer = stage.join()
        first = told(peer.request(code, options or {}, uri.format(stage.prefix)))
        return first if first.startswith("close") or "drops" in first else f"{first.partition(' [')[0]}"

    demands = more.pop("demands", "An incorrect URI is answered with ERROR wamp.error.invalid_uri.")
    section = more.pop("section", PREDEFINED)
    scenario(name, section, demands, keeps=keeps, **{"means": LIVES, **more})(steps)


invalid("CALL of a URI with an empty component", 48, "{}..it")
invalid("CALL of an empty URI", 48, "")
invalid("CALL of a URI with white space", 48, "{}.a b")
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
    "A URI of letters that the strict rules do not know",
    32,
    "{}.Grüße-7",
    keeps="",
    section=URIS,
    demands="The loose rules must be kept; the strict ones, with a-z, 0-9 and _ only, are recommended.",
)
invalid(
    "A prefix with an empty last component",
    32,
    "{}.",
    {"match": "prefix"},
    keeps="",
    section=URIS,
    demands="Empty components are allowed for some messages of the advanced profile; whether in a prefix is not said.",
)
invalid(
    "The empty prefix",
    32,
    "",
    {"match": "prefix"},
    keeps="",
    section=URIS,
    demands="Empty components are allowed for some messages of the advanced profile; whether in a prefix is not said.",
)


@scenario(
    "PUBLISH without acknowledgement to an invalid URI",
    f'{BASIC}, "Publish and Subscribe"',
    "To a PUBLISH without acknowledge the broker does not respond, whether it was successful or not.",
    keeps="nothing; SUBSCRIBED",
    means=LIVES,
)
def silent(stage: Stage) -> str:
    peer = stage.join()
    peer.send(16, peer.next_id(), {}, f"{stage.prefix}..it")
    heard = peer.heard()
    return heard if heard != "nothing" else f"nothing; {told(peer.request(32, {}, stage.uri()))}"


@scenario(
    "A matching rule that does not exist",
    f'{BASIC}, "Protocol Errors"',
    "A protocol-incompatible message ends the session with ABORT; the specification's test vectors name this one.",
    keeps="ABORT wamp.error.protocol_violation; close 1002",
    means="ABORT says what is wrong.",
)
def unknown_match(stage: Stage) -> str:
    peer = stage.join()
    peer.send(32, 1, {"match": "fuzzy"}, stage.uri())
    return peer.heard()
