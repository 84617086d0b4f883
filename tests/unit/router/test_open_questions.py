"""Questions of the first node, where the caller is, to others. MemoryCluster delivers them one by one."""

from dataclasses import replace

import pytest

from wamp_transport.router.effects import Produce, Send
from wamp_transport.router.open_questions import MAX_LARGE_QUESTIONS, REPLY_SECONDS, OtherNodes
from wamp_transport.router.options import Limits
from wamp_transport.router.relayed import SERIALIZED, RelayedQuestion, RelayedReply
from wamp_transport.testing.memory import MemoryNode, anonymous_options, take_effects
from wamp_transport.testing.memory_cluster import MemoryCluster
from wamp_transport.wamp.messages import Call, CallOptions

CALL, CANCEL, ERROR, RESULT, PUBLISH, PUBLISHED, ABORT = 48, 49, 8, 50, 16, 17, 3
COUNT = "wamp.session.count"


@pytest.fixture
def cluster():
    """Three nodes with one session each. Nothing is delivered until a test does it."""
    cluster = MemoryCluster(anonymous_options("realm1"), 3)
    cluster.alice, cluster.bob, cluster.carol = (cluster.join("realm1") for _ in range(3))
    cluster.is_immediate = False
    return cluster


@pytest.fixture
def alice(cluster):
    return cluster.alice


@pytest.fixture
def questions(cluster):
    return cluster.nodes[0].router.cluster.questions


def ask(peer, procedure=COUNT, *args, request_id=1, **options):
    peer.send([CALL, request_id, options, procedure, list(args)])


def result(value, request_id=1):
    return [RESULT, request_id, {}, [value]]


def reply_of(cluster, place):
    """Deliver a question to a node, and its reply to the first node."""
    cluster.deliver(0, place)
    cluster.deliver(place, 0)


def test_call_is_answered_when_all_nodes_have_replied(cluster, alice, questions):
    ask(alice)
    assert cluster.waiting() == [(0, 1), (0, 2)]
    assert len(questions) == 1
    reply_of(cluster, 2)
    assert not alice.inbox
    reply_of(cluster, 1)
    assert alice.receive_all() == [result(3)]
    assert len(questions) == questions.unanswered == 0
    assert cluster.nodes[0].router.next_deadline() is None


def test_later_messages_of_the_session_do_not_wait(cluster, alice):
    ask(alice)
    assert alice.request([PUBLISH, 2, {"acknowledge": True}, "com.x"])[0] == PUBLISHED
    ask(alice, request_id=3)
    for place in (1, 2):
        cluster.deliver(0, place)
        cluster.deliver(0, place)
        cluster.deliver(place, 0)
        cluster.deliver(place, 0)
    assert alice.receive_all() == [result(3, 1), result(3, 3)]


def test_late_node_is_left_out_and_counted(cluster, alice, questions):
    ask(alice)
    reply_of(cluster, 1)
    cluster.nodes[0].pass_time(REPLY_SECONDS - 0.1)
    assert not alice.inbox
    cluster.nodes[0].pass_time(0.1)
    assert alice.receive_all() == [result(2)]
    assert (questions.unanswered, len(questions)) == (1, 0)
    reply_of(cluster, 2)
    cluster.nodes[0].pass_time(REPLY_SECONDS)
    assert not alice.inbox
    assert questions.unanswered == 1


def test_silent_node_is_not_asked_and_counted(cluster, alice, questions):
    cluster.nodes[0].router.cluster.members.set_silent("2", True)
    ask(alice)
    assert cluster.waiting() == [(0, 1)]
    reply_of(cluster, 1)
    assert alice.receive_all() == [result(2)]
    assert questions.unanswered == 1


def test_node_answers_alone_if_all_others_are_silent(cluster, alice, questions):
    for name in ("1", "2"):
        cluster.nodes[0].router.cluster.members.set_silent(name, True)
    ask(alice)
    assert alice.receive_all() == [result(1)]
    assert not cluster.waiting()
    assert (questions.unanswered, len(questions)) == (2, 0)


