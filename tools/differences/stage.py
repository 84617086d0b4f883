"""Provide scenarios with a running router and its peers, and describe the messages that they receive."""

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple

import msgpack

from tests.integration.wire import BINARY, CLOSE, PING, PONG, TEXT, Wire, frame

from .autobahn import Autobahn, words
from .routers import Place

ANSWER = 4.0
"""Seconds to wait for an answer."""

LONGEST_LOGIN = 30.0
"""Seconds to wait for the outcome of a login with Autobahn."""

SILENCE = 0.4
"""Seconds without a frame, after a ping was answered, after which no more frames are expected."""

NAMES = {1: "HELLO", 2: "WELCOME", 3: "ABORT", 4: "CHALLENGE", 6: "GOODBYE", 8: "ERROR", 17: "PUBLISHED"}
NAMES |= {33: "SUBSCRIBED", 35: "UNSUBSCRIBED", 36: "EVENT", 50: "RESULT", 65: "REGISTERED", 67: "UNREGISTERED"}
NAMES |= {68: "INVOCATION", 69: "INTERRUPT"}

ROLES: Mapping[str, Any] = {
    "publisher": {"features": {"publisher_identification": True}},
    "subscriber": {"features": {"subscription_revocation": True, "pattern_based_subscription": True}},
    "caller": {"features": {"call_canceling": True, "call_timeout": True, "progressive_call_results": True}},
    "callee": {
        "features": {
            "call_canceling": True,
            "progressive_call_results": True,
            "pattern_based_registration": True,
            "shared_registration": True,
            "registration_revocation": True,
            "progressive_call_invocations": True,
        }
    },
}
PLAIN_ROLES: Mapping[str, Any] = {role: {} for role in ROLES}

SHOWN = ("progress", "retained", "mode")


class Unexpected(Exception):
    """A scenario cannot continue. The unexpected messages are the observation."""


class Ended(NamedTuple):
    """The router has closed the connection, or sends nothing."""

    how: str


