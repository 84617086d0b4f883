"""The opening handshake under Daphne: apply the options of the path and process ASGI events.

See RFC 6455, section 4.2, "Server-Side Requirements".
"""

import time
from collections.abc import Iterable
from functools import cached_property
from types import NoneType
from typing import Any, Final

from autobahn.websocket.types import ConnectionDeny

from ... import __version__
from ...compat.autobahn import set_initial_state
from ...compat.daphne import WebSocketProtocol
from ...config.configuration import PathService
from ...config.websocket import WebSocketOptions
from ..close_codes import close_text
from ..fast_handshake import UpgradeRequest
from ..logs import log_access
from ..proxies import forward
from ..service import TLS_DETAILS
from ..trace import Trace, traffic_logger
from .deflate import PerMessageDeflate, agree
from .handshake_answers import DenialResponse, error_answer
from .options import MAX_WHOLE_FRAME_BYTES, apply, apply_live, is_debugged, options_of, restart_pings
from .requests import believed_root_path, root_path_header, transport_factory, transport_key
from .simple_handshake import SimpleHandshake
from .sockets import address_of
from .tls import tls_details

SHARED: Final = (int, float, bytes, NoneType)
"""Types whose values are immutable, so that connections can share them."""

SOFTWARE: Final = f"wampnode/{__version__}"


