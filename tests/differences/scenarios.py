"""All scenarios, in the order of the page."""

from . import calls, handshake, identifiers, meta, permissions, pubsub, registrations, sessions
from .scenario import SCENARIOS

__all__ = [
    "SCENARIOS",
    "calls",
    "handshake",
    "identifiers",
    "meta",
    "permissions",
    "pubsub",
    "registrations",
    "sessions",
]
