"""The 404 response: a page for browsers and a short text for other clients.

The response reveals nothing about the server.
"""

from wamp_transport.webservices.answers import HTML, TEXT, Receive, Scope, Send, require_http, send_answer
from wamp_transport.webservices.request_headers import accepted, header

_TEXT = b"Not found.\n"
_PAGE = b"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>404 Not Found</title></head>
<body><h1>Not found</h1><p>There is nothing at this address.</p></body>
</html>
"""


async def send_not_found(scope: Scope, send: Send) -> None:
    """Send a 404 response in the form that the client prefers."""
    # Send HTML only if the Accept header contains text/html. Command-line tools send */* and get the short text.
    wants_page = "text/html" in accepted(header(scope, b"accept"))
    body, content_type = (_PAGE, HTML) if wants_page else (_TEXT, TEXT)
    await send_answer(scope, send, 404, body, content_type=content_type, headers=[("Vary", "Accept")])


class NotFound:
    """An ASGI application that answers all requests with 404."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        require_http(self, scope)
        await send_not_found(scope, send)
