"""Parse the handshake request of common WebSocket clients in one step, without I/O.

The parsers of the HTTP server and of Autobahn handle all other requests, and report errors in detail.

See RFC 6455, section 4.2, "Server-Side Requirements".
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha1
from typing import Final

from msgspec import Struct

MAX_REQUEST_BYTES: Final = 8 * 1024
"""Maximum size of a request in bytes. This module does not parse longer ones."""

MAX_HEADERS: Final = 100
"""Maximum number of headers. This module does not parse requests with more."""

MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

NAME: Final = rb"[A-Za-z0-9!$&'*.^`|~+-]"
"""A character of a header name. ``_``, ``%`` and ``#`` are valid too, but no common client sends them."""
HEAD: Final = re.compile(rb"GET (/[!-\"$-~]*+) HTTP/1\.1\r\n(?:" + NAME + rb"++:[ -~\t]*+\r\n)*+")
HEADER: Final = re.compile(rb"(" + NAME + rb"+):([ -~\t]*)")
"""``HEADER`` matches one header of printable ASCII characters. ``HEAD`` matches a request line and all headers; its
quantifiers are possessive, so that it never backtracks.
"""
KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")
AUTHORITY: Final = rb"([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])(:([0-9]{1,4}|[1-5][0-9]{4}))?"
HOST: Final = re.compile(AUTHORITY)
ORIGIN: Final = re.compile(rb"null|[a-z][a-z0-9+.\-]*://" + AUTHORITY)

UNUSUAL: Final = frozenset({b"content-length", b"transfer-encoding", b"expect", b"daphne-root-path", b"forwarded"})
"""Headers of requests that this module does not parse. The same applies to headers that begin with ``x-forwarded``."""


class UpgradeRequest(Struct, gc=False):
    """A valid request to open a WebSocket.

    ``path`` and ``query`` are percent-encoded, as received. ``headers`` contains all headers in order, with unique
    lower-case names. ``subprotocols`` are in the client's order. ``rest`` contains the bytes after the request.
    """

    path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    subprotocols: list[str]
    key: bytes
    offers_extensions: bool
    rest: bytes


def parse_simple_upgrade(data: bytes, max_bytes: int = MAX_REQUEST_BYTES) -> UpgradeRequest | None:
    """Parse the request in the first bytes of a connection.

    Return None if the request is incomplete, longer than ``max_bytes``, or not simple enough for this module.
    """
    end = data.find(b"\r\n\r\n", 0, min(max_bytes, MAX_REQUEST_BYTES))
    head = HEAD.fullmatch(data, 0, end + 2) if end >= 0 else None
    if head is None:
        return None
    headers = [(name.lower(), value.strip()) for name, value in HEADER.findall(data, head.end(1), end)]
    fields = dict(headers)
    if len(fields) != len(headers) or len(headers) > MAX_HEADERS:
        return None
    subprotocols = [name.strip() for name in fields.get(b"sec-websocket-protocol", b"").decode().split(",")]
    if not _is_simple(fields, subprotocols):
        return None
    path, _, query = head[1].partition(b"?")
    has_extensions = b"sec-websocket-extensions" in fields
    return UpgradeRequest(
        path, query, headers, subprotocols, fields[b"sec-websocket-key"], has_extensions, data[end + 4 :]
    )


def _is_simple(fields: dict[bytes, bytes], subprotocols: list[str]) -> bool:
    return (
        fields.get(b"upgrade", b"").lower() == b"websocket"
        and b"upgrade" in [token.strip() for token in fields.get(b"connection", b"").lower().split(b",")]
        and fields.get(b"sec-websocket-version") == b"13"
        and KEY.fullmatch(fields.get(b"sec-websocket-key", b"")) is not None
        and HOST.fullmatch(fields.get(b"host", b"")) is not None
        and ORIGIN.fullmatch(fields.get(b"origin", b"null")) is not None
        and all(subprotocols)
        and len(set(subprotocols)) == len(subprotocols)
        and UNUSUAL.isdisjoint(fields)
        and not any(name.startswith(b"x-forwarded") for name in fields)
    )


def switching_protocols(key: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the HTTP response that accepts a WebSocket handshake.

    ``key`` is the value of the request's ``Sec-WebSocket-Key`` header. ``headers`` are added to the required headers.
    """
    accept = b64encode(sha1(key + MAGIC, usedforsecurity=False).digest())
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    return answer + accept + b"\r\n" + b"".join(b"%s: %s\r\n" % header for header in headers) + b"\r\n"
