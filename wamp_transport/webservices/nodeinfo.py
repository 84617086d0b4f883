"""The `nodeinfo` service: a page with the name and version of the product, and with details from the configuration."""

from collections.abc import Mapping
from html import escape

from wamp_transport.webservices.answers import (
    HTML,
    READ_METHODS,
    Receive,
    Scope,
    Send,
    refuse_method,
    require_http,
    send_answer,
)

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{product}</title></head>
<body><h1>{product}</h1><table>
{rows}
</table></body>
</html>
"""


class NodeInfo:
    """An ASGI application that answers GET and HEAD with the name and version of the product.

    `details` maps the labels of additional rows on the page to their texts. Everyone who can reach the path can read
    these rows, so do not include host names or process ids unless they may be public.
    """

    def __init__(self, product: str, version: str, details: Mapping[str, str] | None = None) -> None:
        rows = {"Version": version, **(details or {})}
        self._body = _PAGE.format(
            product=escape(product),
            rows="\n".join(
                f'<tr><th scope="row">{escape(label)}</th><td>{escape(value)}</td></tr>'
                for label, value in rows.items()
            ),
        ).encode("utf-8")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        require_http(self, scope)
        if scope["method"] not in READ_METHODS:
            await refuse_method(scope, send)
            return
        headers = [("Cache-Control", "no-store"), ("Content-Security-Policy", "default-src 'none'")]
        await send_answer(scope, send, 200, self._body, content_type=HTML, headers=headers)
