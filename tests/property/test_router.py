"""Several sessions do what they like, legal or not: nobody gets what is not theirs, every call is answered once."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wamp_transport.router.options import Permission, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.testing import MemoryNode

from .test_matching import covers

PEERS = st.integers(0, 4)
SERIALIZERS = ["json", "msgpack", "cbor", "json", "msgpack"]
URIS = st.sampled_from(["a", "a.b", "a.c", "b.c", "c"])
PATTERNS = URIS.map(lambda uri: ("exact", uri)) | st.sampled_from(
    [("prefix", ""), ("prefix", "a"), ("prefix", "a."), ("wildcard", "a."), ("wildcard", ".c"), ("wildcard", "")]
)
REALMS = st.sampled_from(["realm1", "realm1", "realm2"])
ALL = {"call": True, "register": True, "publish": True, "subscribe": True}
RULES = (
    Permission("", "prefix", **ALL),
    Permission("c", "exact"),
    Permission("a.b", "exact", call=True, publish=True),
    Permission("wamp.", "prefix", call=True),
)
FEATURES = {"call_canceling": True, "progressive_call_results": True}
FEATURED = {"publisher": {}, "subscriber": {}, "caller": {"features": FEATURES}, "callee": {"features": FEATURES}}
INVOKE = st.sampled_from(["single", "roundrobin", "queue_least_loaded"])
NONSENSE = st.sampled_from(
    [[], [1], [2, 1, {}], [36, 1, 2, {}], [1, "realm1", {"roles": {"caller": {}}}], [70, 999, {}], [32, 0, {}, "a"],
     [16, 1, {"exclude_me": 1}, "a"], [8, 48, 1, {}, "a.b"], [5, "x", {}], [16, 1, {"ppt_scheme": "x_a"}, "a"]]
)  # fmt: skip


class Client:
    """What the model knows of one peer and its present session. Every other peer announces features."""

    def __init__(self, peer, number):
        self.peer = peer
        self.is_featured = number % 2 == 0
        self.reset("")

    def reset(self, realm):
        self.realm = realm
        self.subscriptions = {}
        self.registrations = {}
        self.calls = {}
        self.invocations = {}
        self.last_invocation = 0
        self.expected = []

    @property
    def is_joined(self):
        return bool(self.realm)


class OpenCall:
    """What the model knows of a call that is not answered."""

    def __init__(self, caller, request_id, callee, invocation_id, timeout, due):
        self.caller, self.request_id = caller, request_id
        self.callee, self.invocation_id = callee, invocation_id
        self.timeout, self.due = timeout, due
        self.wants_progress = self.is_killed = False
        caller.calls[request_id] = callee.invocations[invocation_id] = self

    def end(self):
        del self.caller.calls[self.request_id]
        del self.callee.invocations[self.invocation_id]

    def interrupt(self, mode, reason):
        return [69, self.invocation_id, {"mode": mode, "reason": f"wamp.error.{reason}"}]


class RouterMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        roles = {"anonymous": RoleOptions("anonymous", RULES)}
        realms = {name: RealmOptions(name, roles) for name in ("realm1", "realm2")}
        self.node = MemoryNode(RouterOptions(realms=realms))
        self.clients = [Client(self.node.connect(name), number) for number, name in enumerate(SERIALIZERS)]
        self.request_id = 0
        self.session_ids = set()
        self.publications = set()
        self.policies = {}

    # --- acting ---

    def joined(self, number, realm="realm1"):
        client = self.clients[number]
        if client.peer.is_closed:
            client.peer = self.node.connect(SERIALIZERS[number])
        if not client.is_joined:
            welcome = client.peer.join(realm, **({"roles": FEATURED} if client.is_featured else {}))
            assert welcome[1] not in self.session_ids
            self.session_ids.add(welcome[1])
            client.reset(realm)
        return client

    def next_id(self):
        self.request_id += 1
        return self.request_id

    def others(self, client):
        return [each for each in self.clients if each.realm == client.realm and each is not client]

    def gone(self, client):
        """``client`` has left: its calls are interrupted, calls to it are canceled."""
        self.node.work()
        for call in list(client.calls.values()):
            call.end()
            if call.callee is not client and call.callee.is_featured and not call.is_killed:
                assert call.callee.peer.receive() == call.interrupt("killnowait", "canceled")
        for call in list(client.invocations.values()):
            call.end()
            self.failed(call, "canceled")
        client.reset("")

    def failed(self, call, reason):
        assert call.caller.peer.receive()[:5] == [8, 48, call.request_id, {}, f"wamp.error.{reason}"]

    def time_passes(self, seconds):
        self.node.pass_time(seconds)
        for client in self.clients:
            for call in list(client.calls.values()):
                if call.due is not None and call.due <= self.node.now:
                    call.end()
                    call.caller.expected.append([8, 48, call.request_id, {}, "wamp.error.timeout"])
                    if call.callee.is_featured:
                        call.callee.expected.append(call.interrupt("killnowait", "timeout"))
        for client in self.clients:
            if client.is_joined:
                received = [message[:5] for message in client.peer.receive_all()]
                assert sorted(received, key=repr) == sorted(client.expected, key=repr)
                client.expected.clear()
            elif client.peer.inbox:
                assert client.peer.receive()[0] == 3

    @rule(number=PEERS, realm=REALMS)
    def join(self, number, realm):
        self.joined(number, realm)

    @rule(number=PEERS, pattern=PATTERNS)
    def subscribe(self, number, pattern):
        match, topic = pattern
        client = self.joined(number)
        answer = client.peer.request([32, self.next_id(), {"match": match}, topic])
        if match == "exact" and topic in ("c", "a.b"):
            assert answer[4] == "wamp.error.not_authorized"
        else:
            assert answer[:2] == [33, self.request_id]
            client.subscriptions[answer[2]] = (match, topic)

    @rule(number=PEERS, data=st.data())
    def unsubscribe(self, number, data):
        client = self.joined(number)
        known = sorted({each for other in self.clients for each in other.subscriptions}) or [1]
        subscription = data.draw(st.sampled_from(known))
        answer = client.peer.request([34, self.next_id(), subscription])
        if client.subscriptions.pop(subscription, None):
            assert answer == [35, self.request_id]
        else:
            assert answer[4] == "wamp.error.no_such_subscription"

    @rule(number=PEERS, topic=URIS, acknowledge=st.booleans(), exclude_me=st.booleans(), only=st.none() | PEERS)
    def publish(self, number, topic, acknowledge, exclude_me, only):
        client = self.joined(number)
        options = {"acknowledge": acknowledge, "exclude_me": exclude_me}
        if only is not None:
            options["eligible"] = [self.clients[only].peer.session_id]
        client.peer.send([16, self.next_id(), options, topic, [self.request_id]])
        allowed = topic != "c"
        if acknowledge:
            answer = client.peer.receive()
            assert answer[0] == (17 if allowed else 8)
            if allowed:
                assert answer[2] not in self.publications
                self.publications.add(answer[2])
        for other in [client, *self.others(client)]:
            events = other.peer.receive_all()
            receives = allowed and not (other is client and exclude_me) and only in (None, self.clients.index(other))
            expected = [
                subscription
                for subscription, pattern in other.subscriptions.items()
                if receives and covers(pattern, topic) and (pattern[0] == "exact" or topic not in ("c", "a.b"))
            ]
            assert Counter(event[1] for event in events) == Counter(expected)
            assert all(event[0] == 36 and event[4] == [self.request_id] for event in events)
            assert len({event[2] for event in events}) <= 1

    @rule(number=PEERS, pattern=PATTERNS, invoke=INVOKE)
    def register(self, number, pattern, invoke):
        match, procedure = pattern
        client = self.joined(number)
        holders = [each for each in [client, *self.others(client)] if pattern in each.registrations.values()]
        policy = self.policies.get((client.realm, *pattern)) if holders else None
        answer = client.peer.request([64, self.next_id(), {"match": match, "invoke": invoke}, procedure])
        if match == "exact" and procedure in ("c", "a.b"):
            assert answer[4] == "wamp.error.not_authorized"
        elif holders and policy == "single":
            assert answer[4] == "wamp.error.procedure_already_exists"
        elif holders and policy != invoke:
            assert answer[4] == "wamp.error.procedure_exists_with_different_invocation_policy"
        else:
            assert answer[:2] == [65, self.request_id]
            client.registrations[answer[2]] = pattern
            if not holders:
                self.policies[client.realm, *pattern] = invoke

    @rule(number=PEERS, data=st.data())
    def unregister(self, number, data):
        client = self.joined(number)
        known = sorted({each for other in self.clients for each in other.registrations}) or [1]
        registration = data.draw(st.sampled_from(known))
        answer = client.peer.request([66, self.next_id(), registration])
        if client.registrations.pop(registration, None):
            assert answer == [67, self.request_id]
        else:
            assert answer[4] == "wamp.error.no_such_registration"

    @rule(number=PEERS, procedure=URIS, timeout=st.sampled_from([0, 0, 1500, 3000]), progress=st.booleans())
    def call(self, number, procedure, timeout, progress):
        client = self.joined(number)
        options = {"receive_progress": True} if progress else {}
        client.peer.send([48, self.next_id(), {"timeout": timeout, **options}, procedure, [self.request_id]])
        callees = [
            (each, registration)
            for each in [client, *self.others(client)]
            for registration, pattern in each.registrations.items()
            if covers(pattern, procedure)
        ]
        if procedure in ("c", "a.b") or not callees:
            reason = "not_authorized" if procedure == "c" else "no_such_procedure"
            assert client.peer.receive()[4] == f"wamp.error.{reason}"
            return
        (callee,) = [each for each in self.clients if each.peer.inbox]
        invocation = callee.peer.receive()
        assert (callee, invocation[2]) in callees
        assert invocation[:2] == [68, callee.last_invocation + 1]
        assert invocation[4] == [self.request_id]
        callee.last_invocation += 1
        due = self.node.now + timeout / 1000 if timeout else None
        call = OpenCall(client, self.request_id, callee, invocation[1], timeout / 1000, due)
        call.wants_progress = progress and client.is_featured and callee.is_featured
        assert invocation[3].get("receive_progress", False) == call.wants_progress

    @precondition(lambda self: any(client.last_invocation for client in self.clients))
    @rule(data=st.data(), fails=st.booleans(), late=st.booleans())
    def answer(self, data, fails, late):
        client = data.draw(st.sampled_from([client for client in self.clients if client.last_invocation]))
        sent = list(range(1, client.last_invocation + 1))
        invocation_id = data.draw(st.sampled_from(sent if late else list(client.invocations) or sent))
        client.peer.send([8, 68, invocation_id, {}, "a.b"] if fails else [70, invocation_id, {}, ["done"]])
        if invocation_id in client.invocations:
            call = client.invocations[invocation_id]
            call.end()
            expected = [8, 48, call.request_id, {}, "a.b"] if fails else [50, call.request_id, {}, ["done"]]
            assert call.caller.peer.receive() == expected

    @precondition(lambda self: any(client.last_invocation and client.is_featured for client in self.clients))
    @rule(data=st.data())
    def progress(self, data):
        callees = [client for client in self.clients if client.last_invocation and client.is_featured]
        client = data.draw(st.sampled_from(callees))
        sent = list(range(1, client.last_invocation + 1))
        invocation_id = data.draw(st.sampled_from(list(client.invocations) or sent))
        client.peer.send([70, invocation_id, {"progress": True}, ["part"]])
        call = client.invocations.get(invocation_id)
        if call is not None and call.wants_progress:
            assert call.caller.peer.receive() == [50, call.request_id, {"progress": True}, ["part"]]
            call.due = call.due and self.node.now + call.timeout

    @rule(number=PEERS, data=st.data(), mode=st.sampled_from([None, "skip", "kill", "killnowait"]))
    def cancel(self, number, data, mode):
        client = self.joined(number)
        request_id = data.draw(st.sampled_from(list(client.calls) or [self.request_id + 1]))
        client.peer.send([49, request_id, {"mode": mode} if mode else {}])
        call = client.calls.get(request_id)
        if call is None or call.is_killed:
            return
        if mode != "skip" and call.callee.is_featured:
            assert call.callee.peer.receive() == call.interrupt(mode or "killnowait", "canceled")
        if mode == "kill" and call.callee.is_featured:
            call.is_killed = True
        else:
            call.end()
            self.failed(call, "canceled")

    @rule(number=PEERS, other=PEERS)
    def kill(self, number, other):
        client, victim = self.joined(number), self.clients[other]
        session_id = victim.peer.session_id
        client.peer.send([48, self.next_id(), {}, "wamp.session.kill", [session_id]])
        if victim is client or victim.realm != client.realm:
            assert client.peer.receive()[4] == "wamp.error.no_such_session"
            return
        assert victim.peer.receive() == [6, {}, "wamp.close.killed"]
        self.gone(victim)
        assert client.peer.receive() == [50, self.request_id, {}, [None]]
        victim.peer.send([6, {}, "wamp.close.goodbye_and_out"])
        assert victim.peer.is_closed

    @rule(number=PEERS, nonsense=NONSENSE)
    def break_the_protocol(self, number, nonsense):
        client = self.joined(number)
        client.peer.send(nonsense)
        abort = client.peer.receive()
        assert abort[::2] == [3, "wamp.error.protocol_violation"]
        assert client.peer.is_closed
        self.gone(client)

    @rule(number=PEERS, how=st.sampled_from(["lose", "goodbye", "abort", "kill"]))
    def leave(self, number, how):
        client = self.joined(number)
        if how == "lose":
            client.peer.lose()
        elif how == "abort":
            client.peer.send([3, {}, "a.b"])
        elif how == "goodbye":
            assert client.peer.request([6, {}, "a.b"]) == [6, {}, "wamp.close.goodbye_and_out"]
        else:
            self.node.leave(client.peer, "wamp.close.killed", "out")
            assert client.peer.receive()[::2] == [6, "wamp.close.killed"]
            client.peer.send([16, 1, {}, "a"])
            self.gone(client)
            self.time_passes(6)
            assert client.peer.is_closed
            return
        self.gone(client)

    @rule()
    def wait(self):
        self.time_passes(1)

    # --- what always holds ---

    @invariant()
    def nobody_has_what_is_not_expected(self):
        for client in self.clients:
            if client.peer.is_closed and not client.is_joined:
                client.peer.inbox.clear()
            assert not client.peer.inbox

    @invariant()
    def router_knows_just_what_is_open(self):
        router = self.node.router
        for name, realm in router.realms.items():
            clients = [client for client in self.clients if client.realm == name]
            assert realm.sessions.keys() == {client.peer.session_id for client in clients}
            assert realm.broker.subscriptions.keys() == {key for client in clients for key in client.subscriptions}
            assert realm.dealer.registrations.keys() == {key for client in clients for key in client.registrations}
            for client in clients:
                session = router.sessions[client.peer.session_id]
                assert session.calls.keys() == client.calls.keys()
                assert session.invocations.keys() == client.invocations.keys()
                for registration in session.registrations.values():
                    callee = registration.callees[session.id]
                    in_flight = [each for each in session.invocations.values() if each.callee is callee]
                    assert callee.in_flight == len(in_flight)

    def teardown(self):
        for client in self.clients:
            client.peer.lose()
        self.node.work()
        router = self.node.router
        assert not router.sessions
        for realm in router.realms.values():
            assert not any((realm.sessions, realm.broker.subscriptions, realm.dealer.registrations))
            assert len(realm.broker._index) == len(realm.dealer._index) == 0
        self.node.pass_time(100)
        assert router.next_deadline() is None


TestRouter = RouterMachine.TestCase
TestRouter.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
