import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest

from tests.unit.node.conftest import OPEN, Recorder
from wamp_transport.node.connection import MAX_UNJOINED_BYTES, MessageEncoder
from wamp_transport.node.node import time_from
from wamp_transport.node.observers import NodeObserver
from wamp_transport.router.options import (
    LOCAL_SERVICE,
    AnonymousLogin,
    HistoryOptions,
    Limits,
    RealmOptions,
    RoleOptions,
    RouterOptions,
)
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.wamp.ids import MAX_ID

DURABLE = HistoryOptions("com.x", is_durable=True)
SUBSCRIBE = b'[32,1,{},"com.x"]'
PUBLISH = b'[16,1,{},"com.x",["hi"]]'


class Unwell:
    """A serializer that decodes and does not encode."""

    name = "json"
    is_binary = False
    decode = SERIALIZERS["json"].decode

    def encode(self, message, payload_format):
        raise ZeroDivisionError


def test_message_is_answered(connect):
    connection = connect()
    connection.receive(b'[1,"realm1",{"roles":{"caller":{}}}]')
    (welcome,) = connection.transport.written
    assert welcome.startswith(b"[2,%d," % connection.session_id)


def test_ids_are_in_range(node, connect):
    assert all(1 <= connect().session_id <= MAX_ID for _ in range(10))
    environment = node.router._environment
    assert all(1 <= environment.new_publication_id() <= MAX_ID for _ in range(10))


def test_event_is_encoded_once_for_each_lane(join, encoder):
    other = MessageEncoder(SERIALIZERS["msgpack"])
    publisher = join()
    subscribers = [join(each) for each in (encoder, other, encoder, other, other)]
    for subscriber in subscribers:
        subscriber.receive(SUBSCRIBE if subscriber.encoder is encoder else b"\x94\x20\x01\x80\xa5com.x")
        subscriber.transport.written.clear()
    publisher.receive(PUBLISH)
    first, second, third, fourth, fifth = (subscriber.transport.written[0] for subscriber in subscribers)
    assert first is third
    assert second is fourth is fifth
    assert first != second


def test_event_that_a_serialization_cannot_say_is_counted_for_each_receiver(node, join, encoder):
    other = MessageEncoder(SERIALIZERS["msgpack"])
    subscribers = [join(other), join(encoder), join(other)]
    for subscriber in subscribers:
        subscriber.receive(SUBSCRIBE if subscriber.encoder is encoder else b"\x94\x20\x01\x80\xa5com.x")
        subscriber.transport.written.clear()
    join().receive(b'[16,1,{},"com.x",[123456789012345678901234567890]]')
    assert [len(subscriber.transport.written) for subscriber in subscribers] == [0, 1, 0]
    assert node.outbound.undelivered_events == 2


def test_changed_limits_of_a_service_reach_its_connections(node, join, options):
    connection = join()
    changed = replace(OPEN, limits=Limits(subscriptions=1))
    node.configure(options, {OPEN.key: changed})
    assert connection.service is changed
    connection.receive(SUBSCRIBE)
    connection.receive(b'[32,2,{},"com.y"]')
    assert b"the limit of service" in connection.transport.written[-1]


def test_bytes_that_are_no_message_close(join):
    connection = join()
    connection.receive(b"[")
    assert connection.transport.written[0].startswith(b"[3,")
    assert connection.transport.closed[0][0] == "wamp.error.protocol_violation"
    assert connection.is_closed


@pytest.mark.parametrize("size", [MAX_UNJOINED_BYTES, MAX_UNJOINED_BYTES + 1])
def test_long_message_needs_a_session(join, connect, size):
    hello = b'[1,"realm1",{"roles":{"caller":{}}}]'
    connection = connect()
    connection.receive(hello.ljust(size))
    assert connection.is_closed is (size > MAX_UNJOINED_BYTES)
    if connection.is_closed:
        assert b"a message of more than 65536 bytes, the limit until a session" in connection.transport.written[0]
        assert connection.transport.closed[0][0] == "wamp.error.protocol_violation"
    joined = join()
    joined.receive(b'[48,5,{},"com.none"]'.ljust(size))
    assert b"wamp.error.no_such_procedure" in joined.transport.written[0]


