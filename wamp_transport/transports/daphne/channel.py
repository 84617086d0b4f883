"""One HTTP connection, with limits on the size and duration of request heads and bodies.

See RFC 9110, section 15.5, "Client Error 4xx".
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
"""The form of a Host header: a name or an address, and an optional port.

Commas are legal, but not accepted, because they indicate that two headers were joined.
"""

MAX_HEADER_LINES: Final = 200
"""Maximum number of header lines of a request."""

IDLE_SECONDS: Final = 60
"""The time without data, in seconds, after which a connection is closed if ``client_timeout`` is not set."""

LINGER_SECONDS: Final = 1.0
"""The time in seconds for which a refused client's input is discarded before the connection is closed.

Without this delay, the client might not be able to read the reason for the refusal.
"""


def is_host(values: Sequence[bytes], *, is_required: bool) -> bool:
    """Return whether a request has one valid Host header, or none if it may be missing; see RFC 9112, section 3.2."""
    if not values:
        return not is_required
    found = HOST.fullmatch(values[0].strip())
    return len(values) == 1 and found is not None and int(found[1] or 0) <= 65535


def phrase(status: int) -> bytes:
    """Return the reason phrase of an HTTP status, even if Twisted does not know the status; empty if there is none."""
    if status in RESPONSES:
        return RESPONSES[status]
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""


class LimitedChannel(HttpChannel):
    """Twisted's HTTP parser with the limits of a web transport.

    The head of the first request must be complete within ``seconds``. The head of a later request must be complete
    within the option ``request_timeout``, counted from its first byte. These times are not extended when more bytes
    arrive.
    """

    maxHeaders = MAX_HEADER_LINES
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
        """Start the timeout of the first request."""
        super().connectionMade()  # type: ignore[no-untyped-call]
        self.setTimeout(self._seconds)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        """Parse received bytes. The first byte of a request starts its timeout."""
        if self._is_refused:
            return
        self._has_begun = True
        if self._is_between:
            self._is_between = False
            self.setTimeout(self.options.request_timeout)  # type: ignore[no-untyped-call]
        LineReceiver.dataReceived(self, data)  # type: ignore[no-untyped-call]

    def lineReceived(self, line: bytes) -> None:
        """Handle a line of a request head, or refuse the request if the head is too large."""
        if self._is_refused:
            return
        if self.header_size + len(line) > self.totalHeadersSize:
            self.lineLengthExceeded(line)
        else:
            super().lineReceived(line)  # type: ignore[no-untyped-call]

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a request whose head, or a line in it, is too long."""
        if self.has_request_line:
            self.refuse(431, f"the head of a request may have at most {self.totalHeadersSize} bytes")
        else:
            self.refuse(
                414, f"the head of a request, including its URI, may have at most {self.totalHeadersSize} bytes"
            )

    def headerReceived(self, line: bytes) -> bool:
        """Handle a complete header. Return whether it is valid."""
        if self._is_refused:
            return False
        if self.header_count >= self.maxHeaders:
            self.refuse(431, f"a request may have at most {self.maxHeaders} header lines")
            return False
        try:
            is_good: bool = super().headerReceived(line)  # type: ignore[no-untyped-call]
        except ValueError:  # a Content-Length with more digits than Python converts to an integer
            self.refuse_bad_request()
            return False
        if is_good and self.length is not None and self.exceeds(self.length):
            self.refuse_body()
            return False
        return is_good and not self._is_refused

    def allHeadersReceived(self) -> None:
        """Check a complete head, and start the idle timeout for the body."""
        if self._is_refused:
            return
        self.setTimeout(self._idle_seconds)  # type: ignore[no-untyped-call]
        hosts = self.requests[-1].requestHeaders.getRawHeaders(b"Host", ())
        if not is_host(hosts, is_required=self.version != b"HTTP/1.0"):
            self.refuse(400, "a request must have one Host header, with a host and an optional port")
            return
        refusal = self.factory.client_refusal(self)
        if refusal:
            self.refuse(503, f"{refusal}; close one of them, or try again later")
            return
        super().allHeadersReceived()  # type: ignore[no-untyped-call]

    def rawDataReceived(self, data: bytes) -> None:
        """Handle bytes of a body, or bytes that arrive while the previous request is still being handled."""
        if self._is_refused:
            return
        if not self.is_handling_request:
            self.resetTimeout()  # type: ignore[no-untyped-call]
        super().rawDataReceived(data)

    def allContentReceived(self) -> None:
        """Handle a complete request."""
        if not self._is_refused:
            super().allContentReceived()  # type: ignore[no-untyped-call]

    def requestDone(self, request: Any) -> None:
        """Prepare for the next request, because the response to this one is complete."""
        self._is_between = True
        self._has_begun = False
        connection = counted(self.transport)
        if connection is not None:
            connection.end_client()
        super().requestDone(request)  # type: ignore[no-untyped-call]

    def exceeds(self, size: int) -> bool:
        """Return whether a body of ``size`` bytes is too large."""
        return 0 < self.options.max_request_body < size

    def refuse_body(self) -> None:
        """Refuse a request whose body is too large."""
        self.refuse(413, f"the body of a request may have at most {self.options.max_request_body} bytes")

    def timeoutConnection(self) -> None:
        """Close the connection. If the client has begun a request, send an error first."""
        if self._is_refused or not self._has_begun:
            super().timeoutConnection()  # type: ignore[no-untyped-call]
        else:
            self.refuse(408, "the request took too long to arrive")

    def refuse_bad_request(self) -> None:
        """Respond to a request that cannot be parsed, and close the connection."""
        self.refuse(400, "this is not a valid HTTP request")

    def refuse(self, status: int, reason: str) -> None:
        """Send an error response and close the connection. Further input is discarded."""
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
            # This closes the connection, and aborts it later if the client does not read.
            super().timeoutConnection()  # type: ignore[no-untyped-call]
