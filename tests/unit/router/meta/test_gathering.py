"""Meta procedures that several nodes answer. The first of three nodes is that of the caller."""

import pytest

from wamp_transport.router.decisions import Permit
from wamp_transport.router.effects import SessionKilled
from wamp_transport.router.meta.arguments import Arguments
from wamp_transport.router.meta.context import LargeResult
from wamp_transport.router.meta.gathering import SHARED, answer_question
from wamp_transport.router.meta.procedures import PROCEDURES
from wamp_transport.router.options import (
    AnonymousLogin,
    AuthorizerOptions,
    HistoryOptions,
    Permission,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.router.records import RemoteCaller
from wamp_transport.router.relayed import SERIALIZED, Identity, RelayedQuestion, RelayedReply
from wamp_transport.testing.memory import take_effects
from wamp_transport.testing.memory_cluster import MemoryCluster

CALL, ERROR, RESULT, GOODBYE, SUBSCRIBE, SUBSCRIBED, PUBLISH, REGISTER = 48, 8, 50, 6, 32, 33, 16, 64
UNSUBSCRIBED, UNREGISTERED = 35, 67
ADMIN = ServiceOptions("admin", AnonymousLogin("admin", "root"))
TOPIC = "com.example.topic"


def options_with(*permissions, **options):
    roles = {
        "anonymous": RoleOptions("anonymous", permissions, allow_by_default=True),
        "admin": RoleOptions("admin", allow_by_default=True),
    }
    return RouterOptions(realms={"realm1": RealmOptions("realm1", roles, **options)})


def start(options):
    """Three nodes with one anonymous session each."""
    cluster = MemoryCluster(options, 3)
    cluster.peers = [cluster.join("realm1") for _ in range(3)]
    return cluster


@pytest.fixture
def cluster():
    return start(options_with())


@pytest.fixture
def peers(cluster):
    return cluster.peers


@pytest.fixture
def modern(cluster, peers):
    """A peer on the first node that supports revocation."""
    peer = cluster.connect()
    features = {"subscription_revocation": True, "registration_revocation": True}
    peer.join("realm1", roles={"subscriber": {"features": features}, "callee": {"features": features}})
    return peer


@pytest.fixture
def asked(cluster, monkeypatch):
    """The procedures that nodes are asked for."""
    asked, send = [], cluster.send

    def record(sender, effect):
        if isinstance(effect.message, RelayedQuestion):
            asked.append((effect.message.procedure, effect.members))
        send(sender, effect)

    monkeypatch.setattr(cluster, "send", record)
    return asked


def call(peer, procedure, *args, **kwargs):
    answer = peer.request([CALL, 77, {}, f"wamp.{procedure}", list(args), kwargs])
    assert answer[:3] == [RESULT, 77, {}], answer
    (value,) = answer[3]
    return value


def refusal(peer, procedure, *args, **kwargs):
    answer = peer.request([CALL, 77, {}, f"wamp.{procedure}", list(args), kwargs])
    assert answer[:4] == [ERROR, CALL, 77, {}], answer
    return answer[4].removeprefix("wamp.error."), answer[5][0]


def subscribe(peer, topic=TOPIC, **options):
    answer = peer.request([SUBSCRIBE, 1, options, topic])
    assert answer[0] == SUBSCRIBED, answer
    return answer[2]


def ids(peers):
    return [peer.session_id for peer in peers]


# --- sessions ---


def test_sessions_are_counted_and_listed_on_all_nodes(cluster, peers):
    admins = [cluster.join("realm1", service=ADMIN) for _ in range(2)]
    for peer in peers:
        assert call(peer, "session.count") == 5
        assert sorted(call(peer, "session.list")) == ids([*peers, *admins])
        assert call(peer, "session.count", ["admin"]) == 2
        assert sorted(call(peer, "session.list", ["admin"])) == ids(admins)
        assert call(peer, "session.list", ["nobody"]) == []


def test_list_has_the_sessions_of_the_home_first_and_always_the_same_order(cluster, peers):
    a, b, c = ids(peers)
    assert call(peers[0], "session.list") == [a, b, c]
    assert call(peers[1], "session.list") == [b, a, c]
    cluster.is_immediate = False
    for order in [(1, 2), (2, 1)]:
        peers[0].send([CALL, 1, {}, "wamp.session.list"])
        for place in order:
            cluster.deliver(0, place)
            cluster.deliver(place, 0)
        assert peers[0].receive()[3] == [[a, b, c]]


def test_session_of_another_node_is_described(peers, asked):
    session = peers[1].node.router.sessions[peers[1].session_id]
    session.authextra, session.transport = {"bytes": b"\xff", "large": 2**60}, {"peer": "tcp:1.2.3.4:5"}
    found = call(peers[0], "session.get", peers[1].session_id)
    assert found == call(peers[1], "session.get", peers[1].session_id)
    assert (found["authid"], found["transport"]) == (session.authid, {"peer": "tcp:1.2.3.4:5"})
    assert [procedure for procedure, _ in asked] == ["wamp.session.get"]


def test_session_that_no_node_has_is_an_error(peers):
    for procedure in ("get", "kill"):
        uri, text = refusal(peers[0], f"session.{procedure}", 12345)
        assert (uri, text) == ("no_such_session", "there is no session 12345 in this realm")


@pytest.mark.parametrize(
    ("procedure", "args"),
    [("session.get", []), ("session.count", [1]), ("session.kill", [1, 2]), ("subscription.get", ["x"])],
)
def test_invalid_arguments_are_refused_without_asking(peers, asked, procedure, args):
    kwargs = {"reason": 1} if procedure == "session.kill" else {}
    assert refusal(peers[0], procedure, *args, **kwargs)[0] == "invalid_argument"
    assert not asked


# --- ending sessions ---


def test_session_of_another_node_is_killed_by_its_node(cluster, peers):
    cluster.is_immediate = False
    caller = cluster.nodes[0].router.sessions[peers[0].session_id]
    caller.transport = {"peer": "tcp:1.2.3.4:5"}
    peers[0].send([CALL, 1, {}, "wamp.session.kill", [peers[1].session_id], {"reason": "com.bye", "message": "out"}])
    question, _ = cluster._queues[0, 1].popleft()
    cluster.nodes[1].router.cluster.receive("0", question)
    effects = take_effects(cluster.nodes[1].router)
    (killed,) = [each for each in effects if isinstance(each, SessionKilled)]
    assert (killed.session.id, killed.reason) == (peers[1].session_id, "com.bye")
    assert isinstance(killed.killer, RemoteCaller)
    names = ("id", "authid", "authrole", "realm", "transport")
    assert [getattr(killed.killer, name) for name in names] == [getattr(caller, name) for name in names]
    cluster.nodes[1].router.outbox.extend(effects)
    cluster.nodes[1].run_effects()
    assert peers[1].receive_all() == [[GOODBYE, {"message": "out"}, "com.bye"]]
    cluster.deliver_all()
    assert peers[0].receive_all() == [[RESULT, 1, {}, [None]]]


def test_kill_across_nodes_has_the_default_reason_and_leaves_others_alone(peers):
    assert call(peers[0], "session.kill", peers[2].session_id) is None
    assert peers[2].receive_all() == [[GOODBYE, {}, "wamp.close.killed"]]
    assert not peers[1].inbox
    assert sorted(call(peers[0], "session.list")) == ids(peers[:2])


def test_sessions_with_an_authid_are_killed_on_all_nodes_except_the_caller(cluster, peers):
    admins = [cluster.join("realm1", service=ADMIN) for _ in range(6)]
    caller = admins[1]
    killed = call(caller, "session.kill_by_authid", "root", reason="com.bye")
    assert sorted(killed) == ids(each for each in admins if each is not caller)
    assert [each.receive_all() for each in admins if each is not caller] == [[[GOODBYE, {}, "com.bye"]]] * 5
    assert not any(peer.inbox for peer in [*peers, caller])
    assert call(caller, "session.kill_by_authid", "root") == []


def test_sessions_with_a_role_are_killed_on_all_nodes_except_the_caller(cluster, peers):
    admin = cluster.join("realm1", service=ADMIN)
    assert call(peers[0], "session.kill_by_authrole", "anonymous") == 2
    assert not peers[0].inbox
    assert not admin.inbox
    assert sorted(call(admin, "session.list")) == ids([peers[0], admin])


def test_kill_all_ends_sessions_on_all_nodes_without_testaments(cluster, peers):
    watcher = cluster.join("realm1")
    subscribe(watcher, "com.will")
    subscribe(watcher, "wamp.session.on_leave")
    for peer in peers:
        call(peer, "session.add_testament", "com.will", ["will"], {})
    assert call(watcher, "session.kill_all") == 3
    assert [len(peer.receive_all()) for peer in peers] == [1, 1, 1]
    assert not watcher.inbox


def test_invalid_reason_kills_nobody(peers):
    for procedure, args in [("kill", [peers[1].session_id]), ("kill_by_authrole", ["anonymous"]), ("kill_all", [])]:
        assert refusal(peers[0], f"session.{procedure}", *args, reason="no uri")[0] == "invalid_uri"
    assert not any(peer.inbox for peer in peers)


def test_session_cannot_kill_itself(peers):
    assert refusal(peers[0], "session.kill", peers[0].session_id) == (
        "no_such_session",
        "a session cannot kill itself",
    )


def test_caller_that_another_node_kills_gets_no_answer(cluster, peers):
    cluster.is_immediate = False
    for one, other in ((0, 1), (1, 0)):
        peers[one].send([CALL, 1, {}, "wamp.session.kill", [peers[other].session_id]])
    cluster.deliver_all()
    assert [[message[0] for message in peer.receive_all()] for peer in peers[:2]] == [[GOODBYE], [GOODBYE]]


# --- subscriptions ---


def test_subscriptions_of_all_nodes_are_listed_once(peers):
    exact = {subscribe(peer) for peer in peers}
    prefix, wildcard = subscribe(peers[1], "com.", match="prefix"), subscribe(peers[2], "com..x", match="wildcard")
    assert len(exact) == 1
    for peer in peers:
        found = call(peer, "subscription.list")
        assert found == {"exact": [*exact], "prefix": [prefix], "wildcard": [wildcard]}


def test_subscription_of_another_node_is_looked_up(peers, asked):
    exact, prefix = subscribe(peers[1]), subscribe(peers[2], "com.", match="prefix")
    for peer in peers:
        assert call(peer, "subscription.lookup", TOPIC) == exact
        assert call(peer, "subscription.lookup", "com.", {"match": "prefix"}) == prefix
        assert call(peer, "subscription.lookup", "com.other") is None
        assert set(call(peer, "subscription.match", TOPIC)) == {exact, prefix}
        assert call(peer, "subscription.match", "com.other") == [prefix]
        assert call(peer, "subscription.match", "org.other") is None
    asked.clear()
    assert call(peers[1], "subscription.lookup", TOPIC) == exact
    assert not asked


def test_subscription_was_created_when_the_first_node_did(cluster, peers):
    subscription = subscribe(peers[1])
    cluster.pass_time(5)
    assert subscribe(peers[0]) == subscription
    cluster.pass_time(5)
    subscribe(peers[2])
    for peer in peers:
        assert call(peer, "subscription.get", subscription) == {
            "id": subscription,
            "created": "2026-01-01T00:00:00.000Z",
            "uri": TOPIC,
            "match": "exact",
        }


def test_subscribers_on_all_nodes_are_listed_and_counted(peers):
    subscription = subscribe(peers[1])
    assert call(peers[0], "subscription.list_subscribers", subscription) == ids(peers[1:2])
    subscribe(peers[2])
    for peer in peers:
        assert sorted(call(peer, "subscription.list_subscribers", subscription)) == ids(peers[1:])
        assert call(peer, "subscription.count_subscribers", subscription) == 2


def test_subscription_that_no_node_has_is_an_error(peers):
    for procedure in ("get", "list_subscribers", "count_subscribers", "get_events"):
        uri, text = refusal(peers[0], f"subscription.{procedure}", 12345)
        assert (uri, text) == ("no_such_subscription", "there is no subscription 12345")


def test_subscriber_on_another_node_is_removed(peers, modern):
    subscription = subscribe(modern)
    subscribe(peers[2])
    assert call(peers[1], "subscription.remove_subscriber", subscription, modern.session_id, "com.reason") is None
    details = {"subscription": subscription, "reason": "com.reason"}
    assert modern.receive_all() == [[UNSUBSCRIBED, 0, details]]
    assert call(peers[1], "subscription.list_subscribers", subscription) == ids(peers[2:])


def test_session_without_the_subscription_cannot_be_removed(peers, asked):
    """The node with the subscription knows best what is wrong."""
    subscription = subscribe(peers[2])
    for session_id in (*ids(peers[:2]), 12345):
        uri, text = refusal(peers[0], "subscription.remove_subscriber", subscription, session_id)
        assert (uri, text) == ("no_such_session", f"session {session_id} does not hold this subscription")
    assert refusal(peers[0], "subscription.remove_subscriber", 12345, 1)[0] == "no_such_subscription"
    asked.clear()
    assert refusal(peers[0], "subscription.remove_subscriber", subscription, "x")[0] == "invalid_argument"
    assert not asked


def test_callee_on_another_node_is_removed(peers, modern):
    registration = modern.request([REGISTER, 1, {}, "com.procedure"])[2]
    assert call(peers[1], "registration.remove_callee", registration, modern.session_id, "com.reason") is None
    assert modern.receive_all() == [[UNREGISTERED, 0, {"registration": registration, "reason": "com.reason"}]]
    assert refusal(peers[1], "registration.remove_callee", registration, "x")[0] == "invalid_argument"


# --- history ---


def test_every_node_has_the_events_of_a_history():
    cluster = start(options_with(history=(HistoryOptions(TOPIC),)))
    cluster.peers[0].send([PUBLISH, 1, {}, TOPIC, ["event"]])
    subscription = subscribe(cluster.peers[0])
    for peer in cluster.peers:
        (event,) = call(peer, "subscription.get_events", subscription)
        assert event["args"] == ["event"]


def test_events_of_a_history_are_not_asked_for(cluster, peers, asked):
    cluster.configure(options_with(history=(HistoryOptions(TOPIC),)))
    assert call(peers[0], "subscription.get_events", subscribe(peers[1])) == []
    assert not asked


def test_subscription_of_another_node_without_a_history_is_an_error(peers, asked):
    subscription = subscribe(peers[1])
    uri, text = refusal(peers[0], "subscription.get_events", subscription)
    assert uri == "history_unavailable"
    assert str(subscription) in text
    assert asked == [("wamp.subscription.get", ("1", "2"))]


# --- who may, and which nodes answer ---


def test_authorizer_decides_before_other_nodes_are_asked(cluster, peers, asked):
    roles = {"anonymous": RoleOptions("anonymous", authorizer=AuthorizerOptions("com.authorizer"))}
    cluster.nodes[0].configure(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}))
    for is_allowed, message_type in ((True, RESULT), (False, ERROR)):
        peers[0].send([CALL, 1, {}, "wamp.session.kill_by_authrole", ["anonymous"]])
        assert not asked
        assert not any(peer.inbox for peer in peers)
        cluster.nodes[0].decide(Permit(is_allowed))
        assert peers[0].receive()[0] == message_type
        assert [len(peer.receive_all()) for peer in peers] == [0, is_allowed, is_allowed]
        asked.clear()