class Peer:
    """A WAMP client that sends and receives frames."""

    def __init__(self, wire: Wire, serializer: str = "json") -> None:
        self.wire = wire
        self.serializer = serializer
        self.inbox: list[list[Any]] = []
        self.request_id = 0
        self.session_id = 0
        self.head = ""

    def send(self, *message: Any) -> None:
        """Send any message."""
        self.send_bytes(json.dumps(message).encode() if self.serializer == "json" else msgpack.packb(message))

    def send_bytes(self, data: bytes) -> None:
        """Send one frame, text or binary as the serializer needs."""
        with suppress(OSError):
            self.wire.send(frame(TEXT if self.serializer == "json" else BINARY, data))

    def next_id(self) -> int:
        """Return the next request id."""
        self.request_id += 1
        return self.request_id

    def read(self, seconds: float = ANSWER) -> Any:
        """Return the next message, or how the connection ended."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.wire.socket.settimeout(left)
            try:
                received = self.wire.frame()
            except TimeoutError:
                break
            except (EOFError, OSError):
                return Ended("the connection drops")
            if received.opcode == CLOSE:
                with suppress(OSError):
                    self.wire.send(frame(CLOSE, received.payload[:2]))
                return Ended(f"close {received.code}" if received.payload else "close without code")
            if received.opcode == PONG:
                return Ended("pong")
            if received.opcode in (TEXT, BINARY):
                try:
                    return (
                        json.loads(received.payload) if received.opcode == TEXT else msgpack.unpackb(received.payload)
                    )
                except ValueError:
                    return Ended("something unreadable")
        return Ended("nothing")

    def request(self, code: int, *rest: Any) -> Any:
        """Send a request with the next id and return its answer. Other messages are kept for ``heard``."""
        request_id = self.next_id()
        self.send(code, request_id, *rest)
        return self.answer(request_id)

    def answer(self, request_id: int) -> Any:
        """Return the answer to a request, or how the connection ended."""
        deadline = time.monotonic() + ANSWER
        while isinstance(message := self.read(max(0.01, deadline - time.monotonic())), list):
            if message[0] == 8 and message[2] == request_id and message[1] != 68:
                return message
            if message[0] in (17, 33, 35, 50, 65, 67) and message[1] == request_id:
                return message
            self.inbox.append(message)
        return Ended("no answer") if message.how == "nothing" else message

    def id_from(self, message: Any, code: int) -> int:
        """Return the id in a positive answer."""
        if not isinstance(message, list) or message[0] != code:
            raise Unexpected(told(message))
        return int(message[2])

    def subscribe(self, topic: str, **options: Any) -> int:
        """Subscribe and return the subscription id."""
        return self.id_from(self.request(32, options, topic), 33)

    def register(self, procedure: str, **options: Any) -> int:
        """Register and return the registration id."""
        return self.id_from(self.request(64, options, procedure), 65)

    def publish(self, topic: str, *args: Any, **options: Any) -> int:
        """Publish with acknowledgment and return the publication id."""
        return self.id_from(self.request(16, {"acknowledge": True, **options}, topic, list(args)), 17)

    def start_call(self, procedure: str, *args: Any, **options: Any) -> int:
        """Send a CALL and return its request id."""
        request_id = self.next_id()
        self.send(48, request_id, options, procedure, list(args))
        return request_id

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call and wait for the answer."""
        return self.request(48, {}, procedure, list(args), kwargs)

    def messages(self) -> list[Any]:
        """Return all messages until no more arrive. If the connection ends, that is the last item."""
        heard: list[Any] = [*self.inbox]
        self.inbox.clear()
        with suppress(OSError):
            self.wire.send(frame(PING, b"still there"))
        seconds = ANSWER
        while True:
            message = self.read(seconds)
            if message == Ended("pong"):
                seconds = SILENCE
            elif message == Ended("nothing"):
                return heard
            else:
                heard.append(message)
                if isinstance(message, Ended) and message.how != "something unreadable":
                    return heard

    def heard(self, *shown: str) -> str:
        """Describe all messages that arrive, with these details in addition to the usual ones."""
        return told(*self.messages(), shown=shown)

    def invocation(self) -> list[Any]:
        """Return the next INVOCATION."""
        for index, message in enumerate(self.inbox):
            if message[0] == 68:
                return self.inbox.pop(index)
        while isinstance(message := self.read(), list):
            if message[0] == 68:
                return message
            self.inbox.append(message)
        raise Unexpected(f"no INVOCATION, {told(message)}")

    def close(self) -> None:
        """Close with the closing handshake, so that nothing of this peer is left for the next scenario."""
        with suppress(OSError):
            self.wire.socket.settimeout(ANSWER)
            self.wire.send(frame(CLOSE, b"\x03\xe8"))
            self.wire.read_to_end()
        self.wire.socket.close()


