"""Lanes of WebSocket links: what is framed and compressed once for all."""

import json
import zlib

import pytest

from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.transports.encoders import PLAIN_ENCODERS, WEBSOCKET_ENCODERS, compressed_encoder, deflated
from wamp_transport.wamp.messages import Goodbye

GOODBYE = Goodbye({}, "wamp.close.normal")


@pytest.mark.parametrize("name", list(SERIALIZERS))
def test_lane_frames_what_it_encodes_where_the_link_does_not(name: str) -> None:
    serializer = SERIALIZERS[name]
    bare = PLAIN_ENCODERS[name].encode(GOODBYE, name)
    assert bare == serializer.encode(GOODBYE, name)
    framed = WEBSOCKET_ENCODERS[name].encode(GOODBYE, name)
    assert framed == bytes([0x82 if serializer.is_binary else 0x81, len(bare)]) + bare


@pytest.mark.parametrize("name", list(SERIALIZERS))
def test_compressed_lane_is_one_for_equal_parameters_and_each_message_stands_alone(name: str) -> None:
    encoder = compressed_encoder(name, 9, 1)
    assert encoder is compressed_encoder(name, 9, 1)
    assert encoder is not compressed_encoder(name, 10, 1)
    first, second = (encoder.encode(GOODBYE, name) for _ in range(2))
    assert first == second
    assert first[0] == (0xC2 if SERIALIZERS[name].is_binary else 0xC1)
    payload = zlib.decompressobj(-9).decompress(first[2:] + b"\x00\x00\xff\xff")
    assert payload == PLAIN_ENCODERS[name].encode(GOODBYE, name)


def test_message_of_nothing_is_still_a_block() -> None:
    compressor = zlib.compressobj(wbits=-15)
    inflater = zlib.decompressobj(-15)
    for payload in (b"", b"", json.dumps([1]).encode(), b""):
        data = deflated(compressor, payload)
        assert data
        assert inflater.decompress(data + b"\x00\x00\xff\xff") == payload