def test_long_message_on_its_way_when_the_router_says_goodbye_does_no_harm(node, join):
    connection = join()
    node.leave(connection.session_id, "wamp.close.normal", "")
    connection.receive(b'[48,5,{},"com.none"]'.ljust(MAX_UNJOINED_BYTES + 1))
    assert [message[:3] for message in connection.transport.written] == [b"[6,"]
    connection.receive(b'[6,{},"wamp.close.goodbye_and_out"]')
    assert connection.transport.closed == [("wamp.close.normal", "")]


def test_goodbye_and_hello_in_one_read_begin_another_session(node, join):
    connection = join()
    first = connection.session_id
    connection.feed(b'[6,{},"wamp.close.close_realm"]')
    # The session has changed before the next message is read, or this HELLO would be a message of the old session.
    connection.feed(b'[1,"realm1",{"roles":{"caller":{}}}]')
    connection.flush_effects()
    goodbye, welcome = connection.transport.written
    assert goodbye.startswith(b"[6,")
    assert welcome.startswith(b"[2,%d," % connection.session_id)
    assert connection.session_id != first
    assert connection.transport.closed == []
    assert set(node.router.sessions) == {connection.session_id}


def test_goodbye_leaves_the_transport_for_another_session(node, join):
    connection = join()
    first = connection.session_id
    connection.receive(b'[6,{},"wamp.close.normal"]')
    assert connection.session_id != first
    assert node.connections == {connection.session_id: connection}
    connection.receive(b'[1,"realm1",{"roles":{"caller":{}}}]')
    assert connection.transport.written[-1].startswith(b"[2,")


def test_lost_connection_leaves_nothing(node, join):
    connection = join()
    connection.receive(SUBSCRIBE)
    connection.lost()
    connection.lost()
    assert not node.connections
    assert not node.router.sessions
    connection.receive(PUBLISH)


def test_payload_that_cannot_be_said_is_told_to_the_caller(join):
    callee, caller = join(), join(MessageEncoder(SERIALIZERS["msgpack"]))
    callee.receive(b'[64,1,{},"com.p"]')
    caller.receive(b"\x95\x30\x05\x80\xa5com.p\x91\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00")
    assert len(callee.transport.written) == 1
    assert b"wamp.error.invalid_payload" in caller.transport.written[0]


class TestLostWhileWritingTo:
    """A transport that is dropped because it is too slow tells so in the middle of an effect."""

    def test_callee_that_is_lost_cancels_the_call(self, join):
        callee, caller = join(), join()
        callee.receive(b'[64,1,{},"com.p"]')
        callee.transport.write = lambda data: callee.lost()
        caller.receive(b'[48,5,{},"com.p"]')
        assert b"wamp.error.canceled" in caller.transport.written[0]

    def test_subscriber_that_is_lost_is_left_out(self, join):
        publisher, first, second = join(), join(), join()
        for subscriber in (first, second):
            subscriber.receive(SUBSCRIBE)
            subscriber.transport.written.clear()
        first.transport.write = lambda data: second.lost()
        publisher.receive(PUBLISH)
        assert second.transport.written == []

    @pytest.mark.parametrize("data", [b"[", b'[6,{},"wamp.close.normal"]'])
    def test_session_that_is_lost_at_its_end_leaves_nothing(self, node, join, data):
        connection = join()
        connection.transport.write = lambda data: connection.lost()
        connection.receive(data)
        assert not node.connections
        assert not node.router.sessions

    def test_session_that_is_lost_at_its_goodbye_leaves_nothing(self, node, join, options):
        connection = join()
        connection.transport.write = lambda data: connection.lost()
        node.configure(options, {})
        assert not node.connections
        assert not node._leaving
        assert not node.router.sessions