def test_node_that_leaves_is_not_waited_for(cluster, alice, questions):
    ask(alice)
    reply_of(cluster, 1)
    cluster.remove_node(2)
    assert alice.receive_all() == [result(2)]
    assert questions.unanswered == 0


def test_reply_of_a_node_that_left_afterwards_counts(cluster, alice):
    ask(alice)
    reply_of(cluster, 2)
    cluster.remove_node(2)
    assert not alice.inbox
    reply_of(cluster, 1)
    assert alice.receive_all() == [result(3)]


def test_node_that_joins_meanwhile_is_not_waited_for(cluster, alice):
    """Not even if it gets the bit of a node that was asked and has left."""
    ask(alice)
    cluster.deliver(0, 1)
    members = cluster.nodes[0].router.cluster.members
    bit = members.bit("2")
    cluster.remove_node(2)
    cluster.add_node()
    assert members.bit("3") == bit
    assert not alice.inbox
    cluster.nodes[0].router.cluster.receive("3", RelayedReply("realm1", 1, None, SERIALIZED, b"[100]"))
    assert not alice.inbox
    cluster.deliver(1, 0)
    assert alice.receive_all() == [result(2)]


def test_caller_that_leaves_ends_its_question(cluster, alice, questions):
    ask(alice)
    cluster.deliver(0, 1)
    alice.lose()
    assert len(questions) == 0
    assert cluster.nodes[0].router.next_deadline() is None
    cluster.deliver_all()
    cluster.nodes[0].pass_time(REPLY_SECONDS)
    cluster.remove_node(2)
    assert not alice.inbox
    assert questions.unanswered == 0


@pytest.mark.parametrize("mode", ["skip", "kill", "killnowait"])
def test_canceled_call_is_answered_once(cluster, alice, questions, mode):
    ask(alice)
    reply_of(cluster, 1)
    alice.send([CANCEL, 1, {"mode": mode}])
    assert alice.receive()[:5] == [ERROR, CALL, 1, {}, "wamp.error.canceled"]
    alice.send([CANCEL, 1, {"mode": mode}])
    reply_of(cluster, 2)
    cluster.nodes[0].pass_time(REPLY_SECONDS)
    assert not alice.inbox
    assert len(questions) == questions.unanswered == 0


def test_repeated_reply_counts_once(cluster, alice):
    ask(alice)
    home = cluster.nodes[0].router.cluster
    for _ in range(2):
        home.receive("1", RelayedReply("realm1", 1, None, SERIALIZED, b"[10]"))
    cluster.nodes[0].run_effects()
    assert not alice.inbox
    home.receive("2", RelayedReply("realm1", 1, None, SERIALIZED, b"[100]"))
    home.receive("2", RelayedReply("realm1", 1, None, SERIALIZED, b"[100]"))
    cluster.nodes[0].run_effects()
    assert alice.receive_all() == [result(111)]


@pytest.mark.parametrize("question_id", [0, 2, 2**53])
def test_reply_to_an_unknown_question_is_ignored(cluster, alice, question_id):
    ask(alice)
    for name in ("1", "2", "x"):
        cluster.nodes[0].router.cluster.receive(name, RelayedReply("realm1", question_id, None, SERIALIZED, b"[10]"))
    cluster.nodes[0].run_effects()
    assert not alice.inbox


def test_ids_of_questions_are_never_used_again(cluster, alice, questions):
    for number in range(1, 4):
        ask(alice, request_id=number)
        alice.send([CANCEL, number, {}])
        alice.receive()
    assert [take(cluster, 0, 1).question_id for _ in range(3)] == [1, 2, 3]


def take(cluster, sender, receiver):
    """Remove and return the oldest message that waits between two nodes."""
    return cluster._queues[sender, receiver].popleft()[0]


