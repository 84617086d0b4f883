"""WebSocket connections, with or without a WAMP session."""

import asyncio
from collections.abc import Callable
from typing import Any

from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from . import wire as w
from .options import Options

HELLO_DETAILS = {
    "agent": "wampload",
    "authmethods": ["anonymous"],
    "roles": {
        "caller": {},
        "callee": {"features": {"shared_registration": True}},
        "publisher": {},
        "subscriber": {"features": {"pattern_based_subscription": True}},
    },
}

MAX_FRAME = 64 * 1024 * 1024


class LoadError(Exception):
    """Raised if the server refused a request, closed a connection or sent an invalid message."""


class JoinError(LoadError):
    """Raised if no session could be opened: the connection, the WebSocket or the WAMP handshake failed."""


class Monitor:
    """The connections of a run. The first failure of any of them ends the run."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._failed.add_done_callback(
            lambda future: future.exception()
        )  # prevents asyncio's warning "never retrieved"

    def fail(self, error: Exception) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    async def wait(self, seconds: float, done: asyncio.Event | None = None) -> bool:
        """Sleep until the time is over or `done` is set. Return whether `done` is set. Raises the first failure."""
        waiters: set[asyncio.Future[Any]] = {self._failed}
        waiter = asyncio.ensure_future(done.wait()) if done else None
        if waiter:
            waiters.add(waiter)
        try:
            await asyncio.wait(waiters, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if waiter:
                waiter.cancel()
        if self._failed.done():
            self._failed.result()
        return done is not None and done.is_set()

    async def drop_connections(self) -> None:
        """Drop the connections that are still open, as after a failure."""
        remaining = [each for each in self.connections if each.transport is not None and not each.lost.is_set()]
        for each in remaining:
            each.may_be_lost = True
            each.transport.disconnect(graceful=False)
        for each in remaining:
            await each.lost.wait()


class Connection(WSListener):
    """A WebSocket connection that passes each complete message to `receive`."""

    def __init__(self, monitor: Monitor, frame_type: WSMsgType) -> None:
        self.monitor = monitor
        monitor.connections.append(self)
        self.frame_type = frame_type
        self.receive: Callable[[bytes], None] = lambda data: None
        self.transport: WSTransport = None
        self.lost = asyncio.Event()
        self.lost_reason = ""
        # If true, the loss of this connection is not a failure of the run.
        self.may_be_lost = False
        self._closing = False
        self._parts: list[bytes] = []

    # Methods that picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is self.frame_type and frame.fin:
            data = frame.get_payload_as_bytes()
        elif kind is WSMsgType.CLOSE:
            reason = frame.get_close_reason() or ""
            closed = f"closed by the server: {frame.get_close_code()} {reason}".strip()
            self.lost_reason = self.lost_reason or closed
            transport.send_close(frame.get_close_code())
            transport.disconnect()
            return
        elif kind is WSMsgType.TEXT or kind is WSMsgType.BINARY or kind is WSMsgType.CONTINUATION:
            self._parts.append(frame.get_payload_as_bytes())
            if not frame.fin:
                return
            data = b"".join(self._parts)
            self._parts.clear()
        else:
            return
        try:
            self.receive(data)
        except Exception as error:  # noqa: BLE001 - any exception ends the run and is reported
            self.monitor.fail(LoadError(f"cannot handle {data[:120]!r}: {error!r}"))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.lost.set()
        self.lost_reason = self.lost_reason or "connection lost"
        if not self._closing and not self.may_be_lost:
            self.monitor.fail(LoadError(self.lost_reason))

    # Methods that the scenarios call.

    def send(self, data: bytes) -> None:
        self.transport.send(self.frame_type, data)

    async def close(self, seconds: float = 2.0) -> None:
        """Close the WebSocket."""
        self._closing = True
        if self.lost.is_set():
            return
        self.transport.send_close()
        self.transport.disconnect()
        try:
            await asyncio.wait_for(self.lost.wait(), seconds)
        except TimeoutError:
            self.transport.disconnect(graceful=False)


class Session(Connection):
    """A joined WAMP session.

    `request` decodes whole messages, which is slow, and is used for setup. For
    the hot path, a scenario replaces `receive`.
    """

    def __init__(self, monitor: Monitor, options: Options) -> None:
        self.wire = w.WIRES[options.serializer]
        super().__init__(monitor, self.wire.frame_type)
        self.realm = options.realm
        self.next_request = 1
        self.joined: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.joined.add_done_callback(lambda future: future.cancelled() or future.exception())
        self.welcomed = False
        self._replies: dict[int, asyncio.Future[list[Any]]] = {}
        self.receive = self._receive_handshake

    def on_ws_connected(self, transport: WSTransport) -> None:
        super().on_ws_connected(transport)
        self.send(self.wire.encode([w.HELLO, self.realm, HELLO_DETAILS]))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        super().on_ws_disconnected(transport)
        if not self.joined.done():
            self.joined.set_exception(JoinError(self.lost_reason))
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(LoadError(self.lost_reason))

    def take_id(self) -> int:
        request = self.next_request
        self.next_request += 1
        return request

    async def request(self, kind: int, *rest: Any, seconds: float = 10.0) -> list[Any]:
        """Send [kind, id, *rest] and return the whole reply."""
        return await asyncio.wait_for(self.start_request(kind, *rest), seconds)

    def start_request(self, kind: int, *rest: Any) -> "asyncio.Future[list[Any]]":
        request = self.take_id()
        reply: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._replies[request] = reply
        self.send(self.wire.encode([kind, request, *rest]))
        return reply

    def receive_reply(self, data: bytes) -> None:
        """Resolve the future for which `request` waits. This is the default `receive` of a joined session."""
        message = self.wire.decode(data)
        kind = message[0]
        if kind == w.ERROR:
            reply = self._replies.pop(message[2], None)
            if reply and not reply.done():
                reply.set_exception(LoadError(f"ERROR {message[4]} {message[5:]}"))
        elif kind in (w.GOODBYE, w.ABORT):
            self.lost_reason = f"the router ended the session: {message[1:]}"
            if not self.may_be_lost:
                self.monitor.fail(LoadError(self.lost_reason))
        else:
            reply = self._replies.pop(message[1], None)
            if reply and not reply.done():
                reply.set_result(message)

    async def close(self, seconds: float = 2.0, goodbye: bool = True) -> None:
        """Leave with GOODBYE, wait for the answer, then close the WebSocket."""
        self._closing = True
        if goodbye and self.welcomed and not self.lost.is_set():
            answered = asyncio.Event()

            def receive(data: bytes) -> None:
                if self.wire.head(data)[0] == w.GOODBYE:
                    answered.set()

            self.receive = receive
            self.send(self.wire.encode([w.GOODBYE, {}, "wamp.close.normal"]))
            waiters = [asyncio.ensure_future(event.wait()) for event in (answered, self.lost)]
            await asyncio.wait(waiters, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for waiter in waiters:
                waiter.cancel()
        await super().close(seconds)

    def _receive_handshake(self, data: bytes) -> None:
        message = self.wire.decode(data)
        if message[0] == w.WELCOME:
            self.welcomed = True
            self.may_be_lost = False
            self.receive = self.receive_reply
            if not self.joined.done():
                self.joined.set_result(message[1])
        elif not self.joined.done():
            self.joined.set_exception(JoinError(f"no WELCOME but {message}"))


async def _open(listener: Connection, options: Options, subprotocol: str | None) -> None:
    headers = {"Sec-WebSocket-Protocol": subprotocol} if subprotocol else None
    try:
        await ws_connect(
            lambda: listener,
            options.url,
            extra_headers=headers,
            websocket_handshake_timeout=options.timeout,
            max_frame_size=MAX_FRAME,
            logger_name="wampload",
        )
    except (OSError, WSError, TimeoutError) as error:
        raise JoinError(f"cannot open {options.url}: {error!r}") from error
    if subprotocol:
        agreed = listener.transport.response.headers.get("Sec-WebSocket-Protocol")
        if agreed != subprotocol:
            await listener.close()
            raise JoinError(f"asked for subprotocol {subprotocol}, the server chose {agreed}")


async def connect(options: Options, monitor: Monitor, frame_type: WSMsgType) -> Connection:
    """Open a WebSocket connection without a session."""
    connection = Connection(monitor, frame_type)
    await _open(connection, options, options.subprotocol)
    return connection


async def join(options: Options, monitor: Monitor) -> Session:
    """Open a connection and join the realm anonymously."""
    session = Session(monitor, options)
    session.may_be_lost = True  # until WELCOME, because an earlier loss raises JoinError
    await _open(session, options, options.subprotocol or session.wire.subprotocol)
    try:
        await asyncio.wait_for(session.joined, options.timeout)
    except TimeoutError as error:
        await session.close()
        raise JoinError(f"no WELCOME within {options.timeout} s") from error
    except JoinError:
        await session.close()
        raise
    return session


async def join_many(options: Options, monitor: Monitor, count: int, at_once: int = 32) -> list[Session]:
    """Open `count` sessions, `at_once` at the same time."""
    sessions: list[Session] = []
    for start in range(0, count, at_once):
        batch = min(at_once, count - start)
        sessions += await asyncio.gather(*(join(options, monitor) for _ in range(batch)))
    return sessions


async def close_all(connections: list[Any], at_once: int = 256) -> None:
    for start in range(0, len(connections), at_once):
        await asyncio.gather(*(c.close() for c in connections[start : start + at_once]))
