"""What meta procedures may reach: the realm's sessions, broker and dealer, and the way to end a session."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..broker import Broker
from ..dealer import Dealer
from ..environment import Environment
from ..records import Session
from .arguments import Arguments


@dataclass(frozen=True, slots=True)
class Context:
    """One realm, as meta procedures see it. ``leave(session_id, reason, message, is_quiet=False)`` ends a session."""

    sessions: dict[int, Session]
    broker: Broker
    dealer: Dealer
    environment: Environment
    leave: Callable[..., None]


Procedure = Callable[[Context, Session, Arguments], Any]
"""Takes the realm, the caller and the arguments; returns the one positional result. Raises RequestRefused."""
