import pytest

from wamp_transport.router.effects import Relay
from wamp_transport.router.members import Members
from wamp_transport.router.records import CallRecord
from wamp_transport.router.relayed import RelayedCallPart, RelayedCancel, RelayedError, RelayedResult
from wamp_transport.router.remote import CallIds, RemoteNode, RemotePeer
from wamp_transport.wamp.errors import PayloadError
from wamp_transport.wamp.messages import (
    Error,
    ErrorDetails,
    Interrupt,
    InterruptOptions,
    Invocation,
    InvocationDetails,
    Result,
    ResultDetails,
)
from wamp_transport.wamp.payload import PYTHON, positional


@pytest.fixture
def members():
    members = Members()
    members.add("b")
    members.add("c")
    return members


@pytest.fixture
def call_ids():
    return CallIds()


@pytest.fixture
def node(members, call_ids, outbox, environment):
    return RemoteNode("c", "realm1", members, call_ids, outbox, environment.serialize)


@pytest.fixture
def peer(node):
    return RemotePeer(node, 7, "user", frozenset(("call_canceling",)))


def record(node, call_id):
    """A call that was sent to the node."""
    node.sent[call_id] = CallRecord(None, 1, None, None, None, call_id)
    return node.sent[call_id]


def relayed(outbox):
    messages = [effect.message for effect in outbox if effect.members == ("c",)]
    assert len(messages) == len(outbox)
    return messages


def test_call_that_is_removed_is_canceled(node, outbox):
    sent = record(node, 5)
    node.sent.with_parts.add(5)
    assert node.sent.pop(5) is sent
    assert relayed(outbox) == [RelayedCancel("realm1", 5, "skip", "wamp.error.canceled")]
    assert node.sent.pop(5, "nothing") == "nothing"
    assert len(outbox) == 1
    assert not node.sent.with_parts


def test_call_that_is_taken_is_not_canceled(node, outbox):
    sent = record(node, 5)
    assert node.sent.take(5) is sent
    assert node.sent.take(5) is None
    assert not outbox


def test_call_ids_count_for_all_peers_of_all_nodes(peer, members, call_ids, outbox, environment):
    other = RemotePeer(RemoteNode("b", "realm2", members, call_ids, outbox, environment.serialize), 8, "", frozenset())
    peer.last_invocation = peer.last_invocation + 1
    other.last_invocation = other.last_invocation + 1
    assert (peer.last_invocation, other.last_invocation) == (2, 2)


def test_peer_is_silent_with_its_node(peer, members):
    members.set_silent("b", is_silent=True)
    assert not peer.is_silent
    members.set_silent("c", is_silent=True)
    assert peer.is_silent
    members.set_silent("c", is_silent=False)
    assert not peer.is_silent


def test_peer_has_the_features_of_its_client(peer):
    assert peer.has("callee", "call_cancelling", "call_canceling")
    assert not peer.has("callee", "call_reroute")
    assert peer.remote is peer


@pytest.mark.parametrize("mode", ["kill", "killnowait"])
def test_interrupt_becomes_a_cancel(node, peer, outbox, mode):
    record(node, 5)
    peer.send(Interrupt(5, InterruptOptions(mode=mode, reason="com.example.why")), PYTHON)
    assert relayed(outbox) == [RelayedCancel("realm1", 5, mode, "com.example.why")]
    assert (5 in node.sent) is (mode == "kill")


def test_answers_contain_the_load_of_the_callee(peer, outbox):
    peer.callee = type("Callee", (), {"in_flight": 3})()
    peer.send(Result(5, ResultDetails(progress=True), b"[1]"), "json")
    peer.send(Error(48, 6, ErrorDetails(), "com.example.error", positional("why")), PYTHON)
    peer.send_error(Error(48, 7, ErrorDetails(), "com.example.error"), "cbor", may_retry=True)
    assert relayed(outbox) == [
        RelayedResult("realm1", 5, True, 3, ResultDetails(progress=True), "json", b"[1]"),
        RelayedError("realm1", 6, 3, False, "com.example.error", ErrorDetails(), "json", b'["why"]'),
        RelayedError("realm1", 7, 3, True, "com.example.error", ErrorDetails(), "cbor"),
    ]


def test_part_is_remembered(node, peer, outbox):
    record(node, 5)
    peer.send(Invocation(5, 1, InvocationDetails(progress=True, receive_progress=True), b"[1]"), "json")
    (part,) = relayed(outbox)
    assert isinstance(part, RelayedCallPart)
    assert (part.call_id, part.options.progress, part.options.receive_progress) == (5, True, None)
    assert node.sent.with_parts == {5}


def test_payload_that_cannot_be_sent_is_refused(node, peer, outbox):
    with pytest.raises(PayloadError):
        peer.send(Result(5, ResultDetails(), positional(object())), PYTHON)
    assert not [effect for effect in outbox if isinstance(effect, Relay)]
