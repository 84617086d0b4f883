import asyncio
import json

import pytest

from tests.unit.node.conftest import OPEN, Recorder
from wamp_transport.node.paced_output import MAX_HELD_BYTES, MAX_QUEUED_BYTES, STEPS_PER_SLICE, PacedTransport
from wamp_transport.router.effects import Pause, Produce, Resume, Send
from wamp_transport.router.options import LOCAL_SERVICE
from wamp_transport.wamp.messages import Event, EventDetails
from wamp_transport.wamp.payload import PYTHON

LARGE = "x" * 100_000
HELD_MESSAGES = 3
"""Large messages that exceed the bytes that may be queued for a peer."""


class Peer(Recorder):
    """A transport whose peer reads when it is told to."""

    def write(self, data: bytes) -> None:
        super().write(data)
        self.queued_bytes += len(data)

    def read(self) -> list[list]:
        """Return the messages that were written since the last call."""
        written, self.written = self.written, []
        self.queued_bytes = 0
        return [json.loads(data) for data in written]


@pytest.fixture
def connect(node, encoder):
    return lambda encoder=encoder: node.connect(OPEN, encoder, Peer())


@pytest.fixture
def join(join):
    def join_and_read(*arguments):
        connection = join(*arguments)
        connection.transport.read()
        return connection

    return join_and_read


@pytest.fixture
def turn(loop):
    """Runs the loop for a few turns, after a time in seconds."""

    def turn(seconds=0.0):
        loop.now += seconds
        for _ in range(4):
            loop.run_until_complete(asyncio.sleep(0))

    return turn


def retain(publisher, count, value=LARGE, first=1):
    for number in range(first, first + count):
        options = {"retain": True, "acknowledge": True}
        publisher.receive(json.dumps([16, number, options, f"com.topic.{number:05}", [number, value]]).encode())
    publisher.transport.read()


def replay(connection, request_id=1, match="prefix", topic="com.topic."):
    connection.receive(json.dumps([32, request_id, {"match": match, "get_retained": True}, topic]).encode())


def numbers(messages):
    """The numbers of the events among messages."""
    return [message[4][0] for message in messages if message[0] == 36]


def read_all(peer, turn):
    """Read until nothing comes any more."""
    messages = []
    while found := peer.read():
        messages += found
        turn(1)
    return messages


def test_replay_waits_for_the_buffer_of_the_peer(join, turn):
    publisher, subscriber = join(), join()
    retain(publisher, 10)
    peer = subscriber.transport
    replay(subscriber)
    turn()
    assert len(peer.written) == 1 + HELD_MESSAGES
    for _ in range(5):
        turn(1)
    assert peer.queued_bytes < MAX_QUEUED_BYTES + len(LARGE) + 1000
    messages = read_all(peer, turn)
    assert messages[0][0] == 33
    assert numbers(messages) == [*range(1, 11)]
    assert subscriber.transport is peer


def test_many_replays_are_never_made_at_once(join, turn):
    publisher, subscriber = join(), join()
    retain(publisher, 5)
    peer = subscriber.transport
    for request_id in range(1, 21):
        subscriber.feed(json.dumps([32, request_id, {"match": "prefix", "get_retained": True}, "com."]).encode())
    subscriber.flush_effects()
    turn()
    assert peer.queued_bytes < MAX_QUEUED_BYTES + len(LARGE) + 10_000
    messages = read_all(peer, turn)
    assert len(messages) == 20 * 6
    assert numbers(messages) == 20 * [*range(1, 6)]


def test_peer_is_not_read_until_all_is_produced(join, turn):
    publisher, subscriber = join(), join()
    retain(publisher, 10)
    peer = subscriber.transport
    replay(subscriber)
    assert peer.pauses == [True]
    read_all(peer, turn)
    assert peer.pauses == [True, False]


def test_small_replay_is_sent_with_its_answer(join):
    publisher, subscriber = join(), join()
    retain(publisher, 3, "small")
    peer = subscriber.transport
    replay(subscriber)
    assert numbers(peer.read()) == [1, 2, 3]
    assert peer.pauses == []
    assert subscriber.transport is peer


def test_messages_keep_their_order(join, turn):
    publisher, subscriber = join(), join()
    retain(publisher, 6)
    peer = subscriber.transport
    replay(subscriber)
    replay(subscriber, 2, "exact", "com.topic.00001")
    publisher.receive(b'[16,7,{},"com.topic.00006",[100]]')
    publisher.receive(b'[16,8,{"retain":true},"com.topic.00005",[101]]')
    assert len(numbers(peer.read())) == HELD_MESSAGES
    turn(1)
    # The last topic's retained event comes before the later event, and the replaced one not at all.
    assert numbers(read_all(peer, turn)) == [4, 6, 1, 100, 101]


def test_results_wait_for_the_buffer_of_the_peer(node, join, turn):
    caller = join()
    peer = caller.transport
    peer.queued_bytes = MAX_QUEUED_BYTES
    for request_id in (1, 2):
        caller.receive(json.dumps([48, request_id, {}, "wamp.session.list"]).encode())
    turn(1)
    assert peer.written == []
    other = join()
    peer.read()
    turn(1)
    assert peer.read() == [[50, number, {}, [[caller.session_id, other.session_id]]] for number in (1, 2)]


