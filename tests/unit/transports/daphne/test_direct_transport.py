"""The transport of a connection: how it begins and ends, what it writes, slow peers."""

from tests.integration.wire import BINARY, CONTINUATION, PING, PONG, TEXT, Frame, frame
from wamp_transport.compat.twisted import DirectSocket
from wamp_transport.config.websocket import WebSocketOptions
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.transports.encoders import PLAIN_ENCODERS

from .peers import Peer, Recorder


def test_connection_attached_after_the_socket_was_lost_is_told_at_once() -> None:
    peer = Peer.usual()
    peer.lose()
    connection = Recorder(peer.protocol)
    peer.protocol.direct.attach(connection, is_binary=False)  # type: ignore[arg-type]
    assert connection.losses == 1


def test_slow_peer_beyond_its_bounds_is_told_of_and_gets_what_comes_after() -> None:
    peer = Peer(WebSocketOptions(outgoing_limit=10, max_outgoing_size=70_000)).open()
    peer.transport.producer.pauseProducing()
    peer.protocol.direct.write(b"x" * 70_001)
    assert peer.connection.overflows == [70_001]
    peer.protocol.direct.write(b"goodbye")
    peer.transport.producer.resumeProducing()
    assert peer.sent() == b"goodbye"


def test_slow_peer_is_left_out_where_the_policy_is_to_drop() -> None:
    peer = Peer(WebSocketOptions(outgoing_limit=10, outgoing_policy="drop", outgoing_grace_period=3000)).open()
    peer.transport.producer.pauseProducing()
    peer.protocol.direct.write(b"x" * 11)
    ((seconds, judge),) = peer.server.loop.timers
    assert seconds == 3.0
    judge()
    assert peer.connection.congestions == [True]
    peer.transport.producer.resumeProducing()
    assert peer.connection.congestions == [True, False]


def test_messages_are_cut_into_fragments() -> None:
    peer = Peer(WebSocketOptions(auto_fragment_size=3, max_message_size=4)).open()
    assert not peer.protocol.is_framed
    peer.protocol.direct.write(b"abcdefg")
    assert [(each.opcode, each.payload, each.is_final) for each in peer.frames()] == [
        (TEXT, b"abc", False),
        (CONTINUATION, b"def", False),
        (CONTINUATION, b"g", True),
    ]


def test_messages_are_masked() -> None:
    peer = Peer(WebSocketOptions(mask_server_frames=True)).open(binary=True)
    peer.protocol.direct.write(b"abc")
    peer.send(frame(PING, b"p"))
    assert peer.frames() == [Frame(BINARY, b"abc", True, True), Frame(PONG, b"p", True, True)]


def test_messages_with_masks_that_are_not_applied_say_the_same() -> None:
    peer = Peer(WebSocketOptions(mask_server_frames=True, apply_mask=False)).open()
    peer.protocol.direct.write(b"abc")
    assert peer.sent() == b"\x81\x83\0\0\0\0abc"


def test_socket_of_its_own_kind_is_written_to_directly() -> None:
    peer = Peer().open()
    assert not peer.protocol.direct.write_buffer._writes_through  # type: ignore[union-attr]

    class Socket(DirectSocket):
        TLS = False

    for is_tls in (False, True):
        other = Peer()
        other.ask()
        other.protocol.transport = Socket(reactor=object())
        other.protocol.transport.TLS = is_tls
        other.protocol.direct.attach(peer.connection, is_binary=False)  # type: ignore[arg-type]
        assert other.protocol.direct.write_buffer._writes_through is not is_tls  # type: ignore[union-attr]


def test_connection_attached_after_the_socket_was_lost_has_no_parts() -> None:
    peer = Peer.usual()
    direct = peer.protocol.direct
    peer.lose()
    direct.attach(Recorder(peer.protocol), is_binary=False)  # type: ignore[arg-type]
    assert direct.connection is None
    assert direct.encoder(SERIALIZERS["json"]) is PLAIN_ENCODERS["json"]


def test_lost_transport_may_still_be_used_and_does_nothing() -> None:
    peer = Peer().open()
    direct = peer.direct
    direct.pause()
    peer.lose()
    direct.write(b"late")
    direct.pause()
    direct.resume()
    direct.stop()
    direct.lost()
    direct.close("wamp.close.normal", "")
    direct.deliver(b"late", is_binary=False)
    direct.check_message_time(is_incomplete=True, seconds=1.0)
    assert peer.sent() == b""
    assert (peer.connection.messages, peer.connection.losses, peer.connection.violations) == ([], 1, [])


def test_message_during_which_the_socket_is_lost_is_the_last_one() -> None:
    peer = Peer().open()
    peer.connection.on_message = peer.lose
    peer.send(frame(TEXT, b"a") + frame(TEXT, b"b"))
    assert peer.connection.messages == [b"a"]
