"""The request of a usual WebSocket client, read without I/O in one go.

Whatever is the least bit unusual is left to the HTTP server's and Autobahn's own parsers, which know all the ways in
which a request can be wrong. Section of RFC 6455: 4.2, "Server-Side Requirements".
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha1
from typing import Final

from msgspec import Struct

LONGEST: Final = 8 * 1024
"""Bytes of the longest request that is read here."""

MOST_HEADERS: Final = 100
"""Headers of a request that is read here."""

MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

REQUEST_LINE: Final = re.compile(rb"GET (/[!-\"$-~]*) HTTP/1\.1", re.ASCII)
HEADER: Final = re.compile(rb"([A-Za-z0-9!$&'*.^`|~+-]+):[ \t]*([ -~\t]*)")
"""A header of printable ASCII. Names with ``_``, ``%`` or ``#`` are legal but no usual client sends them."""
KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==")
AUTHORITY: Final = r"([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])(:([0-9]{1,4}|[1-5][0-9]{4}))?"
HOST: Final = re.compile(AUTHORITY)
ORIGIN: Final = re.compile(r"null|[a-z][a-z0-9+.\-]*://" + AUTHORITY)

UNUSUAL: Final = frozenset({"content-length", "transfer-encoding", "expect", "daphne-root-path", "forwarded"})
"""Headers that make a request unusual, and so do all that begin with ``x-forwarded``."""


class UpgradeRequest(Struct, gc=False):
    """A request for a WebSocket that keeps all the rules.

    ``path`` and ``query`` are as they came, still percent-encoded. ``headers`` are all headers in order, names in lower
    case, each there once. ``subprotocols`` are in the client's order; ``rest`` is what came after the request.
    """

    path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    subprotocols: list[str]
    key: str
    offers_extensions: bool
    rest: bytes


def ordinary_upgrade(data: bytes, longest: int = LONGEST) -> UpgradeRequest | None:
    """The request that the first bytes of a connection hold.

    None: it is not whole, or has more than ``longest`` bytes, or is not an ordinary one.
    """
    end = data.find(b"\r\n\r\n", 0, min(longest, LONGEST))
    if end < 0 or not data.startswith(b"GET /"):
        return None
    lines = data[:end].split(b"\r\n")
    request = REQUEST_LINE.fullmatch(lines[0])
    if request is None or len(lines) - 1 > MOST_HEADERS:
        return None
    headers: list[tuple[bytes, bytes]] = []
    fields: dict[str, str] = {}
    for line in lines[1:]:
        header = HEADER.fullmatch(line)
        if header is None:
            return None
        name = header[1].lower()
        value = header[2].rstrip()
        field = name.decode()
        if field in fields:
            return None
        headers.append((name, value))
        fields[field] = value.decode()
    subprotocols = [name.strip() for name in fields.get("sec-websocket-protocol", "").split(",")]
    if not _is_ordinary(fields, subprotocols):
        return None
    path, _, query = request[1].partition(b"?")
    has_extensions = "sec-websocket-extensions" in fields
    key = fields["sec-websocket-key"]
    return UpgradeRequest(path, query, headers, subprotocols, key, has_extensions, data[end + 4 :])


def _is_ordinary(fields: dict[str, str], subprotocols: list[str]) -> bool:
    return (
        fields.get("upgrade", "").lower() == "websocket"
        and "upgrade" in [token.strip().lower() for token in fields.get("connection", "").split(",")]
        and fields.get("sec-websocket-version") == "13"
        and KEY.fullmatch(fields.get("sec-websocket-key", "")) is not None
        and HOST.fullmatch(fields.get("host", "")) is not None
        and ORIGIN.fullmatch(fields.get("origin", "null")) is not None
        and all(subprotocols)
        and len(set(subprotocols)) == len(subprotocols)
        and UNUSUAL.isdisjoint(fields)
        and not any(name.startswith("x-forwarded") for name in fields)
    )


def switching_protocols(key: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The answer to a request with ``key``, with further ``headers``."""
    accept = b64encode(sha1(key.encode() + MAGIC, usedforsecurity=False).digest())
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    return answer + accept + b"\r\n" + b"".join(b"%s: %s\r\n" % header for header in headers) + b"\r\n"