class TestBugs:
    """What must never happen, happens: it ends what it met, and the node goes on."""

    @pytest.fixture(autouse=True)
    def silent(self, caplog):
        caplog.set_level(logging.CRITICAL + 1, "wamp_transport.node.node")
        self.caplog = caplog

    def test_bug_in_the_router_ends_the_session_it_met(self, node, join, monkeypatch):
        connection, other = join(), join()
        monkeypatch.setattr(node.router, "receive", lambda *arguments: 1 / 0)
        connection.receive(SUBSCRIBE)
        assert b"internal error" in connection.transport.written[0]
        assert b"wamp.error.internal_error" in connection.transport.written[0]
        assert connection.transport.closed
        assert not other.transport.closed

    def test_bug_in_a_decoder_ends_the_session_it_met(self, join, encoder):
        connection = join()
        connection._decode = lambda data: 1 / 0
        connection.receive(SUBSCRIBE)
        assert b"internal error" in connection.transport.written[0]
        assert connection.transport.closed

    def test_bug_in_an_encoder_leaves_no_caller_without_an_answer(self, join):
        callee, caller = join(MessageEncoder(Unwell())), join()
        callee.receive(b'[64,1,{},"com.p"]')
        caller.receive(b'[48,5,{},"com.p"]')
        assert b"wamp.error.invalid_payload" in caller.transport.written[0]

    def test_bug_in_the_encoder_of_an_error_does_not_go_on_forever(self, join):
        callee, caller = join(), join(MessageEncoder(Unwell()))
        callee.receive(b'[64,1,{},"com.p"]')
        caller.receive(b'[48,5,{},"com.p"]')
        callee.receive(b"[70,1,{}]")
        assert caller.transport.written == []
        assert not caller.is_closed

    def test_transport_that_raises_takes_no_other_effect_along(self, join):
        callee, caller = join(), join()
        callee.receive(b'[64,1,{},"com.p"]')
        caller.receive(b'[48,5,{},"com.p"]')
        callee.transport.write = lambda data: 1 / 0
        callee.receive(b"[33,1,1]")
        assert callee.transport.closed
        assert b"wamp.error.canceled" in caller.transport.written[0]


class TestTime:
    def test_connection_without_hello_is_closed(self, loop, node, connect):
        connection = connect()
        loop.now += 10
        loop.run_until_complete(asyncio.sleep(0))
        assert connection.transport.closed

    def test_one_timer_serves_the_next_deadline(self, loop, node, connect):
        connect()
        timer = node._timer
        loop.now += 5
        late = connect()
        assert node._timer is timer
        loop.now += 5
        loop.run_until_complete(asyncio.sleep(0))
        assert node._timer.when() == 1015.0
        assert not late.transport.closed

    def test_earlier_deadline_moves_the_timer(self, loop, node, connect, join, options):
        connect()
        join()
        node.configure(options, {})
        assert node._timer.when() == 1005.0