def test_question_has_the_payload_and_the_caller(cluster, alice):
    session = alice.node.router.sessions[alice.session_id]
    session.transport = {"peer": "tcp:1.2.3.4:5"}
    ask(alice, COUNT, ["anonymous"])
    question = take(cluster, 0, 1)
    assert isinstance(question, RelayedQuestion)
    assert (question.realm, question.procedure) == ("realm1", COUNT)
    assert (question.payload_format, question.args, question.kwargs) == ("json", b'[["anonymous"]]', b"")
    assert tuple(getattr(question.caller, name) for name in ("session_id", "authid", "authrole")) == (
        alice.session_id,
        session.authid,
        "anonymous",
    )
    assert question.transport == {"peer": "tcp:1.2.3.4:5"}


def test_values_of_a_caller_in_the_process_are_serialized(cluster, alice):
    router, session = alice.node.router, alice.node.router.sessions[alice.session_id]
    session.payload_format = "python"
    router.receive(session.id, Call(1, CallOptions(), COUNT, [["anonymous"]]))
    (relay,) = router.outbox
    assert (relay.message.payload_format, relay.message.args) == (SERIALIZED, b'[["anonymous"]]')
    alice.send([CANCEL, 1, {}])


def test_values_that_cannot_be_sent_are_refused_before_anything_happens(cluster, alice, questions):
    other = cluster.nodes[0].join("realm1")
    router, session = alice.node.router, alice.node.router.sessions[alice.session_id]
    session.payload_format = "python"
    router.receive(session.id, Call(1, CallOptions(), "wamp.session.kill_all", [], {"x": [float("nan"), 2**70]}))
    (send,) = take_effects(router)
    assert send.message.error == "wamp.error.invalid_payload"
    assert len(questions) == 0
    assert other.session_id in router.realms["realm1"].sessions


def test_id_of_an_open_call_is_a_violation(cluster, alice, questions):
    for _ in range(2):
        ask(alice)
    assert alice.receive()[0] == ABORT
    assert alice.is_closed
    assert len(questions) == 0


def test_shorter_timeout_of_the_call_ends_the_wait(cluster, alice, questions):
    ask(alice, timeout=500)
    cluster.nodes[0].pass_time(0.5)
    assert alice.receive_all() == [result(1)]
    ask(alice, timeout=5000, request_id=2)
    cluster.nodes[0].pass_time(REPLY_SECONDS)
    assert alice.receive_all() == [result(1, 2)]
    assert questions.unanswered == 4


def test_further_parts_of_a_progressive_call_are_ignored(cluster, alice):
    ask(alice, progress=True)
    ask(alice, progress=True)
    ask(alice)
    cluster.deliver_all()
    assert alice.receive_all() == [result(3)]
    ask(alice)
    cluster.deliver_all()
    assert alice.receive_all() == [result(3)]


def test_part_of_a_progressive_call_that_was_answered_is_ignored(cluster, alice):
    ask(alice, progress=True)
    cluster.deliver_all()
    assert alice.receive_all() == [result(3)]
    ask(alice)
    assert not cluster.waiting()
    assert not alice.inbox


def test_maximum_timeout_of_calls_in_the_realm_ends_the_wait():
    cluster, alice, _ = two_nodes(max_call_timeout=0.5)
    ask(alice)
    cluster.nodes[0].pass_time(0.5)
    assert alice.receive_all() == [result(1)]


def two_nodes(**realm_options):
    options = anonymous_options("realm1")
    realm = replace(options.realms["realm1"], **realm_options)
    cluster = MemoryCluster(replace(options, realms={"realm1": realm}), 2)
    alice, bob = cluster.join("realm1"), cluster.join("realm1")
    cluster.is_immediate = False
    return cluster, alice, bob


def test_open_questions_count_as_calls_in_flight():
    cluster, alice, bob = two_nodes(limits=Limits(calls=2))
    other = cluster.nodes[0].join("realm1")
    for number in (1, 2):
        ask(alice, request_id=number)
    for procedure, *args in [(COUNT,), ("wamp.session.kill_all",), ("wamp.session.get", bob.session_id)]:
        ask(alice, procedure, *args, request_id=3)
        assert alice.receive()[:5] == [ERROR, CALL, 3, {}, "wamp.error.quota_exceeded"]
    assert not other.inbox
    # What this node knows alone is no call in flight.
    ask(alice, "wamp.session.get", other.session_id, request_id=4)
    assert alice.receive()[:2] == [RESULT, 4]
    cluster.deliver_all()
    assert [message[:2] for message in alice.receive_all()] == [[RESULT, 1], [RESULT, 2]]
    ask(alice, request_id=5)
    assert not alice.inbox


