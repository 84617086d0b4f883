import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.node.conftest import OPEN, Loop, Recorder
from wamp_transport.node.connection import MessageEncoder
from wamp_transport.node.node import Node
from wamp_transport.router.options import AnonymousLogin, RealmOptions, RoleOptions, RouterOptions, ServiceOptions
from wamp_transport.serializers.registry import SERIALIZERS

from ...effort import examples

SUBSCRIBE = b'[32,1,{},"com.x"]'
FRAMED = MessageEncoder(SERIALIZERS["json"], lambda data: data + b"\n")


def publish(number: int, topic: str = "com.x", **options: object) -> bytes:
    return json.dumps([16, number, options, topic, [number]]).encode()


def payloads(connection) -> list[object]:
    """The arguments of the events that were written, message by message."""
    lines = b"".join(connection.transport.written).splitlines()
    return [json.loads(line)[4] for line in lines if json.loads(line)[0] == 36]


@pytest.fixture
def subscribers(join, encoder):
    """Two on a encoder that frames, one on a encoder that does not."""
    subscribers = [join(each) for each in (FRAMED, FRAMED, encoder)]
    for subscriber in subscribers:
        subscriber.receive(SUBSCRIBE)
        subscriber.transport.written.clear()
    return subscribers


def test_events_for_the_same_receivers_go_as_one_piece(join, subscribers):
    publisher = join()
    for number in (1, 2, 3):
        publisher.feed(publish(number, acknowledge=True))
    assert publisher.transport.written == []
    publisher.flush_effects()
    assert len(publisher.transport.written) == 3
    one, other, unframed = subscribers
    assert [len(each.transport.written) for each in subscribers] == [1, 1, 3]
    assert one.transport.written[0] is other.transport.written[0]
    assert payloads(one) == [[1], [2], [3]]
    assert [json.loads(message)[4] for message in unframed.transport.written] == [[1], [2], [3]]


def test_order_of_what_goes_to_a_session_is_kept(join, subscribers):
    publisher, (subscriber, *_) = join(), subscribers
    subscriber.receive(b'[64,2,{},"com.p"]')
    subscriber.receive(b'[32,3,{},"com.y"]')
    subscriber.transport.written.clear()
    for message in (publish(1), b'[48,2,{},"com.p"]', publish(3), publish(4, "com.y"), publish(5), publish(6)):
        publisher.feed(message)
    publisher.flush_effects()
    codes = [json.loads(line)[0] for line in b"".join(subscriber.transport.written).splitlines()]
    assert codes == [36, 68, 36, 36, 36, 36]
    assert payloads(subscriber) == [[1], [3], [4], [5], [6]]


def test_own_event_comes_after_its_acknowledgement(join, subscribers):
    publisher = subscribers[0]
    for number in (5, 6):
        publisher.feed(publish(number, acknowledge=True, exclude_me=False))
    publisher.flush_effects()
    assert [json.loads(line)[0] for line in b"".join(publisher.transport.written).splitlines()] == [17, 36, 17, 36]


def test_session_that_follows_another_in_one_read_is_joined(join):
    connection = join(FRAMED)
    first = connection.session_id
    for message in (b'[6,{},"wamp.close.normal"]', b'[1,"realm1",{"roles":{"caller":{}}}]', b'[48,1,{},"com.none"]'):
        connection.feed(message)
    connection.flush_effects()
    assert connection.session_id != first
    assert [json.loads(line)[0] for line in b"".join(connection.transport.written).splitlines()] == [6, 2, 8]


def test_violation_in_one_read_ends_what_follows_it(join, subscribers):
    publisher = join(FRAMED)
    for message in (publish(1), b"[", publish(2)):
        publisher.feed(message)
    publisher.flush_effects()
    assert payloads(subscribers[0]) == [[1]]
    assert publisher.is_closed


def test_slow_receivers_are_left_out_and_counted(node, join, subscribers):
    publisher, slow = join(), subscribers[1]
    slow.set_congested(True)
    for number in (1, 2):
        publisher.feed(publish(number))
    publisher.flush_effects()
    assert [payloads(each) for each in subscribers[:2]] == [[[1], [2]], []]
    assert node.outbound.events_dropped == 2
    slow.set_congested(False)
    publisher.receive(publish(3))
    assert payloads(slow) == [[3]]


