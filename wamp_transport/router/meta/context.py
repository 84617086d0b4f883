"""Define the context of meta procedures: the realm's sessions, broker and dealer, and a function to end sessions."""

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
    """The parts of a realm that meta procedures use.

    ``leave(session_id, reason, message, is_quiet=False)`` ends a session.
    """

    sessions: dict[int, Session]
    broker: Broker
    dealer: Dealer
    environment: Environment
    leave: Callable[..., None]


Procedure = Callable[[Context, Session, Arguments], Any]
"""A meta procedure. It is called with context, caller and arguments, and returns the single positional result. Raises
RequestRefused.
"""
