"""The opening handshake under Daphne: options of the path before the answer, answers that are whole, ASGI's events.

Section of RFC 6455: 4.2, "Server-Side Requirements".
"""

from collections.abc import Iterable
from typing import Any

from autobahn.websocket.types import ConnectionDeny
from daphne.ws_protocol import WebSocketProtocol
from twisted.web.http import RESPONSES

from ... import __version__
from ...config.websocket import WebSocketOptions
from ..closing import close_text
from .options import WAIT_FOR_WHOLE, apply
from .requests import transport_key


class HandshakeProtocol(WebSocketProtocol):  # type: ignore[misc]
    """Daphne's WebSocket protocol with the handshake of a configured service; for other paths it is as it was."""

    data: bytes
    openHandshakeTimeoutCall: Any

    def __init__(self) -> None:
        super().__init__()
        self.target = b""
        self._options: WebSocketOptions | None = None
        self._refusal: dict[str, Any] | None = None
        self._refusal_body = b""

    def processHandshake(self) -> None:
        """Apply the options of the path before the request is looked at."""
        if hasattr(self, "request"):
            # The application still thinks about the request, so this is no other one: it waits for its turn.
            if len(self.data) > WAIT_FOR_WHOLE:
                self.transport.pauseProducing()
            return
        self.server = self.factory.server_class
        target = self.data.split(b" ", 2)[1:2]
        self.target = target[0].partition(b"?")[0] if target else b""
        self._options = self.server.find_options(transport_key(self.transport), self.target)
        if self._options is not None:
            apply(self, self._options)
        super().processHandshake()

    def onConnect(self, request: Any) -> Any:
        """Start the application, unless the request holds what Daphne would stumble over."""
        if not request.headers.get("sec-websocket-protocol", "").isascii():
            raise ConnectionDeny(400, "the Sec-WebSocket-Protocol header is not ASCII")  # type: ignore[no-untyped-call]
        if self._options is not None:
            self.websocket_extensions: list[Any] = []  # none is offered: a strange parameter must not matter
        return super().onConnect(request)

    def serverAccept(self, subprotocol: str | None = None) -> None:
        """The application takes the connection; the answer names the software only where it shall."""
        if self._options is not None and self._options.show_server_version:
            subprotocol = (subprotocol, {"Server": f"wampnode/{__version__}"})  # type: ignore[assignment]
        super().serverAccept(subprotocol)

    def handle_reply(self, message: dict[str, Any]) -> None:
        """ASGI events, those included that Daphne does not know or takes for mistakes."""
        kind = message.get("type")
        if kind == "websocket.http.response.start" and self.state == self.STATE_CONNECTING:
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
        self._answer(code, headers, reason.encode() + b"\n")

    def _answer(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status} {RESPONSES.get(status, b'Refused').decode()}"]
        lines += [f"{name}: {value}" for name, value in headers if name.lower() not in ("content-length", "connection")]
        lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
        self.sendData("\r\n".join(lines).encode("latin-1") + body)

    def _refuse(self, message: dict[str, Any]) -> None:
        del self.handshake_deferred
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]
        self.wasNotCleanReason = f"refused with status {message['status']}"
        self._answer(message["status"], headers, self._refusal_body)
        self.dropConnection(abort=False)
        self.server.protocol_disconnected(self)
        client = ":".join(map(str, self.client_addr)) if self.client_addr else None
        self.server.log_action("websocket", "rejected", {"path": self.request.path, "client": client})