def test_small_limit_of_a_transport_is_not_exceeded_by_more_than_one_message(join, turn):
    publisher, subscriber = join(), join()
    retain(publisher, 20)
    peer = subscriber.transport
    peer.outgoing_limit = 2 * len(LARGE)
    subscriber.receive(b'[32,1,{"match":"prefix","get_retained":true},"com."]')
    turn(1)
    assert 0 < peer.queued_bytes < peer.outgoing_limit
    assert len(read_all(peer, turn)) == 21


def test_step_without_messages_takes_turns(join, turn):
    publisher, subscriber = join(), join()
    retain(publisher, STEPS_PER_SLICE + 10, "small")
    peer = subscriber.transport
    replay(subscriber, topic="com.topic.00260")
    assert len(peer.written) == 1
    turn()
    assert numbers(peer.read()) == [260]


def test_session_that_ends_gets_what_was_written_and_nothing_more(node, join, turn):
    publisher, subscriber = join(), join()
    retain(publisher, 10)
    peer = subscriber.transport
    replay(subscriber)
    publisher.receive(b'[16,20,{},"com.topic.00001",[100]]')
    node.leave(subscriber.session_id, "com.reason", "for a test")
    messages = peer.read()
    assert numbers(messages) == [1, 2, 3, 100]
    assert messages[-1][0] == 6
    assert subscriber.transport is peer
    turn(10)
    assert peer.read() == []
    assert peer.closed  # no answer to GOODBYE


def test_goodbye_of_the_client_ends_production(join, turn):
    publisher, subscriber = join(), join()
    retain(publisher, 10)
    peer = subscriber.transport
    replay(subscriber)
    subscriber.receive(b'[6,{},"wamp.close.close_realm"]')
    messages = read_all(peer, turn)
    assert numbers(messages) == [1, 2, 3]
    assert messages[-1][0] == 6


def test_violation_closes_the_transport_after_what_was_written(join, turn):
    publisher, subscriber = join(), join()
    retain(publisher, 10)
    peer = subscriber.transport
    replay(subscriber)
    subscriber.receive(b"no message")
    assert peer.read()[-1][0] == 3
    assert peer.closed
    turn(1)
    assert peer.read() == []


def test_lost_transport_gets_nothing_more(join, turn):
    publisher, subscriber = join(), join()
    retain(publisher, 10)
    peer = subscriber.transport
    replay(subscriber)
    publisher.receive(b'[16,20,{},"com.topic.00001",[100]]')
    count = len(peer.written)
    subscriber.lost()
    turn(10)
    assert len(peer.written) == count
    assert subscriber.transport is peer


def test_peer_for_which_too_much_is_held_back_is_closed_as_slow(node, join, turn, caplog):
    publisher, subscriber = join(), join()
    retain(publisher, 10)
    peer = subscriber.transport
    replay(subscriber)
    event = json.dumps([16, 20, {}, "com.topic.00001", ["x" * (MAX_HELD_BYTES // 10)]]).encode()
    for _ in range(9):
        publisher.receive(event)
    assert node.stats().queued_bytes > 0.9 * MAX_HELD_BYTES
    assert isinstance(subscriber.transport, PacedTransport)
    publisher.receive(event)
    messages = peer.read()
    assert numbers(messages) == [1, 2, 3]
    assert messages[-1][2] == "wamp.error.slow_consumer"
    assert "reads too slowly" in caplog.text


def test_peer_that_the_router_has_paused_stays_paused(node, join, turn):
    publisher, subscriber = join(), join()
    retain(publisher, 10)
    peer = subscriber.transport
    replay(subscriber)
    node.router.outbox.append(Pause(subscriber.session_id))
    node.run_effects()
    read_all(peer, turn)
    assert peer.pauses == [True]
    node.router.outbox.append(Resume(subscriber.session_id))
    node.run_effects()
    assert peer.pauses == [True, False]


def test_resumed_peer_is_read_after_everything_is_produced(node, join, turn):
    publisher, subscriber = join(), join()
    retain(publisher, 10)
    peer = subscriber.transport
    replay(subscriber)
    for effect in (Pause(subscriber.session_id), Resume(subscriber.session_id)):
        node.router.outbox.append(effect)
    node.run_effects()
    assert peer.pauses == [True]
    read_all(peer, turn)
    assert peer.pauses == [True, False]


def event(session_id, value):
    return Send((session_id,), Event(1, 2, EventDetails(), [value]), PYTHON)


@pytest.mark.expects_errors("Producing messages")
def test_message_that_cannot_be_encoded_and_source_that_fails_hide_nothing(node, join, turn, caplog):
    connection = join()

    def failing():
        yield event(connection.session_id, 1)
        raise ZeroDivisionError

    sources = [failing(), iter([event(connection.session_id, float("nan")), event(connection.session_id, 2)])]
    for source in sources:
        node.router.outbox.append(Produce(connection.session_id, source))
    node.run_effects()
    turn(1)
    assert numbers(connection.transport.read()) == [1, 2]
    assert "Producing messages" in caplog.text
    assert node.outbound.undelivered_events == 1


def test_session_inside_the_process_gets_everything_at_once(node, encoder):
    connection = node.connect(LOCAL_SERVICE, encoder, Peer())
    sends = [event(connection.session_id, LARGE), None] * 1000
    node.router.outbox.append(Produce(connection.session_id, iter(sends)))
    node.run_effects()
    assert len(connection.transport.written) == 1000


def test_session_that_is_gone_gets_nothing(node):
    node.router.outbox.append(Produce(7, iter([event(7, 1)])))
    node.run_effects()
