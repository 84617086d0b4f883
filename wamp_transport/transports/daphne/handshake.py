"""The opening handshake under Daphne: options of the path before the answer, answers that are whole, ASGI's events.

Section of RFC 6455: 4.2, "Server-Side Requirements".
"""

import time
from collections.abc import Iterable
from functools import cached_property
from types import NoneType
from typing import Any, Final, NamedTuple

from autobahn.websocket.types import ConnectionDeny

from ... import __version__
from ...compat.autobahn import set_initial_state, timer_of
from ...compat.daphne import WebSocketProtocol
from ...config.configuration import PathService
from ...config.websocket import WebSocketOptions
from ..closing import close_text
from ..logs import log_access
from ..proxies import forward
from ..service import TLS_DETAILS
from ..trace import Trace, traffic_logger
from ..upgrade import UpgradeRequest, switching_protocols
from .channel import phrase
from .deflate import PerMessageDeflate, agree
from .options import WAIT_FOR_WHOLE, apply, is_debugged, options_of, restart_pings, tune_socket
from .requests import believed_root_path, transport_factory, transport_key
from .tls import tls_details

SAME: Final = (int, float, bytes, NoneType)
"""Kinds of values that never change."""

SOFTWARE: Final = f"wampnode/{__version__}"


class Requested(NamedTuple):
    """What Daphne keeps of a request for its log."""

    path: str


