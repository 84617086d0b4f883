"""Sessions over a socket that is a queue, at a router of ours."""

import asyncio
import logging
import ssl

import pytest

from tests.unit.node.conftest import OPEN
from wamp_transport.auth.credentials import Anonymous, Ticket
from wamp_transport.node import remote
from wamp_transport.node.connection import MessageEncoder
from wamp_transport.node.remote import ConnectOptions, WebSocketClientTransport, printable_url
from wamp_transport.node.session import Session
from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import NoSuchProcedure, PayloadError, SessionClosed
from wamp_transport.wamp.messages import PublishOptions

ACKNOWLEDGE = PublishOptions(acknowledge=True)


class Socket:
    """A client's end of a WebSocket whose other end is a connection of the node."""

    def __init__(self, node, serializer):
        self.incoming = asyncio.Queue()
        self.is_closed = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.serializer = serializer
        self.connection = None if node is None else node.connect(OPEN, MessageEncoder(serializer), self)

    # what the node uses

    def write(self, data):
        self.put(data if self.serializer.is_binary else data.decode())

    def close_link(self):
        self.put(None)

    def pause(self):
        pass

    def resume(self):
        pass

    # what the client uses

    def put(self, data):
        self.incoming.put_nowait(data)

    async def __aiter__(self):
        while (data := await self.incoming.get()) is not None:
            yield data

    async def send(self, data):
        await self.gate.wait()
        if self.connection is not None:
            self.connection.receive(data if isinstance(data, bytes) else data.encode())

    async def _close_client(self):
        if not self.is_closed:
            self.is_closed = True
            self.put(None)
            if self.connection is not None:
                self.connection.lost()

    def close(self, *arguments):
        """Both ends have one of this name: the node's tells why."""
        if arguments:
            self.close_link()
            return None
        return self._close_client()


@pytest.fixture
def run(loop):
    """Runs a coroutine on the loop of the node; nothing is left running."""

    def run(work):
        return loop.run_until_complete(asyncio.wait_for(work, 10))

    yield run
    for _ in range(5):
        loop.run_until_complete(asyncio.sleep(0))
    assert not asyncio.all_tasks(loop)


async def opened(node, name="msgpack", credential=None):
    """A session, and its socket."""
    serializer = SERIALIZERS[name]
    socket = Socket(node, serializer)
    session = Session(
        "realm1", lambda inbox: WebSocketClientTransport(socket, serializer, credential or Anonymous(), inbox)
    )
    if node is not None:
        await session.open(["anonymous"])
    return session, socket


@pytest.mark.parametrize("name", ["msgpack", "json"])
def test_session_calls_and_publishes(node, run, name):
    async def use():
        session, _ = await opened(node, name)
        assert (session.authrole, session.authmethod) == ("anonymous", "anonymous")
        heard = asyncio.Queue()
        await session.register("com.add", lambda invocation: sum(invocation.args))
        await session.subscribe("com.x", heard.put)
        assert (await session.call("com.add", [2, 3])).value == 5
        assert await session.publish(
            "com.x", [b"\x00"], {"k": 1}, options=PublishOptions(acknowledge=True, exclude_me=False)
        )
        event = await heard.get()
        assert (event.args, event.kwargs) == ([b"\x00"], {"k": 1})
        with pytest.raises(NoSuchProcedure):
            await session.call("com.nothing")
        await session.leave()
        assert not node.connections or not session.is_open

    run(use())
    assert not node.connections


def test_lost_connection_ends_the_session(node, run):
    async def use():
        session, socket = await opened(node)
        socket.put(None)
        end = await session.wait_ended()
        assert end.reason == errors.CLOSE_TRANSPORT_LOST
        with pytest.raises(SessionClosed, match="lost"):
            await session.call("com.add")

    run(use())
    assert not node.connections


def test_what_is_no_message_ends_the_session(node, run):
    async def use():
        session, socket = await opened(node)
        socket.put(b"\xc1")
        assert "lost: " in str(await session.wait_ended())

    run(use())


def test_router_that_says_goodbye_is_answered(node, run):
    async def use():
        session, _ = await opened(node)
        await node.stop(5)
        assert (await session.wait_ended()).reason == errors.CLOSE_SYSTEM_SHUTDOWN

    run(use())
    assert not node.connections


def test_refusal_says_why(node, run):
    async def use():
        serializer = SERIALIZERS["json"]
        socket = Socket(node, serializer)
        session = Session("nowhere", lambda inbox: WebSocketClientTransport(socket, serializer, Anonymous(), inbox))
        with pytest.raises(SessionClosed) as refused:
            await session.open()
        assert refused.value.reason == errors.NO_SUCH_REALM
        await socket.close()

    run(use())


