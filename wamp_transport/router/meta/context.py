"""Define the context of meta procedures: the realm's sessions, broker and dealer, and a function to end sessions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class LargeResult(NamedTuple):
    """A result that may be much larger than its CALL. It is computed when the caller's buffer has room for it.

    ``compute`` changes nothing. It may raise RequestRefused, but not suspend the call.
    """

    compute: Callable[[], Any]


Procedure = Callable[[Context, Session, Arguments], Any]
"""A meta procedure. It is called with context, caller and arguments, and returns the single positional result, or a
LargeResult of it. Raises RequestRefused.
"""
