"""What Autobahn's parser keeps of frames."""

import struct

import pytest

from tests.integration.wire import CONTINUATION, TEXT, frame
from wamp_transport.transports.daphne.parsing import longest_compressed

from .peers import Peer


def test_control_frame_that_is_too_long_is_refused_and_not_kept() -> None:
    peer = Peer().open().send(b"\x89\xff" + struct.pack("!Q", 2**40) + b"mask")
    assert peer.frames()[0].code == 1002
    peer.send(*[b"x" * 1000] * 10)
    assert len(b"".join(peer.protocol.control_frame_data)) + len(peer.protocol.data) <= 1000


def test_empty_fragments_leave_nothing_behind() -> None:
    peer = Peer().open().send(frame(TEXT, b"a", fin=False), *[frame(CONTINUATION, fin=False)] * 100)
    assert peer.protocol.message_data == [b"a"]
    peer.send(frame(CONTINUATION, b"b"))
    assert peer.connection.messages == [b"ab"]


@pytest.mark.parametrize("size", [0, 1, 1000, 100_000])
def test_compressed_message_has_room_to_be_a_little_longer(size: int) -> None:
    assert size < longest_compressed(size) <= size * 9 / 8 + 64