def test_authorizer_decides_on_a_history_on_the_callers_node(cluster, peers, asked):
    roles = {"anonymous": RoleOptions("anonymous", authorizer=AuthorizerOptions("com.authorizer"))}
    realm = RealmOptions("realm1", roles, history=(HistoryOptions(TOPIC),))
    cluster.nodes[0].configure(RouterOptions(realms={"realm1": realm}))
    subscription = subscribe(peers[1])
    peers[0].send([CALL, 1, {}, "wamp.subscription.get_events", [subscription]])
    cluster.nodes[0].decide(Permit(True))
    cluster.nodes[0].decide(Permit(True))
    assert peers[0].receive_all() == [[RESULT, 1, {}, [[]]]]
    assert not asked


def test_permission_is_checked_by_the_home_alone(cluster, peers, asked):
    strict = options_with(Permission("wamp.", "prefix"))
    cluster.nodes[0].configure(strict)
    for uri in SHARED:
        assert refusal(peers[0], uri.removeprefix("wamp."), 1, 1)[0] == "not_authorized"
    assert not asked
    assert call(peers[1], "session.count") == 3


def test_permission_to_read_a_history_is_checked_by_the_home(cluster, peers):
    history = (HistoryOptions(TOPIC),)
    cluster.configure(options_with(Permission(TOPIC), history=history))
    admin = cluster.join("realm1", service=ADMIN)
    assert refusal(peers[0], "subscription.get_events", subscribe(admin))[0] == "not_authorized"


