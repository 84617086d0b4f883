"""Basic Profile, "Sessions": how sessions open, end and follow each other."""

from dataclasses import replace

import pytest

from wamp_transport.router.options import AnonymousLogin, ServiceOptions
from wamp_transport.testing.memory import MemoryNode, anonymous_options
from wamp_transport.wamp.features import BROKER_FEATURES, DEALER_FEATURES

from .codes import (
    ABORT,
    AUTHENTICATE,
    CALL,
    CANCEL,
    CANCELED,
    CHALLENGE,
    ERROR,
    EVENT,
    EVENT_RECEIVED,
    GOODBYE,
    HELLO,
    INTERRUPT,
    INVOCATION,
    PUBLISH,
    PUBLISHED,
    REGISTER,
    REGISTERED,
    RESULT,
    SUBSCRIBE,
    SUBSCRIBED,
    UNREGISTER,
    UNREGISTERED,
    UNSUBSCRIBE,
    UNSUBSCRIBED,
    WELCOME,
    YIELD,
)

HELLO_DETAILS = {"roles": {"caller": {}}}
VIOLATION = "wamp.error.protocol_violation"


def assert_aborted(peer, reason=VIOLATION):
    abort = peer.receive()
    assert abort[0] == ABORT
    assert abort[2] == reason
    assert isinstance(abort[1]["message"], str)
    assert not peer.inbox
    assert peer.is_closed
    assert peer.close_reason == reason
    return abort[1]["message"]


# --- opening ---


def test_hello_is_answered_with_welcome(peer):
    welcome = peer.request([HELLO, "realm1", HELLO_DETAILS])
    assert welcome[0] == WELCOME
    assert welcome[1] == peer.session_id
    details = welcome[2]
    assert details["realm"] == "realm1"
    assert details["authrole"] == "anonymous"
    assert details["authmethod"] == "anonymous"
    assert details["authprovider"] == "static"
    assert details["authid"]
    assert details["agent"]
    assert details["roles"]["broker"]["features"] == dict.fromkeys(BROKER_FEATURES, True)
    assert details["roles"]["dealer"]["features"] == dict.fromkeys(DEALER_FEATURES, True)


def test_sessions_have_different_ids(alice, bob):
    assert alice.session_id != bob.session_id


def test_fixed_authid_of_the_service_is_in_welcome(node, serializer):
    peer = node.connect(serializer, ServiceOptions("k", AnonymousLogin("anonymous", "guest")))
    assert peer.join("realm1")[2]["authid"] == "guest"


@pytest.mark.parametrize("realm", ["nowhere", "REALM1", "no-where@all", None])
def test_hello_to_a_realm_that_is_not_there_is_aborted(peer, realm):
    peer.send([HELLO, realm, HELLO_DETAILS])
    assert_aborted(peer, "wamp.error.no_such_realm")


@pytest.mark.parametrize("realm", ["", "realm1\n", "no where", "realm1..", "#"])
def test_hello_to_a_realm_that_is_no_uri_is_aborted(peer, realm):
    peer.send([HELLO, realm, HELLO_DETAILS])
    assert_aborted(peer, "wamp.error.invalid_uri")


@pytest.mark.parametrize(
    "details",
    [{}, {"roles": {}}, {"roles": None}, {"roles": {"broker": {}}}, {"agent": "x"}],
)
def test_hello_without_a_client_role_is_a_violation(peer, details):
    peer.send([HELLO, "realm1", details])
    assert "roles" in assert_aborted(peer)


@pytest.mark.parametrize(
    "roles",
    [
        {"caller": None},
        {"caller": {"features": None}},
        {"caller": {"features": {"call_canceling": True, "x_mine": False, "nothing": None}}},
        {"caller": {}, "unheard_of": {}},
    ],
)
def test_roles_with_unknown_parts_are_taken(peer, roles):
    assert peer.request([HELLO, "realm1", {"roles": roles}])[0] == WELCOME


