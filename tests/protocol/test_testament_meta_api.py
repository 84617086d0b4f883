"""Advanced Profile, "Session Testament"."""

import pytest

from wamp_transport.router.options import Permission, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.router.testaments import MAX_TESTAMENTS
from wamp_transport.testing.memory import MemoryNode

from .codes import (
    CALL,
    ERROR,
    EVENT,
    GOODBYE,
    INVALID_URI,
    NO_SUCH_PROCEDURE,
    NOT_AUTHORIZED,
    RESULT,
    SUBSCRIBE,
    WELCOME,
)
from .test_sessions import assert_aborted

TOPIC = "com.example.will"
INVALID_ARGUMENT = "wamp.error.invalid_argument"


def request(peer, procedure, *args, **kwargs):
    return peer.request([CALL, 77, {}, f"wamp.session.{procedure}", list(args), kwargs])


def add(peer, topic, *rest, **kwargs):
    assert request(peer, "add_testament", topic, *rest, **kwargs) == [RESULT, 77, {}, [None]]


def refusal(peer, *args, **kwargs):
    error = request(peer, "add_testament", *args, **kwargs)
    assert error[:4] == [ERROR, CALL, 77, {}]
    return error[4], error[5][0]


def node_with(*permissions, **options):
    return MemoryNode(node_options(*permissions, **options))


def node_options(*permissions, **options):
    roles = {"anonymous": RoleOptions("anonymous", permissions, allow_by_default=True)}
    return RouterOptions(realms={"realm1": RealmOptions("realm1", roles, **options)})


@pytest.fixture
def heir(bob):
    bob.request([SUBSCRIBE, 1, {}, TOPIC])
    return bob


def payloads(peer):
    return [event[4:] for event in peer.receive_all()]


def by_goodbye(node, peer):
    assert peer.request([GOODBYE, {}, "wamp.close.normal"])[0] == GOODBYE


def by_loss(node, peer):
    peer.lose()


def by_violation(node, peer):
    peer.send([WELCOME, 1, {}])


def by_kill(node, peer):
    killer = node.join("realm1", peer.serializer)
    assert killer.request([CALL, 1, {}, "wamp.session.kill", [peer.session_id]])[0] == RESULT


@pytest.mark.parametrize("end", [by_goodbye, by_loss, by_violation, by_kill])
def test_testaments_are_published_once_however_the_session_ends(node, alice, heir, end):
    add(alice, TOPIC, [1, "two"], {"three": 3})
    assert not heir.inbox
    end(node, alice)
    assert payloads(heir) == [[[1, "two"], {"three": 3}]]
    alice.lose()
    node.pass_time(60)
    assert not heir.inbox


def test_detached_ones_come_before_destroyed_ones_each_in_the_order_of_adding(alice, heir):
    for number, scope in enumerate(["destroyed", "detached", None, "detached", "destroyed"]):
        add(alice, TOPIC, [number], {}, **({"scope": scope} if scope else {}))
    alice.lose()
    assert [payload[0][0] for payload in payloads(heir)] == [1, 3, 0, 2, 4]


@pytest.mark.parametrize(("scope", "left"), [("detached", [1]), ("destroyed", [0]), (None, [0])])
def test_flush_forgets_those_of_its_scope(alice, heir, scope, left):
    add(alice, TOPIC, [0], {}, scope="detached")
    add(alice, TOPIC, [1], {}, scope="destroyed")
    answer = request(alice, "flush_testaments", **({"scope": scope} if scope else {}))
    assert answer == [RESULT, 77, {}, [None]]
    alice.lose()
    assert [payload[0][0] for payload in payloads(heir)] == left


def test_testament_may_have_a_topic_alone(alice, heir):
    add(alice, TOPIC)
    add(alice, TOPIC, None, None)
    alice.lose()
    assert [[part for part in payload if part] for payload in payloads(heir)] == [[], []]


def test_testament_reaches_every_serializer(alice, node):
    heirs = [node.join("realm1", name) for name in ("json", "msgpack", "cbor")]
    for heir in heirs:
        heir.request([SUBSCRIBE, 1, {}, TOPIC])
    add(alice, TOPIC, [1, "é", None, 1.5], {"a": [True]})
    alice.lose()
    for heir in heirs:
        assert payloads(heir) == [[[1, "é", None, 1.5], {"a": [True]}]]


def test_publish_options_are_honoured(alice, heir, join, node):
    carol = join()
    carol.request([SUBSCRIBE, 1, {}, TOPIC])
    session_id = alice.session_id
    add(
        alice, TOPIC, ["x"], {},
        publish_options={"eligible": [heir.session_id], "retain": True, "disclose_me": True, "acknowledge": True},
    )  # fmt: skip
    by_goodbye(node, alice)
    assert not alice.inbox
    assert heir.receive()[3]["publisher"] == session_id
    assert not carol.inbox
    assert heir.request([SUBSCRIBE, 2, {"get_retained": True}, TOPIC])[0] == SUBSCRIBE + 1
    assert heir.receive()[3]["retained"] is True


def test_leaving_is_published_after_the_testaments(alice, heir):
    heir.request([SUBSCRIBE, 2, {}, "wamp.session.on_leave"])
    session_id = alice.session_id
    add(alice, TOPIC, ["x"], {})
    alice.lose()
    assert [event[4][0] for event in heir.receive_all()] == ["x", session_id]