@pytest.mark.parametrize("options", [RouterOptions(), options_with(enable_meta_api=False)])
def test_node_without_the_realm_or_the_meta_api_is_left_out(cluster, peers, options):
    cluster.nodes[1].configure(options)
    assert call(peers[0], "session.count") == 2
    assert refusal(peers[0], "session.get", peers[1].session_id)[0] == "no_such_session"
    assert cluster.nodes[0].router.cluster.questions.unanswered == 0


def test_node_that_closed_the_realm_knows_no_subscriptions(cluster, peers):
    cluster.nodes[1].configure(options_with(history=(HistoryOptions(TOPIC),)))
    subscription = call(peers[0], "subscription.lookup", TOPIC)
    assert call(peers[0], "subscription.list")["exact"] == [subscription]
    cluster.nodes[1].configure(RouterOptions())
    assert call(peers[0], "subscription.list")["exact"] == []


def test_realm_that_is_opened_later_answers_too(cluster, peers):
    cluster.nodes[1].configure(RouterOptions())
    cluster.nodes[1].configure(options_with())
    session_id = cluster.nodes[1].join("realm1").session_id
    assert sorted(call(peers[0], "session.list")) == [*ids([peers[0], peers[2]]), session_id]


def test_meta_api_can_be_switched_on_later():
    cluster = start(options_with(enable_meta_api=False))
    assert refusal(cluster.peers[0], "session.count")[0] == "no_such_procedure"
    cluster.configure(options_with())
    assert call(cluster.peers[0], "session.count") == 3


