"""Compression over real sockets, with a real client: every setting, limits, bombs, one event for many."""

import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate
from websockets.sync.client import ClientConnection, connect

from .servers import assert_quiet, configuration, free_port, node, web, websocket
from .wire import TEXT, Wire, frame

pytestmark = pytest.mark.integration

# As Crossbar.io writes it into a new node's configuration.
PRODUCTION = {
    "request_no_context_takeover": False,
    "request_max_window_bits": 13,
    "no_context_takeover": False,
    "max_window_bits": 13,
    "memory_level": 5,
}
PATHS: dict[str, Any] = {
    "ws": websocket(compression={"deflate": {}}),
    "production": websocket(compression={"deflate": PRODUCTION}),
    "reset": websocket(compression={"deflate": {"no_context_takeover": True, "request_no_context_takeover": True}}),
    "small": websocket(compression={"deflate": {}}, max_message_size=1000),
    "off": {"type": "websocket"},
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    number = free_port()
    with node(tmp_path_factory.mktemp("node"), configuration(web(number, PATHS)), number) as process:
        yield number
        assert process.stop() == 0
        assert_quiet(process.output)


@contextmanager
def joined(port: int, path: str, **parameters: Any) -> Iterator[ClientConnection]:
    factory = ClientPerMessageDeflateFactory(**({"client_max_window_bits": True} | parameters))
    with connect(
        f"ws://127.0.0.1:{port}/{path}",
        subprotocols=["wamp.2.json"],  # type: ignore[list-item]
        compression=None,
        extensions=[factory],
    ) as client:
        say(client, [1, "realm1", {"roles": {"publisher": {}, "subscriber": {}}}])
        assert heard(client)[0] == 2
        yield client


def say(client: ClientConnection, message: Any) -> None:
    client.send(json.dumps(message))


def heard(client: ClientConnection) -> Any:
    return json.loads(client.recv(timeout=10))


def agreed(client: ClientConnection) -> PerMessageDeflate | None:
    (extension,) = client.protocol.extensions or [None]
    return extension  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("path", "parameters", "expected"),
    [
        ("ws", {}, (False, False, 15, 15)),
        ("ws", {"server_no_context_takeover": True, "server_max_window_bits": 9}, (True, False, 9, 15)),
        ("ws", {"client_no_context_takeover": True}, (False, True, 15, 15)),
        ("production", {}, (False, False, 15, 13)),
        ("production", {"server_max_window_bits": 15, "client_max_window_bits": 10}, (False, False, 13, 10)),
        ("reset", {}, (False, True, 15, 15)),
    ],
)
def test_client_with_compression_is_served(port: int, path: str, parameters: Any, expected: Any) -> None:
    with joined(port, path, **parameters) as client:
        extension = agreed(client)
        assert extension is not None
        assert (
            extension.remote_no_context_takeover,
            extension.local_no_context_takeover,
            extension.remote_max_window_bits,
            extension.local_max_window_bits,
        ) == expected
        say(client, [32, 1, {}, "com.topic"])
        assert heard(client)[0] == 33
        for number, text in enumerate(["", "é" * 1000, "x" * 100_000, os.urandom(50_000).hex()]):
            say(client, [16, number + 2, {"exclude_me": False}, "com.topic", [text]])
            assert heard(client)[4] == [text]


@pytest.mark.parametrize("path", ["off", "production"])
def test_no_compression_where_it_is_off_or_the_client_cannot_be_bounded(port: int, path: str) -> None:
    parameters = {"client_max_window_bits": None} if path == "production" else {}
    with joined(port, path, **parameters) as client:
        assert agreed(client) is None


def test_event_for_many_is_one_whatever_they_agreed_to(port: int) -> None:
    text = "much the same " * 100
    with joined(port, "ws") as a, joined(port, "reset") as b, joined(port, "reset") as c, joined(port, "off") as d:
        for client in (a, b, c, d):
            say(client, [32, 1, {}, "com.many"])
            assert heard(client)[0] == 33
        for number in range(3):
            say(d, [16, number + 2, {"exclude_me": False}, "com.many", [number, text]])
            assert [heard(client)[4] for client in (a, b, c, d)] == [[number, text]] * 4


def deflated(payload: bytes) -> bytes:
    compressor = zlib.compressobj(9, wbits=-15)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize("size", [1000, 1001, 100_000_000])
def test_limit_is_that_of_the_inflated_message(port: int, size: int) -> None:
    hello = b'[1,"realm1",{"roles":{"caller":{}}}]'
    with Wire(port) as wire:
        head = wire.upgrade("/small", headers=["Sec-WebSocket-Extensions: permessage-deflate"])
        assert "Sec-WebSocket-Extensions: permessage-deflate\r\n" in head + "\r\n"
        wire.send(frame(TEXT, deflated(hello + b" " * (size - len(hello))), rsv=4))
        if size == 1000:
            assert wire.read(1) == b"\xc1"
        else:
            assert wire.closed().code == 1009
