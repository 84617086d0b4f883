"""The consumer under any ASGI server: handshake in, connection out, messages in a loop."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from wamp_transport.config.cookie import Cookie
from wamp_transport.config.websocket import WebSocketService
from wamp_transport.node.connection import MessageEncoder
from wamp_transport.node.node import Node
from wamp_transport.router.options import (
    AnonymousLogin,
    Permission,
    RealmOptions,
    RoleOptions,
    RouterOptions,
    ServiceOptions,
)
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.serializers.serializer import Serializer
from wamp_transport.stores.cookies.async_store import AsyncCookieStore
from wamp_transport.stores.cookies.memory import MemoryCookies
from wamp_transport.stores.cookies.records import CookieStoreError
from wamp_transport.transports.backpressure import Bounds
from wamp_transport.transports.consumer import DIRECT_TRANSPORT, AsgiTransport, WampConsumer, refuse, wrong_kind
from wamp_transport.transports.cookies import CookieTracker
from wamp_transport.transports.encoders import WEBSOCKET_ENCODERS
from wamp_transport.transports.negotiation import Refusal
from wamp_transport.transports.service import WampService

HELLO = [1, "realm1", {"roles": {"subscriber": {}}}]
WITH_ANSWERS = {"websocket.http.response": {}}
DISCONNECT = {"type": "websocket.disconnect", "code": 1000}


def service(**settings: Any) -> WampService:
    role = RoleOptions("anonymous", (Permission("", "prefix", subscribe=True),))
    options = RouterOptions(realms={"realm1": RealmOptions("realm1", {"anonymous": role})})
    node = Node(options, asyncio.get_running_loop())
    section = WebSocketService.model_validate({"type": "websocket", **settings})
    return WampService.build(node, ServiceOptions("ws", AnonymousLogin()), section)


class Client:
    """The server's side of a consumer: what it receives, what it sends."""

    def __init__(self, served: WampService, **scope: Any) -> None:
        self.node = served.node
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = {"type": "websocket", "subprotocols": ["wamp.2.json"], "headers": [], **scope}
        self.events.put_nowait({"type": "websocket.connect"})
        application = WampConsumer.as_asgi(service=served)
        self.task = asyncio.ensure_future(application(scope, self.events.get, self.sent.put))

    def receive(self, **event: Any) -> None:
        self.events.put_nowait({"type": "websocket.receive", **event})

    async def event(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.sent.get(), 5)

    async def end(self) -> None:
        self.events.put_nowait(DISCONNECT)
        await asyncio.wait_for(self.task, 5)
        assert self.node.connections == {}


def tracked(store: MemoryCookies, **settings: Any) -> WampService:
    return replace(service(**settings), cookies=CookieTracker(Cookie(), AsyncCookieStore(store), "/ws"))


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list(SERIALIZERS))
def test_session_runs_over_plain_asgi_messages(name: str) -> None:
    serializer = SERIALIZERS[name]
    key = "bytes" if serializer.is_binary else "text"
    hello = {"json": json.dumps(HELLO), "msgpack": b"\x93\x01\xa6realm1\x81\xa5roles\x81\xaasubscriber\x80"}.get(name)
    if hello is None:
        hello = b"\x83\x01\x66realm1\xa1\x65roles\xa1\x6asubscriber\xa0"

    async def scenario() -> None:
        client = Client(service(), subprotocols=[f"wamp.2.{name}"])
        assert await client.event() == {"type": "websocket.accept", "subprotocol": f"wamp.2.{name}"}
        client.receive(**{key: hello})
        welcome = await client.event()
        assert isinstance(welcome[key], bytes if serializer.is_binary else str)
        assert len(client.node.connections) == 1
        await client.end()

    run(scenario)


def test_empty_kind_of_message_is_ignored() -> None:
    async def scenario() -> None:
        client = Client(service())
        await client.event()
        client.receive()
        client.receive(text=json.dumps(HELLO), bytes=None)
        assert json.loads((await client.event())["text"])[0] == 2
        await client.end()

    run(scenario)


@pytest.mark.parametrize(("extensions", "code"), [(WITH_ANSWERS, 1002), ({}, 1000), (None, 1000)])
def test_message_of_the_wrong_kind_is_aborted_and_closed(extensions: Any, code: int) -> None:
    async def scenario() -> None:
        client = Client(service(), extensions=extensions)
        await client.event()
        client.receive(bytes=b"x")
        abort = json.loads((await client.event())["text"])
        assert (abort[0], abort[2]) == (3, "wamp.error.protocol_violation")
        closing = await client.event()
        assert (closing["type"], closing["code"]) == ("websocket.close", code)
        await client.end()

    run(scenario)