@pytest.mark.parametrize("procedure", ["wamp.session.add_testament", "wamp.retained.clear", "com.x"])
def test_other_procedures_are_no_questions(cluster, procedure):
    context = cluster.nodes[0].router.realms["realm1"]._context
    question = RelayedQuestion("realm1", 7, procedure, Identity(1, "a", "b"), "json", b'["com.x"]')
    reply = answer_question(context, question)
    assert (reply.question_id, reply.uri) == (7, "wamp.error.no_such_procedure")


@pytest.mark.parametrize(("payload_format", "args"), [("json", b"[1e400]"), ("json", b"["), ("other", b"[]")])
def test_payload_that_cannot_be_read_is_refused(cluster, payload_format, args):
    context = cluster.nodes[0].router.realms["realm1"]._context
    question = RelayedQuestion("realm1", 7, "wamp.session.count", Identity(1, "a", "b"), payload_format, args)
    assert answer_question(context, question).uri == "wamp.error.invalid_payload"


@pytest.mark.parametrize("args", [b"", b"[]", b"[1,2]", b'["x"]', b"[null]", b"{}", b"[1e400]", b"["])
@pytest.mark.parametrize("uri", [None, "wamp.error.no_such_session"])
def test_invalid_reply_is_ignored(cluster, peers, args, uri):
    cluster.is_immediate = False
    peers[0].send([CALL, 1, {}, "wamp.session.count"])
    home = cluster.nodes[0].router.cluster
    home.receive("1", RelayedReply("realm1", 1, uri, SERIALIZED, args))
    home.receive("2", RelayedReply("realm1", 1, None, SERIALIZED, b"[10]"))
    cluster.nodes[0].run_effects()
    assert peers[0].receive_all() == [[RESULT, 1, {}, [11]]]


@pytest.mark.parametrize("serializer", ["json", "msgpack", "cbor"])
def test_arguments_and_results_have_the_callers_serialization(cluster, peers, serializer):
    peer = cluster.join("realm1", serializer)
    subscription = subscribe(peers[1])
    assert call(peer, "subscription.lookup", TOPIC) == subscription
    assert call(peer, "subscription.get", subscription)["uri"] == TOPIC
    assert refusal(peer, "session.get", 2**52)[0] == "no_such_session"


def test_large_results_are_those_of_the_table(cluster, peers):
    context = cluster.nodes[0].router.realms["realm1"]._context
    caller = cluster.nodes[0].router.sessions[peers[0].session_id]
    subscription = subscribe(peers[0])
    arguments = {"subscription.match": [TOPIC], "subscription.list_subscribers": [subscription]}
    large = {uri for uri, sharing in SHARED.items() if sharing.is_large}
    assert large == {f"wamp.{name}" for name in ("session.list", "subscription.list", *arguments)}
    for uri in large:
        args = Arguments(arguments.get(uri.removeprefix("wamp."), []), {})
        assert isinstance(PROCEDURES[uri](context, caller, args), LargeResult)