class TestControl:
    def test_configuration_reaches_sessions(self, node, join):
        connection = join()
        node.configure(RouterOptions())
        assert connection.transport.written[0].startswith(b"[6,")
        assert node._timer.when() <= 1010.0

    def test_roles_change_for_running_sessions(self, node, join):
        connection = join()
        roles = {"anonymous": RoleOptions("anonymous")}
        node.configure(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}))
        connection.receive(SUBSCRIBE)
        assert b"wamp.error.not_authorized" in connection.transport.written[0]

    def test_service_that_goes_takes_its_sessions_along(self, node, join, connect, options):
        joined, waiting = join(), connect()
        node.configure(options, {})
        assert joined.transport.written[0].startswith(b"[6,")
        assert waiting.transport.closed

    def test_sessions_end_whose_service_has_other_logins_now(self, node, join, connect, options):
        joined, waiting = join(), connect()
        named = replace(OPEN, anonymous=AnonymousLogin(authid="somebody"))
        node.configure(options, {OPEN.key: named})
        assert b"the options for logins at" in joined.transport.written[0]
        assert waiting.transport.closed

    def test_second_attempt_ends_them_although_the_first_has_failed(self, node, join, options, monkeypatch):
        joined = join()
        named = replace(OPEN, anonymous=AnonymousLogin(authid="somebody"))
        with monkeypatch.context() as patch:
            patch.setattr(node.router, "configure", Mock(side_effect=ZeroDivisionError))
            with pytest.raises(ZeroDivisionError):
                node.configure(options, {OPEN.key: named})
        node.configure(options, {OPEN.key: named})
        assert joined.transport.written[0].startswith(b"[6,")
        assert len(joined.transport.written) == 1

    def test_session_ends_with_its_service_although_the_attempt_fails_and_the_service_comes_back(
        self, node, join, options, monkeypatch
    ):
        joined = join()
        with monkeypatch.context() as patch:
            patch.setattr(node.router, "configure", Mock(side_effect=ZeroDivisionError))
            with pytest.raises(ZeroDivisionError):
                node.configure(options, {})
        node.configure(options, {OPEN.key: OPEN})
        assert joined.transport.written[0].startswith(b"[6,")
        assert len(joined.transport.written) == 1

    def test_client_known_by_its_cookie_may_stay(self, node, encoder, options):
        known = replace(OPEN, anonymous=AnonymousLogin(client_id="cookie"))
        connection = node.connect(known, encoder, Recorder())
        node.configure(options, {OPEN.key: replace(OPEN, limits=Limits(calls=3), hello_timeout=3)})
        assert connection.service.limits.calls == 3
        connection.receive(b'[1,"realm1",{"roles":{"caller":{}}}]')
        assert b"[2," in connection.transport.written[0]
        assert b'"authid":"cookie"' in connection.transport.written[0]

    def test_service_that_is_current_is_the_configured_one(self, node, options):
        wider, named = (
            replace(OPEN, authmethods=frozenset({"ticket"})),
            replace(OPEN, anonymous=AnonymousLogin("member")),
        )
        assert node.current_service(OPEN) is OPEN
        node.configure(options, {OPEN.key: wider})
        assert node.current_service(OPEN) is wider
        assert node.current_service(wider) is wider
        node.configure(options)
        assert node.current_service(OPEN) is wider
        node.configure(options, {OPEN.key: named})
        assert node.current_service(OPEN) is None
        node.configure(options, {})
        assert node.current_service(OPEN) is None
        assert node.current_service(LOCAL_SERVICE) is LOCAL_SERVICE

    def test_stop_of_an_empty_node_is_at_once(self, loop, node):
        loop.run_until_complete(node.stop(60))
        assert node._timer is None

    def test_stop_waits_for_the_last_answer(self, loop, node, join):
        first, second = join(), join()

        async def scenario():
            stopping = asyncio.ensure_future(node.stop(60))
            await asyncio.sleep(0)
            for connection in (first, second):
                assert b"wamp.close.system_shutdown" in connection.transport.written[0]
                assert not stopping.done()
                connection.receive(b'[6,{},"wamp.close.goodbye_and_out"]')
                connection.lost()
            await stopping

        loop.run_until_complete(scenario())
        assert not node.connections
        assert node._timer is None

    def test_stop_closes_what_does_not_answer(self, loop, node, join):
        connection = join()
        loop.run_until_complete(node.stop(0))
        assert connection.transport.closed[0][0] == "wamp.close.system_shutdown"
        assert not node.connections


class TestHistory:
    @pytest.fixture
    def publish(self, node, join):
        """Publishes to a topic whose history is durable."""
        roles = {"anonymous": RoleOptions("anonymous", allow_by_default=True)}
        node.configure(RouterOptions(realms={"realm1": RealmOptions("realm1", roles, history=(DURABLE,))}))
        publisher = join()
        return lambda: publisher.receive(PUBLISH)

    def test_event_is_recorded(self, node, publish):
        recorded = []

        class Keeper(NodeObserver):
            def event_recorded(self, record):
                recorded.append(record)

        node.observers.add(Keeper())
        publish()
        (record,) = recorded
        assert (record.uri, bytes(record.publication.message.args)) == ("com.x", b'["hi"]')
        assert record.publication.time.tzinfo is UTC

    def test_event_is_not_recorded_without_an_observer(self, publish):
        publish()  # an error while the effect is run would be logged, and fail the test


def test_transport_is_known_to_the_meta_api(node, encoder):
    connection = node.connect(OPEN, encoder, Recorder(), {"peer": "1.2.3.4"})
    for data in (b'[1,"realm1",{"roles":{"caller":{}}}]', b'[48,1,{},"wamp.session.get",[%d]]'):
        connection.receive(data % connection.session_id if b"%" in data else data)
    assert b"1.2.3.4" in connection.transport.written[-1]


