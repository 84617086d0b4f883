"""Advanced Profile, "Session Meta API"."""

import json
from dataclasses import replace

import pytest

from wamp_transport.router.options import (
    AnonymousLogin,
    Limits,
    Permission,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.testing.memory import MemoryNode, anonymous_options

from .codes import (
    CALL,
    ERROR,
    EVENT,
    GOODBYE,
    INVALID_URI,
    INVOCATION,
    NO_SUCH_PROCEDURE,
    NOT_AUTHORIZED,
    PUBLISH,
    REGISTER,
    RESULT,
    SUBSCRIBE,
    SUBSCRIBED,
    WELCOME,
    YIELD,
)

ADMIN = ServiceOptions("admin", AnonymousLogin("admin", "root"))
INVALID_ARGUMENT = "wamp.error.invalid_argument"
NO_SUCH_SESSION = "wamp.error.no_such_session"
QUOTA_EXCEEDED = "wamp.error.quota_exceeded"
PROCEDURES = ("count", "list", "get", "kill", "kill_by_authid", "kill_by_authrole", "kill_all")


def options_with(*permissions, allow_by_default=True, **options):
    roles = {
        "anonymous": RoleOptions("anonymous", permissions, allow_by_default),
        "admin": RoleOptions("admin", allow_by_default=True),
    }
    return RouterOptions(realms={"realm1": RealmOptions("realm1", roles, **options)})


def node_with(*permissions, **options):
    return MemoryNode(options_with(*permissions, **options))


@pytest.fixture
def node():
    return node_with()


@pytest.fixture
def admin(node, serializer):
    return node.join("realm1", serializer, ADMIN)


def call(peer, procedure, *args, **kwargs):
    answer = peer.request([CALL, 77, {}, f"wamp.session.{procedure}", list(args), kwargs])
    assert answer[:3] == [RESULT, 77, {}], answer
    (result,) = answer[3]
    return result


def refusal(peer, procedure, *args, **kwargs):
    answer = peer.request([CALL, 77, {}, f"wamp.session.{procedure}", list(args), kwargs])
    assert answer[:4] == [ERROR, CALL, 77, {}], answer
    return answer[4], answer[5][0]


def listen(peer, *events):
    for number, event in enumerate(events, 1):
        peer.request([SUBSCRIBE, number, {}, f"wamp.session.{event}"])


def killed(peer):
    (goodbye,) = peer.receive_all()
    assert goodbye[0] == GOODBYE
    return goodbye[1:]


def in_dialect(dialect):
    """Options of a router whose realm speaks a dialect."""
    options = anonymous_options("realm1")
    return replace(options, realms={"realm1": replace(options.realms["realm1"], dialect=dialect)})


# --- events ---


def test_joining_is_published_with_the_details_of_the_session(node, alice, serializer):
    subscription = alice.request([SUBSCRIBE, 1, {}, "wamp.session.on_join"])[2]
    bob = node.connect(serializer, ADMIN)
    welcome = bob.join("realm1")
    event = alice.receive()
    assert event[:2] == [EVENT, subscription]
    assert event[3] == {}
    assert event[4] == [
        {
            "session": welcome[1],
            "authid": "root",
            "authrole": "admin",
            "authmethod": "anonymous",
            "authprovider": "static",
            "authextra": {},
            "transport": {},
        }
    ]
    assert not bob.inbox


@pytest.mark.parametrize("dialect", ["specification", "crossbar"])
def test_authextra_of_an_anonymous_client_is_disclosed(serializer, dialect):
    """labgrid's coordinator reads it in ``on_join``, its exporters in WELCOME."""
    node = MemoryNode(in_dialect(dialect))
    alice, bob = node.join("realm1", serializer), node.connect(serializer)
    listen(alice, "on_join")
    welcome = bob.join("realm1", authextra={"authid": "exporter/x"})
    assert welcome[2]["authextra"] == {"authid": "exporter/x"}
    assert alice.receive()[4][0]["authextra"] == {"authid": "exporter/x"}
    assert call(alice, "get", bob.session_id)["authextra"] == {"authid": "exporter/x"}


@pytest.mark.parametrize(
    "authextra",
    [
        {"number": 2**80},
        {"text": "\0binary"},
        {"text": "x" * 5000},
        {"list": json.loads("[" * 20 + "]" * 20)},
    ],
    ids=["a large number", "a mark", "many bytes", "deep"],
)
def test_client_cannot_hide_its_joining_with_its_authextra(node, authextra):
    subscribers = [node.join("realm1", name) for name in ("json", "msgpack", "cbor")]
    for subscriber in subscribers:
        listen(subscriber, "on_join")
    node.connect("cbor").join("realm1", authextra=authextra)
    assert [subscriber.receive()[4][0]["authextra"] for subscriber in subscribers] == [{}] * 3


def by_goodbye(node, peer):
    peer.request([GOODBYE, {}, "wamp.close.normal"])


def by_loss(node, peer):
    peer.lose()


def by_violation(node, peer):
    peer.send([WELCOME, 1, {}])


def by_router(node, peer):
    node.leave(peer, "wamp.close.killed")


@pytest.mark.parametrize("end", [by_goodbye, by_loss, by_violation, by_router])
def test_on_leave_always_has_three_arguments(node, admin, alice, end):
    listen(alice, "on_leave")
    session_id = admin.session_id
    end(node, admin)
    assert [event[4:] for event in alice.receive_all()] == [[[session_id, "root", "admin"]]]


@pytest.mark.parametrize("end", [by_goodbye, by_loss, by_violation, by_router])
def test_on_leave_has_one_argument_in_the_dialect_of_crossbar(serializer, end):
    node = MemoryNode(in_dialect("crossbar"))
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    session_id = bob.session_id
    listen(alice, "on_leave")
    end(node, bob)
    assert alice.receive()[4] == [session_id]


@pytest.mark.parametrize("end", [by_goodbye, by_violation, by_router])
def test_session_that_leaves_gets_no_event_of_it(node, alice, end):
    alice.request([SUBSCRIBE, 1, {"match": "prefix"}, "wamp."])
    end(node, alice)
    assert EVENT not in [message[0] for message in alice.receive_all()]


def test_events_of_another_realm_are_not_published(serializer):
    roles = {"anonymous": RoleOptions("anonymous", allow_by_default=True)}
    node = MemoryNode(RouterOptions(realms={name: RealmOptions(name, roles) for name in ("realm1", "realm2")}))
    alice = node.join("realm1", serializer)
    listen(alice, "on_join", "on_leave")
    bob = node.join("realm2", serializer)
    assert call(bob, "count") == 1
    assert call(bob, "kill_all") == 0
    bob.lose()
    assert not alice.inbox


# --- who is there ---


def test_sessions_are_counted_and_listed_by_role(admin, alice, bob):
    anonymous = {alice.session_id, bob.session_id}
    assert call(alice, "count") == 3
    assert call(alice, "count", None) == 3
    assert call(alice, "count", ["anonymous"]) == 2
    assert call(alice, "count", ["nobody"]) == call(alice, "count", []) == 0
    assert set(call(alice, "list")) == {admin.session_id, *anonymous}
    assert set(call(alice, "list", ["anonymous"])) == anonymous
    assert set(call(alice, "list", ["admin", "anonymous"])) == {admin.session_id, *anonymous}


def test_details_of_a_session_are_returned(admin, alice):
    assert call(alice, "get", admin.session_id) == {
        "session": admin.session_id,
        "authid": "root",
        "authrole": "admin",
        "authmethod": "anonymous",
        "authprovider": "static",
        "authextra": {},
        "transport": {},
    }
    assert call(alice, "get", alice.session_id)["authrole"] == "anonymous"


def test_transport_details_are_returned_unchanged(alice, bob):
    session = alice.node.router.sessions[alice.session_id]
    session.transport = {"http_path": "/ws"}
    for peer in (alice, bob):
        assert call(peer, "get", alice.session_id)["transport"] == {"http_path": "/ws"}


def test_session_that_is_not_there_is_an_error(node, alice, bob):
    gone = bob.session_id
    bob.lose()
    waiting = node.connect(alice.serializer).session_id
    for session_id in (gone, waiting, 12345):
        assert refusal(alice, "get", session_id)[0] == NO_SUCH_SESSION
        assert refusal(alice, "kill", session_id)[0] == NO_SUCH_SESSION
    assert call(alice, "count") == 1


@pytest.mark.parametrize(
    ("procedure", "args", "kwargs", "name"),
    [
        ("count", ["anonymous"], {}, "filter_authroles"),
        ("count", [[1]], {}, "filter_authroles"),
        ("list", [{}], {}, "filter_authroles"),
        ("get", [], {}, "session"),
        ("get", ["1"], {}, "session"),
        ("get", [None], {}, "session"),
        ("get", [0], {}, "session"),
        ("get", [2**53 + 1], {}, "session"),
        ("get", [True], {}, "session"),
        ("kill", [], {}, "session"),
        ("kill", [[1]], {}, "session"),
        ("kill", [1], {"reason": 1}, "reason"),
        ("kill", [1], {"message": 1}, "message"),
        ("kill_by_authid", [], {}, "authid"),
        ("kill_by_authid", [1], {}, "authid"),
        ("kill_by_authrole", [None], {}, "authrole"),
        ("kill_by_authrole", ["x"], {"message": []}, "message"),
        ("kill_all", [], {"reason": {}}, "reason"),
    ],
)
def test_argument_of_a_wrong_type_is_named(alice, bob, procedure, args, kwargs, name):
    uri, text = refusal(alice, procedure, *args, **kwargs)
    assert uri == INVALID_ARGUMENT
    assert name in text
    assert not bob.inbox


@pytest.mark.parametrize("payload", [b"[1e400]", b'[1],{"reason":1e400}', b'["\xff"]'])
def test_payload_that_cannot_be_read_is_an_error(node, payload):
    alice = node.join("realm1", "json")
    alice.send_bytes(b'[48,1,{},"wamp.session.get",' + payload + b"]")
    assert alice.receive()[:5] == [ERROR, CALL, 1, {}, "wamp.error.invalid_payload"]
    assert call(alice, "count") == 1


# --- ending sessions ---


def test_killed_session_gets_goodbye_with_reason_and_message(alice, bob):
    assert call(alice, "kill", bob.session_id, reason="com.example.bye", message="enough") is None
    assert killed(bob) == [{"message": "enough"}, "com.example.bye"]


def test_killed_session_gets_the_default_reason_and_no_message(alice, bob):
    call(alice, "kill", bob.session_id)
    assert killed(bob) == [{}, "wamp.close.killed"]


@pytest.mark.parametrize("reason", ["", "no uri", "com..x", "#", "com.x\n"])
@pytest.mark.parametrize("procedure", ["kill", "kill_by_authid", "kill_by_authrole", "kill_all"])
def test_invalid_reason_is_an_error_and_kills_no_session(alice, bob, procedure, reason):
    authid = call(alice, "get", bob.session_id)["authid"]
    args = {"kill": [bob.session_id], "kill_by_authid": [authid], "kill_by_authrole": ["anonymous"], "kill_all": []}
    assert refusal(alice, procedure, *args[procedure], reason=reason)[0] == INVALID_URI
    assert not bob.inbox


def test_killing_oneself_is_an_error(alice):
    assert refusal(alice, "kill", alice.session_id)[0] == NO_SUCH_SESSION
    assert not alice.is_closed
    assert call(alice, "count") == 1


def test_killed_session_leaves_immediately_and_may_answer_goodbye(alice, bob):
    alice.request([SUBSCRIBE, 1, {}, "com.example.topic"])
    bob.request([SUBSCRIBE, 1, {}, "com.example.topic"])
    bob.request([REGISTER, 2, {}, "com.example.procedure"])
    call(alice, "kill", bob.session_id)
    assert killed(bob)[1] == "wamp.close.killed"
    assert call(alice, "list") == [alice.session_id]
    for message in (
        [PUBLISH, 3, {"acknowledge": True}, "com.example.topic"],
        [SUBSCRIBE, 4, {}, "com.example.other"],
        [CALL, 5, {}, "wamp.session.kill_all"],
        [YIELD, 9, {}],
    ):
        bob.send(message)
    alice.send([PUBLISH, 2, {}, "com.example.topic"])
    assert alice.request([CALL, 3, {}, "com.example.procedure"])[4] == NO_SUCH_PROCEDURE
    assert not alice.inbox
    assert not bob.inbox
    assert not bob.is_closed
    bob.send([GOODBYE, {}, "wamp.close.goodbye_and_out"])
    assert bob.is_closed
    assert bob.close_reason == "wamp.close.killed"
    assert not bob.inbox
    assert alice.session_id in alice.node.router.sessions
    assert bob.session_id not in bob.node.router.sessions


def test_killed_session_with_an_open_call_leaves_its_caller_an_answer(alice, bob, join):
    carol = join()
    bob.request([REGISTER, 1, {}, "com.example.procedure"])
    carol.send([CALL, 1, {}, "com.example.procedure"])
    assert bob.receive()[0] == INVOCATION
    call(alice, "kill", bob.session_id)
    assert carol.receive()[:5] == [ERROR, CALL, 1, {}, "wamp.error.canceled"]


def test_kill_by_authid_spares_the_caller_and_lists_whom_it_killed(node, admin, alice, serializer):
    others = [node.join("realm1", serializer, ADMIN) for _ in range(2)]
    killed_ids = call(admin, "kill_by_authid", "root", reason="com.example.bye", message="out")
    assert sorted(killed_ids) == sorted(each.session_id for each in others)
    assert [killed(each) for each in others] == [[{"message": "out"}, "com.example.bye"]] * 2
    assert call(admin, "kill_by_authid", "root") == []
    assert call(admin, "kill_by_authid", "nobody") == []
    assert not alice.inbox


def test_kill_by_authrole_spares_the_caller_and_counts(admin, alice, bob, join):
    carol = join()
    assert call(alice, "kill_by_authrole", "anonymous") == 2
    assert killed(bob) == killed(carol) == [{}, "wamp.close.killed"]
    assert call(alice, "kill_by_authrole", "anonymous") == 0
    assert not admin.inbox


def test_kill_all_spares_the_caller_and_counts(admin, alice, bob):
    assert call(alice, "kill_all", message="over") == 2
    assert killed(bob) == killed(admin) == [{"message": "over"}, "wamp.close.killed"]
    assert call(alice, "list") == [alice.session_id]


def test_kill_publishes_on_leave_and_kill_all_does_not(alice, bob, join):
    carol, dave = join(), join()
    listen(dave, "on_leave")
    dave.request([SUBSCRIBE, 2, {}, "com.example.will"])
    for peer in (bob, carol):
        assert call(peer, "add_testament", "com.example.will", ["will"], {}) is None
    session_id = bob.session_id
    call(alice, "kill", session_id)
    assert [event[4][0] for event in dave.receive_all()] == ["will", session_id]
    assert call(dave, "kill_all") == 2
    assert killed(carol) == killed(alice) == [{}, "wamp.close.killed"]
    assert not dave.inbox


# --- who may ---


def test_rule_on_the_meta_procedures_closes_them(serializer):
    alice = node_with(Permission("wamp.", "prefix", subscribe=True)).join("realm1", serializer)
    for procedure in PROCEDURES:
        assert refusal(alice, procedure, 1)[0] == NOT_AUTHORIZED


def test_rule_for_everything_opens_them(serializer):
    alice = node_with(Permission("", "prefix", call=True), allow_by_default=False).join("realm1", serializer)
    assert call(alice, "count") == 1
    assert call(alice, "kill_all") == 0
    assert alice.request([SUBSCRIBE, 1, {}, "wamp.session.on_join"])[4] == NOT_AUTHORIZED


def test_rule_for_one_procedure_opens_just_that(serializer):
    rule = Permission("wamp.session.count", "exact", call=True)
    alice = node_with(rule, allow_by_default=False).join("realm1", serializer)
    assert call(alice, "count") == 1
    assert refusal(alice, "list")[0] == NOT_AUTHORIZED


def test_meta_api_that_is_off_is_not_there(serializer):
    node = node_with(enable_meta_api=False)
    alice = node.join("realm1", serializer)
    listen(alice, "on_join", "on_leave")
    bob = node.join("realm1", serializer)
    for procedure in PROCEDURES:
        assert refusal(alice, procedure, bob.session_id)[0] == NO_SUCH_PROCEDURE
    bob.lose()
    assert not alice.inbox


@pytest.mark.parametrize("enabled", [True, False])
def test_features_of_the_meta_api_are_announced_where_it_is_on(serializer, enabled):
    roles = node_with(enable_meta_api=enabled).connect(serializer).join("realm1")[2]["roles"]
    broker, dealer = roles["broker"]["features"], roles["dealer"]["features"]
    for name in ("session_meta_api", "subscription_meta_api", "testament_meta_api", "event_history"):
        assert broker.get(name, False) is enabled
    for name in ("session_meta_api", "registration_meta_api", "testament_meta_api"):
        assert dealer.get(name, False) is enabled
    assert broker["event_retention"] is dealer["call_timeout"] is True


def test_meta_api_can_be_switched_on_and_off_while_running(serializer):
    node = node_with(enable_meta_api=False)
    alice = node.join("realm1", serializer)
    node.configure(options_with())
    assert call(alice, "count") == 1
    node.configure(options_with(enable_meta_api=False))
    assert refusal(alice, "count")[0] == NO_SUCH_PROCEDURE


def test_registered_patterns_do_not_come_before_the_meta_procedures(alice, bob):
    bob.request([REGISTER, 1, {"match": "prefix"}, ""])
    bob.request([REGISTER, 2, {"match": "wildcard"}, ".session.count"])
    assert call(alice, "count") == 2
    assert not bob.inbox
    assert refusal(alice, "unheard_of")[0] == NO_SUCH_PROCEDURE


# --- limits, and taking apart ---


def test_session_beyond_the_limit_of_the_realm_is_refused(serializer):
    node = node_with(limits=Limits(sessions=2))
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    late = node.connect(serializer)
    assert late.request([1, "realm1", {"roles": {"caller": {}}}])[::2] == [3, QUOTA_EXCEEDED]
    assert late.is_closed
    assert call(alice, "count") == 2
    bob.lose()
    node.join("realm1", serializer)
    assert call(alice, "count") == 2


def test_killed_session_is_not_counted_any_more(serializer):
    node = node_with(limits=Limits(sessions=2))
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    call(alice, "kill", bob.session_id)
    node.join("realm1", serializer)


def test_other_sessions_are_served_during_a_large_cleanup(alice, bob, node):
    count = 500
    for number in range(1, count + 1):
        assert bob.request([SUBSCRIBE, number, {}, f"com.example.topic_{number}"])[0] == SUBSCRIBED
    realm = node.router.realms["realm1"]
    node.runs_cleanup = False
    bob.lose()
    assert call(alice, "list") == [alice.session_id]
    assert len(realm.broker.subscriptions) == count
    node.router.run_cleanup(100)
    node.run_effects()
    assert len(realm.broker.subscriptions) == count - 100
    subscription = alice.request([SUBSCRIBE, 1, {}, f"com.example.topic_{count}"])[2]
    alice.send([PUBLISH, 2, {"exclude_me": False}, f"com.example.topic_{count}"])
    assert alice.receive()[:2] == [EVENT, subscription]
    assert node.router.has_cleanup
    node.run_cleanup()
    assert not node.router.has_cleanup
    assert list(realm.broker.subscriptions) == [subscription]
    assert list(realm.broker.subscriptions[subscription].subscribers) == [alice.session_id]