@pytest.mark.parametrize(("size", "is_taken"), [(100, True), (101, False)])
def test_message_above_the_limit_is_closed(size: int, is_taken: bool) -> None:
    async def scenario() -> None:
        client = Client(service(options={"max_message_size": 100}), extensions=WITH_ANSWERS)
        await client.event()
        client.receive(text=json.dumps(HELLO).ljust(size))
        client.receive(text="[99]")
        answer = await client.event()
        if is_taken:
            assert json.loads(answer["text"])[0] == 2
        else:
            assert answer["code"] == 1009
            assert answer["reason"].startswith(
                "wamp.error.payload_size_exceeded: a message may have at most 100 octets"
            )
            assert client.node.connections == {}
        await client.end()

    run(scenario)


def test_cancelled_consumer_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        client = Client(service())
        await client.event()
        client.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client.task
        assert client.node.connections == {}

    run(scenario)


@pytest.mark.parametrize(("extensions", "status"), [(WITH_ANSWERS, 400), ({}, None)])
def test_refused_handshake_is_answered_as_the_server_can(extensions: Any, status: int | None) -> None:
    async def scenario() -> None:
        client = Client(service(), subprotocols=[], extensions=extensions)
        await client.task
        first = await client.event()
        if status is None:
            assert (first["type"], first["code"]) == ("websocket.close", 1008)
        else:
            assert first["status"] == status
            assert b"wamp.2.json" in (await client.event())["body"]
        assert client.node.connections == {}

    run(scenario)


def test_direct_link_gets_the_connection_before_the_handshake_is_answered_and_does_the_rest() -> None:
    class Direct:
        def encoder(self, serializer: Serializer) -> MessageEncoder:
            return WEBSOCKET_ENCODERS[serializer.name]

        def attach(self, connection: Any, *, is_binary: bool) -> None:
            self.connection = connection
            client.sent.put_nowait({"type": "attached", "is_binary": is_binary})

        def write(self, data: bytes) -> None: ...

        def close(self, reason: str, message: str) -> None: ...

        def pause(self) -> None: ...

        def resume(self) -> None: ...

    client: Client

    async def scenario() -> None:
        nonlocal client
        direct = Direct()
        client = Client(service(), extensions={DIRECT_TRANSPORT: direct})
        assert await client.event() == {"type": "attached", "is_binary": False}
        assert (await client.event())["type"] == "websocket.accept"
        await asyncio.wait_for(client.task, 5)
        assert list(client.node.connections.values()) == [direct.connection]
        direct.connection.lost()
        assert client.node.connections == {}

    run(scenario)


def test_handshake_that_a_change_of_the_configuration_has_overtaken_is_refused() -> None:
    async def scenario() -> None:
        served = service()
        served.node.configure(RouterOptions(), {})
        client = Client(served, extensions=WITH_ANSWERS)
        assert (await client.event())["status"] == 503
        assert b"was removed" in (await client.event())["body"]
        await asyncio.wait_for(client.task, 5)

    run(scenario)


def test_change_of_the_configuration_during_the_answer_to_the_handshake_aborts() -> None:
    async def scenario() -> None:
        served = service()
        sent: list[dict[str, Any]] = []
        is_closed = asyncio.Event()

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)
            if event["type"] == "websocket.accept":
                served.node.configure(RouterOptions(), {})
            elif event["type"] == "websocket.close":
                is_closed.set()

        events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        events.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "subprotocols": ["wamp.2.json"], "headers": []}
        task = asyncio.ensure_future(WampConsumer.as_asgi(service=served)(scope, events.get, send))
        await asyncio.wait_for(is_closed.wait(), 5)
        events.put_nowait(DISCONNECT)
        await asyncio.wait_for(task, 5)
        assert json.loads(sent[1]["text"])[0] == 3
        assert not served.node.connections

    run(scenario)


# --- the queue -------------------------------------------------------------------------------------------------------


def asgi_transport(send: Any, *, codes: bool = True) -> AsgiTransport:
    return AsgiTransport(send, is_binary=True, has_close_codes=codes)


def test_queue_sends_in_order_and_ends_with_the_close() -> None:
    async def scenario() -> None:
        sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        queue = asgi_transport(sent.put)
        queue.write(b"a")
        queue.write(b"b")
        assert queue.queued_bytes == 2
        queue.close("wamp.close.system_shutdown", "bye")
        queue.close("wamp.close.normal", "again")
        queue.write(b"late")
        await asyncio.wait_for(queue.drain(), 5)
        assert [sent.get_nowait() for _ in range(sent.qsize())] == [
            {"type": "websocket.send", "bytes": b"a"},
            {"type": "websocket.send", "bytes": b"b"},
            {"type": "websocket.close", "code": 1001, "reason": "wamp.close.system_shutdown: bye"},
        ]

    run(scenario)


