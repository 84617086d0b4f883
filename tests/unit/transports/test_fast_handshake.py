"""Which requests for a WebSocket are usual ones, and what is read of them."""

import pytest

from wamp_transport.transports.fast_handshake import (
    MAX_HEADERS,
    MAX_REQUEST_BYTES,
    parse_simple_upgrade,
    switching_protocols,
)

REQUEST = (
    b"GET /a%20b?x=1&y HTTP/1.1\r\nHost: here:8080\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://here:8080 \r\n"
    b"Sec-WebSocket-Protocol: wamp.2.json , wamp.2.msgpack\r\n\r\n"
)


def test_usual_request_is_read() -> None:
    request = parse_simple_upgrade(REQUEST + b"\x81\x80")
    assert request is not None
    assert (request.path, request.query, request.rest) == (b"/a%20b", b"x=1&y", b"\x81\x80")
    assert request.subprotocols == ["wamp.2.json", "wamp.2.msgpack"]
    assert request.key == b"dGhlIHNhbXBsZSBub25jZQ=="
    assert (b"origin", b"http://here:8080") in request.headers
    assert len(request.headers) == 7
    assert not request.offers_extensions


def test_offered_extensions_are_noticed() -> None:
    request = parse_simple_upgrade(REQUEST.replace(b"Origin: ", b"Sec-WebSocket-Extensions: "))
    assert request is not None
    assert request.offers_extensions


@pytest.mark.parametrize("host", [b"here", b"127.0.0.1:80", b"[::1]", b"[::1]:8080", b"a-b.example"])
def test_usual_host_is_taken(host: bytes) -> None:
    assert parse_simple_upgrade(REQUEST.replace(b"here:8080\r\nUp", host + b"\r\nUp")) is not None


@pytest.mark.parametrize("size", range(0, len(REQUEST), 7))
def test_request_that_is_not_whole_is_left_alone(size: int) -> None:
    assert parse_simple_upgrade(REQUEST[:size]) is None


@pytest.mark.parametrize(
    ("usual", "unusual"),
    [
        (b"GET ", b"POST "),
        (b"GET ", b"GET  "),
        (b"GET /", b"GET http://here/"),
        (b"/a%20b", b"/a#b"),
        (b"/a%20b", b"/\xc3\xa4"),
        (b"/a%20b", b"/a b"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"HTTP/1.1\r\n", b"HTTP/1.1\n"),
        (b"Host: here:8080\r\n", b""),
        (b"Host: here", b"Host: here:x"),
        (b"Host: here", b"Host: h\xc3\xa9"),
        (b"Host: here:8080", b"Host: here:8080\r\nHost: here:8080"),
        (b"Host: here", b"Host : here"),
        (b"Host: here", b"Ho_st: x\r\nHost: here"),
        (b"Host: here", b"X: a\r\n b\r\nHost: here"),
        (b"Host: here", b"X: a\x00b\r\nHost: here"),
        (b"Host: here", b"X: a\rb\r\nHost: here"),
        (b"Host: here", b"X: a\nb\r\nHost: here"),
        (b"Host: here", b"no header\r\nHost: here"),
        (b"Upgrade: WebSocket", b"Upgrade: h2c"),
        (b"Upgrade: WebSocket", b"Upgrade: h2c, websocket"),
        (b"keep-alive, Upgrade", b"close"),
        (b"Version: 13", b"Version: 8"),
        (b"Version: 13", b"Version: 013"),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25jZQ="),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25j*Q=="),
        (b"wamp.2.json , ", b"wamp.2.json, , "),
        (b"wamp.2.json , ", b"wamp.2.msgpack, "),
        (b"Sec-WebSocket-Protocol: wamp.2.json , wamp.2.msgpack\r\n", b""),
        (b"Host: here:8080", b"Host: here:99999"),
        (b"http://here:8080 ", b"nothing"),
        (b"http://here:8080 ", b"http://here:99999"),
        (b"http://here:8080 ", b"http://[::1"),
        (b"http://here:8080 ", b"http://here/path"),
        (b"Origin: ", b"Content-Length: "),
        (b"Origin: ", b"Transfer-Encoding: "),
        (b"Origin: ", b"X-Forwarded-For: "),
        (b"Origin: ", b"Forwarded: "),
        (b"Origin: ", b"Daphne-Root-Path: "),
        (b"http://here:8080 ", b"x" * MAX_REQUEST_BYTES),
    ],
)
def test_whatever_is_unusual_is_left_to_others(usual: bytes, unusual: bytes) -> None:
    assert usual in REQUEST
    assert parse_simple_upgrade(REQUEST.replace(usual, unusual, 1)) is None


def test_request_beyond_its_limits_is_left_to_others() -> None:
    assert parse_simple_upgrade(REQUEST, len(REQUEST)) is not None
    assert parse_simple_upgrade(REQUEST, len(REQUEST) - 1) is None
    many = b"".join(b"x-%d: y\r\n" % number for number in range(MAX_HEADERS - 7))
    assert parse_simple_upgrade(REQUEST[:-2] + many + b"\r\n") is not None
    assert parse_simple_upgrade(REQUEST[:-2] + many + b"z: y\r\n\r\n") is None


def test_answer_holds_the_accept_key_of_the_specification() -> None:
    answer = switching_protocols(b"dGhlIHNhbXBsZSBub25jZQ==", [(b"Set-Cookie", b"a=b"), (b"X", b"y")])
    head, *lines = answer.split(b"\r\n")
    assert head == b"HTTP/1.1 101 Switching Protocols"
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in lines
    assert lines[-4:] == [b"Set-Cookie: a=b", b"X: y", b"", b""]
