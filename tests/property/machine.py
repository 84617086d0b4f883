"""Several peers do what they like, legal or not, to a real router in memory and to the naive one beside it.

After each step every peer has received just what the naive router says, in that order; at the end nothing is left.
"""

from collections import Counter
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wamp_transport.router.options import (
    AnonymousLogin,
    Permission,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.router.records import REQUEST_KEY
from wamp_transport.testing.memory import MemoryNode

from .leftovers import leftovers
from .naive import rights
from .naive.records import Client, Registration, Session, agrees
from .naive.router import NaiveRouter

FEATURES: dict[str, set[str]] = {
    "publisher": set(),
    "subscriber": {"subscription_revocation"},
    "caller": {"progressive_call_results", "progressive_call_invocations"},
    "callee": {
        "progressive_call_results", "progressive_call_invocations", "call_canceling", "call_reroute", "call_timeout",
        "registration_revocation",
    },
}  # fmt: skip
ALL_FEATURES = {feature for features in FEATURES.values() for feature in features}
SERIALIZERS = ["json", "msgpack", "cbor", "json", "msgpack"]
ROLES = ["anonymous", "anonymous", "guest", "anonymous", "guest"]
AUTHIDS = ["ann", "bob", "ann", "cid", "bob"]
LACKS: list[set[str]] = [set(), ALL_FEATURES, set(), {"call_canceling"}, {"call_reroute", "registration_revocation"}]
"""The features that each peer does not announce."""

PEERS = st.integers(0, 4)
PICKS = st.integers(0, 11)
"""One of those there are, counted round."""
REALMS = st.sampled_from(["realm1"] * 5 + ["realm2", "nowhere"])
USUAL = ["a", "a.b", "a.c", "b.c", "a.b.c"]
URIS = st.sampled_from(USUAL)
CALLED = [*USUAL, "A.b"]
TOPICS = st.sampled_from(USUAL * 6 + ["a..b", "", "a b", "wamp.a", "wamp", "A.b", "A.b"])
META_TOPICS = st.sampled_from(
    ["wamp.session.on_join", "wamp.session.on_leave", "wamp.registration.on_delete", "wamp.subscription.on_subscribe"]
)
PATTERNS = st.sampled_from(
    [("prefix", ""), ("prefix", "a"), ("prefix", "a."), ("prefix", "a.b"), ("wildcard", "a."), ("wildcard", ".c"),
     ("wildcard", ""), ("wildcard", ".b."), ("wildcard", "a..c"), ("wildcard", "..")]
)  # fmt: skip
ODD_PATTERNS = [("prefix", "a..b"), ("wildcard", "a. .b"), ("wildcard", "." * 63), ("wildcard", "." * 64),
                ("prefix", "a." * 64)]  # fmt: skip
"""Malformed ones, and some with 64 components, which is the most that a pattern may have, and with 65."""
SUBSCRIBED = st.one_of(
    TOPICS.map(lambda uri: ("exact", uri)), PATTERNS, PATTERNS,
    st.one_of(META_TOPICS.map(lambda uri: ("exact", uri)), st.just(("prefix", "wamp.")), st.just(("prefix", "A")),
              st.sampled_from(ODD_PATTERNS)),
)  # fmt: skip
REGISTERED = st.one_of(
    TOPICS.map(lambda uri: ("exact", uri)), PATTERNS,
    st.one_of(st.just(("wildcard", "A.b")), st.just(("wildcard", "A.")), st.sampled_from(ODD_PATTERNS)),
)  # fmt: skip
INVOKE = st.sampled_from(["single", "first", "last", "roundrobin", "roundrobin", "random", "queue_least_loaded"])
AUTHID_LISTS = st.lists(st.sampled_from(["ann", "bob", "cid"]), max_size=2)
OPTIONAL_AUTHIDS = st.none() | AUTHID_LISTS
ROLE_LISTS = st.lists(st.sampled_from(["anonymous", "guest"]), max_size=1)
PEER_LISTS = st.lists(PEERS, max_size=3)
NONSENSE = st.sampled_from(
    [[], [1], [2, 1, {}], [36, 1, 2, {}], [1, "realm1", {"roles": {"caller": {}}}], [70, 999, {}], [32, 0, {}, "a"],
     [16, 1, {"exclude_me": 1}, "a"], [8, 48, 1, {}, "a.b"], [5, "x", {}],
     [8, 68, 999, {}, "a"], [64, 1, {"concurrency": 0}, "a"], [48, 1, {"timeout": -1}, "a"], [16, 1, {}, "a", {}]]
)  # fmt: skip

ANSWERS = ["yield", "yield", "progress", "progress", "a.b", "a b", "wamp.error.unavailable", "wamp.error.unavailable"]
REASONS = st.sampled_from(["a.b", "wamp.close.normal", "Bye-bye", "", "no uri"])
PLAIN, NESTED, TOO_DEEP = {"a": [1, {"b": None}]}, {"x": {}}, {"x": {}}
for _ in range(14):
    NESTED = {"x": NESTED}
for _ in range(15):
    TOO_DEEP = {"x": TOO_DEEP}
EXTRAS = st.sampled_from([
    (None, None), (None, None), ({}, {}), (PLAIN, PLAIN), ({"verifier": "v", "b": 2}, {"verifier": "v", "b": 2}),
    (NESTED, NESTED), (TOO_DEEP, None), ({"long": "a" * 4097}, None), ({"zero": "\0"}, None),
])  # fmt: skip
"""What a client gives as its authextra, and what the router repeats of it: at most 16 levels, with the outermost."""
KILLS = ["kill", "kill", "kill_by_authid", "kill_by_authrole", "kill_all"]
SCOPES = ["destroyed", "detached"] * 3 + ["x"]
EVENT = 36
ACTIONS = ("call", "register", "publish", "subscribe")
PERMISSIONS = st.builds(
    lambda pattern, actions, caller, publisher: Permission(
        pattern[1], pattern[0], **dict.fromkeys(actions, True), disclose_caller=caller, disclose_publisher=publisher
    ),
    st.one_of(PATTERNS, URIS.map(lambda uri: ("exact", uri)), st.just(("prefix", "wamp.session."))),
    st.lists(st.sampled_from(ACTIONS), max_size=4, unique=True),
    st.booleans(),
    st.booleans(),
)
MOSTLY_OPEN = st.sampled_from([True, True, True, False])
RULES = st.builds(
    lambda is_open, rules: (Permission("", "prefix", **dict.fromkeys(ACTIONS, True)),) * is_open + tuple(rules),
    MOSTLY_OPEN,
    st.lists(PERMISSIONS, max_size=3),
)
AT_FIRST = (
    Permission("", "prefix", **dict.fromkeys(ACTIONS, True)),
    Permission("a.c", "exact", call=True, publish=True),
)
"""What both roles may do until they are told otherwise: a pattern may cover what its holder may not have."""
SWITCHES: dict[str, st.SearchStrategy[Any]] = {
    "loose_uris": st.booleans(),
    "strict_progress": st.booleans(),
    "dialect": st.sampled_from(["specification", "crossbar"]),
}
"""Options that say which clients are met: they are drawn for the beginning as well."""
REALM_CHANGES = st.fixed_dictionaries(
    {
        "anonymous": RULES,
        "guest": RULES | st.none(),
        "trustlevel": st.sampled_from([None, None, 3]),
        "options": st.fixed_dictionaries(
            {"max_retained_share": st.just(100)},
            optional={
                "allow_disclose_me": st.booleans(),
                "enable_meta_api": st.booleans(),
                "strict_request_ids": st.booleans(),
                **SWITCHES,
                "max_retained": st.just(2),
                "max_call_timeout": st.just(2.0),
            },
        ),
    }
)


rarely = precondition(lambda self: self.step % 5 == 0)
"""For what ends sessions or changes everything: if it happens too often, nothing else does."""


def realm_options(name: str, anonymous: Any, guest: Any, trustlevel: int | None, options: dict) -> RealmOptions:
    """A realm with the role ``anonymous``, and ``guest`` where it has rules."""
    rules = {"anonymous": anonymous} | ({} if guest is None else {"guest": guest})
    roles = {
        role: RoleOptions(role, permissions, trustlevel=trustlevel if role == "guest" else None)
        for role, permissions in rules.items()
    }
    return RealmOptions(name, roles, **options)


def options_that_are_given(**options: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in options.items() if value is not None}


class RouterMachine(RuleBasedStateMachine):
    """See the module. ``counts`` says what was done: examples, steps, and messages received by type."""

    counts: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.counts["examples"] += 1
        self.step = 0
        self.options = RouterOptions(
            realms={name: realm_options(name, AT_FIRST, AT_FIRST, 5, {}) for name in ("realm1", "realm2")}
        )
        self.node = MemoryNode(self.options)
        self.node.runs_cleanup = False
        self.naive = NaiveRouter(self.options, lambda: self.node.now, lambda: self.node.random)
        self.clients: list[Client] = []
        self.seen_publications: set[int] = set()
        self.seen_sessions: set[int] = set()
        for number in range(len(SERIALIZERS)):
            self.clients.append(Client(None, number))
            self.connect(self.clients[number])

    # --- acting on both ------------------------------------------------------------------------------------------

    def connect(self, client: Client) -> None:
        number = client.number
        service = ServiceOptions("memory", AnonymousLogin(ROLES[number], AUTHIDS[number]))
        client.peer = self.node.connect(SERIALIZERS[number], service)
        self.naive.opens(client)

    def hello(self, client: Client, realm: str, extra: tuple[Any, Any] = (None, None)) -> None:
        lacks = LACKS[client.number]
        roles = {
            role: {"features": dict.fromkeys(sorted(features - lacks), True)} for role, features in FEATURES.items()
        }
        given, repeated = extra
        client.peer.send([1, realm, {"roles": roles} | options_that_are_given(authextra=given)])
        self.naive.joins(client, realm, ROLES[client.number], AUTHIDS[client.number], ALL_FEATURES - lacks, repeated)
        if client.session is not None:
            assert client.session.id not in self.seen_sessions
            self.seen_sessions.add(client.session.id)
        client.last_request = 0
        self.settle()

    def session(self, number: int) -> Session | None:
        """A peer's session; it joins if it has none. None where it cannot."""
        client = self.clients[number]
        if client.state == "leaving":
            client.peer.send([6, {}, "wamp.close.goodbye_and_out"])
            self.naive.says_goodbye(client)
        if client.state == "closed":
            assert client.peer.is_closed
            self.connect(client)
        if client.state == "open":
            self.hello(client, "realm1")
        return client.session

    def send(self, session: Session, code: int, *rest: Any, request_id: int | None = None) -> None:
        """One message to both routers. Without a request id the session's next one."""
        client = session.client
        if request_id is None:
            request_id = client.last_request = client.last_request + 1
        message = [code, request_id, *rest]
        client.peer.send([8, 68, request_id, *rest[1:]] if code == 8 else message)
        self.naive.receive(client, message)
        self.settle()

    def settle(self) -> None:
        """Every peer has what it should have."""
        self.counts["steps"] += 1
        self.step += 1
        for client in self.clients:
            found = client.peer.receive_all()
            expected, client.expected = client.expected, []
            self.counts.update(type_of(message) for message in found)
            check_received(client, expected, found)
            if client.state != "leaving":
                assert client.peer.is_closed == (client.state == "closed"), client
        for realm in self.naive.realms.values():
            for publication in realm.publications:
                if publication.id.value is not None:
                    assert publication.id.value not in self.seen_publications
                    self.seen_publications.add(publication.id.value)
            realm.publications.clear()

    def some(self, choices: list[Any], pick: int, otherwise: Any) -> Any:
        return choices[pick % len(choices)] if choices else otherwise

    def peer_ids(self, numbers: list[int]) -> list[int]:
        return [self.clients[number].peer.session_id for number in numbers]

    @initialize(
        registered=st.lists(
            st.tuples(PEERS, REGISTERED, st.sampled_from(["single", "roundrobin", "last"])), max_size=5
        ),
        subscribed=st.lists(st.tuples(PEERS, SUBSCRIBED), max_size=5),
        switches=st.fixed_dictionaries({}, optional=SWITCHES),
    )
    def begin(self, registered: list, subscribed: list, switches: dict) -> None:
        """So that there is something to call and somebody to hear, in a realm that is strict or not."""
        realms = {"realm1": realm_options("realm1", AT_FIRST, AT_FIRST, 5, switches)}
        self.configure_with(RouterOptions(realms={**self.options.realms, **realms}))
        for number, (match, procedure), invoke in registered:
            session = self.session(number)
            assert session is not None
            self.send(session, 64, {"match": match, "invoke": invoke}, procedure)
        for number, (match, topic) in subscribed:
            session = self.session(number)
            assert session is not None
            self.send(session, 32, {"match": match}, topic)

    # --- sessions ------------------------------------------------------------------------------------------------

    @rule(number=PEERS, realm=REALMS, extra=EXTRAS)
    def join(self, number: int, realm: str, extra: tuple[Any, Any]) -> None:
        client = self.clients[number]
        if client.state == "closed":
            self.connect(client)
        if client.state == "open":
            self.hello(client, realm, extra)

    @rarely
    @rule(number=PEERS, how=st.sampled_from(["lose", "goodbye", "abort", "router", "answer"]), reason=REASONS)
    def leave(self, number: int, how: str, reason: str) -> None:
        client = self.clients[number]
        if how == "router":
            self.node.leave(client.peer, "wamp.close.killed", "out")
            self.naive.leave(client, "wamp.close.killed")
        elif how == "lose":
            client.peer.lose()
            self.naive.ends(client)
        elif how == "abort":
            client.peer.send([3, {}, "a.b"])
            self.naive.ends(client)
        elif client.state in ("joined", "leaving"):
            client.peer.send([6, {}, reason])
            self.naive.says_goodbye(client, reason)
        self.settle()

    @rarely
    @rule(number=PEERS, nonsense=NONSENSE)
    def break_the_protocol(self, number: int, nonsense: list) -> None:
        session = self.session(number)
        if session is not None:
            session.client.peer.send(nonsense)
            self.naive.violates(session.client)
            self.settle()

    @rarely
    @rule(number=PEERS, message=st.sampled_from([[16, 1, {}, "a"], [48, 1, {}, "a"], [70, 1, {}], [49, 1, {}]]))
    def speak_without_a_session(self, number: int, message: list) -> None:
        client = self.clients[number]
        if client.state == "open":
            client.peer.send(message)
            self.naive.violates(client)
        elif client.state != "joined":
            client.peer.send(message)
        self.settle()

    @rarely
    @rule(number=PEERS)
    def skip_request_ids(self, number: int) -> None:
        self.clients[number].last_request = getattr(self.clients[number], "last_request", 0) + 2

    # --- publish and subscribe -----------------------------------------------------------------------------------

    @rule(number=PEERS, pattern=SUBSCRIBED, get_retained=st.none() | st.booleans())
    def subscribe(self, number: int, pattern: tuple[str, str], get_retained: bool | None) -> None:
        session = self.session(number)
        if session is not None:
            options = options_that_are_given(match=pattern[0], get_retained=get_retained)
            self.send(session, 32, options, pattern[1])

    @rule(number=PEERS, pick=PICKS, other=PEERS)
    def unsubscribe(self, number: int, pick: int, other: int) -> None:
        session = self.session(number)
        if session is not None:
            owner = self.clients[other].session or session
            chosen = self.some(session.subscriptions if pick else owner.subscriptions, pick, None)
            if chosen is not None or not pick:
                self.send(session, 34, chosen.id.value if chosen else 1)

    @rule(
        number=PEERS, topic=TOPICS, acknowledge=st.booleans(), exclude_me=st.sampled_from([None, True, False]),
        retain=st.sampled_from([None, None, True, False]), disclose=st.sampled_from([None, None, True, False]),
        sessions=st.none() | st.tuples(st.booleans(), PEER_LISTS),
        authids=st.none() | st.tuples(st.booleans(), AUTHID_LISTS),
        roles=st.none() | st.none() | st.tuples(st.booleans(), ROLE_LISTS),
    )  # fmt: skip
    def publish(self, number, topic, acknowledge, exclude_me, retain, disclose, sessions, authids, roles) -> None:
        session = self.session(number)
        if session is None:
            return
        options = options_that_are_given(exclude_me=exclude_me, retain=retain, disclose_me=disclose)
        if acknowledge:
            options["acknowledge"] = True
        lists = {"": sessions and (sessions[0], self.peer_ids(sessions[1])), "_authid": authids, "_authrole": roles}
        for name, given in lists.items():
            if given is not None:
                options[("eligible" if given[0] else "exclude") + name] = given[1]
        self.send(session, 16, options, topic, [number])

    # --- registrations and calls ---------------------------------------------------------------------------------

    @rule(
        number=PEERS, pattern=REGISTERED, invoke=INVOKE, concurrency=st.sampled_from([None, None, 1, 2]),
        force=st.sampled_from([None, None, None, False, True]), disclose=st.sampled_from([None, None, True]),
        forward=st.sampled_from([None, None, True]),
    )  # fmt: skip
    def register(self, number, pattern, invoke, concurrency, force, disclose, forward) -> None:
        session = self.session(number)
        if session is not None:
            options = options_that_are_given(
                match=pattern[0], invoke=invoke, concurrency=concurrency, force_reregister=force,
                disclose_caller=disclose, forward_timeout=forward,
            )  # fmt: skip
            self.send(session, 64, options, pattern[1])

    @rule(number=PEERS, pick=PICKS)
    def register_beside(self, number: int, pick: int) -> None:
        """As a further callee of a registration that is there."""
        session = self.session(number)
        if session is None:
            return
        shared = [each for each in session.realm.registrations if each.invoke != "single"]
        registration = self.some(shared, pick, None)
        if registration is not None:
            options = {"match": registration.match, "invoke": registration.invoke}
            self.send(session, 64, options, registration.procedure)

    @rule(number=PEERS, pick=PICKS, other=PEERS)
    def unregister(self, number: int, pick: int, other: int) -> None:
        session = self.session(number)
        if session is not None:
            owner = self.clients[other].session or session
            chosen = self.some(session.registrations if pick else owner.registrations, pick, None)
            if chosen is not None or not pick:
                self.send(session, 66, chosen.id.value if chosen else 1)

    @rule(
        number=PEERS, procedure=TOPICS, timeout=st.sampled_from([None, None, 0, 1500, 3000]), results=st.booleans(),
        parts=st.sampled_from([None, None, False]), disclose=st.sampled_from([None, None, None, True]), pick=PICKS,
    )  # fmt: skip
    def call(self, number, procedure, timeout, results, parts, disclose, pick) -> None:
        """Mostly of what is registered."""
        session = self.session(number)
        if session is None:
            return
        self.node.random = pick
        options = options_that_are_given(timeout=timeout, progress=parts, disclose_me=disclose)
        if results:
            options["receive_progress"] = True
        if pick:
            served = [uri for uri in CALLED if any(covers(each, uri) for each in session.realm.registrations)]
            if not served:
                return
            procedure = self.some(served, pick, procedure)
        self.send(session, 48, options, procedure, [number])

    @rule(
        number=PEERS, pick=PICKS, timeout=st.sampled_from([None, 1500]), results=st.booleans(),
        parts=st.lists(st.booleans(), max_size=2),
    )  # fmt: skip
    def stream(self, number: int, pick: int, timeout: int | None, results: bool, parts: list[bool]) -> None:
        """The first parts of a progressive call, all of them if the last of ``parts`` is true."""
        session = self.session(number)
        if session is None:
            return
        served = [uri for uri in CALLED if any(covers(each, uri) for each in session.realm.registrations)]
        is_accepted = session.has("progressive_call_invocations") or not session.realm.options.strict_progress
        if served and (is_accepted or not pick):
            options = options_that_are_given(timeout=timeout, receive_progress=results, progress=True)
            procedure = self.some(served, pick, "")
            self.send(session, 48, options, procedure, [number])
            request_id = session.client.last_request
            for is_last in parts if session.is_there else ():
                options = {} if is_last else {"progress": True}
                if request_id in session.calls and session.calls[request_id].is_streaming:
                    self.send(session, 48, options, procedure, ["more"], request_id=request_id)

    @rule(number=PEERS, pick=PICKS, is_last=st.booleans(), procedure=st.none() | URIS)
    def call_again(self, number: int, pick: int, is_last: bool, procedure: str | None) -> None:
        """A further part of a call, or, if it has none, the misuse of its id."""
        session = self.session(number)
        if session is not None:
            open_calls = list(session.calls.values())
            streaming = [call for call in open_calls if call.is_streaming]
            call = self.some(streaming if pick % 6 else open_calls, pick, None)
            ended = self.some(sorted(session.streams), pick, None)
            request_id = call.request_id if call else ended
            if request_id is not None:
                procedure = call.procedure if call and pick % 6 else procedure or "a"
                options = {} if is_last else {"progress": True}
                self.send(session, 48, options, procedure, ["more"], request_id=request_id)

    def invocations(self, number: int, is_late: bool) -> list[int]:
        session = self.clients[number].session
        if session is None:
            return []
        return list(range(1, session.last_invocation + 1)) if is_late else list(session.invocations)

    @precondition(lambda self: any(self.invocations(number, self.step % 7 == 0) for number in range(5)))
    @rule(number=PEERS, pick=PICKS, hows=st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=3))
    def answer(self, number: int, pick: int, hows: list[str]) -> None:
        """Mostly to invocations that are open."""
        is_late = self.step % 7 == 0
        for how in hows:
            order = [each % 5 for each in range(number, number + 5)]
            callee = next((each for each in order if self.invocations(each, is_late)), None)
            if callee is not None:
                self.answer_one(callee, self.some(self.invocations(callee, is_late), pick, None), how)

    def answer_one(self, number: int, invocation_id: int, how: str) -> None:
        session = self.clients[number].session
        assert session is not None
        if how in ("yield", "progress"):
            options = {"progress": True} if how == "progress" else {}
            self.send(session, 70, options, ["done"], request_id=invocation_id)
        else:
            self.send(session, 8, invocation_id, {}, how, ["why"], request_id=invocation_id)

    @rule(number=PEERS, pick=PICKS, mode=st.sampled_from([None, "skip", "kill", "killnowait"]))
    def cancel(self, number: int, pick: int, mode: str | None) -> None:
        session = self.clients[number].session
        if session is not None:
            request_id = self.some(list(session.calls), pick, session.client.last_request + 1)
            self.send(session, 49, {"mode": mode} if mode else {}, request_id=request_id)

    # --- the meta API --------------------------------------------------------------------------------------------

    def meta(self, session: Session, procedure: str, *args: Any) -> None:
        """Call a meta procedure; a dictionary at the end is its arguments by name."""
        by_name = args and isinstance(args[-1], dict)
        payload = [list(args[:-1]), args[-1]] if by_name else [list(args)]
        self.send(session, 48, {}, f"wamp.{procedure}", *payload)

    @rarely
    @rule(
        number=PEERS,
        how=st.sampled_from(["kill", "kill", "kill_by_authid", "kill_by_authrole", "kill_all"]),
        other=PEERS,
    )
    def kill(self, number: int, how: str, other: int) -> None:
        session = self.session(number)
        if session is not None:
            victim = {"kill": [self.clients[other].peer.session_id], "kill_by_authid": [AUTHIDS[other]],
                      "kill_by_authrole": [ROLES[other]]}.get(how, [])  # fmt: skip
            self.meta(session, f"session.{how}", *victim)

    @rarely
    @rule(number=PEERS, other=PEERS, pick=PICKS, kind=st.sampled_from(["registration", "subscription"]))
    def revoke(self, number: int, other: int, pick: int, kind: str) -> None:
        session, victim = self.session(number), self.clients[other]
        held = self.some(getattr(victim.session, f"{kind}s", []), pick, None)
        if session is not None:
            name = "remove_callee" if kind == "registration" else "remove_subscriber"
            self.meta(session, f"{kind}.{name}", held.id.value if held else 1, victim.peer.session_id)

    @rule(number=PEERS, topic=TOPICS, scope=st.sampled_from(SCOPES), retain=st.booleans(), eligible=OPTIONAL_AUTHIDS)
    def leave_a_testament(self, number: int, topic: str, scope: str, retain: bool, eligible: list[str] | None) -> None:
        session = self.session(number)
        if session is not None:
            options = options_that_are_given(retain=retain or None, eligible_authid=eligible, exclude_me=False)
            self.meta(session, "session.add_testament", topic, ["will"], {"scope": scope, "publish_options": options})

    @rule(number=PEERS, scope=st.sampled_from(["destroyed", "detached"]))
    def flush_testaments(self, number: int, scope: str) -> None:
        session = self.session(number)
        if session is not None:
            self.meta(session, "session.flush_testaments", {"scope": scope})

    @rule(number=PEERS, other=PEERS, uri=URIS, pattern=PATTERNS, pick=PICKS)
    def ask(self, number: int, other: int, uri: str, pattern: tuple[str, str], pick: int) -> None:
        session = self.session(number)
        if session is None:
            return
        realm = session.realm
        subscription = self.some([each.id.value for each in realm.subscriptions], pick, 1)
        registration = self.some([each.id.value for each in realm.registrations], pick, 1)
        questions: list[list[Any]] = [
            ["session.count"], ["session.list", [ROLES[other]]], ["session.get", self.clients[other].peer.session_id],
            ["registration.match", uri], ["registration.lookup", pattern[1], {"match": pattern[0]}],
            ["registration.get", registration], ["registration.list_callees", registration],
            ["subscription.match", uri], ["subscription.get", subscription],
            ["subscription.list_subscribers", subscription],
        ]  # fmt: skip
        question, *args = questions[pick % len(questions)]
        if question == "registration.lookup":
            self.send(session, 48, {}, "wamp.registration.lookup", args)
        else:
            self.meta(session, question, *args)

    # --- the world -----------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.5, 1, 6]))
    def wait(self, seconds: float) -> None:
        self.node.pass_time(seconds)
        self.naive.time_passed(self.clients)
        self.settle()

    @rule(steps=st.sampled_from([1, 2, 3, 100]))
    def work(self, steps: int) -> None:
        self.node.router.run_cleanup(steps)
        self.node.run_effects()
        self.naive.work(steps)
        self.settle()

    @rarely
    @rule(realm1=REALM_CHANGES, realm2=st.none() | REALM_CHANGES, both=st.sampled_from([True] * 7 + [False]))
    def configure(self, realm1: dict, realm2: dict | None, both: bool) -> None:
        changes = {"realm1": realm1 if both else None, "realm2": realm2}
        realms = {name: realm_options(name, **change) for name, change in changes.items() if change is not None}
        self.configure_with(RouterOptions(realms=realms))

    @rarely
    @rule()
    def configure_as_at_first(self) -> None:
        self.configure_with(self.options)

    def configure_with(self, options: RouterOptions) -> None:
        self.node.configure(options)
        self.naive.configure(options)
        self.settle()

    # --- what always holds ---------------------------------------------------------------------------------------

    @invariant()
    def router_knows_just_what_is_open(self) -> None:
        router = self.node.router
        assert router.realms.keys() == self.naive.realms.keys()
        for name, realm in router.realms.items():
            naive = self.naive.realms[name]
            assert list(realm.sessions) == [session.id for session in naive.sessions]
            assert list(realm.broker.subscriptions) == [each.id.value for each in naive.subscriptions]
            assert list(realm.dealer.registrations) == [each.id.value for each in naive.registrations]
            for found, wanted in zip(realm.sessions.values(), naive.sessions, strict=True):
                assert {key ^ REQUEST_KEY for key in found.calls} == wanted.calls.keys()
                assert found.invocations.keys() == wanted.invocations.keys()
                assert found.ended_streams == wanted.streams
                for registration in found.registrations.values():
                    callee = registration.callees[found.id]
                    in_flight = [each for each in found.invocations.values() if each.callee is callee]
                    assert callee.in_flight == len(in_flight)

    def teardown(self) -> None:
        for client in self.clients:
            client.peer.lose()
            self.naive.ends(client)
        self.settle()
        self.node.pass_time(100)
        while self.node.router.has_cleanup:
            self.node.router.run_cleanup(1)
            self.node.run_effects()
        assert self.node.router.next_deadline() is None
        left = leftovers(self.node.router)
        assert left == [], left


def covers(registration: Registration, uri: str) -> bool:
    return rights.covers(registration.match, registration.procedure, uri)


def type_of(message: list[Any]) -> str:
    """What a message counts as: its code, and of an error what it says."""
    return f"ERROR {message[1]} {message[4]}" if message[0] == 8 else f"message {message[0]}"


def check_received(client: Client, expected: list[list[Any]], found: list[list[Any]]) -> None:
    """Whether ``found`` is what was expected, in that order; events of one publication come in any."""
    assert len(found) == len(expected), (client, found, expected)
    begin = 0
    while begin < len(expected):
        end = begin + 1
        if expected[begin][0] == EVENT:
            publication = expected[begin][2]
            while end < len(expected) and expected[end][0] == EVENT and expected[end][2] is publication:
                end += 1
            found[begin:end] = sorted(found[begin:end], key=lambda event: event[1])
            expected[begin:end] = sorted(expected[begin:end], key=lambda event: event[1].value)
        for wanted, message in zip(expected[begin:end], found[begin:end], strict=True):
            assert agrees(wanted, message), (client, message, wanted)
        begin = end