class Watched:
    """A connection that notes how its transport does."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    def set_congested(self, is_congested: bool) -> None:
        self.notes.append(is_congested)

    def close_slow_consumer(self, queued_bytes: int) -> None:
        self.notes.append(queued_bytes)


def test_queue_beyond_the_bounds_is_told_and_dropped() -> None:
    async def scenario() -> None:
        sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        queue, connection = asgi_transport(sent.put), Watched()
        queue.monitor(connection, Bounds(5, 1.0, 10, "close"))  # type: ignore[arg-type]
        queue.write(b"x" * 6)
        queue.write(b"x" * 6)
        assert connection.notes == [12]
        queue.write(b"bye")
        queue.close("wamp.error.slow_consumer", "")
        await asyncio.wait_for(queue.drain(), 5)
        assert sent.get_nowait()["bytes"] == b"bye"
        assert sent.get_nowait()["reason"] == "wamp.error.slow_consumer"
        assert sent.empty()

    run(scenario)


def test_queue_that_is_sent_has_caught_up() -> None:
    async def scenario() -> None:
        sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        queue, connection = asgi_transport(sent.put), Watched()
        queue.monitor(connection, Bounds(5, 1.0, 10, "drop"))  # type: ignore[arg-type]
        queue.write(b"x" * 12)
        assert connection.notes == [True]
        queue.close("wamp.close.normal", "")
        await asyncio.wait_for(queue.drain(), 5)
        assert connection.notes == [True, False]

    run(scenario)


def test_queue_to_a_peer_that_has_gone_ends_quietly() -> None:
    async def gone(event: Any) -> None:
        raise ConnectionResetError

    async def scenario() -> None:
        queue = asgi_transport(gone)
        queue.write(b"x")
        await asyncio.wait_for(queue.drain(), 5)

    run(scenario)


# --- words -----------------------------------------------------------------------------------------------------------


def test_wrong_kind_names_both_kinds() -> None:
    assert wrong_kind(is_binary=True) == "expected binary WebSocket messages for this subprotocol, got a text one"
    assert wrong_kind(is_binary=False) == "expected text WebSocket messages for this subprotocol, got a binary one"


def test_refusal_without_extensions_in_the_scope_closes() -> None:
    async def scenario() -> None:
        sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        await refuse({}, sent.put, Refusal(404, "no"))
        assert sent.get_nowait() == {"type": "websocket.close", "code": 1008, "reason": "no"}

    run(scenario)


def test_new_client_gets_a_cookie_that_names_its_sessions_later() -> None:
    async def scenario() -> None:
        served = tracked(MemoryCookies(10))
        client = Client(served, extensions=WITH_ANSWERS)
        ((name, cookie),) = (await client.event())["headers"]
        assert name == b"set-cookie"
        client.receive(text=json.dumps(HELLO))
        authid = json.loads((await client.event())["text"])[2]["authid"]
        ((_, connection),) = client.node.connections.items()
        assert connection.transport_details is not None
        assert connection.transport_details["http_cbtid"] == authid
        assert authid not in cookie.decode()
        await client.end()

        pair = cookie.partition(b";")[0]
        again = Client(served, extensions=WITH_ANSWERS, headers=[(b"cookie", b"sessionid=1; " + pair)])
        assert "headers" not in await again.event()
        again.receive(text=json.dumps(HELLO))
        assert json.loads((await again.event())["text"])[2]["authid"] == authid
        await again.end()

    run(scenario)


def test_configured_authid_comes_before_that_of_the_cookie() -> None:
    async def scenario() -> None:
        served = tracked(MemoryCookies(10))
        served = replace(served, options=ServiceOptions("ws", AnonymousLogin(authid="visitor")))
        client = Client(served, extensions=WITH_ANSWERS)
        await client.event()
        client.receive(text=json.dumps(HELLO))
        assert json.loads((await client.event())["text"])[2]["authid"] == "visitor"
        await client.end()

    run(scenario)


@pytest.mark.expects_errors("Clients cannot connect to /ws because its cookie store fails: disk full")
def test_handshake_is_refused_where_the_cookie_store_fails() -> None:
    class NoCookies(MemoryCookies):
        def add(self, record: Any) -> None:
            raise CookieStoreError("disk full")

    async def scenario() -> None:
        client = Client(tracked(NoCookies(10)), extensions=WITH_ANSWERS)
        assert (await client.event())["status"] == 503
        assert b"try again" in (await client.event())["body"]
        await asyncio.wait_for(client.task, 5)

    run(scenario)


def test_server_without_headers_gets_no_cookie() -> None:
    async def scenario() -> None:
        client = Client(tracked(MemoryCookies(10)))
        assert "headers" not in await client.event()
        await client.end()

    run(scenario)


def test_paused_peer_is_read_no_further() -> None:
    async def scenario() -> None:
        client = Client(service())
        await client.event()
        client.receive(text=json.dumps(HELLO))
        assert json.loads((await client.event())["text"])[0] == 2
        (connection,) = client.node.connections.values()
        connection.transport.pause()
        client.receive(text=json.dumps([32, 1, {}, "com.x"]))
        client.receive(text=json.dumps([32, 2, {}, "com.y"]))
        assert json.loads((await client.event())["text"])[1] == 1  # was being waited for when the pause began
        for _ in range(10):
            await asyncio.sleep(0)
        assert client.sent.empty()
        connection.transport.resume()
        assert json.loads((await client.event())["text"])[1] == 2
        await client.end()

    run(scenario)