def test_timeout_of_a_call_is_kept(loop, node, join):
    session = join()
    session.receive(b'[64,1,{},"com.p"]')
    session.receive(b'[48,5,{"timeout":2000},"com.p"]')
    assert node._timer.when() == loop.now + 2
    loop.now += 2
    loop.run_until_complete(asyncio.sleep(0))
    assert b"wamp.error.timeout" in session.transport.written[-1]


def test_what_a_left_session_held_is_taken_apart_in_every_other_turn_of_the_loop(loop, node, join, monkeypatch):
    monkeypatch.setattr("wamp_transport.node.node.CLEANUP_STEPS_PER_TURN", 1)
    session = join()
    for number in (1, 2, 3):
        session.receive(b'[32,%d,{},"com.x%d"]' % (number, number))
    session.lost()
    subscriptions = node.router.realms["realm1"].broker.subscriptions
    left = []
    for _ in range(6):
        loop.call_soon(loop.stop)
        loop.run_forever()
        left.append(len(subscriptions))
    assert left == [3, 2, 2, 1, 1, 0]


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", "2026-01-02T03:04:05", "2026-01-02T03:04:05.000Z"]
)
def test_time_is_read_and_without_a_zone_it_is_utc(text):
    assert time_from(text) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "noon", "2026-13-01T00:00:00Z", "2026-01-02"])
def test_text_that_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="RFC3339"):
        time_from(text)


# --- peers that read too slowly ---------------------------------------------------------------------------------------


def test_congested_peer_misses_events_and_the_others_do_not(node, join):
    publisher, slow, quick = join(), join(), join()
    for subscriber in (slow, quick):
        subscriber.receive(SUBSCRIBE)
        subscriber.transport.written.clear()
    slow.set_congested(True)
    publisher.receive(PUBLISH)
    assert slow.transport.written == []
    assert len(quick.transport.written) == 1
    assert node.outbound.events_dropped == 1
    slow.set_congested(False)
    publisher.receive(PUBLISH.replace(b"16,1", b"16,2"))
    assert len(slow.transport.written) == 1
    assert node.outbound.events_dropped == 1


def test_call_to_a_congested_callee_is_answered_at_once(join):
    callee, caller = join(), join()
    callee.receive(b'[64,1,{},"com.x"]')
    callee.transport.written.clear()
    callee.set_congested(True)
    caller.receive(b'[48,1,{},"com.x"]')
    assert callee.transport.written == []
    (error,) = caller.transport.written
    assert error.startswith(b'[8,48,1,{},"wamp.error.unavailable"')
    callee.receive(b'[48,1,{},"com.nobody"]')
    assert callee.transport.written[0].startswith(b"[8,48,1,")  # what it asks for itself is answered


def test_congested_peer_that_is_gone_leaves_nothing(node, join):
    slow = join()
    slow.set_congested(True)
    slow.set_congested(True)
    slow.lost()
    assert node.outbound.congested == 0


def test_peer_that_does_not_catch_up_is_told_why_it_goes(join, caplog):
    slow = join()
    with caplog.at_level(logging.WARNING):
        slow.close_slow_consumer(12345)
    (goodbye,) = slow.transport.written
    assert goodbye.startswith(b"[6,")
    assert b"wamp.error.slow_consumer" in goodbye
    assert b"12345" in goodbye
    assert "12345" in caplog.text


def test_who_watches_is_told_of_sessions_that_come_go_and_are_slow(node, join):
    told = []

    class Watcher(NodeObserver):
        def session_joined(self, session):
            told.append(("joined", session.id))

        def session_left(self, session, reason):
            told.append(("left", session.id, reason))

        def slow_consumer_detected(self, session, queued_bytes):
            told.append(("slow", session.id, queued_bytes))

    node.observers.add(Watcher())
    one, other = join(), join()
    ids = one.session_id, other.session_id
    one.set_congested(True)
    one.set_congested(False)
    one.lost()
    other.close_slow_consumer(12345)
    other.lost()
    assert told == [
        ("joined", ids[0]),
        ("joined", ids[1]),
        ("slow", ids[0], None),
        ("left", ids[0], "wamp.close.transport_lost"),
        ("slow", ids[1], 12345),
        ("left", ids[1], "wamp.error.slow_consumer"),
    ]
