"""An ASGI application that itself raises for some paths."""

import sys

from django.core.asgi import get_asgi_application

from wamp_transport.routing import wamp_application

django_application = get_asgi_application()


async def own_application(scope, receive, send):
    if scope["type"] == "websocket" or scope["path"] == "/application/":
        sys.exit(1)
    await django_application(scope, receive, send)


wamp_application_ = wamp_application(own_application)


async def application(scope, receive, send):
    """What a project puts around all."""
    if scope["path"] == "/around/":
        raise KeyboardInterrupt
    await wamp_application_(scope, receive, send)
