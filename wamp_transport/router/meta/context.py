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

    ``leave(session_id, reason, message, is_quiet=False, killer=None)`` ends a session; see :meth:`.Router.leave`.
    """

    sessions: dict[int, Session]
    broker: Broker
    dealer: Dealer
    testaments: Testaments
    environment: Environment
    leave: Callable[..., None]


class LargeResult(NamedTuple):
    """A result that can be much larger than its CALL. It is computed only when the caller's buffer has room for it.

    ``compute`` is a function that returns the result. It may raise RequestRefused. It must not change any state, and
    must not raise MessageSuspended.
    """

    compute: Callable[[], Any]


Procedure = Callable[[Context, Any, Arguments], Any]
"""A meta procedure. It is called with the context, the caller and the arguments, and raises RequestRefused if it fails.

The caller is a session. If the procedure answers a question of another node, the caller is a RemoteCaller instead. The
procedure returns the value to send as the only positional argument of RESULT, or a LargeResult that computes this
value.
"""
