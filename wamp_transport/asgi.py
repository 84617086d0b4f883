"""``wamp_application()`` for a project's ``asgi.py``: the same as in :mod:`wamp_transport.routing`."""

from .routing import WampApplication, wamp_application

__all__ = ["WampApplication", "wamp_application"]
