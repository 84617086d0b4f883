"""Complete HTTP responses to refused WebSocket handshakes, so that clients can show the reason."""

from collections.abc import Iterable
from typing import Any

from .channel import phrase

OWN_HEADERS = ("content-length", "connection")
"""Headers that this module always sets itself. Values from an application are ignored."""


def http_answer(status: int, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """Return an HTTP response with the header ``Connection: close``."""
    lines = [f"HTTP/1.1 {status} {phrase(status).decode()}"]
    lines += [f"{name}: {value}" for name, value in headers if name.lower() not in OWN_HEADERS]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def error_answer(status: int, reason: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return the response to a handshake that Autobahn refuses, with the headers that Autobahn omits."""
    headers = [("Content-Type", "text/plain; charset=utf-8"), *headers]
    if any(name.lower() == "sec-websocket-version" for name, _ in headers):
        status = 426  # RFC 6455, section 4.4: the client can try another version
    if status == 426:
        headers.append(("Upgrade", "websocket"))
    elif status == 405:
        headers.append(("Allow", "GET"))
    return http_answer(status, headers, reason.encode() + b"\n")


class DenialResponse:
    """An application's response that refuses a handshake, collected from ASGI events.

    ``start`` is the event ``websocket.http.response.start``. It must contain ``status``.
    """

    def __init__(self, start: dict[str, Any]) -> None:
        self.status: int = start["status"]
        self._headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start.get("headers", ())]
        self._body = b""

    def add(self, event: dict[str, Any]) -> bool:
        """Add an event ``websocket.http.response.body``. Return whether this is the last event of the response."""
        self._body += event.get("body", b"")
        return not event.get("more_body")

    def answer(self) -> bytes:
        """Return the bytes of the response."""
        return http_answer(self.status, self._headers, self._body)
