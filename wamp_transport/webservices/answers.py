"""Send small HTTP responses over ASGI, with a Content-Length, and without a body if the request method is HEAD.

The module `file_answer` sends files, which can be too large for one ASGI message.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

Scope = Mapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
HeaderList = Iterable[tuple[str, str]]

READ_METHODS = ("GET", "HEAD")
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_WITHOUT_BODY = (204, 304)


class UnsupportedScope(Exception):
    """Raised if an HTTP service is called with a scope that is not HTTP.

    Usually, this means that the code that mounted the service has a bug. ASGI also expects an exception from
    applications that do not support the scope `lifespan`.
    """

    def __init__(self, service: object, scope_type: str) -> None:
        super().__init__(f"{type(service).__name__} answers HTTP requests only, not {scope_type!r}")
        self.scope_type = scope_type


def require_http(service: object, scope: Scope) -> None:
    """Raise UnsupportedScope if the scope is not an HTTP request."""
    if scope["type"] != "http":
        raise UnsupportedScope(service, scope["type"])


def encode_headers(headers: HeaderList) -> list[tuple[bytes, bytes]]:
    """Encode headers as ASGI expects them: as pairs of bytes, with lower-case names.

    Raises ValueError for a name that is not a token, and for a value with a line break or another control character,
    which could inject headers.
    """
    encoded = []
    for name, value in headers:
        if not _NAME.fullmatch(name) or _UNSAFE.search(value):
            raise ValueError(f"not a header: {name!r}: {value!r}")
        encoded.append((name.lower().encode("ascii"), value.encode("latin-1")))
    return encoded


async def send_answer(
    scope: Scope,
    send: Send,
    status: int,
    body: bytes = b"",
    *,
    content_type: str = TEXT,
    headers: HeaderList = (),
) -> None:
    """Send a complete response. For HEAD, send the same headers without the body.

    Raises ValueError if `encode_headers` rejects a header. Nothing has been sent in this case.
    """
    lines = [("X-Content-Type-Options", "nosniff"), *headers]
    if status in _WITHOUT_BODY:
        body = b""
    else:
        lines += [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    start = {"type": "http.response.start", "status": status, "headers": encode_headers(lines)}
    await send(start)
    if scope["method"] == "HEAD":
        body = b""
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def refuse_method(scope: Scope, send: Send, allowed: Iterable[str] = READ_METHODS) -> None:
    """Send a 405 response that lists the allowed methods."""
    await send_answer(scope, send, 405, b"Method not allowed.\n", headers=[("Allow", ", ".join(allowed))])


async def send_redirect(scope: Scope, send: Send, location: str) -> None:
    """Send a 302 redirect. `location` must be a valid, percent-encoded URL reference."""
    await send_answer(scope, send, 302, b"Found elsewhere.\n", headers=[("Location", location)])