@pytest.mark.parametrize(
    ("details", "place"),
    [
        ({"roles": []}, "roles"),
        ({"roles": {"caller": 1}}, "roles"),
        ({"roles": {"caller": {"features": []}}}, "features"),
        ({"roles": {"caller": {"features": {"call_canceling": 1}}}}, "features"),
        ({**HELLO_DETAILS, "authmethods": "ticket"}, "authmethods"),
        ({**HELLO_DETAILS, "authmethods": [1]}, "authmethods"),
        ({**HELLO_DETAILS, "authid": 7}, "authid"),
        ({**HELLO_DETAILS, "authextra": []}, "authextra"),
        ({**HELLO_DETAILS, "agent": {}}, "agent"),
    ],
)
def test_hello_details_of_a_wrong_type_are_named(peer, details, place):
    peer.send([HELLO, "realm1", details])
    assert place in assert_aborted(peer)


def test_hello_offers_only_methods_that_are_not_there_is_aborted(peer):
    peer.send([HELLO, "realm1", {**HELLO_DETAILS, "authmethods": ["ticket", "wampcra"]}])
    assert_aborted(peer, "wamp.error.no_matching_auth_method")


@pytest.mark.parametrize("methods", [None, [], ["anonymous"], ["unheard_of", "anonymous"]])
def test_hello_that_offers_anonymous_joins(peer, methods):
    assert peer.request([HELLO, "realm1", {**HELLO_DETAILS, "authmethods": methods}])[0] == WELCOME


def test_service_without_anonymous_login_refuses_anonymous_peers(node, serializer):
    peer = node.connect(serializer, ServiceOptions("closed"))
    peer.send([HELLO, "realm1", HELLO_DETAILS])
    assert_aborted(peer, "wamp.error.no_matching_auth_method")


def test_role_that_the_realm_does_not_have_is_aborted(node, serializer):
    peer = node.connect(serializer, ServiceOptions("k", AnonymousLogin("backend")))
    peer.send([HELLO, "realm1", HELLO_DETAILS])
    assert_aborted(peer, "wamp.error.no_such_role")


# --- what no state accepts ---

ROUTER_ONLY = [
    [WELCOME, 1, {}],
    [CHALLENGE, "ticket", {}],
    [PUBLISHED, 1, 2],
    [SUBSCRIBED, 1, 2],
    [UNSUBSCRIBED, 1],
    [EVENT, 1, 2, {}],
    [RESULT, 1, {}],
    [REGISTERED, 1, 2],
    [UNREGISTERED, 1],
    [INVOCATION, 1, 2, {}],
    [INTERRUPT, 1, {}],
]
CLIENTS = [
    [AUTHENTICATE, "secret", {}],
    [GOODBYE, {}, "wamp.close.normal"],
    [ERROR, INVOCATION, 1, {}, "com.example.error"],
    [PUBLISH, 1, {}, "com.example.topic"],
    [SUBSCRIBE, 1, {}, "com.example.topic"],
    [UNSUBSCRIBE, 1, 2],
    [EVENT_RECEIVED, 1],
    [CALL, 1, {}, "com.example.procedure"],
    [CANCEL, 1, {}],
    [REGISTER, 1, {}, "com.example.procedure"],
    [UNREGISTER, 1, 2],
    [YIELD, 1, {}],
]


@pytest.mark.parametrize("message", ROUTER_ONLY + CLIENTS, ids=lambda message: str(message[0]))
def test_anything_before_hello_is_a_violation(peer, message):
    peer.send(message)
    assert "HELLO" in assert_aborted(peer)


@pytest.mark.parametrize("message", [*ROUTER_ONLY, [AUTHENTICATE, "secret", {}]], ids=lambda message: str(message[0]))
def test_router_message_from_a_client_is_a_violation(alice, message):
    alice.send(message)
    assert "not for a client" in assert_aborted(alice)


def test_second_hello_is_a_violation(alice):
    alice.send([HELLO, "realm1", HELLO_DETAILS])
    assert "HELLO" in assert_aborted(alice)


