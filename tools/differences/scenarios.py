"""All scenarios, in the order of the page."""

from . import authenticators, calls, handshake, identifiers, logins, meta, permissions, pubsub, registrations, sessions
from .scenario import SCENARIOS

__all__ = [
    "SCENARIOS",
    "authenticators",
    "calls",
    "handshake",
    "identifiers",
    "logins",
    "meta",
    "permissions",
    "pubsub",
    "registrations",
    "sessions",
]
