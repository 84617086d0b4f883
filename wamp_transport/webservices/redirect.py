"""The `redirect` service, which redirects GET and HEAD requests to one URL."""

import re

from django.utils.encoding import iri_to_uri

from wamp_transport.webservices.answers import (
    READ_METHODS,
    Receive,
    Scope,
    Send,
    refuse_method,
    require_http,
    send_redirect,
)

_NEVER_IN_A_URL = re.compile(r"[\x00-\x20\x7f]")


class Redirect:
    """An ASGI application that answers GET and HEAD requests with 302. The query and the rest of the path are dropped.

    The URL may be absolute or relative. Characters outside ASCII are percent-encoded. Raises ValueError for an empty
    URL, and for a URL with spaces or control characters.
    """

    def __init__(self, url: str) -> None:
        if not url or _NEVER_IN_A_URL.search(url):
            raise ValueError(f"not a URL to redirect to: {url!r}")
        self._location = iri_to_uri(url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        require_http(self, scope)
        if scope["method"] not in READ_METHODS:
            await refuse_method(scope, send)
            return
        await send_redirect(scope, send, self._location)
