"""The `json` service, which answers with a fixed JSON value."""

import json
from typing import Any

from wamp_transport.webservices.answers import (
    READ_METHODS,
    Receive,
    Scope,
    Send,
    refuse_method,
    require_http,
    send_answer,
)
from wamp_transport.webservices.not_found import send_not_found
from wamp_transport.webservices.paths import rest_of

OWN_PATHS = ((), ("",))
"""The results of `rest_of` for the path of the service itself, without and with a trailing slash."""


class JsonValue:
    """An ASGI application that answers GET and HEAD requests with a JSON value.

    Requests for paths below that of the service are answered with 404. Raises ValueError for NaN and infinities, and
    TypeError for types that JSON cannot represent.
    """

    def __init__(
        self,
        value: Any,
        *,
        prettify: bool = False,
        allow_cross_origin: bool = False,
        discourage_caching: bool = False,
    ) -> None:
        layout: dict[str, Any] = {"indent": 2} if prettify else {"separators": (",", ":")}
        text = json.dumps(value, allow_nan=False, **layout)
        self._body = (text + "\n" if prettify else text).encode("ascii")
        self._headers: list[tuple[str, str]] = []
        if allow_cross_origin:
            self._headers.append(("Access-Control-Allow-Origin", "*"))
        if discourage_caching:
            self._headers.append(("Cache-Control", "no-store"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        require_http(self, scope)
        if rest_of(scope) not in OWN_PATHS:
            await send_not_found(scope, send)
            return
        if scope["method"] not in READ_METHODS:
            await refuse_method(scope, send)
            return
        await send_answer(scope, send, 200, self._body, content_type="application/json", headers=self._headers)