@pytest.mark.parametrize(("credential", "sent"), [
    (Ticket("eva", "s3cret"), [5, "s3cret", {}]),
    (Anonymous(), None),
])  # fmt: skip
def test_challenge_is_answered_or_the_session_ends(run, credential, sent):
    async def use():
        json = SERIALIZERS["json"]
        session, socket = await opened(None, "json", credential)
        written = asyncio.Queue()
        socket.send = written.put
        opening = asyncio.ensure_future(session.open([credential.authmethod], credential.authid))
        assert '"authmethods":["' + credential.authmethod in await written.get()
        socket.put('[4,"ticket",{}]')
        if sent is None:
            with pytest.raises(SessionClosed, match="none is configured"):
                await opening
            return
        assert json.values((await written.get()).encode()) == sent
        socket.put('[2,7,{"roles":{"broker":{},"dealer":{}},"authid":"eva","authrole":"worker"}]')
        await opening
        assert (session.id, session.authid, session.authrole) == (7, "eva", "worker")
        socket.put(None)
        await session.wait_ended()

    run(use())


@pytest.mark.expects_errors("The handler of com.nan failed")
def test_value_that_the_serialization_cannot_say_is_refused(node, run):
    async def use():
        session, _ = await opened(node, "json")
        with pytest.raises(PayloadError, match="nan"):
            await session.call("com.add", [float("nan")])
        await session.register("com.nan", lambda invocation: float("nan"))
        with pytest.raises(errors.ApplicationError) as caught:
            await session.call("com.nan")
        assert caught.value.uri == errors.INVALID_PAYLOAD
        await session.leave()

    run(use())


@pytest.mark.expects_errors("from the router cannot be decoded")
def test_payload_that_cannot_be_read_is_told_to_who_waits(run, caplog):
    async def use():
        session, socket = await opened(None, "json")
        written = asyncio.Queue()
        socket.send = written.put
        opening = asyncio.ensure_future(session.open())
        await written.get()
        socket.put('[2,7,{"roles":{}}]')
        await opening
        call = asyncio.ensure_future(session.call("com.x"))
        await written.get()
        socket.put("[50,1,{},[1e999]]")
        with pytest.raises(errors.ApplicationError) as caught:
            await call
        assert caught.value.uri == errors.INVALID_PAYLOAD
        socket.put("[68,1,1,{},[1e999]]")
        assert (await written.get()).startswith('[8,68,1,{},"wamp.error.invalid_payload"')
        socket.put("[36,1,1,{},[1e999]]")
        socket.put(None)
        await session.wait_ended()

    caplog.set_level(logging.ERROR)
    run(use())
    assert len([record for record in caplog.records if "cannot be decoded" in record.message]) == 3


def test_sender_waits_while_too_much_is_unsent(node, run, monkeypatch):
    monkeypatch.setattr(remote, "MAX_UNSENT_BYTES", 1000)

    async def use():
        session, socket = await opened(node)
        socket.gate.clear()
        for _ in range(2):
            await session.publish("com.x", ["x" * 600])
        waiting = asyncio.ensure_future(session.publish("com.x", options=ACKNOWLEDGE))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        socket.gate.set()
        assert await waiting
        await session.leave()

    run(use())


def test_nothing_is_read_while_too_much_waits_for_the_code(node, run):
    async def use():
        serializer = SERIALIZERS["msgpack"]
        socket = Socket(node, serializer)
        session = Session("realm1", lambda inbox: WebSocketClientTransport(socket, serializer, Anonymous(), inbox), 2)
        await session.open()
        publisher, _ = await opened(node)
        gate, done, heard = asyncio.Event(), asyncio.Event(), []

        async def hear(event):
            await gate.wait()
            heard.append(event.args[0])
            if len(heard) == 20:
                done.set()

        await session.subscribe("com.x", hear)
        for number in range(20):
            await publisher.publish("com.x", [number], options=ACKNOWLEDGE)
        for _ in range(20):
            await asyncio.sleep(0)
        assert socket.incoming.qsize() >= 10
        gate.set()
        await done.wait()
        assert heard == list(range(20))
        await session.leave()
        await publisher.leave()

    run(use())


def test_place_tells_no_secrets():
    assert printable_url("wss://eva:s3cret@example.com:8080/ws?ticket=x#y") == "wss://example.com:8080/ws"


def test_way_tells_the_websocket_library_what_it_means():
    usual = ConnectOptions().websocket_arguments("ws://x")
    assert usual == {"origin": None, "open_timeout": None, "proxy": True}
    tls = ssl.create_default_context()
    own = ConnectOptions(tls=tls, socket="/s", origin="https://x", open_seconds=5, uses_proxy=False)
    shared = {"origin": "https://x", "open_timeout": 5, "proxy": None, "unix": True, "path": "/s"}
    assert own.websocket_arguments("wss://x") == {**shared, "ssl": tls}
    assert own.websocket_arguments("ws://x") == shared
