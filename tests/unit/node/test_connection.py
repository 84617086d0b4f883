import gc
import sys

import msgspec
import pytest

from wamp_transport.node.connection import MAX_UNJOINED_BYTES, Connection, MessageEncoder
from wamp_transport.router.options import ServiceOptions
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.wamp.errors import PayloadError, ProtocolViolation
from wamp_transport.wamp.messages import Call, CallOptions, Published


class Told:
    """A node that remembers what it was told."""

    def __init__(self):
        self.calls = []

    def is_joining(self, connection):
        return False

    def __getattr__(self, name):
        return lambda *told: self.calls.append((name, *told[1:]))


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def connection(told):
    return Connection(told, ServiceOptions("key"), MessageEncoder(SERIALIZERS["json"]), None, 7)


def test_bytes_become_a_message(connection, told):
    connection.receive(b"[17,1,2]")
    assert told.calls == [("feed", Published(1, 2)), ("flush_effects",)]


def test_several_messages_take_effect_together(connection, told):
    connection.feed(b"[17,1,2]")
    connection.feed(b"[17,2,3]")
    connection.flush_effects()
    assert told.calls == [("feed", Published(1, 2)), ("feed", Published(2, 3)), ("flush_effects",)]


def test_bytes_that_are_no_message_are_a_violation(connection, told):
    connection.feed(b"[17,1]")
    ((name, text),) = told.calls
    assert name == "violate"
    assert "malformed message" in text


@pytest.mark.parametrize("serializer", ["json", "msgpack"])
@pytest.mark.parametrize(("ignored", "payload", "is_freed"), [(9000, 10, True), (10, 9000, False), (10, 10, False)])
def test_payload_keeps_no_much_larger_message_in_memory(told, serializer, ignored, payload, is_freed):
    """Clients can send options that are ignored; a message that is mostly payload is not copied."""
    values = [48, 1, {"ignored": "x" * ignored}, "com.x", ["y" * payload]]
    data = {"json": msgspec.json, "msgpack": msgspec.msgpack}[serializer].encode(values)
    connection = Connection(told, ServiceOptions("key"), MessageEncoder(SERIALIZERS[serializer]), None, 7)
    users = sys.getrefcount(data)
    connection.feed(data)
    ((_, message),) = told.calls
    assert SERIALIZERS[serializer].values(message.args) == ["y" * payload]
    assert (sys.getrefcount(data) == users) is is_freed


def test_long_message_without_payload_is_passed_on(connection, told):
    connection.feed(b'[48,1,{"ignored":"' + b"x" * 9000 + b'"},"com.x"]')
    assert told.calls == [("feed", Call(1, CallOptions(), "com.x"))]


class Remembering:
    """A serializer that notes whether cycles are collected while it decodes."""

    name = "json"
    encode = None

    def __init__(self):
        self.collected = []

    def decode(self, data):
        self.collected.append(gc.isenabled())
        raise ProtocolViolation("no message")


@pytest.mark.parametrize(("size", "collected"), [(MAX_UNJOINED_BYTES, True), (MAX_UNJOINED_BYTES + 1, False)])
def test_collector_rests_while_a_long_message_is_decoded(told, size, collected):
    serializer = Remembering()
    connection = Connection(told, ServiceOptions("key"), MessageEncoder(serializer), None, 7)
    connection.feed(b" " * size)
    assert serializer.collected == [collected]
    assert gc.isenabled()


def test_nothing_counts_after_the_close(connection, told):
    connection.is_closed = True
    connection.feed(b"[17,1,2]")
    assert told.calls == []


def test_bug_in_a_decoder_is_told_as_a_bug(told):
    class Broken:
        name = "broken"
        encode = None

        def decode(self, data):
            raise MemoryError

    Connection(told, ServiceOptions("key"), MessageEncoder(Broken()), None, 7).feed(b"x")
    assert told.calls == [("report_bug",)]


def test_transport_tells_violations_and_its_end(connection, told):
    connection.violate("text in a binary subprotocol")
    connection.lost()
    assert told.calls == [("violate", "text in a binary subprotocol"), ("lost",)]


def test_lane_encodes_and_frames():
    assert MessageEncoder(SERIALIZERS["json"]).encode(Published(1, 2), "python") == b"[17,1,2]"
    assert (
        MessageEncoder(SERIALIZERS["json"], lambda data: b"<" + data + b">").encode(Published(1, 2), "python")
        == b"<[17,1,2]>"
    )


def test_lane_says_what_cannot_be_said():
    with pytest.raises(PayloadError):
        MessageEncoder(SERIALIZERS["json"]).encode(Call(1, CallOptions(), "p", [float("nan")]), "python")