class Stage:
    """A router, URIs that no other scenario uses, and an Autobahn client for logins."""

    def __init__(self, place: Place, number: int, autobahn: Autobahn) -> None:
        self.place = place
        self.port = place.port
        self.autobahn = autobahn
        self.prefix = f"com.s{number:03}"
        self.peers: list[Peer] = []

    def uri(self, name: str = "it") -> str:
        """Return a URI that only this scenario uses."""
        return f"{self.prefix}.{name}"

    def start_login(self, path: str, method: str, **login: Any) -> "Future[dict[str, Any]]":
        """Start a login with Autobahn and return its future outcome. ``client`` names the certificate for TLS."""
        url = f"ws://localhost:{self.place.port}/{path}"
        if "tls" in login:
            url = f"wss://localhost:{self.place.secure}/{path}"
            login["ca"] = str(self.place.directory / "ca.pem")
            if (client := login.pop("client", None)) is not None:
                login["certificate"] = str(self.place.directory / f"{client}.pem")
                login["key"] = str(self.place.directory / f"{client}.key")
        return self.autobahn.start({"url": url, "realm": "logins", "method": method, **login})

    def login(self, path: str, method: str, **login: Any) -> str:
        """Log in with Autobahn and describe the outcome."""
        return words(self.start_login(path, method, **login).result(LONGEST_LOGIN))

    def wire(self) -> Wire:
        """Open a TCP connection."""
        peer = Peer(Wire(self.port))
        self.peers.append(peer)
        return peer.wire

    def connect(self, path: str = "/ws", serializer: str = "json", **options: Any) -> Peer:
        """Open a WebSocket without a session."""
        peer = Peer(Wire(self.port), serializer)
        self.peers.append(peer)
        peer.head = peer.wire.upgrade(path, subprotocol=f"wamp.2.{serializer}", **options)
        status = peer.head.split("\r\n")[0]
        if " 101 " not in f"{status} ":
            raise Unexpected(status)
        return peer

    def join(self, path: str = "/ws", *, realm: str = "realm1", roles: Any = ROLES, serializer: str = "json") -> Peer:
        """Open a session."""
        peer = self.connect(path, serializer)
        peer.send(1, realm, {"roles": roles})
        welcome = peer.read()
        if not isinstance(welcome, list) or welcome[0] != 2:
            raise Unexpected(told(welcome))
        peer.session_id = welcome[1]
        return peer

    def answer(self, request: bytes | str) -> str:
        """Send an HTTP request and return the status, or that there is no answer."""
        wire = self.wire()
        wire.socket.settimeout(ANSWER)
        wire.send(request.encode("latin-1") if isinstance(request, str) else request)
        return self.status(wire)

    @staticmethod
    def status(wire: Wire) -> str:
        """Read the response and return its status."""
        try:
            return wire.head().split()[1]
        except TimeoutError:
            return "no answer"
        except (EOFError, OSError):
            return "the connection drops"

    def upgrade(self, path: str = "/ws", *headers: str, **options: Any) -> str:
        """Request a WebSocket and return the status."""
        return self.head(path, *headers, **options).split(" ")[1]

    def head(self, path: str = "/ws", *headers: str, **options: Any) -> str:
        """Request a WebSocket and return the head of the response, or a substitute if there is no response."""
        wire = self.wire()
        wire.socket.settimeout(ANSWER)
        try:
            return wire.upgrade(path, headers=headers, **options)
        except TimeoutError:
            return "- never"
        except (EOFError, OSError):
            return "- dropped"

    def close(self) -> None:
        """Close all peers."""
        for peer in self.peers:
            peer.close()


def told(*messages: Any, shown: Iterable[str] = ()) -> str:
    """Describe messages without ids and with the relevant details only."""
    return "; ".join(_told(message, (*SHOWN, *shown)) for message in messages) or "nothing"


def _told(message: Any, shown: Sequence[str]) -> str:
    if not isinstance(message, list):
        return str(getattr(message, "how", message))
    name = NAMES.get(message[0], str(message[0]))
    if message[0] in (3, 6):
        return f"{name} {message[2]}"
    if message[0] == 8:
        return f"{name} {message[4]}{_payload(message[5:])}"
    place = {36: 3, 50: 2, 68: 3, 69: 2}.get(message[0])
    if place is None:
        return name
    details = {key: message[place][key] for key in shown if key in message[place]}
    return " ".join([name, *([text(details)] if details else [])]) + _payload(message[place + 1 :])


def _payload(parts: Sequence[Any]) -> str:
    return "".join(f" {text(part)}" for part in parts if part)


def text(value: Any) -> str:
    """Return a value as JSON, without the parts that differ in each run."""
    written = json.dumps(value, sort_keys=True, ensure_ascii=False, default=repr)
    return re.sub(r"\b\d{8,}\b", "id", written)
