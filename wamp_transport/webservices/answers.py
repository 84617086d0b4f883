"""Sends small, complete HTTP answers over ASGI, with a content length and with support of HEAD.

Files, which are too large for one message, are sent by `file_answer`.
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
    """An HTTP service was called with another type of scope: a bug in the code that mounted it.

    For `lifespan`, ASGI expects an error from applications that do not support it.
    """

    def __init__(self, service: object, scope_type: str) -> None:
        super().__init__(f"{type(service).__name__} answers HTTP requests only, not {scope_type!r}")
        self.scope_type = scope_type


def require_http(service: object, scope: Scope) -> None:
    """Raise UnsupportedScope unless the scope is that of an HTTP request."""
    if scope["type"] != "http":
        raise UnsupportedScope(service, scope["type"])


def encode_headers(headers: HeaderList) -> list[tuple[bytes, bytes]]:
    """Return headers in the form of ASGI.

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
    """Send one complete answer; to HEAD, the same headers without the body.

    Raises ValueError, before anything is sent, for a header that `encode_headers` refuses.
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
    """Answer 405 with the allowed methods."""
    await send_answer(scope, send, 405, b"Method not allowed.\n", headers=[("Allow", ", ".join(allowed))])


async def send_redirect(scope: Scope, send: Send, location: str) -> None:
    """Answer 302 with a location, which must be a valid, encoded URL reference."""
    await send_answer(scope, send, 302, b"Found elsewhere.\n", headers=[("Location", location)])
