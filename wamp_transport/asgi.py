"""The entry point for a project's ``asgi.py``: ``wamp_application()``, imported from :mod:`wamp_transport.routing`."""

from .routing import WampApplication, wamp_application

__all__ = ["WampApplication", "wamp_application"]