def test_payload_of_open_questions_counts():
    cluster, alice, _ = two_nodes(limits=Limits(calls_size=10_000))
    session = alice.node.router.sessions[alice.session_id]
    ask(alice, COUNT, ["x" * 6000])
    assert session.calls_size > 6000
    ask(alice, COUNT, ["x" * 6000], request_id=2)
    assert alice.receive()[:5] == [ERROR, CALL, 2, {}, "wamp.error.quota_exceeded"]
    cluster.deliver_all()
    assert alice.receive_all() == [result(0)]
    assert session.calls_size == 0


def test_large_answers_in_flight_are_limited(cluster, alice):
    for number in range(1, MAX_LARGE_QUESTIONS + 1):
        ask(alice, "wamp.session.list", request_id=number)
        ask(alice, COUNT, request_id=100 + number)
    assert not alice.inbox
    ask(alice, "wamp.subscription.list", request_id=99)
    assert alice.receive()[:5] == [ERROR, CALL, 99, {}, "wamp.error.quota_exceeded"]
    alice.send([CANCEL, 1, {}])
    alice.receive()
    ask(alice, "wamp.subscription.list", request_id=99)
    assert not alice.inbox


def test_large_answer_is_computed_when_there_is_room(cluster, alice):
    ask(alice, "wamp.session.list")
    for place in (1, 2):
        cluster.deliver(0, place)
    home = cluster.nodes[0].router
    for place in ("1", "2"):
        home.cluster.receive(place, take(cluster, int(place), 0))
    (produce,) = take_effects(home)
    assert isinstance(produce, Produce)
    late = cluster.nodes[0].join("realm1")
    (send,) = produce.messages
    assert isinstance(send, Send)
    assert late.session_id in send.message.args[0]
    assert {cluster.bob.session_id, cluster.carol.session_id} < set(send.message.args[0])


def test_question_that_could_not_be_sent_leaves_the_node_out(cluster, alice, questions):
    ask(alice)
    reply_of(cluster, 1)
    for name, question_id in (("1", 1), ("x", 1), ("2", 7)):
        questions.on_unsent(name, question_id)
    assert (len(questions), questions.unanswered) == (1, 0)
    questions.on_unsent("2", 1)
    cluster.nodes[0].run_effects()
    assert alice.receive_all() == [result(2)]
    assert questions.unanswered == 1


def test_all_open_questions_end_when_the_last_node_leaves(cluster, alice, questions):
    for number in (1, 2):
        ask(alice, request_id=number)
    cluster.remove_node(1)
    cluster.remove_node(2)
    assert alice.receive_all() == [result(1, 1), result(1, 2)]
    assert len(questions) == 0
    ask(alice, request_id=3)
    assert alice.receive_all() == [result(1, 3)]


@pytest.mark.parametrize("make", [MemoryNode, lambda options: MemoryCluster(options, 1)])
def test_node_without_others_answers_immediately(make):
    alice = make(anonymous_options("realm1")).join("realm1")
    router = alice.node.router
    router.receive(alice.session_id, Call(1, CallOptions(), COUNT))
    (send,) = router.outbox
    assert send.message.args == [1]
    assert not router.sessions[alice.session_id].calls
    assert router.next_deadline() is None


def test_realm_that_is_closed_ends_its_questions(cluster, alice, questions):
    ask(alice)
    cluster.nodes[0].configure(anonymous_options("realm2"))
    assert len(questions) == 0
    cluster.deliver_all()
    assert [message[0] for message in alice.receive_all()] == [6]


def test_other_nodes_have_no_features():
    assert not OtherNodes().has("callee", "call_canceling")
