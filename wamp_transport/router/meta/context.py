"""Define the context of meta procedures: the realm's sessions, broker and dealer, and a function to end sessions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..broker import Broker
from ..dealer import Dealer
from ..environment import Environment
from ..records import Session
from ..testaments import Testaments
from .arguments import Arguments


@dataclass(frozen=True, slots=True)
class Context:
    """The objects of a realm that meta procedures use.

    ``leave(session_id, reason, message, is_quiet=False, killer=None)`` ends a session.
    """

    sessions: dict[int, Session]
    broker: Broker
    dealer: Dealer
    testaments: Testaments
    environment: Environment
    leave: Callable[..., None]


class LargeResult(NamedTuple):
    """A result that can be much larger than its CALL. It is not computed before the caller's buffer has room.

    ``compute`` returns the result. It may raise RequestRefused, but must neither change any state nor suspend the call.
    """

    compute: Callable[[], Any]


Procedure = Callable[[Context, Session, Arguments], Any]
"""A meta procedure. It is called with the context, the caller and the arguments, and raises RequestRefused if it fails.

It returns the value to send as the only positional argument of RESULT, or a LargeResult that computes this value.
"""
