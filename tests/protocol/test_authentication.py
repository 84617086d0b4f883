"""Advanced Profile, "Authentication Methods": HELLO, CHALLENGE, AUTHENTICATE, WELCOME or ABORT.

The authenticator is played by the test: it answers when and what the test says.
"""

from typing import Any

import pytest

from wamp_transport.router.decisions import Admit, ChallengePeer, Deny, Permit, Skip
from wamp_transport.router.options import (
    AnonymousLogin,
    Limits,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.testing.memory import MemoryNode, MemoryPeer

ROLES = {name: RoleOptions(name, allow_by_default=True) for name in ("anonymous", "user", "trusted")}
OPTIONS = RouterOptions(
    realms={
        "realm1": RealmOptions("realm1", ROLES),
        "realm2": RealmOptions("realm2", {"user": ROLES["user"]}, limits=Limits(sessions=1)),
        "other": RealmOptions("other", ROLES),
    },
    authentication_timeout=7,
    challenge_timeout=20,
)
SECURE = ServiceOptions("secure", realms=frozenset({"realm1", "realm2"}), authmethods=frozenset({"ticket", "wampcra"}))
MIXED = ServiceOptions("mixed", AnonymousLogin(), authmethods=frozenset({"ticket"}))
ALICE = Admit("realm1", "alice", "user", "ticket", "static", {"team": "a"})
DETAILS = {"roles": {"caller": {}, "subscriber": {}}, "authid": "alice"}


@pytest.fixture
def node() -> MemoryNode:
    """A router with services that require credentials."""
    return MemoryNode(OPTIONS)


@pytest.fixture
def peer(node: MemoryNode, serializer: str) -> MemoryPeer:
    """A peer of a service without anonymous login, before its HELLO."""
    return node.connect(serializer, SECURE)


def hello(peer: MemoryPeer, *methods: str, realm: str | None = "realm1", **details: Any) -> None:
    peer.send([1, realm, {**DETAILS, "authmethods": list(methods or ["ticket"]), **details}])


def aborted(peer: MemoryPeer) -> tuple[str, str]:
    """The reason and the text of the ABORT, which is the last message."""
    code, details, reason = peer.receive()
    assert code == 3
    assert peer.is_closed
    assert peer.close_reason == reason
    assert not peer.inbox
    return reason, details["message"]


def test_challenged_peer_joins_as_its_authenticator_decides(node: MemoryNode, peer: MemoryPeer) -> None:
    hello(peer, authextra={"x": 1})
    (asked,) = node.questions
    assert (asked.session_id, asked.service, asked.method) == (peer.session_id, "secure", "ticket")
    assert (asked.hello.realm, asked.hello.details.authid) == ("realm1", "alice")
    assert asked.hello.details.authextra == {"x": 1}
    assert (asked.message, asked.pending) == (None, None)
    assert not peer.inbox
    node.decide(ChallengePeer("ticket", {"hint": "blue"}, pending=["nonce"]))
    assert peer.receive() == [4, "ticket", {"hint": "blue"}]
    peer.send([5, "secret", {"y": 2}])
    (asked,) = node.questions
    assert (asked.message.signature, asked.message.extra, asked.pending) == ("secret", {"y": 2}, ["nonce"])
    node.decide(ALICE)
    code, session_id, details = peer.receive()
    assert (code, session_id) == (2, peer.session_id)
    expected = {"realm": "realm1", "authid": "alice", "authrole": "user", "authmethod": "ticket"}
    assert {key: details[key] for key in expected} == expected
    assert (details["authprovider"], details["authextra"]) == ("static", {"team": "a"})
    assert peer.request([32, 1, {}, "com.x"])[0] == 33


def test_authenticator_may_admit_without_a_challenge(node: MemoryNode, peer: MemoryPeer) -> None:
    hello(peer)
    node.decide(ALICE)
    assert peer.receive()[0] == 2
    node.pass_time(100)
    assert not peer.is_closed


def test_method_that_does_not_apply_gives_way_to_the_next(node: MemoryNode, peer: MemoryPeer) -> None:
    hello(peer, "wampcra", "newest", "wampcra", "ticket")
    assert node.questions[0].method == "wampcra"
    node.decide(Skip())
    assert [each.method for each in node.questions] == ["ticket"]
    assert not peer.inbox
    node.decide(ALICE)
    assert peer.receive()[0] == 2


def test_anonymous_login_is_tried_after_skipped_methods(node: MemoryNode, serializer: str) -> None:
    peer = node.connect(serializer, MIXED)
    hello(peer, "ticket", "anonymous")
    node.decide(Skip())
    assert peer.receive()[2]["authmethod"] == "anonymous"


def test_peer_for_whom_no_method_applies_is_aborted(node: MemoryNode, peer: MemoryPeer) -> None:
    hello(peer, "wampcra", "ticket")
    node.decide(Skip())
    node.decide(Skip())
    assert aborted(peer)[0] == "wamp.error.no_matching_auth_method"


def test_method_that_has_challenged_applies(node: MemoryNode, peer: MemoryPeer) -> None:
    hello(peer, "wampcra", "ticket")
    node.decide(ChallengePeer("wampcra", {}))
    peer.receive()
    peer.send([5, "answer", {}])
    node.decide(Skip())
    assert aborted(peer)[0] == "wamp.error.authentication_failed"


def test_several_challenges_may_follow_each_other(node: MemoryNode, peer: MemoryPeer) -> None:
    hello(peer)
    for number in range(3):
        node.decide(ChallengePeer("ticket", {}, pending=number))
        assert peer.receive()[0] == 4
        peer.send([5, "answer", {}])
        assert node.questions[0].pending == number
    node.decide(ALICE)
    assert peer.receive()[0] == 2


def test_principal_may_bring_its_realm(node: MemoryNode, peer: MemoryPeer) -> None:
    hello(peer, realm=None)
    node.decide(Admit("realm2", "alice", "user", "ticket", "dynamic"))
    assert peer.receive()[2]["realm"] == "realm2"


@pytest.mark.parametrize(
    ("methods", "chosen"),
    [(["wampcra", "ticket"], "wampcra"), (["newest", "ticket"], "ticket"), (["anonymous", "ticket"], "ticket")],
)
def test_first_method_that_both_know_is_taken(
    node: MemoryNode, peer: MemoryPeer, methods: list[str], chosen: str
) -> None:
    hello(peer, *methods)
    assert [each.method for each in node.questions] == [chosen]


@pytest.mark.parametrize("methods", [["scram"], ["anonymous"], []])
def test_no_method_in_common_aborts(node: MemoryNode, peer: MemoryPeer, methods: list[str]) -> None:
    peer.send([1, "realm1", {**DETAILS, "authmethods": methods}])
    assert aborted(peer)[0] == "wamp.error.no_matching_auth_method"
    assert not node.questions


@pytest.mark.parametrize(("methods", "is_asked"), [(["ticket", "anonymous"], True), (["anonymous", "ticket"], False)])
def test_order_of_the_client_decides_between_anonymous_and_credentials(
    node: MemoryNode, serializer: str, methods: list[str], is_asked: bool
) -> None:
    peer = node.connect(serializer, MIXED)
    hello(peer, *methods)
    assert bool(node.questions) is is_asked
    assert bool(peer.inbox) is not is_asked


def test_anonymous_login_of_an_unknown_realm_aborts(node: MemoryNode, serializer: str) -> None:
    peer = node.connect(serializer, MIXED)
    hello(peer, "anonymous", realm="realm9")
    assert aborted(peer)[0] == "wamp.error.no_such_realm"


@pytest.mark.parametrize("is_challenged", [False, True])
def test_denial_is_final_and_neutral(node: MemoryNode, peer: MemoryPeer, is_challenged: bool) -> None:
    hello(peer)
    if is_challenged:
        node.decide(ChallengePeer("ticket", {}))
        peer.receive()
        peer.send([5, "guess", {}])
    node.decide(Deny())
    assert aborted(peer) == ("wamp.error.authentication_denied", "authentication failed")
    peer.send([5, "another guess", {}])
    hello(peer)
    assert not node.questions
    assert not peer.inbox
    assert not node.router.sessions


@pytest.mark.parametrize(
    ("principal", "reason"),
    [
        (Admit("realm9", "a", "user", "ticket", "static"), "no_such_realm"),
        (Admit("other", "a", "user", "ticket", "static"), "no_such_realm"),
        (Admit(None, "a", "user", "ticket", "static"), "no_such_realm"),
        (Admit("realm1", "a", "nobody", "ticket", "static"), "no_such_role"),
        (Admit("realm1", "a", "trusted", "ticket", "static"), "no_such_role"),
        (Admit("realm1", "", "user", "ticket", "static"), "no_such_principal"),
        (Permit(True), "authentication_failed"),
    ],
)
def test_principal_that_cannot_join_aborts(node: MemoryNode, peer: MemoryPeer, principal: Any, reason: str) -> None:
    hello(peer)
    node.decide(principal)
    assert aborted(peer)[0] == f"wamp.error.{reason}"


def test_full_realm_aborts(node: MemoryNode, serializer: str) -> None:
    first, second = node.connect(serializer, SECURE), node.connect(serializer, SECURE)
    for peer in (first, second):
        hello(peer, realm="realm2")
        node.decide(Admit("realm2", "a", "user", "ticket", "static"))
    assert first.receive()[0] == 2
    assert second.receive()[0] == 3


@pytest.mark.parametrize("message", [[1, "realm1", DETAILS], [5, "early", {}], [6, {}, "x.y"], [32, 1, {}, "com.x"]])
def test_nothing_may_be_sent_while_the_router_decides(node: MemoryNode, peer: MemoryPeer, message: list[Any]) -> None:
    hello(peer)
    (asked,) = node.questions
    peer.send(message)
    reason, text = aborted(peer)
    assert reason == "wamp.error.protocol_violation"
    assert "while the router decides" in text
    assert not node.questions
    node.decide(ALICE, asked)
    assert not peer.inbox
    assert not node.router.sessions


@pytest.mark.parametrize("message", [[1, "realm1", DETAILS], [6, {}, "x.y"], [48, 1, {}, "com.x"]])
def test_challenge_must_be_answered_with_authenticate(node: MemoryNode, peer: MemoryPeer, message: list[Any]) -> None:
    hello(peer)
    node.decide(ChallengePeer("ticket", {}))
    peer.receive()
    peer.send(message)
    reason, text = aborted(peer)
    assert reason == "wamp.error.protocol_violation"
    assert "instead of AUTHENTICATE" in text


def test_authenticate_is_no_message_of_a_session(node: MemoryNode, peer: MemoryPeer) -> None:
    hello(peer)
    node.decide(ALICE)
    peer.receive()
    peer.send([5, "again", {}])
    assert aborted(peer)[0] == "wamp.error.protocol_violation"


def start(node: MemoryNode, peer: MemoryPeer, *, challenged: bool) -> None:
    hello(peer)
    if challenged:
        node.decide(ChallengePeer("ticket", {}))
        peer.receive()


@pytest.mark.parametrize("challenged", [False, True])
@pytest.mark.parametrize("way", ["abort", "lost", "killed", "realm closed"])
def test_peer_that_goes_in_between_leaves_nothing(
    node: MemoryNode, peer: MemoryPeer, challenged: bool, way: str
) -> None:
    start(node, peer, challenged=challenged)
    asked = node.questions[0] if not challenged else None
    if way == "abort":
        peer.send([3, {}, "wamp.close.normal"])
    elif way == "lost":
        peer.lose()
    elif way == "killed":
        node.leave(peer, "wamp.close.killed")
        assert aborted(peer)[0] == "wamp.close.killed"
    else:
        node.configure(RouterOptions())
        node.leave(peer, "wamp.close.close_realm")
    assert not node.questions
    assert not node.router.sessions
    if asked is not None:
        peer.inbox.clear()
        node.decide(ALICE, asked)
    assert not [each for each in peer.receive_all() if each[0] == 2]
    assert node.router.next_deadline() is None


def test_authenticator_that_never_answers_is_a_failure(node: MemoryNode, peer: MemoryPeer) -> None:
    hello(peer)
    (asked,) = node.questions
    node.pass_time(6.9)
    assert not peer.is_closed
    node.pass_time(0.2)
    assert aborted(peer)[0] == "wamp.error.authentication_failed"
    assert not node.questions
    node.decide(ALICE, asked)
    assert not node.router.sessions


def test_challenge_that_is_never_answered_is_a_failure(node: MemoryNode, peer: MemoryPeer) -> None:
    start(node, peer, challenged=True)
    node.pass_time(19.9)
    assert not peer.is_closed
    node.pass_time(0.2)
    assert aborted(peer)[0] == "wamp.error.authentication_failed"


def test_second_answer_to_a_question_is_ignored(node: MemoryNode, peer: MemoryPeer) -> None:
    hello(peer)
    (asked,) = node.questions
    node.decide(ALICE, asked)
    node.decide(Deny(), asked)
    assert [each[0] for each in peer.receive_all()] == [2]
    assert not peer.is_closed


def test_others_join_while_one_is_decided_on(node: MemoryNode, serializer: str) -> None:
    slow, quick = node.connect(serializer, SECURE), node.connect(serializer, SECURE)
    hello(slow)
    hello(quick)
    node.decide(ALICE, 1)
    assert quick.receive()[0] == 2
    assert not slow.inbox
    node.decide(ALICE)
    assert slow.receive()[0] == 2


def test_goodbye_leaves_the_transport_for_another_login(node: MemoryNode, peer: MemoryPeer) -> None:
    hello(peer)
    node.decide(ALICE)
    peer.receive()
    assert peer.request([6, {}, "wamp.close.normal"])[0] == 6
    hello(peer)
    node.decide(ALICE)
    assert peer.receive()[0] == 2


def test_realm_that_closed_meanwhile_is_not_joined(node: MemoryNode, peer: MemoryPeer) -> None:
    hello(peer)
    node.configure(RouterOptions())
    node.decide(ALICE)
    assert aborted(peer)[0] == "wamp.error.no_such_realm"
