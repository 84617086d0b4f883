"""A minimal WAMP router to test the load generator with. It fails on demand: see `Faults`."""

import asyncio
from dataclasses import dataclass
from typing import Any

from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from benchmarks.wampload import wire as w


@dataclass
class Faults:
    """The faults that the router shall have."""

    abort: bool = False  # ABORT instead of WELCOME
    mute: bool = False  # never answers HELLO
    wrong_subprotocol: bool = False
    fail_calls: bool = False  # ERROR to every CALL
    swallow_every: int = 0  # every n-th event is not delivered
    swap_every: int = 0  # every n-th event is delivered after the next one
    alter_payload: bool = False  # RESULT with other arguments
    hang_up_after: int = 0  # drops the connection after n messages
    slow_limit: int = 0  # drops a session with more unsent bytes than this
    goodbye_to_slow: bool = False  # sends GOODBYE to that session, and closes once it is written


class MiniRouter:
    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.last_id = 0
        self.links: set[Link] = set()
        self.procedures: dict[str, tuple[Peer, int]] = {}
        self.topics: dict[tuple[str, str], tuple[int, list[Peer]]] = {}

    def new_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def matching(self, topic: str) -> list[tuple[int, list["Peer"]]]:
        def matches(match: str, pattern: str) -> bool:
            if match == "prefix":
                return topic.startswith(pattern)
            if match == "wildcard":
                parts, others = pattern.split("."), topic.split(".")
                return len(parts) == len(others) and all(a in ("", b) for a, b in zip(parts, others, strict=True))
            return topic == pattern

        return [found for (match, pattern), found in self.topics.items() if matches(match, pattern)]

    async def start(self) -> str:
        def accept(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener | WSListener:
            asked = request.headers.get("Sec-WebSocket-Protocol")
            if asked is None:
                return Echo(self)
            name = "wamp.2.cbor" if self.faults.wrong_subprotocol else asked
            response = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": name})
            serializer = "json" if asked.endswith("json") else "msgpack"
            return WSUpgradeResponseWithListener(response, Peer(self, serializer))

        self.server = await ws_create_server(accept, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        return f"ws://127.0.0.1:{port}/ws"

    async def stop(self) -> None:
        """Stop listening, and drop the connections that are open."""
        self.server.close()
        remaining = list(self.links)
        for link in remaining:
            link.transport.disconnect(graceful=False)
        for link in remaining:
            await link.lost.wait()


class Link(WSListener):
    """The router's end of one connection."""

    def __init__(self, router: MiniRouter) -> None:
        self.router = router
        self.lost = asyncio.Event()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.router.links.add(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.router.links.discard(self)
        self.lost.set()


class Echo(Link):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            transport.disconnect()
        else:
            transport.send(frame.msg_type, frame.get_payload_as_bytes())


class Peer(Link):
    """The router's end of one session."""

    def __init__(self, router: MiniRouter, serializer: str) -> None:
        super().__init__(router)
        self.wire = w.WIRES[serializer]
        self.invocations: dict[int, tuple[Peer, int]] = {}
        self.messages = 0
        self.events = 0
        self.has_left = False
        self.held_back: list[list[Any]] = []

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        super().on_ws_disconnected(transport)
        for _, peers in self.router.topics.values():
            if self in peers:
                peers.remove(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            transport.disconnect()
            return
        self.messages += 1
        if self.messages == self.router.faults.hang_up_after:
            transport.disconnect(graceful=False)
            return
        self.handle(self.wire.decode(frame.get_payload_as_bytes()))

    def send(self, *message: Any) -> None:
        if self.has_left:
            return
        self.transport.send(self.wire.frame_type, self.wire.encode(list(message)))
        limit = self.router.faults.slow_limit
        if limit and self.transport.underlying_transport.get_write_buffer_size() > limit:
            self.drop()

    def drop(self) -> None:
        """End the session of a peer that does not read."""
        if not self.router.faults.goodbye_to_slow:
            self.transport.disconnect(graceful=False)
        elif not self.has_left:
            self.has_left = True
            self.transport.send(self.wire.frame_type, self.wire.encode([w.GOODBYE, {}, "wamp.close.killed"]))
            self.transport.disconnect()

    def send_event(self, *message: Any) -> None:
        faults = self.router.faults
        self.events += 1
        if faults.swallow_every and self.events % faults.swallow_every == 0:
            return
        if faults.swap_every and self.events % faults.swap_every == 0:
            self.held_back.append(list(message))
            return
        self.send(*message)
        while self.held_back:
            self.send(*self.held_back.pop())

    def handle(self, message: list[Any]) -> None:
        HANDLERS[message[0]](self, *message[1:])

    def on_hello(self, realm: str, details: dict[str, Any]) -> None:
        if self.router.faults.abort:
            self.send(w.ABORT, {}, "wamp.error.no_such_realm")
        elif not self.router.faults.mute:
            self.send(w.WELCOME, self.router.new_id(), {"roles": {"broker": {}, "dealer": {}}})

    def on_goodbye(self, details: dict[str, Any], reason: str) -> None:
        self.send(w.GOODBYE, {}, "wamp.close.goodbye_and_out")

    def on_register(self, request: int, options: dict[str, Any], procedure: str) -> None:
        registration = self.router.new_id()
        self.router.procedures[procedure] = (self, registration)
        self.send(w.REGISTERED, request, registration)

    def on_call(self, request: int, options: dict[str, Any], procedure: str, *payload: Any) -> None:
        if self.router.faults.fail_calls:
            self.send(w.ERROR, w.CALL, request, {}, "com.example.broken")
            return
        callee, registration = self.router.procedures[procedure]
        invocation = self.router.new_id()
        callee.invocations[invocation] = (self, request)
        callee.send(w.INVOCATION, invocation, registration, {}, *payload)

    def on_yield(self, invocation: int, options: dict[str, Any], *payload: Any) -> None:
        caller, call = self.invocations.pop(invocation)
        caller.send(w.RESULT, call, {}, *(["altered"] if self.router.faults.alter_payload else payload))

    def on_subscribe(self, request: int, options: dict[str, Any], topic: str) -> None:
        key = (options.get("match", "exact"), topic)
        subscription, peers = self.router.topics.setdefault(key, (self.router.new_id(), []))
        peers.append(self)
        self.send(w.SUBSCRIBED, request, subscription)

    def on_publish(self, request: int, options: dict[str, Any], topic: str, *payload: Any) -> None:
        publication = self.router.new_id()
        for subscription, peers in self.router.matching(topic):
            for peer in list(peers):
                if peer is not self:
                    peer.send_event(w.EVENT, subscription, publication, {}, *payload)
        if options.get("acknowledge"):
            self.send(w.PUBLISHED, request, publication)


HANDLERS = {
    w.HELLO: Peer.on_hello,
    w.GOODBYE: Peer.on_goodbye,
    w.REGISTER: Peer.on_register,
    w.CALL: Peer.on_call,
    w.YIELD: Peer.on_yield,
    w.SUBSCRIBE: Peer.on_subscribe,
    w.PUBLISH: Peer.on_publish,
}