class HandshakeProtocol(WebSocketProtocol):
    """Daphne's WebSocket protocol with the handshake of a configured service; for other paths it is as it was."""

    data: bytes
    openHandshakeTimeoutCall: Any
    _options: WebSocketOptions | None = None
    _trace: Trace | None = None
    compression: PerMessageDeflate | None

    is_framed = True
    """Whether the link takes whole frames, the same for all connections on its lane."""

    # A connection is itself alone, as without Daphne's functions for it, which take longer.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    _accept_headers: Iterable[tuple[bytes, bytes]] = ()
    openHandshakeTimeout: float
    _method = b"GET"
    socket_opened: float | None = None
    client_addr: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.target = b""
        self._upgrade: UpgradeRequest | None = None
        self._refusal: dict[str, Any] | None = None
        self._refusal_body = b""

    def begin(self, transport: Any, request: UpgradeRequest) -> None:
        """Start the application for a request that is read and found good: nothing is left to be parsed.

        For the classes that :func:`~.protocol.protocol_with` makes.
        """
        self.server = self.factory.server_class
        self._upgrade = request
        self._take_over(transport)
        assert self._options is not None  # noqa: S101 - the class has them
        tune_socket(transport, self._options)
        self.request = Requested(request.path.decode())
        self.target = self.path = request.path
        self.root_path = self.server.root_path
        self.websocket_version = 13
        self.websocket_protocols = request.subprotocols
        self.socket_opened = self.last_ping = time.time()
        self.data = request.rest
        peer, host = transport.getPeer(), transport.getHost()
        is_internet = hasattr(peer, "port")
        self.client_addr = [peer.host, peer.port] if is_internet else None
        self.server_addr = [host.host, host.port] if is_internet else None
        self.server.protocol_connected(self)
        scope = {
            "type": "websocket",
            "root_path": self.root_path,
            "headers": request.headers,
            "query_string": request.query,
            "client": self.client_addr,
            "server": self.server_addr,
        }
        self.applicationCreateWorked(self.server.create_application(self, scope))

    def _take_over(self, transport: Any) -> None:
        """What Autobahn does with a new connection, but for what only its log and its clients use."""
        self.transport = transport
        self.connected = 1
        self.peer = ""
        if self.openHandshakeTimeout > 0:
            self.openHandshakeTimeoutCall = timer_of(self.factory).call_later(
                self.openHandshakeTimeout, self.onOpenHandshakeTimeout
            )
        self.factory.countConnections += 1

    def processHandshake(self) -> None:
        """Apply the options of the path before the request is looked at."""
        if hasattr(self, "request"):
            # The application still thinks about the request, so this is no other one: it waits for its turn.
            if len(self.data) > WAIT_FOR_WHOLE:
                self.transport.pauseProducing()
            return
        self.server = self.factory.server_class
        self._method, *target = self.data.split(b" ", 2)[:2]
        self.target = target[0].partition(b"?")[0] if target else b""
        service = self.server.find_service(transport_key(self.transport), self.target)
        if service is not None:
            self._options = options_of(service)
            apply(self, self._options)
            if is_debugged(service):
                self._begin_trace(service)
        super().processHandshake()

    def _begin_trace(self, service: PathService) -> None:
        """Tell of everything from here on."""
        trace = self._trace = Trace(traffic_logger(service), str(self.peer))
        head, _, rest = self.data.partition(b"\r\n\r\n")
        trace.asked(self.target, (line.partition(b":")[::2] for line in head.split(b"\r\n")[1:]))
        trace.received(rest)
        trace.listen(self)

    def onConnect(self, request: Any) -> Any:
        """Start the application, unless the request holds what Daphne would stumble over."""
        if not request.headers.get("sec-websocket-protocol", "").isascii():
            raise ConnectionDeny(400, "the Sec-WebSocket-Protocol header is not ASCII")  # type: ignore[no-untyped-call]
        if self._options is not None:
            self._agree_to_compression(self._options)
            self.websocket_extensions: list[Any] = []  # settled: Autobahn would refuse a strange parameter
        return super().onConnect(request)

    def _agree_to_compression(self, options: WebSocketOptions) -> None:
        if options.compression is None or options.compression.deflate is None:
            return
        terms = agree(self.websocket_extensions, options.compression.deflate)
        if terms is not None:
            self.use_compression(PerMessageDeflate(terms))
            self.is_framed = self.is_framed and terms.our_reset

    def _switch_protocols(self, request: UpgradeRequest, message: dict[str, Any]) -> None:
        """The application takes a connection that :meth:`begin` began: it is open."""
        self._upgrade = None
        headers = [*message.get("headers", ())]
        if message.get("subprotocol"):
            headers.append((b"Sec-WebSocket-Protocol", message["subprotocol"].encode()))
        if self._options is not None and self._options.show_server_version:
            headers.append((b"Server", SOFTWARE.encode()))
        self.websocket_protocol_in_use = message.get("subprotocol")
        self.websocket_extensions_in_use: list[Any] = []
        self.inside_message = False
        self.current_frame = None
        self.sendData(switching_protocols(request.key, headers))
        self.state = self.STATE_OPEN
        if self.openHandshakeTimeoutCall is not None:
            self.openHandshakeTimeoutCall.cancel()
            self.openHandshakeTimeoutCall = None
        restart_pings(self)
        self.onOpen()
        if self.data:
            self.consumeData()

    def identify(self, scope: dict[str, Any]) -> None:
        """Put into the scope of this handshake who asks, by TLS and by what a trusted proxy says."""
        details = tls_details(self.transport)
        scope["scheme"] = "wss" if details else "ws"
        if details:
            scope["extensions"][TLS_DETAILS] = details
        factory = transport_factory(self.transport)
        scope["wamp_transport"] = transport_key(self.transport)
        if factory is not None:
            scope["root_path"] = believed_root_path(scope["root_path"], scope["client"], factory, self.server)
            forward(scope, factory.proxies)
            self.client_addr = scope["client"]

    def dropConnection(self, abort: bool = False) -> None:
        """Close the socket; with TLS it would stay open for as long as anybody is registered to write more."""
        super().dropConnection(abort)
        if self.transport is not None:
            self.transport.unregisterProducer()

    def serverAccept(self, subprotocol: str | None = None) -> None:
        """The application takes the connection; the answer names the software only where it shall."""
        headers: dict[str, list[str]] = {}
        for name, value in self._accept_headers:
            headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        if self._options is not None and self._options.show_server_version:
            headers["Server"] = [SOFTWARE]
        if self.compression is not None:
            headers["Sec-WebSocket-Extensions"] = [self.compression.terms.answer]
        super().serverAccept((subprotocol, headers))

    def handle_reply(self, message: dict[str, Any]) -> None:
        """ASGI events, those included that Daphne does not know or takes for mistakes."""
        kind = message.get("type")
        if kind == "websocket.accept" and self._upgrade is not None:
            self._switch_protocols(self._upgrade, message)
        elif kind == "websocket.accept":
            self._accept_headers = message.get("headers", ())
            super().handle_reply(message)
        elif kind == "websocket.http.response.start" and self.state == self.STATE_CONNECTING:
            self._refusal = message
        elif kind == "websocket.http.response.body" and self._refusal is not None:
            self._refusal_body += message.get("body", b"")
            if not message.get("more_body"):
                self._refuse(self._refusal)
                self._refusal = None
        elif kind == "websocket.close" and self.state == self.STATE_OPEN:
            self.sendCloseFrame(message.get("code") or 1000, close_text(message.get("reason") or "", "").encode())
        elif kind == "websocket.send" and (message.get("bytes") == b"" or message.get("text") == ""):
            self.serverSend(b"" if message.get("text") is None else "", message.get("text") is None)
        else:
            super().handle_reply(message)

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        """An HTTP answer that is complete, so that clients show it instead of a broken connection."""
        headers = [("Content-Type", "text/plain; charset=utf-8"), *(responseHeaders or ())]
        if any(name.lower() == "sec-websocket-version" for name, _ in headers):
            code = 426  # RFC 6455, 4.4: another version would do
        if code == 426:
            headers.append(("Upgrade", "websocket"))
        elif code == 405:
            headers.append(("Allow", "GET"))
        self._answer(code, headers, reason.encode() + b"\n")

    def _answer(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status} {phrase(status).decode()}"]
        lines += [f"{name}: {value}" for name, value in headers if name.lower() not in ("content-length", "connection")]
        lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
        self.sendData("\r\n".join(lines).encode("latin-1") + body)

    def _answered(self, answer: bytes) -> None:
        """The handshake is answered, one way or the other."""
        if self._trace is not None:
            self._trace.answered(answer)
        factory = transport_factory(self.transport)
        if factory is not None and factory.listener.options.access_log:
            now = time.time()
            head, _, body = answer.partition(b"\r\n\r\n")
            client = self.client_addr or [getattr(self.transport.getPeer(), "host", "unix")]
            seconds = now - (self.socket_opened or now)
            log_access(client, self._method, self.target, int(head.split(b" ", 2)[1]), len(body), seconds)

    def handle_exception(self, exception: BaseException) -> None:
        """The application failed; see Daphne's."""
        if self._upgrade is not None:
            self._upgrade = None
            self.failHandshake("Internal server error", 500)
        else:
            super().handle_exception(exception)

    def serverReject(self) -> None:
        """The application does not take the connection, and does not say why."""
        if self._upgrade is None:
            super().serverReject()
        else:
            self._refuse({"status": 403})

    def _refuse(self, message: dict[str, Any]) -> None:
        if self._upgrade is None:
            del self.handshake_deferred
        self._upgrade = None
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]
        self.wasNotCleanReason = f"refused with status {message['status']}"
        self._answer(message["status"], headers, self._refusal_body)
        self.dropConnection(abort=False)
        self.server.protocol_disconnected(self)
        client = ":".join(map(str, self.client_addr)) if self.client_addr else None
        self.server.log_action("websocket", "rejected", {"path": self.request.path, "client": client})


def beginning(kind: type[HandshakeProtocol]) -> dict[str, Any]:
    """What Autobahn sets for each new connection of a class, as attributes of the class.

    So what does not change takes no time and no memory, and what each connection has for itself (validator, queue,
    statistics) is made when it is needed. ``kind`` has all its configuration and a factory.
    """
    blank = type(kind.__name__, (kind,), {"openHandshakeTimeout": 0})()
    before = set(vars(blank))
    set_initial_state(blank)
    made = {name: value for name, value in vars(blank).items() if name not in before}
    return {name: value if isinstance(value, SAME) else made_when_needed(type(value)) for name, value in made.items()}


def made_when_needed(kind: type) -> Any:
    """An attribute that each instance has for itself from its first use on."""
    return cached_property(lambda _: kind())
