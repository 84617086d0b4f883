"""HTTP of one connection, with its limits: heads and bodies are bounded in size and in time, and answers are whole.

Section of RFC 9110: 15.5, "Client Error 4xx".
"""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from twisted.protocols.basic import LineReceiver
from twisted.web.http import RESPONSES

from ...compat.twisted import HttpChannel
from ...config.transport import WebOptions
from .sockets import counted

HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+;=%-]*|\[[0-9A-Za-z:.%]+\])(?::([0-9]{0,5}))?")
"""A Host header: a name or an address, perhaps a port. A comma, though legal, stands for two headers in one."""

MOST_HEADERS: Final = 200
"""Header lines of a request."""

IDLE_SECONDS: Final = 60
"""How long a connection may stand still where `client_timeout` says nothing."""

LINGER_SECONDS: Final = 1.0
"""How long what a refused client still sends is thrown away, so that it gets to read why."""


def is_host(values: Sequence[bytes]) -> bool:
    """Whether the Host headers of a request are none, or one that may be (RFC 9112, 3.2)."""
    if not values:
        return True  # HTTP/1.0 knows none; who needs one asks for it
    found = HOST.fullmatch(values[0].strip())
    return len(values) == 1 and found is not None and int(found[1] or 0) <= 65535


def phrase(status: int) -> bytes:
    """The name of an HTTP status, those included that Twisted does not know; empty where it is none at all."""
    if status in RESPONSES:
        return RESPONSES[status]
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""


class LimitedChannel(HttpChannel):
    """Twisted's HTTP parser with the limits of a web transport.

    The time for the first head, ``seconds``, counts from now, for later ones from their first byte; no byte that comes
    meanwhile puts it off.
    """

    maxHeaders = MOST_HEADERS
    transport: Any
    factory: Any

    def __init__(self, options: WebOptions, seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.options = options
        self._seconds = seconds
        self.totalHeadersSize = self.MAX_LENGTH = options.max_request_head
        self._idle_seconds = options.client_timeout or IDLE_SECONDS
        self._is_between = False
        self._has_begun = False
        self._is_refused = False

    def connectionMade(self) -> None:
        """The first bytes are here."""
        super().connectionMade()  # type: ignore[no-untyped-call]
        self.setTimeout(self._seconds)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        """Bytes of requests."""
        if self._is_refused:
            return
        self._has_begun = True
        if self._is_between:
            self._is_between = False
            self.setTimeout(self.options.request_timeout)  # type: ignore[no-untyped-call]
        LineReceiver.dataReceived(self, data)  # type: ignore[no-untyped-call]

    def lineReceived(self, line: bytes) -> None:
        """A line of a head."""
        if self._is_refused:
            return
        if self.header_size + len(line) > self.totalHeadersSize:
            self.lineLengthExceeded(line)
        else:
            super().lineReceived(line)  # type: ignore[no-untyped-call]

    def lineLengthExceeded(self, line: bytes) -> None:
        """The head is too large: by its first line, or by the others."""
        if self.has_request_line:
            self.refuse(431, f"the head of a request may have {self.totalHeadersSize} bytes")
        else:
            self.refuse(414, f"the head of a request, its URI included, may have {self.totalHeadersSize} bytes")

    def headerReceived(self, line: bytes) -> bool:
        """A header is complete."""
        if self._is_refused:
            return False
        if self.header_count >= self.maxHeaders:
            self.refuse(431, f"a request may have {self.maxHeaders} header lines")
            return False
        is_good: bool = super().headerReceived(line)  # type: ignore[no-untyped-call]
        if is_good and self.length is not None and self.exceeds(self.length):
            self.refuse_body()
            return False
        return is_good and not self._is_refused

    def allHeadersReceived(self) -> None:
        """The head is complete; a body may follow, as long as it does not stand still."""
        if self._is_refused:
            return
        self.setTimeout(self._idle_seconds)  # type: ignore[no-untyped-call]
        if not is_host(self.requests[-1].requestHeaders.getRawHeaders(b"Host", ())):
            self.refuse(400, "a request has one Host header, which names a host and perhaps a port")
            return
        refusal = self.factory.client_refusal(self)
        if refusal:
            self.refuse(503, f"{refusal}; close one of them, or try again later")
            return
        super().allHeadersReceived()  # type: ignore[no-untyped-call]

    def rawDataReceived(self, data: bytes) -> None:
        """Bytes of a body, or of what follows a request that is being answered."""
        if self._is_refused:
            return
        if not self.is_handling_request:
            self.resetTimeout()  # type: ignore[no-untyped-call]
        super().rawDataReceived(data)

    def allContentReceived(self) -> None:
        """The request is complete."""
        if not self._is_refused:
            super().allContentReceived()  # type: ignore[no-untyped-call]

    def requestDone(self, request: Any) -> None:
        """The answer is complete; the next request may begin."""
        self._is_between = True
        self._has_begun = False
        connection = counted(self.transport)
        if connection is not None:
            connection.end_client()
        super().requestDone(request)  # type: ignore[no-untyped-call]

    def exceeds(self, size: int) -> bool:
        """Whether a body of so many bytes is too large."""
        return 0 < self.options.max_request_body < size

    def refuse_body(self) -> None:
        """The body is too large."""
        self.refuse(413, f"the body of a request may have {self.options.max_request_body} bytes")

    def timeoutConnection(self) -> None:
        """It takes too long. Who has begun a request is told, who has not knows."""
        if self._is_refused or not self._has_begun:
            super().timeoutConnection()  # type: ignore[no-untyped-call]
        else:
            self.refuse(408, "the request took too long to come")

    def refuse_bad_request(self) -> None:
        """Answer a request that cannot be parsed, and close."""
        self.refuse(400, "this is no HTTP request that can be understood")

    def refuse(self, status: int, reason: str) -> None:
        """Answer with an error and close; what still comes is thrown away."""
        if self._is_refused:
            return
        self._is_refused = True
        self.persistent = 0
        body = reason.encode() + b"\n"
        head = [
            f"HTTP/1.1 {status} {phrase(status).decode()}",
            "Content-Type: text/plain; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Connection: close",
            "",
            "",
        ]
        self.transport.write("\r\n".join(head).encode() + body)
        self.setTimeout(None)  # type: ignore[no-untyped-call]
        self.read_without_producer()
        if status in (413, 414, 431):
            self.setTimeout(LINGER_SECONDS)  # type: ignore[no-untyped-call]
        else:
            super().timeoutConnection()  # type: ignore[no-untyped-call]  # closes, in the end of who reads nothing, too