def test_what_comes_of_a_receiver_lost_meanwhile_is_carried_out(node, join, subscribers):
    publisher, watcher = join(), join()
    watcher.receive(b'[32,1,{},"wamp.session.on_leave"]')
    watcher.transport.written.clear()
    lost = subscribers[1]
    lost.transport.write = lambda data: lost.lost()
    publisher.receive(publish(1))
    assert lost.session_id not in node.router.sessions
    assert [json.loads(message)[4][0] for message in watcher.transport.written] == [lost.session_id]
    assert [payloads(each) for each in (subscribers[0], subscribers[2])] == [[[1]], [[1]]]


@pytest.mark.expects_errors("Writing to session")
def test_receiver_that_cannot_be_written_to_takes_no_other_along(join, subscribers, caplog):
    def write(data: bytes) -> None:
        raise ZeroDivisionError

    subscribers[0].transport.write = write
    join().receive(publish(1))
    assert payloads(subscribers[1]) == [[1]]
    assert "Writing to session" in caplog.text


def test_only_slow_receiver_is_left_out_and_counted(node, join):
    publisher, slow = join(), join()
    slow.receive(SUBSCRIBE)
    slow.transport.written.clear()
    slow.set_congested(True)
    publisher.receive(publish(1))
    assert slow.transport.written == []
    assert node.outbound.events_dropped == 1


@pytest.mark.parametrize("count", [1, 2])
def test_event_that_cannot_be_said_takes_no_other_along(node, join, count):
    subscribers = [join(MessageEncoder(SERIALIZERS["msgpack"], lambda data: data)) for _ in range(count)]
    for subscriber in subscribers:
        subscriber.receive(b"\x94\x20\x01\x80\xa5com.x")
        subscriber.transport.written.clear()
    publisher = join()
    for payload in (b"1", b"123456789012345678901234567890", b"3"):
        publisher.feed(b'[16,1,{},"com.x",[%s]]' % payload)
    publisher.flush_effects()
    assert [b"".join(each.transport.written).count(b"\x95\x24") for each in subscribers] == [2] * count
    assert node.outbound.undelivered_events == count


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["com.x", "com.y", "call", "subscribe", "unsubscribe", "goodbye"]),
        st.booleans(),
    ),
    max_size=30,
)


def said(steps, *, together: bool):
    """What three sessions are told, without ids, by messages handled one by one or, of one session, together."""
    role = RoleOptions("anonymous", allow_by_default=True)
    loop = Loop()
    node = Node(RouterOptions(realms={"realm1": RealmOptions("realm1", {"anonymous": role})}), loop)
    service = ServiceOptions(OPEN.key, AnonymousLogin("anonymous"))
    connections = [node.connect(service, FRAMED, Recorder()) for _ in range(3)]
    for connection in connections:
        connection.receive(b'[1,"realm1",{"roles":{"caller":{}}}]')
        connection.receive(SUBSCRIBE)
    connections[0].receive(b'[64,2,{},"com.p"]')
    before = None
    for number, (who, what, flag) in enumerate(steps, 3):
        connection = connections[who]
        message = {
            "call": b'[48,%d,{},"com.p",[%d]]' % (number, number),
            "subscribe": b'[32,%d,{},"com.y"]' % number,
            "unsubscribe": b"[34,%d,{},%d]"
            % (number, min(node.router.realms["realm1"].broker.subscriptions, default=1)),
            "goodbye": b'[6,{},"wamp.close.normal"]',
        }.get(what) or publish(number, what, acknowledge=flag, exclude_me=flag)
        if before not in (None, connection):
            before.flush_effects()
        connection.feed(message)
        before = connection
        if not together:
            connection.flush_effects()
        if what == "goodbye":
            connection.receive(b'[1,"realm1",{"roles":{"caller":{}}}]')
    if before is not None:
        before.flush_effects()
    loop.close()
    lines = [b"".join(each.transport.written).splitlines() for each in connections]
    return [[(json.loads(line)[0], json.loads(line)[4:]) for line in each] for each in lines]


@settings(max_examples=examples(30), deadline=None)
@given(STEPS)
def test_messages_handled_together_end_in_the_same(steps):
    assert said(steps, together=True) == said(steps, together=False)