def test_testament_is_not_for_the_session_itself(alice, node):
    alice.request([SUBSCRIBE, 1, {}, TOPIC])
    add(alice, TOPIC, publish_options={"exclude_me": False})
    by_goodbye(node, alice)
    assert not alice.inbox


def test_session_that_follows_on_the_same_transport_has_none(alice, heir, node):
    add(alice, TOPIC, ["x"], {})
    by_goodbye(node, alice)
    heir.receive()
    alice.join("realm1")
    alice.lose()
    assert not heir.inbox


# --- what is refused ---


@pytest.mark.parametrize("procedure", ["add_testament", "flush_testaments"])
def test_invalid_scope_is_an_error(alice, procedure):
    error = request(alice, procedure, TOPIC, [], {}, scope="never")
    assert error[4] == "wamp.error.testament_error"
    assert "detached, destroyed" in error[5][0]


@pytest.mark.parametrize(
    ("args", "kwargs", "name"),
    [
        ([], {}, "topic"),
        ([1], {}, "topic"),
        ([TOPIC, {}], {}, "args"),
        ([TOPIC, "text"], {}, "args"),
        ([TOPIC, [], []], {}, "kwargs"),
        ([TOPIC], {"publish_options": []}, "publish_options"),
        ([TOPIC], {"publish_options": {"retain": "yes"}}, "publish_options"),
        ([TOPIC], {"publish_options": {"eligible": [0]}}, "publish_options"),
        ([TOPIC], {"scope": 1}, "scope"),
    ],
)
def test_argument_of_a_wrong_type_is_named(alice, args, kwargs, name):
    uri, text = refusal(alice, *args, **kwargs)
    assert uri == INVALID_ARGUMENT
    assert name in text


@pytest.mark.parametrize("topic", ["", "com..x", "com.x\n", "wamp.session.on_leave", "wamp"])
def test_topic_that_cannot_be_published_to_is_an_error(alice, topic):
    assert refusal(alice, topic)[0] == INVALID_URI


def test_topic_that_may_not_be_published_to_is_an_error(serializer):
    alice = node_with(Permission(TOPIC)).join("realm1", serializer)
    assert refusal(alice, TOPIC)[0] == NOT_AUTHORIZED
    add(alice, "com.example.other")


def test_testament_that_may_no_longer_be_published_is_dropped_alone(serializer):
    node = node_with()
    alice, heir = node.join("realm1", serializer), node.join("realm1", serializer)
    heir.request([SUBSCRIBE, 1, {"match": "prefix"}, "com."])
    for topic in ("com.a", TOPIC, "com.b"):
        add(alice, topic, [topic], {})
    node.configure(node_options(Permission(TOPIC, subscribe=True)))
    heir.receive_all()
    alice.lose()
    assert [payload[0][0] for payload in payloads(heir)] == ["com.a", "com.b"]


def test_disclosing_oneself_against_the_rules_is_an_immediate_error(serializer):
    alice = node_with(allow_disclose_me=False).join("realm1", serializer)
    uri, _ = refusal(alice, TOPIC, publish_options={"disclose_me": True})
    assert uri == "wamp.error.option_disallowed.disclose_me"


def test_passthru_payload_without_the_feature_is_a_violation_immediately(alice):
    message = [CALL, 1, {}, "wamp.session.add_testament", [TOPIC], {"publish_options": {"ppt_scheme": "x_mine"}}]
    alice.send(message)
    assert "ppt_scheme" in assert_aborted(alice)


def test_too_many_testaments_are_an_error_and_those_before_stay(alice, heir):
    for number in range(MAX_TESTAMENTS):
        add(alice, TOPIC, [number], {}, scope="detached" if number % 2 else "destroyed")
    assert refusal(alice, TOPIC)[0] == "wamp.error.quota_exceeded"
    request(alice, "flush_testaments")
    add(alice, TOPIC)
    alice.lose()
    assert len(heir.receive_all()) == MAX_TESTAMENTS // 2 + 1


def test_rule_on_the_meta_procedures_closes_them(serializer):
    alice = node_with(Permission("wamp.", "prefix")).join("realm1", serializer)
    for procedure in ("add_testament", "flush_testaments"):
        assert request(alice, procedure, TOPIC)[4] == NOT_AUTHORIZED


def test_meta_api_that_is_off_is_not_there(serializer):
    alice = node_with(enable_meta_api=False).join("realm1", serializer)
    for procedure in ("add_testament", "flush_testaments"):
        assert request(alice, procedure, TOPIC)[4] == NO_SUCH_PROCEDURE


def test_event_of_a_testament_is_an_ordinary_one(alice, heir):
    add(alice, TOPIC, ["x"], {})
    alice.lose()
    event = heir.receive()
    assert event[0] == EVENT
    assert event[3] == {}


@pytest.mark.parametrize("option", ["max_session_testaments_size", "max_testaments_size"])
def test_bytes_of_testaments_are_limited(serializer, option):
    node = node_with(**{option: 10_000})
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    bob.request([SUBSCRIBE, 1, {}, TOPIC])
    add(alice, TOPIC, ["x" * 6000])
    uri, text = refusal(alice, TOPIC, ["y" * 6000])
    assert uri == "wamp.error.quota_exceeded"
    assert option in text
    assert request(alice, "flush_testaments") == [RESULT, 77, {}, [None]]
    add(alice, TOPIC, ["z" * 6000])
    alice.lose()
    assert [args for (args,) in payloads(bob)] == [["z" * 6000]]
    assert alice.node.router.realms["realm1"].testaments.size == 0