class HandshakeProtocol(WebSocketProtocol):
    """Daphne's WebSocket protocol with the options of a configured service.

    Requests for paths without a service are handled as in Daphne.
    """

    data: bytes
    _options: WebSocketOptions | None = None
    _trace: Trace | None = None
    compression: PerMessageDeflate | None

    is_framed = True
    """Whether encoders create complete frames, which several connections can share."""

    # Daphne's functions do the same, but are slower.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    _accept_headers: Iterable[tuple[bytes, bytes]] = ()
    _method = b"GET"
    socket_opened: float | None = None
    client_addr: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.target = b""
        self.mount_path = ""
        self._simple_handshake: SimpleHandshake | None = None
        self._denial: DenialResponse | None = None

    def begin(self, transport: Any, request: UpgradeRequest) -> None:
        """Start the application for a valid request, which was parsed before this object was created."""
        self._simple_handshake = SimpleHandshake(self, request)
        self._simple_handshake.begin(transport)

    def processHandshake(self) -> None:
        """Apply the options of the path before Autobahn parses the request."""
        if hasattr(self, "request"):
            # The application has not responded to the request yet. These bytes are frames, which must wait until then.
            if len(self.data) > MAX_WHOLE_FRAME_BYTES:
                self.transport.pauseProducing()
            return
        self.server = self.factory.server_class
        self._method, *target = self.data.split(b" ", 2)[:2]
        self.target = target[0].partition(b"?")[0] if target else b""
        self.mount_path = self._root_path_before_parsing()
        service = self.server.find_service(transport_key(self.transport), self.target, self.mount_path)
        if service is not None:
            self._options = options_of(service)
            apply(self, self._options)
            if is_debugged(service):
                self._begin_trace(service)
        super().processHandshake()

    def _root_path_before_parsing(self) -> str:
        """Return the root path of the request, whose headers are not parsed yet."""
        factory, peer = transport_factory(self.transport), self.transport.getPeer()
        if factory is None:
            return str(self.server.root_path)
        sent = root_path_header(self.data.partition(b"\r\n\r\n")[0]) if factory.proxies else None
        return believed_root_path(
            str(self.server.root_path) if sent is None else sent, [address_of(peer)], factory, self.server
        )

    def _begin_trace(self, service: PathService) -> None:
        """Log the request. From now on, also log the response and all frames that are received or sent."""
        trace = self._trace = Trace(traffic_logger(service), str(self.peer))
        head, _, rest = self.data.partition(b"\r\n\r\n")
        trace.asked(self.target, (line.partition(b":")[::2] for line in head.split(b"\r\n")[1:]))
        trace.received(rest)
        trace.listen(self)

    def onConnect(self, request: Any) -> Any:
        """Agree on compression and start the application. Refuse requests that Daphne cannot handle."""
        if not request.headers.get("sec-websocket-protocol", "").isascii():
            raise ConnectionDeny(400, "the Sec-WebSocket-Protocol header is not ASCII")  # type: ignore[no-untyped-call]
        if self._options is not None:
            self._agree_to_compression(self._options)
            self.websocket_extensions: list[Any] = []  # Autobahn would refuse unknown parameters
        return super().onConnect(request)

    def _agree_to_compression(self, options: WebSocketOptions) -> None:
        if options.compression is None or options.compression.deflate is None:
            return
        parameters = agree(self.websocket_extensions, options.compression.deflate)
        if parameters is not None:
            self.use_compression(PerMessageDeflate(parameters))
            # With context takeover, a frame depends on the frames before it, so connections cannot share it.
            self.is_framed = self.is_framed and parameters.our_reset

    def refresh(self, options: WebSocketOptions | None) -> None:
        """Apply the changed options of the path, except those that cannot change on an open connection."""
        if self._options is None or options is None or options == self._options:
            return
        if self.state in (self.STATE_CONNECTING, self.STATE_OPEN):
            self._options = options
            apply_live(self, options)
        if self.state == self.STATE_OPEN:
            restart_pings(self)

    def identify(self, scope: dict[str, Any]) -> None:
        """Add the transport and the details of TLS to the ASGI scope of this handshake.

        If a trusted proxy reports the client's address, use it instead of the proxy's address.
        """
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
        """Close the socket, and unregister the object that writes to it (in Twisted's terms, the transport's producer).

        While a producer is registered, Twisted does not close a TLS connection.
        """
        super().dropConnection(abort)
        if self.transport is not None:
            self.transport.unregisterProducer()

    def serverAccept(self, subprotocol: str | None = None) -> None:
        """Accept the handshake, with headers from the application and from the options."""
        headers: dict[str, list[str]] = {}
        for name, value in self._accept_headers:
            headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        if self._options is not None and self._options.show_server_version:
            headers["Server"] = [SOFTWARE]
        if self.compression is not None:
            headers["Sec-WebSocket-Extensions"] = [self.compression.parameters.answer]
        super().serverAccept((subprotocol, headers))

    def _accept_simple(self, handshake: SimpleHandshake, message: dict[str, Any]) -> None:
        self._simple_handshake = None
        headers = [*message.get("headers", ())]
        if self._options is not None and self._options.show_server_version:
            headers.append((b"Server", SOFTWARE.encode()))
        handshake.accept(message.get("subprotocol"), headers)

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Process an ASGI event.

        Events that Daphne handles correctly are passed to Daphne's own method.
        """
        kind = message.get("type")
        if kind == "websocket.accept" and self._simple_handshake is not None:
            self._accept_simple(self._simple_handshake, message)
        elif kind == "websocket.accept":
            self._accept_headers = message.get("headers", ())
            super().handle_reply(message)
        elif kind == "websocket.http.response.start" and self.state == self.STATE_CONNECTING:
            self._denial = DenialResponse(message)
        elif kind == "websocket.http.response.body" and self._denial is not None:
            if self._denial.add(message):
                self._refuse(self._denial)
                self._denial = None
        elif kind == "websocket.close" and self.state == self.STATE_OPEN:
            self.sendCloseFrame(message.get("code") or 1000, close_text(message.get("reason") or "", "").encode())
        elif kind == "websocket.send" and (message.get("bytes") == b"" or message.get("text") == ""):
            self.serverSend(b"" if message.get("text") is None else "", message.get("text") is None)
        else:
            super().handle_reply(message)

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        """Send an HTTP error for a handshake that Autobahn refuses."""
        self.sendData(error_answer(code, reason, responseHeaders or ()))

    def _log_sent(self, data: bytes) -> None:
        """If the service or the transport has a log, log the response to the handshake or the frames in ``data``."""
        is_answer = self.state == self.STATE_CONNECTING
        if self._trace is not None:
            (self._trace.answered if is_answer else self._trace.sent)(data)
        factory = transport_factory(self.transport) if is_answer else None
        if factory is not None and factory.listener.options.access_log:
            now = time.time()
            head, _, body = data.partition(b"\r\n\r\n")
            client = self.client_addr or [getattr(self.transport.getPeer(), "host", "unix")]
            seconds = now - (self.socket_opened or now)
            log_access(client, self._method, self.target, int(head.split(b" ", 2)[1]), len(body), seconds)

    def onClose(self, wasClean: bool, code: Any, reason: Any) -> None:
        """Report to the server that the socket is closed, even if no request was parsed before."""
        if self._trace is not None:
            self._trace.ended(wasClean, code, reason)
        if hasattr(self, "path"):
            super().onClose(wasClean, code, reason)
        else:
            self.factory.server_class.protocol_disconnected(self)

    def handle_exception(self, exception: BaseException) -> None:
        """Refuse or close the connection after the application has failed."""
        if self._simple_handshake is not None:
            self._simple_handshake = None
            self.failHandshake("Internal server error", 500)
        else:
            super().handle_exception(exception)

    def serverReject(self) -> None:
        """Refuse the connection, because the application has rejected it without a reason."""
        if self._simple_handshake is None:
            super().serverReject()
        else:
            self._refuse(DenialResponse({"status": 403}))

    def _refuse(self, denial: DenialResponse) -> None:
        if self._simple_handshake is None:
            del self.handshake_deferred
        self._simple_handshake = None
        self.wasNotCleanReason = f"refused with status {denial.status}"
        self.sendData(denial.answer())
        self.dropConnection(abort=False)
        self.server.protocol_disconnected(self)
        client = ":".join(map(str, self.client_addr)) if self.client_addr else None
        self.server.log_action("websocket", "rejected", {"path": self.request.path, "client": client})


def initial_attributes(kind: type[HandshakeProtocol]) -> dict[str, Any]:
    """Return the attributes that Autobahn sets on each new connection, so that they can be set on the class instead.

    This saves time and memory per connection. Mutable values (validator, queue, statistics) become lazy attributes,
    which each connection creates when it needs them. All options must already be set on the class ``kind``, and it must
    have a factory.
    """
    blank = type(kind.__name__, (kind,), {"openHandshakeTimeout": 0})()
    before = set(vars(blank))
    set_initial_state(blank)
    state = {name: value for name, value in vars(blank).items() if name not in before}
    return {name: value if isinstance(value, SHARED) else lazy_attribute(type(value)) for name, value in state.items()}


def lazy_attribute(kind: type) -> Any:
    """Return an attribute whose value is created for each instance on first use."""
    return cached_property(lambda _: kind())