def test_nothing_counts_after_a_violation(alice, bob, node):
    bob.request([SUBSCRIBE, 1, {}, "com.example.topic"])
    alice.send([WELCOME, 1, {}])
    session_id = alice.session_id
    alice.send([PUBLISH, 1, {}, "com.example.topic"])
    assert not bob.inbox
    assert not any(session_id in router.sessions for router in node.routers)


# --- GOODBYE ---


def test_goodbye_is_answered_and_the_transport_stays(alice):
    assert alice.request([GOODBYE, {}, "wamp.close.normal"]) == [GOODBYE, {}, "wamp.close.goodbye_and_out"]
    assert not alice.is_closed


@pytest.mark.parametrize(
    ("reason", "answer"),
    [
        ("wamp.close.normal", "wamp.close.normal"),
        ("com.example.Reason", "com.example.Reason"),
        ("not a URI", "wamp.close.goodbye_and_out"),
        ("", "wamp.close.goodbye_and_out"),
    ],
)
def test_goodbye_is_answered_with_its_reason_in_the_dialect_of_crossbar(serializer, reason, answer):
    """Many programs with Autobahn|Python end only when they see ``wamp.close.normal``."""
    options = anonymous_options("realm1")
    node = MemoryNode(replace(options, realms={"realm1": replace(options.realms["realm1"], dialect="crossbar")}))
    alice = node.join("realm1", serializer)
    assert alice.request([GOODBYE, {}, reason]) == [GOODBYE, {}, answer]
    assert alice.join("realm1")


def test_after_goodbye_another_hello_opens_another_session(alice, bob):
    bob.request([SUBSCRIBE, 1, {}, "com.example.topic"])
    first = alice.session_id
    alice.request([GOODBYE, {"message": "over"}, "com.example.reason"])
    alice.join("realm2")
    assert alice.session_id != first
    alice.send([PUBLISH, 1, {}, "com.example.topic"])
    assert not bob.inbox
    alice.request([GOODBYE, {}, "wamp.close.normal"])
    alice.join("realm1")
    alice.send([PUBLISH, 1, {}, "com.example.topic"])
    assert bob.receive()[0] == EVENT


def test_after_goodbye_only_hello_may_come(alice):
    alice.request([GOODBYE, {}, "wamp.close.normal"])
    alice.send([CALL, 1, {}, "com.example.procedure"])
    assert "HELLO" in assert_aborted(alice)


def test_after_goodbye_the_deadline_for_hello_counts_again(alice, node):
    node.pass_time(60)
    assert not alice.is_closed
    alice.request([GOODBYE, {}, "wamp.close.normal"])
    node.pass_time(9.9)
    assert not alice.is_closed
    node.pass_time(0.2)
    assert_aborted(alice)


def test_goodbye_is_the_last_of_a_session_that_calls_itself(alice):
    alice.request([REGISTER, 1, {}, "com.example.procedure"])
    assert alice.request([CALL, 2, {}, "com.example.procedure"])[0] == INVOCATION
    assert alice.request([GOODBYE, {}, "wamp.close.normal"])[0] == GOODBYE
    assert not alice.inbox


def test_abort_is_the_last_to_a_session_that_calls_itself(alice):
    alice.request([REGISTER, 1, {}, "com.example.procedure"])
    assert alice.request([CALL, 2, {}, "com.example.procedure"])[0] == INVOCATION
    alice.send([WELCOME, 1, {}])
    assert_aborted(alice)


def test_router_goodbye_takes_effect_immediately(alice, bob, node):
    bob.request([SUBSCRIBE, 1, {}, "com.example.topic"])
    alice.request([SUBSCRIBE, 1, {}, "com.example.topic"])
    node.leave(alice, "wamp.close.killed", "out")
    assert alice.receive() == [GOODBYE, {"message": "out"}, "wamp.close.killed"]
    alice.send([PUBLISH, 2, {}, "com.example.topic"])
    alice.send([HELLO, "realm1", HELLO_DETAILS])
    alice.send([WELCOME, 1, {}])
    bob.send([PUBLISH, 2, {"exclude_me": False}, "com.example.topic"])
    assert len(bob.receive_all()) == 1
    assert not alice.inbox
    assert not alice.is_closed


