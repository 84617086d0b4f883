"""Answer plain HTTP requests to the path of a WAMP service with an explanation of the service."""

import json
from collections.abc import Iterable
from html import escape

from .answers import HTML, READ_METHODS, TEXT, Receive, Scope, Send, refuse_method, require_http, send_answer
from .request_headers import accepted, header

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>WAMP service</title></head>
<body>
<h1>A WAMP service</h1>
<p>This path speaks the Web Application Messaging Protocol over WebSocket. It is for programs: connect a WAMP
client to {place}, with one of the subprotocols {subprotocols}.</p>
</body>
</html>
"""
_TEXT = "This path speaks WAMP over WebSocket: connect a WAMP client to {place}, with one of {subprotocols}.\n"
_JSON = "application/json"


class WebSocketStatus:
    """An ASGI application that answers HTTP requests to the path of a WAMP service with an explanation.

    The answer is an HTML page, JSON or text, depending on what the client accepts. If ``is_shown`` is false, it is text
    with the status 426. ``url`` is the configured address of the service, which the answers contain if it is set. They
    contain nothing from the request and nothing about the machine.
    """

    def __init__(self, serializers: Iterable[str], *, is_shown: bool, url: str | None = None) -> None:
        subprotocols = [f"wamp.2.{name}" for name in serializers]
        words = {"subprotocols": ", ".join(subprotocols), "place": url or "it"}
        self._page = _PAGE.format(**{key: escape(value) for key, value in words.items()}).encode()
        self._text = _TEXT.format(**words).encode()
        facts = {"protocol": "wamp", "transport": "websocket", "subprotocols": subprotocols}
        self._json = json.dumps(facts if url is None else {**facts, "url": url}).encode() + b"\n"
        self._is_shown = is_shown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        require_http(self, scope)
        if scope["method"] not in READ_METHODS:
            await refuse_method(scope, send)
            return
        if not self._is_shown:
            headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]
            await send_answer(scope, send, 426, self._text, content_type=TEXT, headers=headers)
            return
        kinds = accepted(header(scope, b"accept"))
        headers = [("Cache-Control", "no-store"), ("Vary", "Accept")]
        if "text/html" in kinds:
            headers.append(("Content-Security-Policy", "default-src 'none'"))
            await send_answer(scope, send, 200, self._page, content_type=HTML, headers=headers)
        elif _JSON in kinds:
            await send_answer(scope, send, 200, self._json, content_type=_JSON, headers=headers)
        else:
            await send_answer(scope, send, 200, self._text, content_type=TEXT, headers=headers)