def test_router_goodbye_answered_closes_the_transport(alice, node):
    node.leave(alice, "wamp.close.killed")
    alice.receive()
    alice.send([GOODBYE, {}, "wamp.close.goodbye_and_out"])
    assert alice.is_closed
    assert not alice.inbox


def test_router_goodbye_unanswered_closes_the_transport_in_time(alice, node):
    node.leave(alice, "wamp.close.killed")
    alice.receive()
    node.pass_time(4.9)
    assert not alice.is_closed
    node.pass_time(0.2)
    assert alice.is_closed
    assert not alice.inbox
    assert not any(router.sessions for router in node.routers)


def test_second_router_goodbye_is_not_sent(alice, node):
    node.leave(alice, "wamp.close.killed")
    alice.receive()
    node.leave(alice, "wamp.close.killed")
    assert not alice.inbox


def test_router_goodbye_before_hello_is_an_abort(peer, node):
    node.leave(peer, "wamp.close.system_shutdown", "down")
    assert assert_aborted(peer, "wamp.close.system_shutdown") == "down"


# --- deadlines ---


def test_no_hello_in_time_is_aborted(node, serializer):
    peer = node.connect(serializer, ServiceOptions("", AnonymousLogin(), hello_timeout=3.0))
    node.pass_time(2.9)
    assert not peer.is_closed
    node.pass_time(0.1)
    assert "HELLO" in assert_aborted(peer)


def test_hello_may_be_waited_for_without_end(node, serializer):
    peer = node.connect(serializer, ServiceOptions("", AnonymousLogin(), hello_timeout=0.0))
    node.pass_time(10_000.0)
    assert not peer.is_closed


# --- ABORT ---


def test_abort_before_hello_closes_without_an_answer(peer, node):
    peer.send([ABORT, {}, "wamp.error.canceled"])
    assert peer.is_closed
    assert peer.close_reason == "wamp.error.canceled"
    assert not peer.inbox
    assert not any(router.sessions for router in node.routers)


def test_abort_in_a_session_ends_it(alice, bob):
    alice.request([REGISTER, 1, {}, "com.example.procedure"])
    bob.send([CALL, 1, {}, "com.example.procedure"])
    alice.receive()
    alice.send([ABORT, {"message": "no"}, "com.example.error", ["why"], {"a": 1}])
    assert alice.is_closed
    assert not alice.inbox
    assert bob.receive()[:5] == [ERROR, CALL, 1, {}, CANCELED]


def test_abort_after_router_goodbye_closes(alice, node):
    node.leave(alice, "wamp.close.killed")
    alice.receive()
    alice.send([ABORT, {}, "com.example.error"])
    assert alice.is_closed
    assert not alice.inbox


# --- the transport is lost ---


def test_lost_transport_leaves_nothing_behind(alice, bob, node):
    alice.request([SUBSCRIBE, 1, {"match": "wildcard"}, "com..topic"])
    alice.request([REGISTER, 2, {"match": "prefix"}, "com.example"])
    bob.send([CALL, 1, {}, "com.example.procedure"])
    alice.receive()
    alice.send([CALL, 3, {}, "com.example.procedure"])
    alice.lose()
    realm = node.router.realms["realm1"]
    assert list(realm.sessions) == [bob.session_id]
    assert not realm.broker.subscriptions
    assert not realm.dealer.registrations
    assert bob.receive()[4] == CANCELED
    assert not node.router.sessions[bob.session_id].calls


# --- configuration changes ---


def test_realm_that_is_closed_says_goodbye_to_its_sessions(node, alice, serializer):
    other = node.join("realm2", serializer)
    node.configure(anonymous_options("realm2"))
    assert alice.receive()[::2] == [GOODBYE, "wamp.close.close_realm"]
    assert not other.inbox
    alice.send([GOODBYE, {}, "wamp.close.goodbye_and_out"])
    assert alice.is_closed


def test_realm_opened_later_can_be_joined():
    node = MemoryNode(anonymous_options("realm1"))
    node.configure(anonymous_options("realm1", "realm2"))
    node.join("realm2")
